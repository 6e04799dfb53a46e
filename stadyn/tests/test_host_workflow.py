# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``scipion tests`` runs, without pytest: simulated tomograms to aligned particles, held against the truth."""

import os

import numpy as np
from pyworkflow.tests import BaseTest, setupTestProject

from stadyn.core.evaluation import evaluate
from stadyn.core.particles import ParticleTable
from stadyn.io.results import read_result
from stadyn.protocols import (
    StadynProtAlign,
    StadynProtAverage,
    StadynProtImportDipoles,
    StadynProtImportTomograms,
    StadynProtOversample,
    StadynProtSimulate,
)

PIXEL, BOX = 10.8, 345.6
SIMULATION = {
    "numberOfTomograms": 2, "pixelSize": PIXEL, "extent": "950 950 760", "vlps": 1, "radius": "240 260", "seed": 3,
    "tiltMin": -54.0, "tiltMax": 60.0, "tiltStep": 6.0, "noise": 0.2, "clickError": 15.0, "coverage": 0.9,
    "defects": 0.0, "goldBeads": 0, "junk": 3,
}  # fmt: skip
SEARCH = {
    "boxSize": BOX, "preset": 0, "iterations": "2", "coneRange": "20", "coneSampling": "10", "inplaneRange": "360",
    "inplaneSampling": "10", "refine": "2", "refineFactor": "2", "shiftLimit": "40", "shiftModus": "1",
    "lowpass": "35", "highpass": "0", "symmetry": "C6", "binning": "1",
}  # fmt: skip


class TestStadynWorkflow(BaseTest):
    """Steps 1 to 4 on two simulated tomograms."""

    @classmethod
    def setUpClass(cls):
        setupTestProject(cls)

    def launch(self, protocol_class, **values):
        """Run a protocol to its end; a value ``(protocol, output)`` is a link."""
        protocol = self.newProtocol(protocol_class)
        for name, value in values.items():
            parameter = getattr(protocol, name)
            if isinstance(value, tuple):
                parameter.set(value[0])
                parameter.setExtended(value[1])
            else:
                parameter.set(value)
        self.launchProtocol(protocol)
        return protocol

    def test_points_on_the_shells_settle_on_the_lattice(self):
        simulated = self.launch(StadynProtSimulate, **SIMULATION)
        files = {name: simulated.resultPath("simulation", name) for name in ("tomograms.vll", "dipoles.csv")}
        tomograms = self.launch(
            StadynProtImportTomograms, listFile=files["tomograms.vll"], pixelSize=PIXEL, tiltMin=-54.0, tiltMax=60.0
        )
        dipoles = self.launch(
            StadynProtImportDipoles, inputTomograms=(tomograms, "tomograms"), dipoleFile=files["dipoles.csv"]
        )
        points = self.launch(StadynProtOversample, inputDipoles=(dipoles, "dipoles"), spacing=50.0, boxSize=BOX, seed=4)
        reference = self.launch(
            StadynProtAverage, inputParticles=(simulated, "coordinates"), boxSize=BOX, symmetry="C6"
        )
        aligned = self.launch(
            StadynProtAlign, inputParticles=(points, "coordinates"), inputReference=(reference, "average"), **SEARCH
        )
        truth = read_result(simulated.resultPath("simulation", "truth.npz"), ParticleTable)
        (folder,) = (name for name in os.listdir(aligned.resultPath()) if os.path.isdir(aligned.resultPath(name)))
        found = evaluate(aligned.readTable(folder, "particles.npz"), truth, 20 / PIXEL)
        self.assertGreater(found.matching.recall, 0.8)
        self.assertLess(np.median(found.errors.axis_deg), 3.0)
        self.assertLess(np.median(np.abs(found.errors.inplane_deg)), 4.0)
        self.assertLess(np.median(found.errors.position_px) * PIXEL, 6.0)
