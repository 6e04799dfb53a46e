# SPDX-License-Identifier: GPL-3.0-or-later
"""The surface of each virus-like particle, fitted to its aligned particles, and crop points all over it."""

from enum import Enum

import numpy as np
from pyworkflow.protocol.constants import LEVEL_ADVANCED
from tomo.objects import SetOfCoordinates3D

from stadyn.convert.coordinates import write_coordinates
from stadyn.convert.particles import precedents
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.surfaces import MIN_POINTS, fibonacci_directions, fit_spheres, fit_surfaces, resample_surfaces
from stadyn.io.settings import write_json

from .base import StadynProtocol, inside_tomograms
from .cost_warnings import particle_warnings, when_known
from .estimates import points_on_spheres
from .forms import WRITTEN_BOX_HELP, add_box, add_number, add_particles, add_random_azimuth, add_seed

LARGEST_RMS = 0.1
"""Of the distances from a surface, over its radius. Aligned particles: 0.002; those of all VLPs as one: 0.15."""


class RefitSurfacesOutputs(Enum):
    coordinates = SetOfCoordinates3D


class StadynProtRefitSurfaces(StadynProtocol):
    """Afterwards look at *Particles in space* and at the summary. Good: the particles lie within 10 Å of the surface of
    their VLP, and its least and largest radius differ by less than 30 of 100. Bad: 30 Å and more: many particles
    settled on the membrane, or two VLPs carry one number.

    It fits a smooth closed surface to the aligned particles of each VLP, for VLPs are no spheres and clicks are off by
    tens of Å, and spreads crop points evenly over it, their z axes along its normals. Closely spaced, 40 Å, they are
    the dense search that takes the place of subboxing: every unit cell has a point near it.

    Dynamo: a _vesicle_ or _membraneByLevels_ model, refined and cropped again. Paper: goes by subboxing (step 5).
    """

    _label = "refit surfaces"
    _possibleOutputs = RefitSurfacesOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_particles(
            form,
            label="Aligned particles",
            help="Particles that an alignment has moved to the surface, each with the number of its VLP. Strays are "
            "outvoted.",
        )
        text = (
            "Distance between neighbouring points on the surface. About half the spacing of the lattice, 40 Å, leaves "
            "no unit cell without a point; larger ones cost less time."
        )
        add_number(form, "spacing", 40.0, (5, 2000), "Spacing (Å)", text)
        text = "Highest spherical harmonic of the surface: 0 is a sphere, 2 about an ellipsoid, 4 has gentle dents."
        add_number(form, "degree", 4, (0, 8), "Degree of the surface", text, expertLevel=LEVEL_ADVANCED)
        text = "Give each point a random rotation about its normal, which the surface does not determine."
        add_random_azimuth(form, True, text)
        add_box(form, help=WRITTEN_BOX_HELP)
        add_seed(form)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.refitStep, needsGPU=False)

    def refitStep(self):
        particles = self.readInput()
        tomograms = precedents(self.given("inputParticles"))
        sizes = {tomogram.id: tomogram.pixel_size for tomogram in particles.tomograms}
        surfaces = fit_surfaces(particles.table, self.degree.get())
        if not surfaces:
            raise InputError(
                f"no VLP has {MIN_POINTS} particles to fit a surface to: give particles that know their VLP, or more"
            )
        figures = [surface_figures(key, surface, sizes[key[0]]) for key, surface in surfaces.items()]
        for surface in figures:
            check_surface(surface)
        table = self._points(surfaces, sizes)
        table = table.select(inside_tomograms(table, particles.tomograms))
        pixel_size = tomograms.getSamplingRate()
        output = self.createSet(SetOfCoordinates3D)
        output.setPrecedents(tomograms)
        output.setSamplingRate(pixel_size)
        output.setBoxSize(2 * round(self.boxSize.get() / pixel_size / 2))
        write_coordinates(table, output, tomograms)
        self.defineOutput(RefitSurfacesOutputs.coordinates.name, output, "inputParticles")
        write_json(self.resultPath("surfaces.json"), figures)
        source = particles.table
        known = len(set(zip(source.tomogram_ids.tolist(), source.surface_ids.tolist(), strict=True)))
        self.saveSummary(surfaces=figures, points=len(table), unfitted=known - len(surfaces))

    def _points(self, surfaces, sizes):
        """Points of all tomograms, whose pixel sizes may differ."""
        parts = []
        for number, name in enumerate(dict.fromkeys(tomogram for tomogram, _ in surfaces)):
            own = {key: surface for key, surface in surfaces.items() if key[0] == name}
            azimuth = None if self.randomAzimuth else 0.0
            parts.append(resample_surfaces(own, self.spacing.get() / sizes[name], [self.seed.get(), number], azimuth))
        return ParticleTable.concatenate(parts).renumbered()

    # ----- what the form shows

    def _checks(self):
        return [self._checkCoordinates, lambda: self.checkTomograms()]

    def _checkCoordinates(self):
        if precedents(self.given("inputParticles")) is None:
            raise InputError("these subtomograms have no coordinates: give particles that know their tomograms")

    def _warnings(self):
        return when_known(self, ["inputParticles"], self._costs)

    def _costs(self):
        particles = self.readInput()
        sizes = {tomogram.id: tomogram.pixel_size for tomogram in particles.tomograms}
        radii = [sphere.radius * sizes[name] for (name, _), sphere in fit_spheres(particles.table).items()]
        count = points_on_spheres(radii, self.spacing.get())
        return particle_warnings(count, "Twice the spacing makes a quarter of them.")

    def _citations(self):
        return [*super()._citations(), "CastanoDiez2017"]

    def _methods(self):
        return [
            "A smooth surface (spherical harmonics) was fitted to the aligned particles of each virus-like particle, "
            f"and oversampled with points {self.spacing.get():g} Å apart."
        ]

    def _summaryLines(self, figures):
        if not figures:
            return []
        lines = [f"{figures['points']} points on {len(figures['surfaces'])} surfaces."]
        lines += [
            f"{s['tomogram']}, VLP {s['vlp']}: radius {s['radius_angst']:.0f} Å ({s['least_radius_angst']:.0f} to "
            f"{s['largest_radius_angst']:.0f}), {s['particles']} particles within {s['rms_angst']:.1f} Å of it."
            for s in figures["surfaces"]
        ]
        if figures["unfitted"]:
            lines.append(f"{figures['unfitted']} VLPs have too few particles and were left out.")
        return lines


def check_surface(figures):
    """InputError for a surface that its particles do not lie on: they are of several VLPs, or not aligned."""
    radius, rms = figures["radius_angst"], figures["rms_angst"]
    if figures["least_radius_angst"] <= 0 or rms > LARGEST_RMS * radius:
        raise InputError(
            f"the {figures['particles']} particles of VLP {figures['vlp']} in {figures['tomogram']} lie {rms:.0f} Å "
            f"off the surface of {radius:.0f} Å that fits best: say by their group which VLP each belongs to"
        )


def surface_figures(key, surface, pixel_size):
    """What is kept of one fitted surface: lengths in Å, its centre in pixels, coefficients in pixels."""
    radii = surface.radii(fibonacci_directions(256)) * pixel_size
    return {
        "tomogram": key[0],
        "vlp": key[1],
        "center": surface.center,
        "radius_angst": float(np.mean(radii)),
        "least_radius_angst": float(radii.min()),
        "largest_radius_angst": float(radii.max()),
        "rms_angst": surface.rms * pixel_size,
        "particles": surface.n,
        "coefficients": surface.coefficients,
    }
