# SPDX-License-Identifier: GPL-3.0-or-later
"""Wizards: the magic wand beside a parameter opens a preview, and puts what was chosen there into the form."""

import numpy as np
from pyworkflow.wizard import Wizard

from stadyn import protocols as p
from stadyn.convert.averages import map_path
from stadyn.convert.particles import read_particle_input
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.io.mrc import open_volume
from stadyn.protocols.forms import EXHAUSTIVE
from stadyn.protocols.presets import CUSTOM, ROUND_PRESETS
from stadyn.protocols.recentre import TYPED
from stadyn.protocols.rounds import ROUND_FIELDS
from stadyn.protocols.unit_cells import find_candidates
from stadyn.viewers.form_input import (
    bright_map,
    first_particle,
    given,
    groups_of,
    on_spheres,
    on_surfaces,
    on_tubes,
    section_through,
)
from stadyn.viewers.preview_wizard import PreviewWizard
from stadyn.viewers.previews import (
    BoxPreview,
    CentrePreview,
    ExclusionPreview,
    LowpassPreview,
    MaskPreview,
    RadiusPreview,
    Slider,
    SpacingPreview,
    TiltPreview,
)
from stadyn.viewers.rounds_table import RoundsTable

PAPER_BOX_ANGST = 345.6
SLABS = 24
"""Slices across the tilt axis whose power is averaged."""


class StadynMaskWizard(PreviewWizard):
    """Radius and ends of a mask, on its map."""

    _targets = [
        (p.StadynProtMask, ["radius", "zMin", "zMax", "cellRadius"]),
        (p.StadynProtCommonHeight, ["radius"]),
        (p.StadynProtSelectCC, ["maskRadius"]),
    ]

    def preview(self, protocol, name):
        volume, pixel_size = bright_map(protocol)
        half = pixel_size * (volume.shape[0] // 2)
        radius = name if name in ("maskRadius", "cellRadius") else "radius"
        sliders = [Slider(radius, "Radius (Å)", 0.0, half, getattr(protocol, radius).get(), 1.0)]
        if isinstance(protocol, p.StadynProtMask) and radius == "radius":
            ends = (("zMin", "Lower end (Å)"), ("zMax", "Upper end (Å)"))
            sliders += [Slider(end, label, -half, half, getattr(protocol, end).get(), 1.0) for end, label in ends]
        return MaskPreview(volume, pixel_size, sliders, radius)


class StadynLowpassWizard(PreviewWizard):
    """A low-pass, on the filtered slices of the map it works on."""

    _targets = [
        (p.StadynProtMask, ["lowpass"]),
        (p.StadynProtSelectCC, ["lowpass"]),
        (p.StadynProtHalfMaps, ["lowpass"]),
        (p.StadynProtPostprocess, ["lowpass"]),
        (p.StadynProtAlign, ["viewingLowpass"]),
        (p.StadynProtAverage, ["viewingLowpass"]),
        (p.StadynProtAverageOfAverages, ["viewingLowpass"]),
        (p.StadynProtRecentre, ["viewingLowpass"]),
        (p.StadynProtCheckGeometry, ["resolution"]),
    ]

    def preview(self, protocol, name):
        return LowpassPreview(*bright_map(protocol), name, getattr(protocol, name).get() or 0.0)


class StadynCentreWizard(PreviewWizard):
    """The point to recentre on, clicked on a slice."""

    _targets = [(p.StadynProtRecentre, ["point"])]

    def preview(self, protocol, name):
        volume, pixel_size = bright_map(protocol)
        words = (protocol.point.get() or "").replace(",", " ").split()
        try:
            point = [float(word) for word in words]
        except ValueError:
            point = []
        return CentrePreview(volume, pixel_size, point if len(point) == 3 else None)

    def show(self, form, *params):
        super().show(form, *params)
        if form.protocol.point.get():
            form.setVar("centre", TYPED)


class StadynBoxWizard(PreviewWizard):
    """The box, about the first particle in its tomogram."""

    _targets = [
        (protocol, ["boxSize"])
        for protocol in (
            p.StadynProtAlign, p.StadynProtAverage, p.StadynProtCommonHeight, p.StadynProtExtract,
            p.StadynProtHalfMaps, p.StadynProtOversample, p.StadynProtSelectCC, p.StadynProtExpandLattice,
            p.StadynProtRefitSurfaces, p.StadynProtOversampleTubes, p.StadynProtImportParticles,
        )
    ]  # fmt: skip

    def preview(self, protocol, name):
        path, pixel_size, position = first_particle(protocol)
        radius = next((r for r in ("maskRadius", "radius") if hasattr(protocol, r)), None)
        compared = (radius, getattr(protocol, radius).get()) if radius and hasattr(protocol, "fmin") else None
        section = section_through(path, position[2])
        return BoxPreview(section, position[:2], pixel_size, protocol.boxSize.get(), compared)


class StadynRadiusWizard(PreviewWizard):
    """Radii of VLPs and tubes, as circles on a slice through the first tomogram."""

    _targets = [
        (p.StadynProtFindShells, ["smallestRadius", "largestRadius", "membraneDistance"]),
        (p.StadynProtOversampleTubes, ["radius"]),
    ]

    def preview(self, protocol, name):
        path, pixel_size, position = first_particle(protocol)
        names = ("smallestRadius", "largestRadius") if hasattr(protocol, "largestRadius") else ("radius",)
        radii = {name: (protocol.getParam(name).label.get(), getattr(protocol, name).get()) for name in names}
        if name == "membraneDistance":
            radii = {name: ("Membrane outside the lattice (Å)", protocol.membraneDistance.get())}
        return RadiusPreview(section_through(path, position[2]), position[:2], pixel_size, radii)


class StadynSpacingWizard(PreviewWizard):
    """The spacing of the crop points, on the VLPs or tubes of the first tomogram."""

    _targets = [(cls, ["spacing"]) for cls in (p.StadynProtOversample, p.StadynProtRefitSurfaces)]
    _targets += [(p.StadynProtOversampleTubes, ["spacing"])]

    def preview(self, protocol, name):
        make = {
            p.StadynProtOversample: on_spheres, p.StadynProtRefitSurfaces: on_surfaces,
            p.StadynProtOversampleTubes: on_tubes,
        }  # fmt: skip
        points, pixel_size = make[type(protocol)](protocol)
        return SpacingPreview(points, pixel_size, protocol.spacing.get())


class StadynExclusionWizard(PreviewWizard):
    """The exclusion radius, on the distances between the particles, or the candidates of a subboxing."""

    _targets = [
        (cls, ["exclusionRadius"]) for cls in (p.StadynProtSelectCC, p.StadynProtSplitHalves, p.StadynProtSubboxing)
    ]

    def preview(self, protocol, name):
        if isinstance(protocol, p.StadynProtSubboxing):
            for pointer in ("inputParticles", "inputAverages", "inputAverage"):
                given(protocol, pointer)
            found = find_candidates(protocol)
            return ExclusionPreview(found.table, found.pixel_size, found.radius_angst)
        pointer = protocol.inputParticles
        sets = [one.get() for one in pointer] if isinstance(protocol, p.StadynProtSplitHalves) else [pointer.get()]
        if not sets or sets[0] is None:
            raise InputError("give the particles first")
        inputs = [read_particle_input(particles) for particles in sets]
        table = ParticleTable.concatenate(i.table for i in inputs).renumbered()
        return ExclusionPreview(table, inputs[0].tomograms[0].pixel_size, protocol.exclusionRadius.get())


class StadynTiltRangeWizard(PreviewWizard):
    """The tilt range, on the power spectrum of the first tomogram of the list."""

    _targets = [(p.StadynProtImportTomograms, ["tiltMin", "tiltMax"])]

    def preview(self, protocol, name):
        volume = open_volume(protocol.listedPaths()[0])
        rows = np.linspace(0, volume.shape[1] - 1, min(SLABS, volume.shape[1])).astype(int)
        section = np.stack([np.asarray(volume[:, y, :], np.float32) for y in rows])
        return TiltPreview(section, protocol.tiltMin.get(), protocol.tiltMax.get())


class StadynRoundsWizard(Wizard):
    """The rounds as a table, with what follows from the numbers."""

    _targets = [(cls, [*ROUND_FIELDS, "preset"]) for cls in (p.StadynProtAlign, p.StadynProtAverageOfAverages)]

    def table(self, protocol):
        """The `RoundsTable` of the form as it stands."""
        if protocol.preset == CUSTOM:
            values = {name: getattr(protocol, name).get() for name in ROUND_FIELDS}
        else:
            values = dict(ROUND_PRESETS[protocol.stage.get()][protocol.preset.get()])
            values["symmetry"] = (protocol.presetSymmetry.get() or "").strip() or values["symmetry"]
        particles = (protocol.inputParticles if hasattr(protocol, "inputParticles") else protocol.inputAverages).get()
        if particles is None:
            return RoundsTable(values, pixel_size=1.0, box_angst=PAPER_BOX_ANGST, particles=0)
        if hasattr(protocol, "boxSize"):
            box = protocol.boxSize.get()
        else:
            _, pixel_size, shape = map_path(particles.getFirstItem())
            box = shape[0] * pixel_size
        threads, exhaustive = protocol.numberOfThreads.get(), protocol.engine == EXHAUSTIVE
        return RoundsTable(
            values,
            float(particles.getSamplingRate()),
            box,
            particles.getSize(),
            threads,
            exhaustive,
            groups_of(protocol),
        )

    def show(self, form, *params):
        """Open the table on a form of the host, and fill the lists in."""
        from stadyn.viewers.dialog import RoundsDialog  # needs a display

        dialog = RoundsDialog(form.root, self.table(form.protocol))
        if dialog.resultYes():
            form.setVar("preset", CUSTOM)
            for name, value in dialog.table.values().items():
                form.setVar(name, value)
