# SPDX-License-Identifier: GPL-3.0-or-later
"""A queued job whose protocol was killed is cancelled when the run is continued, and its work goes on."""

import time
from pathlib import Path

import psutil
import pytest
from pyworkflow.protocol.constants import MODE_RESUME

from stadyn.core.particles import ParticleTable
from stadyn.io.results import read_result
from stadyn.protocols import StadynProtAlign

from .project import configured

HOSTS = """[localhost]
PARALLEL_COMMAND = mpirun -np %_(JOB_NODES)d %_(COMMAND)s
NAME = SHELL
MANDATORY = False
SUBMIT_COMMAND = sh {folder}/submit %_(JOB_SCRIPT)s
SUBMIT_TEMPLATE = #!/bin/sh
    %_(JOB_COMMAND)s
CANCEL_COMMAND = kill -9 -%_(JOB_ID)s
CHECK_COMMAND = ps -o stat= -p %_(JOB_ID)s | grep -v Z
QUEUES = {{
    "all": [["QUEUE_FOR_JOBS", "Y", "Submit jobs?", "Y: only the heavy jobs are queued"]]
    }}
JOB_DONE_REGEX =
"""
ROUND = {
    "preset": 0, "iterations": "3", "coneRange": "20", "coneSampling": "10", "inplaneRange": "360",
    "inplaneSampling": "10", "refine": "1", "refineFactor": "2", "shiftLimit": "35", "shiftModus": "1", "lowpass": "40",
    "highpass": "0", "symmetry": "C1", "binning": "1",
}  # fmt: skip


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """A queue that starts each job at once, in a session of its own; its number is that of its process."""
    (tmp_path / "hosts.conf").write_text(HOSTS.format(folder=tmp_path))
    (tmp_path / "submit").write_text(f'setsid sh "$1" > {tmp_path}/job.log 2>&1 &\necho $!\n')
    monkeypatch.setenv("SCIPION_HOSTS", str(tmp_path / "hosts.conf"))


def test_a_queued_job_that_outlives_its_protocol_is_cancelled_and_goes_on(project, simulated, queue):
    form = {"inputParticles": (simulated, "coordinates"), "boxSize": 345.6, **ROUND}
    protocol = configured(project, StadynProtAlign, **form)
    protocol._useQueue.set(True)
    protocol.setQueueParams(["all", {"QUEUE_FOR_JOBS": "Y"}])
    project.launchProtocol(protocol)
    deadline = time.monotonic() + 60
    while not list(Path(protocol._getExtraPath()).glob("*/checkpoint_*.json")):
        assert time.monotonic() < deadline, Path(protocol.getStdoutLog()).read_text()[-3000:]
        time.sleep(0.02)
    (job,) = [p for p in psutil.process_iter(["cmdline"]) if is_job(p.info["cmdline"] or [], protocol)]
    job.suspend()  # it holds its folder until it is stopped
    project._updateProtocol(protocol)
    psutil.Process(protocol.getPid()).kill()
    protocol.runMode.set(MODE_RESUME)
    project.launchProtocol(protocol, wait=True)
    assert protocol.isFinished(), protocol.getErrorMessage()
    assert not job.is_running() or job.status() == psutil.STATUS_ZOMBIE
    printed = Path(protocol.getStdoutLog()).read_text()
    assert "are in the queue" in printed and "still work" not in printed and "sent again" not in printed
    table = read_result(next(Path(protocol._getExtraPath()).glob("*/particles.npz")), ParticleTable)
    assert len(table) == len(simulated.coordinates)


def is_job(words, protocol):
    """Is this the command line of the job that a protocol queued?"""
    return "--ended" in words and protocol._getExtraPath() in words[words.index("--ended") + 1]
