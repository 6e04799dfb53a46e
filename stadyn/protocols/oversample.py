# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 2, block B: crop points all over the surface of each virus-like particle."""

from enum import Enum

import numpy as np
from tomo.objects import SetOfCoordinates3D

from stadyn.convert.coordinates import write_coordinates
from stadyn.convert.meshes import read_dipoles
from stadyn.convert.tomograms import read_tomograms
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.surfaces import oversample

from .base import StadynProtocol, inside_tomograms
from .cost_warnings import particle_warnings, when_known
from .estimates import points_on_spheres
from .forms import WRITTEN_BOX_HELP, add_box, add_input, add_number, add_random_azimuth, add_seed
from .words import counted


class OversampleOutputs(Enum):
    coordinates = SetOfCoordinates3D


class StadynProtOversample(StadynProtocol):
    """Afterwards look at *Particles in space*. Good: discs cover each VLP without large holes, arrows point outward,
    fewer than 5 of 100 points lie outside of their tomogram. Bad: a sphere beside the VLP that is seen in the slices:
    its dipole is off by more than the 54 Å that are tolerated.

    It spreads crop points evenly over the sphere of every dipole, their z axes pointing outward, so closely that every
    unit cell of the lattice lies in some box around them.

    Dynamo: crop points of a dipole set with a _separation_. Paper: step 2, block B, 120 pixels of 1.35 Å, 162 Å.
    """

    _label = "oversample surfaces"
    _possibleOutputs = OversampleOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        text = "Virus-like particles as centre and surface point: of 'import dipoles', 'find shells' or 'pick dipoles'."
        add_input(form, "inputDipoles", "SetOfMeshes", "Dipoles", text)
        text = (
            "Distance between neighbouring points on the surface (Dynamo: _separation_). Paper: 120 pixels of 1.35 Å, "
            "162 Å, a bit less than half the box. Closer points reach more of a patchy lattice and cost more time: "
            "half the spacing makes four times the particles."
        )
        add_number(form, "spacing", 162.0, (5, 2000), "Spacing (Å)", text)
        add_box(form, help=f"{WRITTEN_BOX_HELP} Paper: 256 pixels of 1.35 Å, 345.6 Å.")
        add_random_azimuth(
            form,
            True,
            "Give each point a random rotation about its normal, which the surface does not determine; it spreads the "
            "missing wedge evenly over their average. The paper randomises in step 3.",
        )
        text = "The rotation about the normal of every point (Dynamo: _narot_)."
        add_number(form, "azimuth", 0.0, (-360, 360), "Azimuth (°)", text, condition="not randomAzimuth")
        add_seed(form)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.oversampleStep, needsGPU=False)

    def oversampleStep(self):
        dipoles = self.given("inputDipoles")
        tomograms = dipoles.getPrecedents()
        table = self._points(dipoles, tomograms)
        inside = inside_tomograms(table, read_tomograms(tomograms))
        if not inside.any():
            raise InputError("no point of any surface lies inside its tomogram: check the dipoles")
        pixel_size = tomograms.getSamplingRate()
        output = self.createSet(SetOfCoordinates3D)
        output.setPrecedents(tomograms)
        output.setSamplingRate(pixel_size)
        output.setBoxSize(2 * round(self.boxSize.get() / pixel_size / 2))
        write_coordinates(table.select(inside), output, tomograms)
        self.defineOutput(OversampleOutputs.coordinates.name, output, "inputDipoles")
        names, counts = np.unique(table.tomogram_ids[inside], return_counts=True)
        self.saveSummary(points=dict(zip(names.tolist(), counts.tolist(), strict=True)), outside=int(np.sum(~inside)))

    def _points(self, dipoles, tomograms):
        """Points of all tomograms, whose pixel sizes may differ, with ids 1, 2, ..."""
        pixel_sizes = {t.getTsId(): t.getSamplingRate() for t in tomograms}
        marked = read_dipoles(dipoles)
        azimuth = None if self.randomAzimuth else self.azimuth.get()
        parts = []
        for number, name in enumerate(dict.fromkeys(d.tomogram_id for d in marked)):
            own = [d for d in marked if d.tomogram_id == name]
            parts.append(oversample(own, self.spacing.get() / pixel_sizes[name], [self.seed.get(), number], azimuth))
        return ParticleTable.concatenate(parts).renumbered()

    # ----- what the form shows

    def _checks(self):
        return [lambda: read_tomograms(self.given("inputDipoles").getPrecedents())]

    def _warnings(self):
        return when_known(self, ["inputDipoles"], self._costs)

    def _costs(self):
        sizes = {t.getTsId(): t.getSamplingRate() for t in self.given("inputDipoles").getPrecedents()}
        radii = [dipole.radius * sizes[dipole.tomogram_id] for dipole in read_dipoles(self.given("inputDipoles"))]
        count = points_on_spheres(radii, self.spacing.get())
        return particle_warnings(count, "Twice the spacing makes a quarter of them.")

    def _methods(self):
        points = self.loadSummary().get("points", {})
        total = f"{counted(sum(points.values()), 'point')}, " if points else "points "
        return [
            f"The surfaces were oversampled with {total}{self.spacing.get():g} Å apart, their z axes along the outward "
            "normals" + (" and their azimuths at random." if self.randomAzimuth else ".")
        ]

    def _citations(self):
        return [*super()._citations(), "CastanoDiez2017"]

    def _summaryLines(self, figures):
        if not figures:
            return []
        total = counted(sum(figures["points"].values()), "point")
        lines = [f"{total} in {counted(len(figures['points']), 'tomogram')}, {self.spacing.get():g} Å apart."]
        lines += [f"{name}: {counted(count, 'point')}." for name, count in figures["points"].items()]
        if figures["outside"]:
            lines.append(f"{figures['outside']} points outside of their tomogram were left out.")
        return lines
