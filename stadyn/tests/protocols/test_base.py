# SPDX-License-Identifier: GPL-3.0-or-later
"""What all protocols share: refusals in one sentence, GPUs as the queue counts them, and figures that survive a run."""

from types import SimpleNamespace

import numpy as np

from stadyn.convert.particles import ParticleInput
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.tomograms import Tomogram
from stadyn.host import failure
from stadyn.protocols import StadynProtAlign, StadynProtAverage
from stadyn.protocols.base import inside_tomograms, validation_errors

from .project import configured


def test_every_refusal_is_collected():
    def refuse(sentence):
        raise InputError(sentence)

    checks = [lambda: refuse("first"), lambda: None, lambda: refuse("second")]
    assert validation_errors(*checks) == ["first", "second"]


def test_job_that_refuses_its_input_says_so_in_the_run(project, simulated):
    protocol = configured(project, StadynProtAverage, inputParticles=(simulated, "coordinates"), boxSize=4000.0)
    project.launchProtocol(protocol, wait=True)
    assert protocol.isFailed()
    assert "larger than tomogram" in protocol.getErrorMessage()
    sentence, log = failure(protocol)
    assert sentence.startswith("a box of 370 px is larger than tomogram") and log.endswith("run.stderr")


def test_figures_are_added_up_over_steps(simulated):
    figures = simulated.loadSummary()
    assert figures["tomograms"] == 2 and figures["true_sites"] == len(simulated.coordinates)
    assert any("2 tomograms" in line for line in simulated._summary())


def test_gpus_are_those_the_host_assigns(project):
    protocol = project.newProtocol(StadynProtAlign)
    assert protocol.gpuIds() is None
    protocol.useGpu.set(True)
    protocol.gpuList.set("2,3")
    assert protocol.gpuIds() == [2, 3]
    protocol._stepsExecutor = SimpleNamespace(getGpuList=lambda: [0, 1])  # a queue counts from 0
    assert protocol.gpuIds() == [0, 1]


def test_particles_outside_their_tomogram_are_told_apart():
    tomograms = [Tomogram("a", "/a.mrc", 5.0, (10, 20, 30)), Tomogram("box_1", "", 5.0, (0, 0, 0))]
    positions = [[29, 19, 9], [19, 29, 9], [9, 19, 29], [-50, 0, 0]]
    table = ParticleTable(positions, np.tile(np.eye(3), (4, 1, 1)), ["a", "a", "a", "box_1"])
    particles = ParticleInput(table, tomograms)
    assert inside_tomograms(particles.table, particles.tomograms).tolist() == [True, False, False, True]
