# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 2, block A, without a click: virus-like particles are found by their shells."""

from enum import Enum

from pyworkflow.protocol.constants import LEVEL_ADVANCED
from tomo.objects import SetOfMeshes

from stadyn.convert.tomograms import read_tomograms
from stadyn.core.shells import ShellSearch
from stadyn.io.dipoles import read_dipoles
from stadyn.io.settings import read_settings

from .base import StadynProtocol, tomogram_settings
from .dipole_output import define_dipoles, dipole_lines
from .forms import add_machine, add_number, add_tomograms
from .words import counted

JOB = "find-shells"


class FindShellsOutputs(Enum):
    dipoles = SetOfMeshes


class StadynProtFindShells(StadynProtocol):
    """Afterwards look at *Slice of a tomogram*. Good: every circle lies on a protein layer, scores from 15 to 60. Bad:
    circles on the membrane, 140 Å outside of it, or on nothing, with scores from 8 to 10: raise the least score, or
    correct them by 'pick dipoles'. A false one costs time, a missing one its particles.

    It finds virus-like particles in tomograms by matched filters of their concentric layers, and gives them as dipoles:
    centre, and a point at the radius of the protein layer that carries the lattice (not of the membrane outside it).

    Dynamo: dipole models, which are clicked. Paper: step 2, block A, by hand; 8 to 9 VLPs in each tomogram.
    """

    _label = "find shells"
    _possibleOutputs = FindShellsOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_tomograms(
            form,
            help="Protein dark. They are searched in voxels of about 16 Å: filtering or CTF correction makes little "
            "difference.",
        )
        text = "From the centre of a virus-like particle to its protein lattice. Immature HIV-1: 430 to 560 Å."
        add_number(form, "smallestRadius", 200.0, (20, 10000), "Smallest radius (Å)", text)
        text = "The same of the largest particles. The narrower the range, the faster the search."
        add_number(form, "largestRadius", 700.0, (20, 10000), "Largest radius (Å)", text)
        text = (
            "From the protein lattice out to the middle of the bilayer: about 140 Å in immature HIV-1. The two "
            "together make a shell unmistakable. 0: there is no membrane, and the one layer is looked for."
        )
        add_number(form, "membraneDistance", 140.0, (0, 1000), "Membrane outside the lattice (Å)", text)
        text = (
            "Standard deviations by which a shell stands out from the noise of the tomogram. Noise alone reaches about "
            "6.5; clear shells have 15 to 60."
        )
        add_number(form, "threshold", 8.0, (0, 1000), "Least score", text)
        text = "Only so many of each tomogram are taken, those of the best score. 0: all."
        add_number(form, "most", 0, (0, 10000), "Most shells of a tomogram", text, expertLevel=LEVEL_ADVANCED)
        add_machine(form, gpu=False)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.findStep, needsGPU=False)
        self._insertFunctionStep(self.createOutputStep, needsGPU=False)

    def findStep(self):
        settings = {
            "tomograms": [tomogram_settings(t) for t in read_tomograms(self.given("inputTomograms"))],
            "output": self.resultPath("job"),
            "radius_angst": [self.smallestRadius.get(), self.largestRadius.get()],
            "membrane_angst": self.membraneDistance.get(),
            "threshold": self.threshold.get(),
            "most": self.most.get(),
            "threads": self.numberOfThreads.get(),
        }
        self.runStadynJob(JOB, settings)

    def createOutputStep(self):
        scores = read_settings(self.resultPath("job", "shells.json"))
        self.saveSummary(scores={name: [shell["score"] for shell in shells] for name, shells in scores.items()})
        define_dipoles(self, read_dipoles(self.resultPath("job", "dipoles.csv")))

    # ----- what the form shows

    def _checks(self):
        return [lambda: read_tomograms(self.given("inputTomograms"))]

    def _formChecks(self):
        return [lambda: ShellSearch(self.smallestRadius.get(), self.largestRadius.get())]

    def _methods(self):
        return [
            "Virus-like particles were found by matched filters of concentric layers, in the whitened spectrum of the "
            f"binned tomograms, with radii from {self.smallestRadius.get():g} to {self.largestRadius.get():g} Å."
        ]

    def _summaryLines(self, figures):
        lines = dipole_lines(figures)
        for name, scores in figures.get("scores", {}).items():
            reach = f", scores {min(scores):.1f} to {max(scores):.1f}" if scores else ""
            lines.append(f"{name}: {counted(len(scores), 'shell')}{reach}.")
        return lines
