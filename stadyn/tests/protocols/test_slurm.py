# SPDX-License-Identifier: GPL-3.0-or-later
"""Alignments through a real Slurm of two nodes on this machine: queued, cancelled, a node lost, as the local run."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from pyworkflow import Config
from pyworkflow.protocol import HostConfig

from stadyn.convert.coordinates import read_particles
from stadyn.core.particles import ParticleTable
from stadyn.io.results import read_result
from stadyn.io.settings import read_settings, write_json
from stadyn.protocols import StadynProtAlign

from .project import configured, launch

CLUSTER = """ClusterName=one
SlurmctldHost={host}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
SlurmctldPort=16817
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool_%n
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/controller.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName=first NodeHostname={host} Port=16818 CPUs=4 RealMemory=2000 Gres=gpu:2 State=UNKNOWN
NodeName=second NodeHostname={host} Port=16819 CPUs=4 RealMemory=2000 Gres=gpu:2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE
"""
GPUS = """NodeName=first Name=gpu File={folder}/gpu[0-1]
NodeName=second Name=gpu File={folder}/gpu[2-3]
"""
NODES = ("first", "second")
DOCUMENT = Path(__file__).parents[3] / "docs" / "clusters.md"
ROUND = {
    "preset": 0, "iterations": "3", "coneRange": "20", "coneSampling": "10", "inplaneRange": "360",
    "inplaneSampling": "10", "refine": "1", "refineFactor": "2", "shiftLimit": "35", "shiftModus": "1", "lowpass": "40",
    "highpass": "0", "symmetry": "C1", "binning": "1",
}  # fmt: skip
FORM = {"boxSize": 345.6, **ROUND}


def documented_hosts_conf():
    """The hosts.conf that the documentation gives."""
    return DOCUMENT.read_text().split("```ini\n", 1)[1].split("```", 1)[0]


def null_device(path):
    """A device that does nothing, in the place of a GPU."""
    try:
        os.mknod(path, 0o20666, os.makedev(1, 3))
    except OSError:
        pytest.skip("devices cannot be made here")


@pytest.fixture
def cluster(tmp_path, monkeypatch, project):
    """Controller, two nodes and authentication daemons of their own; hosts.conf is the documented one."""
    programs = [shutil.which(p, path="/usr/sbin:/usr/bin") for p in ("munged", "slurmctld", "slurmd", "sbatch")]
    if os.geteuid() or not all(programs):
        pytest.skip("needs root and  apt-get install slurm-wlm munge")
    os.chmod(tmp_path, 0o755)
    (tmp_path / "state").mkdir()
    for number in range(4):
        null_device(tmp_path / f"gpu{number}")
    key = tmp_path / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    options = [f"--key-file={key}", f"--socket={tmp_path}/munge.socket", f"--pid-file={tmp_path}/munge.pid"]
    options += [f"--log-file={tmp_path}/munge.log", f"--seed-file={tmp_path}/munge.seed", "--force"]
    subprocess.run([programs[0], *options], check=True, capture_output=True)
    (tmp_path / "slurm.conf").write_text(CLUSTER.format(host=socket.gethostname().split(".")[0], folder=tmp_path))
    (tmp_path / "gres.conf").write_text(GPUS.format(folder=tmp_path))
    (tmp_path / "hosts.conf").write_text(documented_hosts_conf())
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    monkeypatch.setenv("SCIPION_HOSTS", str(tmp_path / "hosts.conf"))
    monkeypatch.setattr(Config, "SCIPION_HOSTS", str(tmp_path / "hosts.conf"))
    monkeypatch.setattr(project, "_hosts", HostConfig.load(str(tmp_path / "hosts.conf")))
    subprocess.run([programs[1]], check=True)
    for node in NODES:
        subprocess.run([programs[2], "-N", node], check=True)
    deadline = time.monotonic() + 30
    while answer_of("sinfo", "-h", "-N", "-o", "%t").split() != ["idle", "idle"]:
        assert time.monotonic() < deadline, (tmp_path / "controller.log").read_text()[-2000:]
        time.sleep(0.2)
    yield tmp_path
    deadline = time.monotonic() + 10
    while queued() and time.monotonic() < deadline:  # steps that cannot tell the controller of their end never end
        time.sleep(0.2)
    for name in (*NODES, "controller", "munge"):
        if psutil.pid_exists(number := int((tmp_path / f"{name}.pid").read_text())):
            os.kill(number, signal.SIGTERM)


def answer_of(*words):
    """What a command prints."""
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def queued():
    """{number of a job: its state, node, requested GPUs and name}, of the jobs in the queue."""
    lines = answer_of("squeue", "-h", "-o", "%i|%t|%N|%b|%j").splitlines()
    return {number: rest for number, *rest in (line.split("|") for line in lines)}


def in_queue(project, form, gpus="--gres=gpu:1", jobs="Y"):
    """An alignment that was given to the queue."""
    protocol = configured(project, StadynProtAlign, **form)
    protocol._useQueue.set(True)
    protocol.setQueueParams(["all", {"JOB_TIME": "1", "JOB_MEMORY": "500", "GPUS": gpus, "QUEUE_FOR_JOBS": jobs}])
    assert not protocol.validate()
    project.launchProtocol(protocol)
    return protocol


def wait_for(condition, protocol, seconds=60):
    """Wait until `condition()` is true; its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, Path(protocol.getStdoutLog()).read_text()[-3000:]
        time.sleep(0.05)
    return value


def finish(project, protocol, seconds=90):
    """Wait for the end of a protocol, which must be a good one; returns what it printed."""
    deadline = time.monotonic() + seconds
    while protocol.isActive():
        assert time.monotonic() < deadline, Path(protocol.getStdoutLog()).read_text()[-3000:]
        time.sleep(0.5)
        project._updateProtocol(protocol)
    assert protocol.isFinished(), protocol.getErrorMessage()
    return Path(protocol.getStdoutLog()).read_text()


def assert_same_results(one, other):
    folders = [next(Path(p._getExtraPath()).glob("*/particles.npz")).parent for p in (one, other)]
    tables = [read_result(folder / "particles.npz", ParticleTable) for folder in folders]
    tables += [read_particles(p.particles) for p in (one, other)]
    for first, second in (tables[:2], tables[2:]):
        assert np.array_equal(first.rotations, second.rotations) and np.array_equal(first.positions, second.positions)
        assert np.array_equal(first.cc, second.cc) and np.array_equal(first.ids, second.ids)
    averages = [(folder / "average_all.mrc").read_bytes() for folder in folders]
    assert averages[0] == averages[1]


@pytest.fixture(scope="module")
def local(project, oversampled):
    """The alignment without a queue."""
    return launch(project, StadynProtAlign, inputParticles=(oversampled, "coordinates"), **FORM)


@pytest.fixture
def form(oversampled):
    return {"inputParticles": (oversampled, "coordinates"), **FORM}


def test_a_cancelled_job_is_sent_again_and_gives_what_the_local_run_gives(project, local, form, cluster):
    protocol = in_queue(project, form)
    wait_for(lambda: list(Path(protocol._getExtraPath()).glob("*/checkpoint_*.json")), protocol)
    ((first, (_, _, gpus, _)),) = queued().items()
    assert gpus == "gres:gpu:1"
    subprocess.run(["scancel", first], check=True)
    assert "is sent again" in finish(project, protocol)
    assert_same_results(local, protocol)


def test_the_whole_protocol_as_a_job_has_the_gpus_it_asked_for(project, local, form, cluster):
    protocol = in_queue(project, form, gpus="--gres=gpu:2", jobs="N")
    number = wait_for(lambda: [job for job, (state, *_) in queued().items() if state == "R"], protocol)[0]
    assert "GRES=gpu:2(IDX:0-1)" in answer_of("scontrol", "show", "job", "-d", number)
    finish(project, protocol)
    assert_same_results(local, protocol)


def chunk_jobs(protocol, count=4):
    """{chunk: (number, node)} once all of them are at work."""

    def found():
        jobs = {job: rest for job, rest in queued().items() if "-chunk" in rest[-1] and rest[0] == "R"}
        present = list(Path(protocol._getExtraPath()).glob("*/chunks/here_*"))
        return jobs if len(jobs) == len(present) == count else None

    jobs = wait_for(found, protocol)
    assert {gpus for _, _, gpus, _ in jobs.values()} == {"gres:gpu:1"}
    return {int(name.split("-chunk")[1][0]): (job, node) for job, (_, node, _, name) in jobs.items()}


def test_four_chunks_on_two_nodes_one_cancelled_give_what_the_local_run_gives(project, local, form, cluster):
    protocol = in_queue(project, {**form, "chunks": 4})
    jobs = chunk_jobs(protocol)
    assert sorted(node for _, node in jobs.values()) == ["first", "first", "second", "second"]
    subprocess.run(["scancel", jobs[2][0]], check=True)
    assert "worker 2 was lost (its job is not in the queue any more): it is sent again" in finish(project, protocol)
    assert_same_results(local, protocol)
    wait_for(lambda: not queued(), protocol)


def test_the_command_line_gives_chunks_to_a_queue_by_a_command(project, local, cluster, tmp_path):
    settings = read_settings(Path(local._getExtraPath("align.json")))
    write_json(tmp_path / "settings.json", {**settings, "output": str(tmp_path / "aligned")})
    submit = f'sbatch --wait --gres=gpu:1 --output={tmp_path}/job_%j.log --wrap "{{command}}"'
    words = [sys.executable, "-m", "stadyn", "align", str(tmp_path / "settings.json")]
    words += ["--chunks", "3", "--submit", submit]
    with subprocess.Popen(words, cwd=DOCUMENT.parents[1], stdout=subprocess.PIPE, text=True) as process:
        wait_for(lambda: len([job for job in queued().values() if job[:3:2] == ["R", "gres:gpu:1"]]) == 3, local)
        subprocess.run(["scancel", next(iter(queued()))], check=True)
        printed = process.communicate(timeout=60)[0]
    assert process.returncode == 0 and "it is sent again" in printed
    found = read_result(tmp_path / "aligned" / "particles.npz", ParticleTable)
    expected = local.readTable("align", "particles.npz")
    assert np.abs(found.rotations - expected.rotations).max() < 1e-5
    assert np.abs(found.positions - expected.positions).max() < 1e-4


def lose_node(cluster, node):
    """Kill a node's daemon and all that runs on it, so that the controller is told nothing."""
    os.kill(int((cluster / f"{node}.pid").read_text()), signal.SIGKILL)
    lost = []
    for process in psutil.process_iter():
        try:
            environ = process.environ()
            if environ.get("SLURMD_NODENAME") == node and environ.get("SLURM_CONF") == str(cluster / "slurm.conf"):
                lost += [process.parent(), process]
        except psutil.Error:
            continue
    steps = [process for process in lost if process is not None and process.name().startswith("slurmstepd")]
    assert steps
    for process in (*steps, *lost):
        if process in steps or process.is_running():
            process.kill()


def test_the_chunks_of_a_lost_node_are_done_by_the_others(project, local, form, cluster):
    protocol = in_queue(project, {**form, "chunks": 4})
    jobs = chunk_jobs(protocol)
    lose_node(cluster, "second")
    printed = finish(project, protocol, 150)
    for chunk, (_, node) in jobs.items():
        assert (f"nothing is heard of worker {chunk}: the others do its chunk" in printed) == (node == "second")
    assert_same_results(local, protocol)
