# SPDX-License-Identifier: GPL-3.0-or-later
"""What all protocols share: refusals in one sentence, GPUs as the queue counts them, and figures that survive a run."""

import subprocess
from types import SimpleNamespace

import numpy as np

from stadyn.convert.particles import ParticleInput, read_particle_input
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.tomograms import Tomogram
from stadyn.host import failure
from stadyn.protocols import StadynProtAlign, StadynProtLatticeQuality, StadynProtSelectCC, base
from stadyn.protocols.base import inside_tomograms, validation_errors

from .project import configured


def test_every_refusal_is_collected():
    def refuse(sentence):
        raise InputError(sentence)

    checks = [lambda: refuse("first"), lambda: None, lambda: refuse("second")]
    assert validation_errors(*checks) == ["first", "second"]


def test_job_that_refuses_its_input_says_so_in_the_run(project, simulated):
    given = {"inputParticles": (simulated, "coordinates"), "threshold": "nowhere=0.2", "numberOfThreads": 1}
    protocol = configured(project, StadynProtSelectCC, **given)
    project.launchProtocol(protocol, wait=True)
    assert protocol.isFailed()
    assert "a threshold is given for nowhere" in protocol.getErrorMessage()
    sentence, log = failure(protocol)
    assert sentence.startswith("a threshold is given for nowhere, but the tomograms") and log.endswith("run.stderr")


def test_figures_are_added_up_over_steps(simulated):
    figures = simulated.loadSummary()
    assert figures["tomograms"] == 2 and figures["true_sites"] == len(simulated.coordinates)
    assert any("2 tomograms" in line for line in simulated._summary())


def test_a_form_reads_its_particles_once_and_a_step_anew(simulated, project, monkeypatch):
    protocol = configured(project, StadynProtLatticeQuality, inputParticles=(simulated, "coordinates"))
    reads = []
    monkeypatch.setattr(base, "read_particle_input", lambda source: reads.append(source) or read_particle_input(source))
    for expected in (1, 2):
        protocol.validate()
        assert len(reads) == expected
    protocol.readInput()
    assert len(reads) == 3


def test_gpus_are_those_the_host_assigns(project):
    protocol = project.newProtocol(StadynProtAlign)
    assert protocol.gpuIds() is None
    protocol.useGpu.set(True)
    protocol.gpuList.set("2,3")
    assert protocol.gpuIds() == [2, 3]
    protocol._stepsExecutor = SimpleNamespace(getGpuList=lambda: [0, 1])  # a queue counts from 0
    assert protocol.gpuIds() == [0, 1]


def test_a_machine_that_cannot_be_is_named(project):
    protocol = configured(project, StadynProtAlign, useGpu=True, gpuList="0 x", numberOfThreads=0)
    said = " ".join(protocol.validate())
    assert "*GPU ids* '0 x' are no numbers" in said and "Traceback" not in said
    assert "*Threads* is 0: give a value from 1 to 1024." in said


def test_a_job_is_started_in_a_folder_whose_name_a_shell_would_read(project, tmp_path, monkeypatch):
    folder = tmp_path / "run(1) o'neil;&%"
    folder.mkdir()
    protocol = project.newProtocol(StadynProtAlign)
    monkeypatch.setattr(protocol, "resultPath", lambda *names: str(folder.joinpath(*names)))
    given = []
    monkeypatch.setattr(protocol, "_hasEnded", lambda path: True)
    monkeypatch.setattr(protocol, "useQueueForSteps", lambda: False)
    monkeypatch.setattr(protocol, "runJob", lambda program, words, **_: given.append(words))
    protocol.runStadynCommand("align", folder / "a.json")
    words = subprocess.run(f"printf '%s\\n' {given[0]}", shell=True, capture_output=True, text=True, check=True).stdout
    assert words.split("\n")[3:-1] == [f"{folder}/align.ended", "align", f"{folder}/a.json"]


def test_particles_outside_their_tomogram_are_told_apart():
    tomograms = [Tomogram("a", "/a.mrc", 5.0, (10, 20, 30)), Tomogram("box_1", "", 5.0, (0, 0, 0))]
    positions = [[29, 19, 9], [19, 29, 9], [9, 19, 29], [-50, 0, 0]]
    table = ParticleTable(positions, np.tile(np.eye(3), (4, 1, 1)), ["a", "a", "a", "box_1"])
    particles = ParticleInput(table, tomograms)
    assert inside_tomograms(particles.table, particles.tomograms).tolist() == [True, False, False, True]
