# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 2, block A, by hand: dipoles are clicked on slices of the tomograms."""

import os
from enum import Enum

from tomo.objects import SetOfMeshes

from stadyn.convert.meshes import read_dipoles as read_mesh_dipoles
from stadyn.convert.tomograms import read_tomograms
from stadyn.io.dipoles import check_dipoles, read_dipoles
from stadyn.io.dipoles import write_dipoles as write_dipole_file

from .base import StadynProtocol, tomogram_settings
from .dipole_output import define_dipoles, dipole_lines, dipole_methods
from .forms import add_input, add_tomograms

PICKS = "picks.csv"


class PickDipolesOutputs(Enum):
    dipoles = SetOfMeshes


class StadynProtPickDipoles(StadynProtocol):
    """Afterwards look at *Slice of a tomogram*. Good: every VLP has a circle within 54 Å of its protein layer, in all
    three directions. Bad: circles on the membrane, 140 Å outside of it: open the run again (_Continue_) and move them.

    It opens a window on the tomograms in which each virus-like particle is marked by two clicks, one on its centre and
    one on its protein layer; the sphere is drawn at once. Picks are saved as one goes; run the protocol again to go on
    where the window was closed. Dipoles that were found or imported can be edited.

    Dynamo: dipole models, clicked in _dtmslice_. Paper: step 2, block A; clicks may be off by 40 pixels of 1.35 Å.
    """

    _label = "pick dipoles"
    _possibleOutputs = PickDipolesOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        text = "Shown one after the other, as slices along x, y and z that can be averaged, filtered and stretched."
        add_tomograms(form, help=text)
        add_input(
            form,
            "inputDipoles",
            "SetOfMeshes",
            "Dipoles to begin with (optional)",
            "Those of 'find shells', 'import dipoles' or another picking of the same tomograms: to look through, "
            "correct and complete.",
            allowsNull=True,
        )

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.pickStep, interactive=True, needsGPU=False)

    def pickStep(self):
        tomograms = read_tomograms(self.given("inputTomograms"))
        picks = os.path.abspath(self.resultPath(PICKS))
        if self.given("inputDipoles") is not None and not os.path.exists(picks):
            write_dipole_file(picks, read_mesh_dipoles(self.given("inputDipoles")))
        settings = {"tomograms": [tomogram_settings(t) for t in tomograms], "output": picks}
        self.runStadynJob("pick", settings)
        dipoles = read_dipoles(picks)
        check_dipoles(dipoles, tomograms)
        define_dipoles(self, dipoles, "inputDipoles")

    # ----- what the form shows

    def _checks(self):
        return [lambda: read_tomograms(self.given("inputTomograms")), self._checkDipoles]

    def _checkDipoles(self):
        if self.given("inputDipoles") is not None:
            check_dipoles(read_mesh_dipoles(self.given("inputDipoles")), read_tomograms(self.given("inputTomograms")))

    def _citations(self):
        return [*super()._citations(), "CastanoDiez2017"]

    def _methods(self):
        return dipole_methods(self.loadSummary())

    def _summaryLines(self, figures):
        return dipole_lines(figures)
