# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 9, post-processing: the resolution at each place of the map."""

from pwem.objects import Volume
from pyworkflow.protocol import params

from stadyn.convert.averages import map_path, volume_from_file
from stadyn.core.errors import InputError
from stadyn.io.settings import read_settings

from .base import StadynProtocol
from .forms import CONTRASTS, add_contrast, add_half_maps, add_machine, add_mask, add_number, add_symmetry
from .input_checks import check_mask_fits
from .postprocess import half_map_paths, parse_b_factor
from .ranges import symmetry_check

JOB = "local-resolution"
SMALLEST_WINDOW = 5


# A dict: in an Enum the second name of a class would only be an alias of the first.
OUTPUTS = {"resolutionMap": Volume, "filteredMap": Volume}


class StadynProtLocalResolution(StadynProtocol):
    """Afterwards look at *Local resolution*. Good: finest in the middle of the unit cell, a median no more than 1.5
    times the resolution of the whole map, coarser towards the border. Bad: finest at the edge of the mask, or
    everywhere at two pixels: the half-maps share something, or the window is too small.

    It takes the FSC of two half-maps inside a window about each voxel: a map of the resolution in Å, and the full map
    low-passed at each voxel to its own resolution.

    Dynamo: has no such command. Paper: Bsoft's _blocres_, box of 23 pixels of 1.35 Å, FSC 0.5, C6 (post-processing).
    """

    _label = "local resolution"
    _possibleOutputs = OUTPUTS

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_half_maps(form)
        add_mask(form, "Only where it is above one half is the resolution estimated; 0 elsewhere. Empty: everywhere.")
        text = (
            "Side of the window about each voxel, wide enough for a few waves of what is to be told. The paper takes "
            "23 pixels of 1.35 Å, 31 Å, at 4.5 Å resolution."
        )
        add_number(form, "window", 60.0, (2, 2000), "Window (Å)", text)
        text = "Where the FSC in the window falls under this is the local resolution. The paper takes 0.5."
        add_number(form, "threshold", 0.5, (0.01, 0.99), "FSC threshold", text)
        add_symmetry(form)
        form.addParam(
            "bFactor",
            params.StringParam,
            default="",
            label="B-factor of the filtered map (Å², optional)",
            help="Negative sharpens; empty: 0. A value from -10000 to 10000.",
        )
        add_contrast(form)
        add_machine(form, gpu=False)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.estimateStep, needsGPU=False)
        self._insertFunctionStep(self.createOutputStep, needsGPU=False)

    def estimateStep(self):
        words = [*half_map_paths(self.given("inputMap"), self.mapFile), "--out", self.resultPath(JOB)]
        words += ["--window", self._windowPx(), "--threshold", self.threshold.get(), "--symmetry", self.symmetry.get()]
        words += ["--contrast", CONTRASTS[self.contrast.get()], "--threads", self.numberOfThreads.get()]
        if self.given("inputMask"):
            words += ["--mask", self.mapFile(self.given("inputMask"))]
        if parse_b_factor(self.bFactor.get()) is not None:
            words.append(f"--b-factor={parse_b_factor(self.bFactor.get()):g}")
        self.runStadynCommand(JOB, *words)

    def createOutputStep(self):
        pixel_size = float(self.given("inputMap").getSamplingRate())
        figures = read_settings(self.resultPath(JOB, "local_resolution.json"))
        self.saveSummary(
            median_angst=figures["median_angst"],
            quantiles_angst=figures["quantiles_angst"],
            window_angst=figures["window_angst"],
        )
        sources = ["inputMap"] + (["inputMask"] if self.given("inputMask") else [])
        for output, name in (("resolutionMap", "local_resolution.mrc"), ("filteredMap", "local_filtered.mrc")):
            self.defineOutput(output, volume_from_file(self.resultPath(JOB, name), pixel_size), *sources)

    def _windowPx(self):
        """The odd number of pixels nearest to the window."""
        return 2 * round((self.window.get() / float(self.given("inputMap").getSamplingRate()) - 1) / 2) + 1

    # ----- what the form shows

    def _checks(self):
        return [self._checkWindow]

    def _formChecks(self):
        return [symmetry_check(self.symmetry.get()), lambda: parse_b_factor(self.bFactor.get())]

    def _checkWindow(self):
        half_map_paths(self.given("inputMap"))
        _, pixel_size, shape = map_path(self.given("inputMap"))
        check_mask_fits(self.given("inputMask"), shape, pixel_size)
        if not SMALLEST_WINDOW <= self._windowPx() <= shape[0] // 2:
            low, high = SMALLEST_WINDOW * pixel_size, shape[0] // 2 * pixel_size
            raise InputError(f"a window of {self.window.get():g} Å does not fit: choose {low:.0f} to {high:.0f} Å")

    def _summaryLines(self, figures):
        if "median_angst" not in figures:
            return []
        quantiles = figures["quantiles_angst"]
        return [
            f"Median {figures['median_angst']:.2f} Å; 90 % of the voxels lie between {quantiles['0.05']:.2f} and "
            f"{quantiles['0.95']:.2f} Å.",
            f"Window {figures['window_angst']:.1f} Å, FSC {self.threshold.get():g}.",
        ]

    def _methods(self):
        median = self.loadSummary().get("median_angst")
        found = f"; its median is {median:.2f} Å" if median else ""
        window, threshold = self.window.get(), self.threshold.get()
        return [f"Local resolution was estimated in windows of {window:g} Å at FSC {threshold:g}{found}."]

    def _citations(self):
        return [*super()._citations(), "Cardone2013"]
