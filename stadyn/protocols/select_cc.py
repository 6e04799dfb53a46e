# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 6, block A: particles whose cross-correlation belongs to the lower of two populations are excluded."""

import numpy as np
from pyworkflow.protocol import params
from pyworkflow.protocol.constants import LEVEL_ADVANCED
from tomo.objects import SetOfAverageSubTomograms, SetOfCoordinates3D, SetOfSubTomograms

from stadyn.convert.averages import append_averages
from stadyn.core.errors import InputError
from stadyn.core.masks import sphere
from stadyn.core.selection import CCThreshold
from stadyn.io.mrc import write_volume
from stadyn.io.results import read_result

from .base import StadynProtocol, grouped_paths
from .cost_warnings import averaging_warnings, when_known
from .forms import add_averaging, add_exclusion_radius, add_mask, add_number, add_particles
from .ranges import symmetry_check

JOB = "select"
MASK_EDGE_ANGST = 20.0


# A dict: in an Enum the second name of a class would only be an alias of the first.
OUTPUTS = {
    "particles": SetOfCoordinates3D,
    "excludedParticles": SetOfCoordinates3D,
    "averages": SetOfAverageSubTomograms,
}


class StadynProtSelectCC(StadynProtocol):
    """Afterwards look at *CC histogram of each tomogram*. Good: two peaks and the threshold in the valley between them,
    30 to 70 of 100 particles kept. Bad: one peak ("one population"), or a valley at another CC in one tomogram: look at
    *Particles in space*, drag the threshold there, or type it. *Neighbours* of those kept: a ring of six.

    It tells particles from empty places and defects by their cross-correlation, in each tomogram apart: two Gaussians
    are fitted to the scores, and the minimum between their peaks, plus a small margin, is the threshold. The reference
    is then rebuilt from those that stay, and everything scored and cut again. Duplicates go.

    Dynamo: column 10 of the table, _dpktbl.exclusionPerVolume_. Paper: step 6, block A, a margin of 0.01 over the
    minimum, one cut.
    """

    _label = "select by CC"
    _possibleOutputs = OUTPUTS

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_particles(form, label="Aligned particles")
        text = "Added to the minimum between the peaks of the two Gaussians. The paper's empirical value is 0.01."
        add_number(form, "margin", 0.01, (-1, 1), "Margin (CC)", text)
        form.addParam(
            "threshold",
            params.StringParam,
            default="",
            label="Threshold (CC, optional)",
            help="Typed in place of the fitted ones: one number from -1 to 1 for all tomograms, or one for each that "
            "needs it, as _ts001=0.12, ts002=0.15_. Empty: automatic. Look at the histograms of a first run, then "
            "type.",
        )
        add_exclusion_radius(form)
        text = (
            "How often the reference is averaged anew from the particles that stay, all particles are scored against "
            "it, and the threshold is fitted again: false picks that continue the lattice spoil a reference. The paper "
            "cuts once, by the CC of the last alignment: 0, without a mask of one unit cell."
        )
        add_number(form, "rebuilds", 2, (0, 20), "Rebuilds of the reference", text)
        form.addSection(label="Score")
        text = (
            "The CC is taken under a soft sphere of this radius about the centre, one unit cell: under a wider mask "
            "the neighbours count, and an empty place beside the lattice passes. 0: the whole box."
        )
        add_number(form, "maskRadius", 50.0, (0, 5000), "Radius of the unit cell (Å)", text)
        add_mask(form, "Takes the place of the sphere.", expertLevel=LEVEL_ADVANCED)
        text = "Details finer than this do not count in the CC (Dynamo: _low_). The paper's alignment before: 15 Å."
        add_number(form, "lowpass", 20.0, (1, 200), "Low-pass (Å)", text)
        add_averaging(form, box=345.6)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.selectStep, needsGPU=self.usesGpu())
        self._insertFunctionStep(self.createOutputStep, needsGPU=False)

    def selectStep(self):
        particles = self.readInput()
        settings = self.jobSettings(
            particles,
            JOB,
            box_angst=self.boxSize.get(),
            margin=self.margin.get(),
            thresholds=parse_thresholds(self.threshold.get()),
            rebuilds=self.rebuilds.get(),
            exclusion_radius_angst=self.exclusionRadius.get(),
            mask=self._writeMask(particles.tomograms[0].pixel_size),
            lowpass_angst=self.lowpass.get(),
            symmetry=self.symmetry.get(),
            seed=self.seed.get(),
            fmin=self.fmin.get(),
        )
        self.runStadynJob(JOB, settings)

    def _writeMask(self, pixel_size):
        if self.given("inputMask"):
            return self.mapFile(self.given("inputMask"))
        if self.maskRadius.get() == 0:
            return None
        box = 2 * max(1, round(self.boxSize.get() / pixel_size / 2))  # the job refuses a box that is too small
        path = self.resultPath("unit_cell_mask.mrc")
        mask = sphere(box, self.maskRadius.get() / pixel_size, MASK_EDGE_ANGST / pixel_size)
        write_volume(path, mask, pixel_size, label="stadyn mask of one unit cell")
        return path

    def createOutputStep(self):
        kept, excluded = self.readTable(JOB, "particles.npz"), self.readTable(JOB, "excluded.npz")
        tomograms = [str(name) for name in np.unique(np.concatenate([kept.tomogram_ids, excluded.tomogram_ids]))]
        self.saveSummary(
            particles=len(kept),
            excluded=len(excluded),
            thresholds={name: self._threshold(name, kept, excluded) for name in tomograms},
        )
        if len(kept) == 0:
            raise InputError("no particle is left: lower the margin, or look at the alignment before")
        self.defineOutput("particles", self.createLike(kept), "inputParticles")
        if len(excluded):
            output = self.createLike(excluded, suffix="Excluded")
            self.defineOutput("excludedParticles", output, "inputParticles")
        averages = self.createSet(SetOfAverageSubTomograms)
        left = [name for name in tomograms if np.any(kept.tomogram_ids == name)]
        append_averages(averages, grouped_paths(self.resultPath(JOB), left), self.pixelSize())
        self.defineOutput("averages", averages, "inputParticles")

    def _threshold(self, name, kept, excluded):
        fit = read_result(self.resultPath(JOB, f"threshold_{name}.npz"), CCThreshold)
        return {
            "threshold": fit.threshold if np.isfinite(fit.threshold) else None,
            "two_populations": fit.two_populations,
            "kept": int(np.sum(kept.tomogram_ids == name)),
            "excluded": int(np.sum(excluded.tomogram_ids == name)),
            "message": fit.message,
        }

    # ----- what the form shows

    def _checks(self):
        return [lambda: check_particles(self.given("inputParticles")), self.checkCrops]

    def _formChecks(self):
        return [symmetry_check(self.symmetry.get()), lambda: parse_thresholds(self.threshold.get())]

    def _summaryLines(self, figures):
        lines = [f"{figures['particles']:,} particles kept, {figures['excluded']:,} excluded."] if figures else []
        for name, cut in figures.get("thresholds", {}).items():
            fitted = cut["two_populations"] and not cut["message"].startswith("threshold")
            how = f"threshold {cut['threshold']:.4f}" if fitted else cut["message"]
            lines.append(f"{name}: {how}; {cut['kept']} kept, {cut['excluded']} excluded.")
        return lines

    def _warnings(self):
        return when_known(self, ["inputParticles"], self._costs)

    def _costs(self):
        sizes = self.given("inputParticles").getSize(), self.boxSize.get(), self.pixelSize()
        return averaging_warnings(self, *sizes, times=2 * (1 + self.rebuilds.get()))

    def _methods(self):
        figures, radius = self.loadSummary(), self.maskRadius.get()
        under = f" under a soft sphere of {radius:g} Å" if radius and self.given("inputMask") is None else ""
        cut = f"a threshold at the minimum between two fitted Gaussians plus {self.margin.get():g}"
        if (self.threshold.get() or "").strip():
            cut = f"the threshold {self.threshold.get().strip()}"
        kept = ""
        if figures:
            kept = f", which kept {figures['particles']:,} of {figures['particles'] + figures['excluded']:,}"
        return [
            f"Particles were selected in each tomogram by their cross-correlation at {self.lowpass.get():g} Å{under}, "
            f"with {cut}{kept}."
        ]


def parse_thresholds(text):
    """{tomogram id or "*": CC} of what was typed: "0.12", or "ts001=0.12, ts002=0.15"; {} for an empty field."""
    thresholds = {}
    for part in (text or "").replace(";", ",").split(","):
        if part.strip():
            name, _, value = part.rpartition("=")
            try:
                number = float(value)
            except ValueError:
                raise InputError(f"threshold {part.strip()!r}: type a number, or tomogram=number") from None
            if not -1 <= number <= 1:
                raise InputError(f"threshold {number:g} is no CC: type a number from -1 to 1")
            thresholds[name.strip() or "*"] = number
    return thresholds


def check_particles(particles):
    """InputError unless `particles` is a set of 3D coordinates or subtomograms: the host does not check a replay."""
    if not isinstance(particles, (SetOfCoordinates3D, SetOfSubTomograms)):
        raise InputError(f"a {particles.getClassName()} holds no particles: give 3D coordinates or subtomograms")
