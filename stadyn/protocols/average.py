# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps 2, 3, 6 and 7: particles averaged at the poses they have."""

from enum import Enum

from pwem.objects import Volume
from pyworkflow.protocol import params
from pyworkflow.protocol.constants import LEVEL_ADVANCED
from tomo.objects import AverageSubTomogram, SetOfAverageSubTomograms, SetOfCoordinates3D

from .averages import average_halves_together, check_halves, define_averages, group_names
from .base import StadynProtocol
from .cost_warnings import averaging_warnings, when_known
from .forms import (
    GROUP_KEYS,
    PER_HALF,
    add_averaging,
    add_box,
    add_groups,
    add_particles,
    add_randomize_azimuth,
    add_symmetry,
    add_viewing_lowpass,
)
from .ranges import symmetry_check
from .words import counted, listed

JOB = "average"


class AverageOutputs(Enum):
    average = AverageSubTomogram
    averages = SetOfAverageSubTomograms
    particles = SetOfCoordinates3D
    viewingCopy = Volume


class StadynProtAverage(StadynProtocol):
    """Afterwards look at *Maps side by side*. Good: the layers of the VLP, lattice and membrane about 140 Å apart, in
    the middle of the box. Bad: a flat box (poses or positions are wrong), or streaks along one direction (few
    particles, or all seen through the same missing wedge: randomise the azimuth).

    It averages particles at the poses they have, compensating in Fourier space for their missing wedges. With the
    azimuth randomised the particles as they were turned are an output as well. Contrast stays that of the data, protein
    dark.

    Dynamo: _daverage_ with Fourier compensation. Paper: the template of the first alignment is such an average, with
    randomised azimuth (step 3, block A), and so are those of the tomograms and halves later.
    """

    _label = "average"
    _possibleOutputs = AverageOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_particles(form)
        add_groups(
            form,
            help="One average of all particles, one of each tomogram, or one of each half (odd, even), which then are "
            "the half-maps of the average of all.",
        )
        add_randomize_azimuth(form, default=False)
        add_symmetry(form, default="C1")
        add_box(form)
        form.addParam(
            "weightByCC",
            params.BooleanParam,
            default=False,
            label="Weight by CC?",
            expertLevel=LEVEL_ADVANCED,
            help="Particles count in proportion to their cross-correlation, those below 0 not at all. The paper weighs "
            "all alike.",
        )
        add_viewing_lowpass(form)
        add_averaging(form, symmetry=False)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.averageStep, needsGPU=self.usesGpu())
        self._insertFunctionStep(self.createOutputStep, needsGPU=False)

    def averageStep(self):
        particles = self.readInput()
        settings = dict(box_angst=self.boxSize.get(), symmetry=self.symmetry.get(), fmin=self.fmin.get())
        settings["weight_by_cc"] = self.weightByCC.get()
        if self.groups == PER_HALF:
            check_halves(particles.table)
        common = self.jobSettings(
            particles,
            JOB,
            group_by=GROUP_KEYS[self.groups.get()],
            randomize_azimuth=self.randomizeAzimuth.get(),
            seed=self.seed.get(),
            **settings,
        )
        self.runStadynJob("average", common)
        if self.groups == PER_HALF:
            average_halves_together(self, particles, self.readTable(JOB, "particles.npz"), JOB, **settings)

    def createOutputStep(self):
        table = self.readTable(JOB, "particles.npz")
        if self.randomizeAzimuth:
            self.defineOutput(AverageOutputs.particles.name, self.createLike(table), "inputParticles")
        names = group_names(table, self.groups.get())
        define_averages(self, names, JOB, self.pixelSize(), ["inputParticles"])
        self.saveSummary(particles=len(table), groups=names)

    # ----- what the form shows

    def _checks(self):
        return [self.checkTomograms, self.checkCrops]

    def _formChecks(self):
        return [symmetry_check(self.symmetry.get())]

    def _warnings(self):
        return when_known(self, ["inputParticles"], self._costs)

    def _costs(self):
        sizes = self.given("inputParticles").getSize(), self.boxSize.get(), self.pixelSize()
        return averaging_warnings(self, *sizes, times=1 + (self.groups == PER_HALF))

    def _methods(self):
        figures = self.loadSummary()
        who = counted(figures["particles"], "particle") if figures else "Particles"
        return [
            f"{who} were averaged with symmetry {self.symmetry.get()}, compensating in Fourier space for their "
            "missing wedges."
        ]

    def _summaryLines(self, figures):
        if not figures:
            return []
        groups = figures["groups"]
        how = f"symmetry {self.symmetry.get()}, box {self.boxSize.get():g} Å"
        lines = [f"{counted(figures['particles'], 'particle')}, {how}."]
        return lines + ([f"One average each of {listed(groups)}."] if len(groups) > 1 else [])
