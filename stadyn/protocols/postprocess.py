# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 9, post-processing: mask, FSC, resolution, B-factor, and the final map."""

import os
from enum import Enum

from pwem.objects import SetOfFSCs, Volume, VolumeMask
from pyworkflow.protocol import params
from pyworkflow.protocol.constants import LEVEL_ADVANCED

from stadyn.convert.averages import map_path, mask_from_file, volume_from_file
from stadyn.convert.fscs import write_fscs
from stadyn.core.errors import InputError
from stadyn.core.fsc import FSCCurve
from stadyn.io.relion_postprocess import read_mtf
from stadyn.io.results import read_result
from stadyn.io.settings import read_settings

from .base import StadynProtocol
from .forms import CONTRASTS, add_contrast, add_half_maps, add_machine, add_mask, add_number, add_seed, add_symmetry
from .input_checks import check_mask_fits
from .ranges import symmetry_check

JOB = "postprocess"
LARGEST_B_FACTOR = 10000
KEPT = ["resolution_0143_angst", "resolution_05_angst", "b_factor", "b_factor_fitted", "lowpass_angst", "hand_flipped"]
KEPT += ["guinier_range_angst", "guinier_r"]
DIRECTIONAL = ["directional_resolution_angst", "directional_anisotropy"]


class PostprocessOutputs(Enum):
    mask = VolumeMask
    fscs = SetOfFSCs
    sharpenedMap = Volume


class StadynProtPostprocess(StadynProtocol):
    """Afterwards look at *Fourier shell correlation*. Good: the corrected curve falls once, smoothly, through 0.143 to
    0, and that of random phases is below 0.1 there. Bad: curves that stay above 0 at the right edge (halves that share
    particles or a mask), bumps, or random phases that correlate (a mask too tight or too hard). Then the *Guinier
    plot*: a line, not a bend, in the range of the fit.

    From two half-maps to the final map, as RELION's post-processing: the FSC without and with a mask, with random
    phases, and corrected for the mask; the resolution at 0.143; the B-factor from the Guinier plot, or as typed;
    sharpened, low-passed, and mirrored if the hand is wrong.

    Dynamo: has no counterpart. Paper: RELION's post-processing, 4.5 Å, a B-factor of -270 Å² (post-processing).
    """

    _label = "post-processing"
    _possibleOutputs = PostprocessOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_half_maps(form)
        add_mask(
            form,
            "A soft mask for the FSC. Empty: one is grown from the mean of the half-maps, filtered and binarised until "
            "it holds the central unit cell, as in the paper.",
        )
        add_symmetry(form, label="Symmetry of the mask", help="Of the mask that is grown: C6 in the hexameric lattice.")
        add_contrast(form)
        cones = "Directional FSC, half-angle (°)"
        text = (
            "The FSC inside cones of this half-angle about many directions, to see whether the resolution is the same "
            "in all; 20 is usual. 0: off."
        )
        add_number(form, "coneAngle", 0.0, (1, 90), cones, text, off=0, expertLevel=LEVEL_ADVANCED)
        add_seed(form)
        form.addSection(label="Sharpening")
        form.addParam(
            "bFactor",
            params.StringParam,
            default="",
            label="B-factor (Å², optional)",
            help="Negative sharpens, a value from -10000 to 10000. Empty: from the Guinier plot. The paper applies "
            "-270, its Guinier plot says -240.",
        )
        text = "Of the final map. 0: the resolution at FSC 0.143, as in the paper (4.5 Å there)."
        add_number(form, "lowpass", 0.0, (0.2, 200), "Low-pass (Å)", text, off=0)
        form.addParam(
            "flipHand",
            params.BooleanParam,
            default=False,
            label="Flip the hand?",
            help="Mirror the final map, if the tilt axis was taken the wrong way round (paper: IMOD's _clip flipyz_).",
        )
        text = "Begin of the range of the line. 0: 10 Å, or twice the resolution where that is coarser."
        add_number(form, "fitFrom", 0.0, (0.2, 200), "Guinier fit from (Å)", text, off=0, expertLevel=LEVEL_ADVANCED)
        text = "Its end. 0: the resolution at FSC 0.143."
        add_number(form, "fitTo", 0.0, (0.2, 200), "Guinier fit to (Å)", text, off=0, expertLevel=LEVEL_ADVANCED)
        form.addParam(
            "fscWeighting",
            params.BooleanParam,
            default=True,
            label="Weight by the FSC?",
            expertLevel=LEVEL_ADVANCED,
            help="Amplitudes times √(2 FSC / (1 + FSC)), the figure of merit of the full map.",
        )
        form.addParam(
            "mtfFile",
            params.FileParam,
            default="",
            label="MTF of the detector (optional)",
            expertLevel=LEVEL_ADVANCED,
            help="A STAR file as RELION's, by which the map is divided before it is sharpened.",
        )
        text = "Of the movies, before any binning. 0: the pixel size of the half-maps."
        pixel, with_mtf = "Pixel size of the detector (Å)", {"condition": "mtfFile", "expertLevel": LEVEL_ADVANCED}
        add_number(form, "mtfPixelSize", 0.0, (0.1, 100), pixel, text, off=0, **with_mtf)
        add_machine(form, gpu=False)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.postprocessStep, needsGPU=False)
        self._insertFunctionStep(self.createOutputStep, needsGPU=False)

    def postprocessStep(self):
        words = [*half_map_paths(self.given("inputMap"), self.mapFile), "--out", self.resultPath(JOB)]
        words += ["--symmetry", self.symmetry.get(), "--contrast", CONTRASTS[self.contrast.get()]]
        words += ["--seed", self.seed.get(), "--threads", self.numberOfThreads.get()]
        if self.given("inputMask"):
            words += ["--mask", self.mapFile(self.given("inputMask"))]
        if self._bFactor() is not None:
            words.append(f"--b-factor={self._bFactor():g}")  # after a blank its sign would read as an option
        if self.lowpass.get() > 0:
            words += ["--lowpass", self.lowpass.get()]
        options = {"--fit-from": self.fitFrom, "--fit-to": self.fitTo, "--directional": self.coneAngle}
        words += [word for option, value in options.items() if value.get() > 0 for word in (option, value.get())]
        if not self.fscWeighting:
            words.append("--no-fsc-weighting")
        if self._mtf():
            words += ["--mtf", os.path.abspath(self._mtf())]
            words += ["--mtf-angpix", self.mtfPixelSize.get()] if self.mtfPixelSize.get() > 0 else []
        if self.flipHand:
            words.append("--flip-hand")
        self.runStadynCommand(JOB, *words)

    def createOutputStep(self):
        pixel_size = float(self.given("inputMap").getSamplingRate())
        figures = read_settings(self.resultPath(JOB, "postprocess.json"))
        self.saveSummary(
            resolution_angst=figures["resolution_0143_angst"],
            **{key: figures[key] for key in (*KEPT, *DIRECTIONAL) if key in figures},
            warnings=figures["warnings"],
        )
        curve = read_result(self.resultPath(JOB, "fsc.npz"), FSCCurve)
        fscs = self.createSet(SetOfFSCs)
        write_fscs(curve, fscs, self.resultPath(JOB, "postprocess.star"))
        sources = ["inputMap"] + (["inputMask"] if self.given("inputMask") else [])
        final = volume_from_file(self.resultPath(JOB, "postprocess.mrc"), pixel_size)
        mask = mask_from_file(self.resultPath(JOB, "mask.mrc"), pixel_size)
        self.defineOutput(PostprocessOutputs.mask.name, mask, *sources)
        self.defineOutput(PostprocessOutputs.fscs.name, fscs, *sources)
        self.defineOutput(PostprocessOutputs.sharpenedMap.name, final, *sources)

    def _mtf(self):
        return (self.mtfFile.get() or "").strip()

    def _checkMtf(self):
        if self._mtf():
            read_mtf(self._mtf())

    def _bFactor(self):
        return parse_b_factor(self.bFactor.get())

    # ----- what the form shows

    def _checks(self):
        return [lambda: half_map_paths(self.given("inputMap")), self._checkMask]

    def _checkMask(self):
        _, pixel_size, shape = map_path(self.given("inputMap"))
        check_mask_fits(self.given("inputMask"), shape, pixel_size)

    def _formChecks(self):
        return [symmetry_check(self.symmetry.get()), self._bFactor, self._checkMtf]

    def _summaryLines(self, figures):
        if "resolution_angst" not in figures:
            return []
        cones = figures.get("directional_resolution_angst", {})
        return [
            f"Resolution {figures['resolution_angst']:.2f} Å at FSC 0.143{self._limit(figures['resolution_angst'])}.",
            *([f"In cones: {', '.join(f'{n} {r:.2f} Å' for n, r in cones.items())}."] if cones else []),
            *_guinier_lines(figures),
            f"{_sharpening(figures)}, low-pass {figures['lowpass_angst']:.2f} Å"
            + (", hand flipped." if figures["hand_flipped"] else "."),
            *(f"Warning: {sentence}." for sentence in figures["warnings"]),
        ]

    def _limit(self, resolution):
        """A word about a resolution that is the pixel's own."""
        finest = 2 * float(self.given("inputMap").getSamplingRate()) if self.given("inputMap") else 0.0
        return ", the finest that the pixel allows" if resolution <= 1.01 * finest else ""

    def _methods(self):
        figures = self.loadSummary()
        if "resolution_angst" not in figures:
            return []
        sharpened = _sharpening(figures)
        return [
            f"The resolution is {figures['resolution_angst']:.2f} Å, where the FSC of the half-maps, corrected for the "
            f"mask by random phases, falls to 0.143. The final map was low-passed to "
            f"{figures['lowpass_angst']:.2f} Å and {sharpened[0].lower()}{sharpened[1:]}."
        ]

    def _citations(self):
        return [*super()._citations(), "Rosenthal2003", "Chen2013"]


def _sharpening(figures):
    """How the final map was sharpened, in words."""
    if figures["b_factor"] == 0:
        return "Not sharpened"
    return f"Sharpened by a B-factor of {figures['b_factor']:.0f} Å²"


def _guinier_lines(figures):
    """What the Guinier plot says, and in which range."""
    if not figures.get("guinier_range_angst"):
        return []
    coarse, fine = figures["guinier_range_angst"]
    fitted, r = figures["b_factor_fitted"], figures["guinier_r"]
    return [f"Guinier plot: {fitted:.0f} Å² between {coarse:.1f} and {fine:.1f} Å (r {r:.2f})."]


def half_map_paths(volume, path_of=lambda half: map_path(half)[0]):
    """The absolute paths of the two half-maps of a Scipion map, as `path_of` has them; InputError for one without."""
    if not isinstance(volume, Volume):
        raise InputError(f"a {volume.getClassName()} is no map: give a Volume or AverageSubTomogram with half-maps")
    halves = volume.getHalfMaps(asList=True) if volume.hasHalfMaps() else []
    if len(halves) != 2:
        raise InputError("the map carries no two half-maps: give the output of 'half-maps'")
    probe = Volume()
    probe.setSamplingRate(volume.getSamplingRate())
    paths = []
    for half in halves:
        probe.setFileName(half)
        paths.append(path_of(probe))
    return paths


def parse_b_factor(text):
    """The B-factor in Å² that was typed, or None for an empty field."""
    text = (text or "").strip()
    try:
        b_factor = float(text) if text else None
    except ValueError:
        raise InputError(f"B-factor {text!r}: give a number in Å², or leave it empty") from None
    if b_factor is not None and not abs(b_factor) <= LARGEST_B_FACTOR:
        raise InputError(f"B-factor {text}: give a number from {-LARGEST_B_FACTOR} to {LARGEST_B_FACTOR} Å²")
    return b_factor
