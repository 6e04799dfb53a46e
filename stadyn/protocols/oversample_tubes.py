# SPDX-License-Identifier: GPL-3.0-or-later
"""Crop points all over tubes and filaments, whose axes were marked by points."""

from enum import Enum

import numpy as np
from tomo.objects import SetOfCoordinates3D

from stadyn.convert.coordinates import write_coordinates
from stadyn.convert.meshes import read_point_groups
from stadyn.convert.tomograms import read_tomograms
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.tubes import oversample_tubes

from .base import StadynProtocol, inside_tomograms
from .cost_warnings import particle_warnings, when_known
from .forms import WRITTEN_BOX_HELP, add_box, add_input, add_number, add_random_azimuth, add_seed


class OversampleTubesOutputs(Enum):
    coordinates = SetOfCoordinates3D


class StadynProtOversampleTubes(StadynProtocol):
    """Afterwards look at *Particles in space*. Good: points lie on the walls of the tubes, arrows outward, fewer than 5
    of 100 outside of their tomogram. Bad: a tube that folds back (its points are not in order along the axis), or
    points inside the wall (radius).

    It spreads crop points evenly over tubes, such as lipid tubes with a protein coat, their z axes pointing outward; or
    along filaments, with z along the axis. The axis is a smooth curve through the points that mark it.

    Dynamo: crop points of a filament model (_filamentWithTorsion_, _filamentSubunitsOnHelix_). Paper: has VLPs only.
    """

    _label = "oversample tubes"
    _possibleOutputs = OversampleTubesOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_input(
            form,
            "inputPoints",
            "SetOfMeshes,SetOfCoordinates3D",
            "Points on the axes",
            "Two or more points for each tube, in order along its axis; the group of a point is its tube. Of any "
            "picking protocol.",
        )
        text = "From the axis to the protein layer, of all these tubes; 0: filaments, with particles on the axis."
        add_number(form, "radius", 150.0, (0, 10000), "Radius (Å)", text)
        text = "Distance between neighbouring points. The spacing of the lattice or a little less."
        add_number(form, "spacing", 75.0, (5, 2000), "Spacing (Å)", text)
        add_random_azimuth(
            form,
            False,
            "Give each point a random rotation about its z axis. Otherwise its x axis lies along the tube, and the "
            "in-plane search may be narrow: particles of a helical coat have nearly the same angle to the axis.",
        )
        add_box(form, help=WRITTEN_BOX_HELP)
        add_seed(form, condition="randomAzimuth")

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.oversampleStep, needsGPU=False)

    def oversampleStep(self):
        points = self.given("inputPoints")
        tomograms = points.getPrecedents()
        table = self._points(points, tomograms)
        inside = inside_tomograms(table, read_tomograms(tomograms))
        if not inside.any():
            raise InputError("no point of any tube lies inside its tomogram: check the points and the radius")
        pixel_size = tomograms.getSamplingRate()
        output = self.createSet(SetOfCoordinates3D)
        output.setPrecedents(tomograms)
        output.setSamplingRate(pixel_size)
        output.setBoxSize(2 * round(self.boxSize.get() / pixel_size / 2))
        write_coordinates(table.select(inside), output, tomograms)
        self.defineOutput(OversampleTubesOutputs.coordinates.name, output, "inputPoints")
        tubes = len(set(zip(table.tomogram_ids.tolist(), table.surface_ids.tolist(), strict=True)))
        self.saveSummary(points=int(inside.sum()), tubes=tubes, outside=int(np.sum(~inside)))

    def _points(self, points, tomograms):
        """Points of all tomograms, whose pixel sizes may differ."""
        sizes = {t.getTsId(): t.getSamplingRate() for t in tomograms}
        groups, parts = read_point_groups(points), []
        for number, name in enumerate(dict.fromkeys(tomogram for tomogram, _ in groups)):
            radius = self.radius.get() / sizes[name]
            tubes = {key: (axis, radius) for key, axis in groups.items() if key[0] == name}
            seed = [self.seed.get(), number] if self.randomAzimuth else None
            parts.append(oversample_tubes(tubes, self.spacing.get() / sizes[name], seed))
        return ParticleTable.concatenate(parts).renumbered()

    # ----- what the form shows

    def _checks(self):
        points = self.given("inputPoints")
        return [lambda: read_tomograms(points.getPrecedents()), lambda: self._points(points, points.getPrecedents())]

    def _warnings(self):
        return when_known(self, ["inputPoints"], self._costs)

    def _costs(self):
        points = self.given("inputPoints")
        table = self._points(points, points.getPrecedents())
        return particle_warnings(len(table), "Twice the spacing makes a quarter of them.")

    def _citations(self):
        return [*super()._citations(), "CastanoDiez2017"]

    def _methods(self):
        return [f"Tubes were oversampled along their axes with points {self.spacing.get():g} Å apart."]

    def _summaryLines(self, figures):
        if not figures:
            return []
        lines = [f"{figures['points']} points on {figures['tubes']} tubes."]
        if figures["outside"]:
            lines.append(f"{figures['outside']} points outside of their tomogram were left out.")
        return lines
