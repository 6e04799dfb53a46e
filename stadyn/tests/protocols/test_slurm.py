# SPDX-License-Identifier: GPL-3.0-or-later
"""An alignment through a real Slurm on this machine: queued, cancelled in the middle, sent again, as the local run."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from stadyn.core.particles import ParticleTable
from stadyn.io.results import read_result
from stadyn.protocols import StadynProtAlign

from .project import configured, launch

CLUSTER = """ClusterName=one
SlurmctldHost={host}
AuthType=auth/munge
SlurmUser=root
SlurmdUser=root
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/node.pid
SlurmctldLogFile={folder}/controller.log
SlurmdLogFile={folder}/node.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
NodeName={host} CPUs={cpus} RealMemory=2000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE
"""
DOCUMENT = Path(__file__).parents[3] / "docs" / "clusters.md"
ROUND = {
    "preset": 0, "iterations": "3", "coneRange": "20", "coneSampling": "10", "inplaneRange": "360",
    "inplaneSampling": "10", "refine": "1", "refineFactor": "2", "shiftLimit": "35", "shiftModus": "1", "lowpass": "40",
    "highpass": "0", "symmetry": "C1", "binning": "1",
}  # fmt: skip


def documented_hosts_conf():
    """The hosts.conf that the documentation gives."""
    return DOCUMENT.read_text().split("```ini\n", 1)[1].split("```", 1)[0]


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Controller, node and authentication daemons of their own; hosts.conf is the documented one."""
    programs = [shutil.which(p, path="/usr/sbin:/usr/bin") for p in ("munged", "slurmctld", "slurmd", "sbatch")]
    if os.geteuid() or not all(programs):
        pytest.skip("needs root and  apt-get install slurm-wlm munge")
    os.chmod(tmp_path, 0o755)
    for name in ("state", "spool"):
        (tmp_path / name).mkdir()
    socket_path = tmp_path / "munge.socket"
    key = tmp_path / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    options = [f"--key-file={key}", f"--socket={socket_path}", f"--pid-file={tmp_path}/munge.pid"]
    options += [f"--log-file={tmp_path}/munge.log", f"--seed-file={tmp_path}/munge.seed", "--force"]
    subprocess.run([programs[0], *options], check=True, capture_output=True)
    text = CLUSTER.format(host=socket.gethostname().split(".")[0], folder=tmp_path, cpus=os.cpu_count())
    (tmp_path / "slurm.conf").write_text(text + f"AuthInfo=socket={socket_path}\n")
    (tmp_path / "hosts.conf").write_text(documented_hosts_conf())
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    subprocess.run([programs[1]], check=True)
    subprocess.run([programs[2]], check=True)
    deadline = time.monotonic() + 30
    while "idle" not in subprocess.run(["sinfo", "-h"], capture_output=True, text=True, check=False).stdout:
        assert time.monotonic() < deadline, (tmp_path / "controller.log").read_text()[-2000:]
        time.sleep(0.2)
    yield tmp_path
    for name in ("node.pid", "controller.pid", "munge.pid"):
        os.kill(int((tmp_path / name).read_text()), 15)


def queued():
    """Numbers of the jobs in the queue."""
    return subprocess.run(["squeue", "-h", "-o", "%i"], capture_output=True, text=True, check=True).stdout.split()


def test_a_cancelled_job_is_sent_again_and_gives_what_the_local_run_gives(project, oversampled, cluster, monkeypatch):
    form = {"inputParticles": (oversampled, "coordinates"), "boxSize": 345.6, **ROUND}
    local = launch(project, StadynProtAlign, **form)
    protocol = configured(project, StadynProtAlign, **form)
    protocol._useQueue.set(True)
    protocol.setQueueParams(["all", {"JOB_TIME": "1", "JOB_MEMORY": "1000", "GPUS": "", "QUEUE_FOR_JOBS": "Y"}])
    monkeypatch.setenv("SCIPION_HOSTS", str(cluster / "hosts.conf"))
    project.launchProtocol(protocol)
    deadline = time.monotonic() + 60
    while not list(Path(protocol._getExtraPath()).glob("*/checkpoint_*.json")):
        assert time.monotonic() < deadline, Path(protocol.getStdoutLog()).read_text()[-3000:]
        time.sleep(0.05)
    (first,) = queued()
    subprocess.run(["scancel", first], check=True)
    while protocol.isActive():
        assert time.monotonic() < deadline
        time.sleep(0.5)
        project._updateProtocol(protocol)
    assert protocol.isFinished(), protocol.getErrorMessage()
    assert "is sent again" in Path(protocol.getStdoutLog()).read_text()
    tables = [
        read_result(next(Path(p._getExtraPath()).glob("*/particles.npz")), ParticleTable) for p in (local, protocol)
    ]
    assert np.array_equal(tables[0].rotations, tables[1].rotations)
    assert np.array_equal(tables[0].positions, tables[1].positions) and np.array_equal(tables[0].cc, tables[1].cc)
