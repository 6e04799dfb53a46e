# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 3, blocks B and C: the average centred on a unit cell of the lattice."""

import re
from enum import Enum

import numpy as np
from pwem.objects import Volume
from pyworkflow.protocol import params
from pyworkflow.protocol.constants import LEVEL_ADVANCED
from tomo.objects import AverageSubTomogram, SetOfCoordinates3D

from stadyn.convert.averages import average_from_file, map_path, volume_from_file
from stadyn.core.errors import InputError
from stadyn.core.lattice import find_symmetry_axis
from stadyn.core.recentring import frame_at_point
from stadyn.core.symmetry import symmetry_order
from stadyn.io.markers import read_markers
from stadyn.io.mrc import read_volume
from stadyn.io.settings import read_settings, write_json

from .base import StadynProtocol, inside_tomograms
from .forms import add_averaging, add_input, add_number, add_particles, add_viewing_lowpass
from .ranges import symmetry_check
from .viewing import write_inverted

AUTOMATIC, MARKER_FILE, TYPED, FILE_IF_GIVEN = range(4)
JOB = "recentred"
POSE = "new_centre.json"


class RecentreOutputs(Enum):
    particles = SetOfCoordinates3D
    average = AverageSubTomogram
    viewingCopy = Volume


class StadynProtRecentre(StadynProtocol):
    """Afterwards look at *Slices of a map*. Good: a unit cell in the middle of slice xy with six others about it, and
    in the summary a self-correlation about the axis of 0.7 and more. Bad: below 0.5, or the middle of the slice is a
    three-fold or a hole: mark the centre yourself (the wand beside *Point*).

    It moves the centre of an average to a unit cell of its lattice, with all particles that made it, and averages them
    anew. After an alignment without symmetry the centre lies anywhere in a unit cell. It must sit on the six-fold axis
    before C6 may be imposed: a shift along the surface, and a tilt of the normal by shift / radius.

    Dynamo: _dynamo_table_rigid_ (here also the tilt) and _daverage_. Paper: step 3, blocks B and C; the tip of the CA
    N-terminal domain is marked in Chimera (reference_center.cmm).
    """

    _label = "recentre"
    _possibleOutputs = RecentreOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_particles(form, help="The particles of the average, aligned, whose poses move with it.")
        text = "The map to be centred, protein dark: of the alignment the particles come from."
        add_input(form, "inputAverage", "Volume", "Average", text)
        form.addParam(
            "centre",
            params.EnumParam,
            choices=["found automatically", "marker file", "typed", "marker file, or else automatically"],
            default=AUTOMATIC,
            label="New centre",
            help="*found automatically*: of the symmetry axes within reach, that of the fullest unit "
            "cell.\n*marker file*, *typed*: a point that you marked, in Chimera for instance, on the average or its "
            "viewing copy (paper: reference_center.cmm, the tip of the CA N-terminal domain).",
        )
        form.addParam(
            "markerFile",
            params.FileParam,
            default="",
            label="Marker file",
            condition=f"centre in ({MARKER_FILE}, {FILE_IF_GIVEN})",
            help="A marker set of Chimera (.cmm), in Å from the first voxel, or text with x, y, z; the first is taken.",
        )
        form.addParam(
            "point",
            params.StringParam,
            default="",
            label="Point (Å)",
            condition=f"centre == {TYPED}",
            help="x, y, z in Å from the first voxel of the average, as Chimera counts; inside the box. The wand shows "
            "the average to click on.",
        )
        automatic = f"centre in ({AUTOMATIC}, {FILE_IF_GIVEN})"
        form.addParam(
            "axisSymmetry",
            params.StringParam,
            default="C6",
            label="Symmetry axis",
            condition=automatic,
            help="Rotation axis of the lattice that is looked for: C6 for the hexameric lattice.",
        )
        text = "Distance between neighbouring unit cells, roughly; 72 to 76 Å in immature HIV-1."
        add_number(form, "latticeSpacing", 75.0, (5, 2000), "Lattice spacing (Å)", text, condition=automatic)
        form.addParam(
            "averageSymmetry",
            params.StringParam,
            default="C1",
            label="Symmetry of the new average",
            help="Imposed when the particles are averaged anew. C1, none, is what the paper's next alignment starts "
            "from; C6 is right once the centre is.",
        )
        form.addParam(
            "tiltNormal",
            params.BooleanParam,
            default=True,
            label="Tilt the normal too?",
            expertLevel=LEVEL_ADVANCED,
            condition=f"centre != {AUTOMATIC}",
            help="Turn the axis to the normal of the surface at the new centre. The paper does not.",
        )
        add_viewing_lowpass(form)
        add_averaging(form, symmetry=False)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.findCentreStep, needsGPU=False)
        self._insertFunctionStep(self.averageStep, needsGPU=self.usesGpu())
        self._insertFunctionStep(self.createOutputStep, needsGPU=False)

    def findCentreStep(self):
        path, pixel_size, _ = map_path(self.given("inputAverage"))
        volume = read_volume(path)
        if self._automatic():
            order = symmetry_order(self.axisSymmetry.get())
            site = find_symmetry_axis(volume, pixel_size, order, self.latticeSpacing.get())
            shift, rotation, symmetry_cc = site.shift, site.rotation, site.symmetry_cc
        else:
            shift, rotation = frame_at_point(volume, pixel_size, self._markedPoint(), self.tiltNormal.get())
            symmetry_cc = None
        write_json(self.resultPath(POSE), {"shift_angst": shift * pixel_size, "rotation": rotation})
        tilt_deg = np.degrees(np.arctan2(np.hypot(*rotation[:2, 2]), rotation[2, 2]))
        self.saveSummary(shift_angst=shift * pixel_size, tilt_deg=tilt_deg, symmetry_cc=symmetry_cc)

    def averageStep(self):
        particles, pose = self.readInput(), read_settings(self.resultPath(POSE))
        shift = np.array(pose["shift_angst"]) / self.pixelSize()
        moved = particles.table.moved(shift, np.array(pose["rotation"]))
        kept = inside_tomograms(moved, particles.tomograms)
        boxes = None if particles.boxes is None else particles.boxes.select(kept)
        _, pixel_size, shape = map_path(self.given("inputAverage"))
        settings = self.jobSettings(
            type(particles)(moved.select(kept), particles.tomograms, boxes),
            JOB,
            box_angst=shape[0] * pixel_size,
            symmetry=self.averageSymmetry.get(),
            fmin=self.fmin.get(),
            seed=self.seed.get(),
        )
        self.runStadynJob("average", settings)
        self.saveSummary(particles_in=len(moved), particles_out=int(kept.sum()))

    def createOutputStep(self):
        sources, pixel_size = ("inputParticles", "inputAverage"), self.pixelSize()
        path, copy = self.resultPath(JOB, "average_all.mrc"), self.resultPath(JOB, "average_all_inverted.mrc")
        write_inverted(path, copy, self.viewingLowpass.get())
        table = self.readTable(JOB, "particles.npz")
        self.defineOutput(RecentreOutputs.particles.name, self.createLike(table), *sources)
        self.defineOutput(RecentreOutputs.average.name, average_from_file(path, pixel_size), *sources)
        self.defineOutput(RecentreOutputs.viewingCopy.name, volume_from_file(copy, pixel_size), *sources)

    def _markedPoint(self):
        """(3,) pixels from the centre of the average; InputError for a missing or misplaced mark."""
        _, pixel_size, shape = map_path(self.given("inputAverage"))
        if self.centre == TYPED:
            return self._typedPoint() / pixel_size - shape[0] // 2
        path = self._markerFile()
        if not path:
            raise InputError("no marker file is given: name a .cmm file, or have the centre found automatically")
        return read_markers(path, pixel_size, shape)[0]

    def _markerFile(self):
        return (self.markerFile.get() or "").strip()

    def _automatic(self):
        """Whether the centre is searched for: asked for, or no marker file given where one may be."""
        return self.centre == AUTOMATIC or (self.centre == FILE_IF_GIVEN and not self._markerFile())

    def _typedPoint(self):
        text = self.point.get() or ""
        try:
            point = [float(word) for word in re.split(r"[\s,;]+", text.strip())]
        except ValueError:
            point = []
        if len(point) != 3:
            raise InputError(f'the point "{text}" is not three numbers: type x, y, z in Å')
        return np.array(point)

    # ----- what the form shows

    def _checks(self):
        return [self.checkTomograms] if self._automatic() else [self.checkTomograms, self._markedPoint]

    def _formChecks(self):
        checks = [symmetry_check(self.averageSymmetry.get())]
        if self.centre == TYPED:
            checks.append(self._typedPoint)
        return [*checks, symmetry_check(self.axisSymmetry.get())] if self._automatic() else checks

    def _methods(self):
        figures, how = self.loadSummary(), ""
        if "shift_angst" in figures:
            moved = np.linalg.norm(figures["shift_angst"])
            how = f" by a shift of {moved:.1f} Å and a tilt of {figures['tilt_deg']:.1f}°"
        return [
            f"The average was centred on a unit cell of the lattice{how}, with its particles, which were averaged anew "
            f"with symmetry {self.averageSymmetry.get()}."
        ]

    def _summaryLines(self, figures):
        if "particles_out" not in figures:
            return []
        x, y, z = figures["shift_angst"]
        lines = [f"Centre moved by ({x:.1f}, {y:.1f}, {z:.1f}) Å, normal tilted by {figures['tilt_deg']:.1f}°."]
        if figures["symmetry_cc"] is not None:
            lines.append(f"Self-correlation about the axis: {figures['symmetry_cc']:.2f} of at most 1.")
        lost = figures["particles_in"] - figures["particles_out"]
        return lines + ([f"{lost} particles left their tomogram and were dropped."] if lost else [])
