# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 2, block B: crop points all over the surface of each virus-like particle."""

from enum import Enum

import numpy as np
from pyworkflow.protocol import params
from tomo.objects import SetOfCoordinates3D

from stadyn.convert.coordinates import write_coordinates
from stadyn.convert.meshes import read_dipoles
from stadyn.convert.tomograms import read_tomograms
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.surfaces import oversample

from .base import StadynProtocol, inside_tomograms
from .forms import add_box, add_seed


class OversampleOutputs(Enum):
    coordinates = SetOfCoordinates3D


class StadynProtOversample(StadynProtocol):
    """Spreads crop points evenly over the sphere of every dipole, their z axes pointing outward, so closely that every
    unit cell of the lattice lies in some box around them (paper, step 2, block B).
    """

    _label = "oversample surfaces"
    _possibleOutputs = OversampleOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        form.addParam(
            "inputDipoles",
            params.PointerParam,
            pointerClass="SetOfMeshes",
            important=True,
            label="Dipoles",
            help="Virus-like particles as centre and surface point: of 'import dipoles' or the simulation.",
        )
        form.addParam(
            "spacing",
            params.FloatParam,
            default=162.0,
            label="Spacing (Å)",
            validators=[params.Positive],
            help="Distance between neighbouring points on the surface (Dynamo: _separation_). Paper: 120 pixels of "
            "1.35 Å, 162 Å, a bit less than half the box. Closer points reach more of a patchy lattice and cost "
            "more time.",
        )
        add_box(
            form,
            help="Side of the box that later steps will cut around each point; written on the coordinates, for "
            "viewers and other packages. Paper: 256 pixels of 1.35 Å, 345.6 Å.",
        )
        form.addParam(
            "randomAzimuth",
            params.BooleanParam,
            default=True,
            label="Random azimuth?",
            help="Give each point a random rotation about its normal, which the surface does not determine; it spreads "
            "the missing wedge evenly over their average.",
        )
        form.addParam(
            "azimuth",
            params.FloatParam,
            default=0.0,
            label="Azimuth (degrees)",
            condition="not randomAzimuth",
            help="The rotation about the normal of every point (Dynamo: _narot_).",
        )
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

    def _methods(self):
        return [
            f"The surfaces were oversampled with points {self.spacing.get():g} Å apart along the outward normal."
        ]

    def _citations(self):
        return [*super()._citations(), "CastanoDiez2017"]

    def _summaryLines(self, figures):
        if not figures:
            return []
        lines = [f"{name}: {count} points" for name, count in figures["points"].items()]
        if figures["outside"]:
            lines.append(f"{figures['outside']} points outside of their tomogram were left out.")
        return lines
