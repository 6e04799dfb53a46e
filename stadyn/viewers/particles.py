# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of particles: in space on their VLPs, where they point, their neighbours, what an alignment changed."""

import numpy as np
from pyworkflow.protocol import params

from stadyn.core.lattice_quality import LatticeQuality
from stadyn.core.particles import ParticleTable
from stadyn.io.results import read_result
from stadyn.plots.figures import (
    by_tomogram,
    changes_figure,
    neighbours_figure,
    orientations_figure,
    particles_figure,
)
from stadyn.plots.particles import COLORINGS

from .base import Picture
from .results import INPUT, excluded_of, existing, has_particles, particles_of, pixel_size_of

COLORING_LABELS = {
    "cc": "CC", "half": "half", "surface": "VLP", "latitude": "angle to the beam", "order": "order score",
    "marker": "marker it was subboxed at", "class": "class",
}  # fmt: skip
ORDER = "lattice_quality.npz"
MAX_TOMOGRAMS = 6
"""Tomograms that one window shows when all are asked for."""


class ParticlePicture(Picture):
    """A picture of the particles that a run gave out."""

    def available(self, protocol):
        return has_particles(protocol)


class InSpace(ParticlePicture):
    """Particles in 3D (paper, Figs 2, 4, 6 and 7B)."""

    name, label = "Particles", "Particles in space"
    help = (
        "Each particle at its position in the tomogram; drag to turn, wheel or right button to zoom. Excluded ones are "
        "red crosses. Look for closed shells with honest holes."
    )

    def __init__(self, color_by="cc", discs=False):
        self.color_by, self.discs = color_by, discs

    def parameters(self, form, protocol):
        names = list(by_tomogram(particles_of(protocol)))
        form.addParam(
            "tomogram", params.EnumParam, choices=[*names, "all"], default=0, label="Tomogram",
            help=f"One, or the first {MAX_TOMOGRAMS} side by side.",
        )  # fmt: skip
        form.addParam(
            "colorBy",
            params.EnumParam,
            choices=[COLORING_LABELS[coloring] for coloring in self.colorings(protocol)],
            default=self.colorings(protocol).index(self.color_by),
            label="Colour by",
            help="What the colour of a particle says; the particles of one VLP share a colour under _VLP_."
            + self._not_offered(protocol),
        )
        form.addParam(
            "showExcluded",
            params.BooleanParam,
            default=True,
            label="Show the excluded ones?",
            help="As red crosses, where this run excluded any.",
        )
        form.addParam(
            "discRadius",
            params.FloatParam,
            default=60.0 if self.discs else 0.0,
            validators=[params.GE(0)],
            label="Discs of radius (Å)",
            help="A disc across the axis of each particle shows how it lies on its surface; 0: none.",
        )
        form.addParam(
            "axisLength",
            params.FloatParam,
            default=0.0,
            validators=[params.GE(0)],
            label="Axes of length (Å)",
            help="A line along the axis of each particle, which should point outward; 0: none.",
        )

    def colorings(self, protocol):
        """What colours may stand for: order scores only where measured, markers and classes where there are any."""
        table = particles_of(protocol)
        unknown = set() if existing(protocol, [ORDER]) else {"order"}
        unknown |= {name for name, column in (("marker", table.marker), ("class", table.classes)) if not column.any()}
        return tuple(coloring for coloring in COLORINGS if coloring not in unknown)

    def _not_offered(self, protocol):
        """A sentence on the colourings that the list leaves out, or nothing."""
        missing = [COLORING_LABELS[coloring] for coloring in COLORINGS if coloring not in self.colorings(protocol)]
        return f" Not offered, as no particle here has one: {', '.join(missing)}." if missing else ""

    def figures(self, viewer):
        tables = by_tomogram(particles_of(viewer.protocol))
        names = list(tables)
        chosen = viewer.tomogram.get()
        names = names[:MAX_TOMOGRAMS] if chosen >= len(names) else [names[chosen]]
        left = excluded_of(viewer.protocol) if viewer.showExcluded.get() else None
        empty = ParticleTable.empty()
        pixel_size = pixel_size_of(viewer.protocol)
        figure = particles_figure(
            {name: tables[name] for name in names},
            self.colorings(viewer.protocol)[viewer.colorBy.get()],
            None if left is None else {name: by_tomogram(left).get(name, empty) for name in names},
            viewer.discRadius.get() / pixel_size,
            viewer.axisLength.get() / pixel_size,
            self._orders(viewer.protocol, tables),
        )
        return {"particles": figure}

    def _orders(self, protocol, tables):
        """{tomogram: order score of each particle}, where they were measured."""
        if not existing(protocol, [ORDER]):
            return None
        quality = read_result(protocol.resultPath(ORDER), LatticeQuality)
        score_of = dict(zip(quality.ids.tolist(), quality.order.tolist(), strict=True))
        return {name: np.array([score_of[i] for i in table.ids.tolist()]) for name, table in tables.items()}


class Orientations(ParticlePicture):
    """Where the axes point."""

    name, label = "Orientations", "Orientations"
    help = (
        "How many particles point where: azimuth about the beam, and angle to the beam, on a map of equal areas. Whole "
        "VLPs fill it evenly; a missing top and bottom means that the poles were lost."
    )

    def figures(self, viewer):
        return {"orientations": orientations_figure(by_tomogram(particles_of(viewer.protocol)))}


class Neighbours(ParticlePicture):
    """The neighbour plot."""

    name, label = "Neighbours", "Neighbours"
    help = (
        "Where the neighbours of each particle lie in its own frame, all particles on top of each other. A lattice "
        "shows six spots at its spacing; a ring means that the azimuths do not fit, a spot in the centre duplicates."
    )

    def parameters(self, form, protocol):
        form.addParam(
            "neighbourRadius",
            params.FloatParam,
            default=150.0,
            validators=[params.Positive],
            label="Radius (Å)",
            help="How far away a neighbour may be: twice the lattice spacing shows two rings.",
        )

    def figures(self, viewer):
        table, pixel_size = particles_of(viewer.protocol), pixel_size_of(viewer.protocol)
        return {"neighbours": neighbours_figure(table, pixel_size, viewer.neighbourRadius.get())}


class Changes(ParticlePicture):
    """Shifts and angles changed by an alignment."""

    name, label = "Changes", "Changes of poses"
    help = (
        "How far each particle moved and turned in this run. Shifts that pile up at the limit of the search say that "
        "the limit was too narrow. Turns about the axis count from where the search began, randomised or not."
    )

    def available(self, protocol):
        return super().available(protocol) and existing(protocol, [INPUT]) is not None

    def figures(self, viewer):
        before = read_result(viewer.protocol.resultPath(INPUT), ParticleTable)
        after = particles_of(viewer.protocol)
        return {"changes_of_poses": changes_figure(before, after, pixel_size_of(viewer.protocol))}
