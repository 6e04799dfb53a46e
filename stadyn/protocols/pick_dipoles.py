# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 2, block A, by hand: dipoles are clicked on slices of the tomograms."""

import os
from enum import Enum

from pyworkflow.protocol import params
from tomo.objects import SetOfMeshes

from stadyn.convert.meshes import read_dipoles as read_mesh_dipoles
from stadyn.convert.tomograms import read_tomograms
from stadyn.io.dipoles import check_dipoles, read_dipoles
from stadyn.io.dipoles import write_dipoles as write_dipole_file

from .base import StadynProtocol, tomogram_settings
from .dipole_output import define_dipoles, dipole_lines

PICKS = "picks.csv"


class PickDipolesOutputs(Enum):
    dipoles = SetOfMeshes


class StadynProtPickDipoles(StadynProtocol):
    """Opens a window on the tomograms in which each virus-like particle is marked by two clicks, one on its centre and
    one on its protein layer; the sphere is drawn at once. Picks are saved as one goes; run the protocol again
    (_Continue_) to go on where the window was closed. Dipoles that were found or imported can be edited.
    """

    _label = "pick dipoles"
    _possibleOutputs = PickDipolesOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        form.addParam(
            "inputTomograms",
            params.PointerParam,
            pointerClass="SetOfTomograms",
            important=True,
            label="Tomograms",
            help="Shown one after the other, as slices along x, y and z that can be averaged, filtered and stretched.",
        )
        form.addParam(
            "inputDipoles",
            params.PointerParam,
            pointerClass="SetOfMeshes",
            allowsNull=True,
            label="Dipoles to begin with (optional)",
            help="Those of 'find shells', 'import dipoles' or another picking of the same tomograms: to look through, "
            "correct and complete.",
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
        return ["Each virus-like particle was marked by its centre and a point of its surface."]

    def _summaryLines(self, figures):
        return dipole_lines(figures)
