# SPDX-License-Identifier: GPL-3.0-or-later
"""Soft masks for alignment (step 8, block B: one that follows the curvature of the VLPs) and for the FSC (step 9)."""

from enum import Enum

import numpy as np
from pwem.objects import Volume, VolumeMask
from pyworkflow.protocol import params
from pyworkflow.protocol.constants import LEVEL_ADVANCED

from stadyn.convert.averages import map_path, mask_from_file
from stadyn.core.errors import InputError
from stadyn.core.masks import check_mask, curved_slab, cylinder, filtered_mask, sphere
from stadyn.core.surfaces import fit_spheres
from stadyn.io.mrc import read_volume, write_volume

from .base import StadynProtocol
from .forms import add_input, add_number, add_particles

SHAPES = ["sphere", "cylinder", "curved slab", "filtered and binarised density"]
SPHERE, CYLINDER, SLAB, FILTERED = range(4)
CONTRASTS = ["dark", "bright"]


class MaskOutputs(Enum):
    mask = VolumeMask


class StadynProtMask(StadynProtocol):
    """Afterwards look at *The mask on its map* and at the summary. Good: the mask covers the unit cell and its first
    ring of neighbours, 130 Å from the axis, falls off softly, and leaves the membrane out. Bad: a warning that it
    touches the border of the box or cuts the density; a mask under the FSC that follows noise.

    It makes a soft mask in the box of a map: a sphere, a cylinder, a slab that follows the curvature of the VLPs, or
    the density itself, filtered and binarised until it holds the central unit cell. z points outward from the VLP.

    Dynamo: the alignment mask of a project. Paper: a curved mask in step 8, block B, and a filtered and binarised one
    for the FSC.
    """

    _label = "mask"
    _possibleOutputs = MaskOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_input(
            form,
            "inputMap",
            "Volume,AverageSubTomogram",
            "Map",
            "The map whose box and pixel size the mask gets; for the last shape also its density.",
        )
        form.addParam(
            "shape",
            params.EnumParam,
            choices=SHAPES,
            default=SLAB,
            label="Shape",
            help="*curved slab*: a patch of a spherical shell, which roughly follows the curvature of the VLP; the "
            "paper's last alignment.\n*cylinder*: about the axis; aligned best of all in trials on noisy data, without "
            "the membrane.\n*filtered and binarised density*: the paper's mask for the FSC.",
        )
        self._defineLengths(form)
        self._defineFiltered(form)

    def _defineLengths(self, form):
        slab, tall = f"shape == {SLAB}", f"shape == {CYLINDER} or shape == {SLAB}"
        text = "Of the sphere, or the extent from the z axis: 130 Å hold the first ring of neighbours."
        add_number(form, "radius", 130.0, (1, 5000), "Radius (Å)", text, condition=f"shape != {FILTERED}")
        text = "Towards the inside of the VLP, from the centre of the box."
        add_number(form, "zMin", -54.0, (-5000, 5000), "Lower end (Å)", text, condition=tall)
        text = (
            "Away from the VLP's centre, from the centre of the box. The membrane of immature HIV-1 lies about 140 Å "
            "out."
        )
        add_number(form, "zMax", 76.0, (-5000, 5000), "Upper end (Å)", text, condition=tall)
        text = (
            "Radius of the sphere through the centre of the box. 0: the median of the spheres that are fitted to the "
            "particles below."
        )
        add_number(form, "surfaceRadius", 0.0, (0, 100000), "Radius of the VLPs (Å)", text, condition=slab)
        add_particles(
            form,
            condition=f"{slab} and surfaceRadius <= 0",
            allowsNull=True,
            label="Particles on the VLPs",
            help="Aligned particles that know their VLP, to fit its sphere to.",
        )
        text = "Width of the cosine edge outside. A hard edge makes its own features in the FSC."
        add_number(form, "softEdge", 20.0, (0, 500), "Soft edge (Å)", text)

    def _defineFiltered(self, form):
        filtered = f"shape == {FILTERED}"
        form.addParam(
            "contrast",
            params.EnumParam,
            choices=CONTRASTS,
            default=0,
            label="Protein is",
            condition=filtered,
            help="Dark in the averages of the pipeline, bright in inverted copies, half-maps and the final map.",
        )
        text = "Width of the Gaussian that the map is filtered with before it is binarised."
        add_number(form, "lowpass", 15.0, (1, 500), "Low-pass (Å)", text, condition=filtered)
        text = "Filtering and binarising go on until all density this near to the centre is inside."
        add_number(form, "cellRadius", 37.0, (1, 2000), "Radius of the unit cell (Å)", text, condition=filtered)
        form.addParam(
            "threshold",
            params.StringParam,
            default="",
            label="Density threshold (optional)",
            condition=filtered,
            expertLevel=LEVEL_ADVANCED,
            help="Density, protein positive, of the first binarisation. Empty: Otsu's.",
        )
        text = "How far the mask reaches beyond the density before its soft edge begins."
        add_number(form, "extend", 5.0, (0, 500), "Extend by (Å)", text, condition=filtered)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.maskStep, needsGPU=False)
        self._insertFunctionStep(self.createOutputStep, needsGPU=False)

    def maskStep(self):
        path, pixel_size, shape = map_path(self.given("inputMap"))
        soft = self.softEdge.get() / pixel_size
        kind = self.shape.get()
        volume = read_volume(path) if kind == FILTERED else None
        if kind == FILTERED:
            mask = filtered_mask(
                volume,
                pixel_size,
                CONTRASTS[self.contrast.get()],
                self.lowpass.get(),
                self.cellRadius.get(),
                self._threshold(),
                self.extend.get() / pixel_size,
                soft,
            )
        else:
            mask = self._geometric(shape[0], pixel_size, soft)
        write_volume(self.resultPath("mask.mrc"), mask, pixel_size, label=f"stadyn mask: {SHAPES[kind]}")
        bright = None if volume is None else volume * (1 if CONTRASTS[self.contrast.get()] == "bright" else -1)
        self.saveSummary(
            voxels=float(mask.sum()), volume_angst3=float(mask.sum() * pixel_size**3), warnings=check_mask(mask, bright)
        )

    def _geometric(self, box, pixel_size, soft):
        radius, low, high = (v.get() / pixel_size for v in (self.radius, self.zMin, self.zMax))
        if self.shape.get() == SPHERE:
            return sphere(box, radius, soft)
        if self.shape.get() == CYLINDER:
            return cylinder(box, radius, low, high, soft)
        surface_radius = self._surfaceRadius()
        self.saveSummary(surface_radius_angst=surface_radius)
        return curved_slab(box, surface_radius / pixel_size, radius, low, high, soft)

    def _surfaceRadius(self):
        """Å: as typed, or the median of the spheres fitted to the particles of each VLP."""
        if self.surfaceRadius.get() > 0:
            return self.surfaceRadius.get()
        particles = self.readInput()
        spheres = fit_spheres(particles.table)
        if not spheres:
            raise InputError("no VLP has enough particles to fit a sphere to: type the radius of the VLPs")
        return float(np.median([s.radius for s in spheres.values()]) * particles.tomograms[0].pixel_size)

    def _threshold(self):
        text = (self.threshold.get() or "").strip()
        try:
            return float(text) if text else None
        except ValueError:
            raise InputError(f"density threshold {text!r}: give a number, or leave it empty") from None

    def createOutputStep(self):
        mask = mask_from_file(self.resultPath("mask.mrc"), map_path(self.given("inputMap"))[1])
        sources = ["inputMap"] + (["inputParticles"] if self._needsParticles() else [])
        self.defineOutput(MaskOutputs.mask.name, mask, *sources)

    def _needsParticles(self):
        return self.shape.get() == SLAB and self.surfaceRadius.get() <= 0

    # ----- what the form shows

    def _checks(self):
        return [self._checkMap]

    def _formChecks(self):
        return [self._threshold, self._checkEnds]

    def _checkMap(self):
        if not isinstance(self.given("inputMap"), Volume):
            raise InputError(
                f"a {self.given('inputMap').getClassName()} is no map: give a Volume or AverageSubTomogram"
            )
        map_path(self.given("inputMap"))
        if self._needsParticles() and self.given("inputParticles") is None:
            raise InputError("a curved slab needs the radius of the VLPs: type it, or give particles to fit spheres to")

    def _checkEnds(self):
        if self.shape.get() in (CYLINDER, SLAB) and self.zMin.get() >= self.zMax.get():
            raise InputError(f"the lower end {self.zMin.get():g} Å is not under the upper end {self.zMax.get():g} Å")

    def _summaryLines(self, figures):
        if "volume_angst3" not in figures:
            return []
        lines = [f"A {self._described()}; {figures['volume_angst3'] / 1e3:.0f} nm³."]
        if "surface_radius_angst" in figures:
            lines.append(f"It follows a sphere of {figures['surface_radius_angst'] / 10:.1f} nm radius.")
        return lines + [f"Warning: {sentence}." for sentence in figures["warnings"]]

    def _methods(self):
        return [f"The mask was a {self._described()}."]

    def _described(self):
        """The shape with its lengths."""
        kind, soft = self.shape.get(), f"a soft edge of {self.softEdge.get():g} Å"
        if kind == FILTERED:
            return (
                f"{SHAPES[kind]}: low-pass {self.lowpass.get():g} Å, until it held all within "
                f"{self.cellRadius.get():g} Å of the centre, extended by {self.extend.get():g} Å, with {soft}"
            )
        ends = f", from {self.zMin.get():g} to {self.zMax.get():g} Å along z" if kind != SPHERE else ""
        return f"{SHAPES[kind]} of {self.radius.get():g} Å radius{ends}, with {soft}"
