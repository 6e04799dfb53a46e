# SPDX-License-Identifier: GPL-3.0-or-later
"""A replay that is killed (-9), whole or in part, and resumed: the same tables, and nothing runs twice at once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from stadyn.core.particles import ParticleTable
from stadyn.io.results import read_result
from stadyn.jobs import simulate

PIXEL = 10.8
REPOSITORY = Path(__file__).parents[2]
LAST = "3 Align first reference"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    settings = {"output": str(folder), "n_tomograms": 2, "vlps_per_tomogram": 1, "pixel_size_angst": PIXEL, "seed": 5}
    sizes = {"extent_angst": [1040, 1040, 1000], "radius_angst": [290, 330], "tilt_step_deg": 12}
    simulate.run_settings({**settings, **sizes, "noise": 0.5, "gold_beads": 1, "junk": 4})
    return folder


def start(folder, data, *options):
    """A replay until step 3, in a session of its own."""
    command = [sys.executable, "-m", "stadyn", "replay", "vlp_nine_steps", f"tomograms={data / 'tomograms.vll'}"]
    command += [f"dipoles={data / 'dipoles.csv'}", f"pixel_size={PIXEL}", "--projects", str(folder), "--project", "one"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SCIPION_")}
    environment["PYTHONPATH"] = str(REPOSITORY)
    return subprocess.Popen(
        [*command, "--until", LAST, "--log", str(folder / "log.jsonl"), *options], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def finished(process):
    printed, _ = process.communicate()
    assert process.returncode == 0, printed[-2000:]
    return printed


def wait_until(happened, seconds=60):
    """Poll; fail after a while."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it never came so far"
        time.sleep(0.02)


def kill(processes):
    for process in processes:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue


def aligned(folder):
    return read_result(next(folder.glob("projects/one/Runs/*ProtAlign/extra/*/particles.npz")), ParticleTable)


def checkpoints(folder):
    return list(folder.glob("projects/one/Runs/*ProtAlign/extra/*/checkpoint_*.json"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("whole")
    finished(start(folder, data))
    return aligned(folder)


def same(one, other):
    columns = ("positions", "rotations", "cc", "ids")
    return all(np.array_equal(getattr(one, c), getattr(other, c), equal_nan=c == "cc") for c in columns)


def test_killed_with_all_its_processes_it_goes_on_from_the_last_iteration(tmp_path, data, whole):
    process = start(tmp_path, data)
    wait_until(lambda: checkpoints(tmp_path))
    parent = psutil.Process(process.pid)
    kill([parent, *parent.children(recursive=True)])
    process.wait()
    (stdout,) = tmp_path.glob("projects/one/Runs/*ProtAlign/logs/run.stdout")
    printed = finished(start(tmp_path, data, "--resume"))
    assert "finished before" in printed and "goes on after iteration" in stdout.read_text()
    assert same(aligned(tmp_path), whole) and not list(tmp_path.rglob(".*.part"))


def test_what_outlives_a_killed_replay_is_waited_for_and_not_run_twice(tmp_path, data, whole):
    process = start(tmp_path, data)
    wait_until(lambda: checkpoints(tmp_path))
    survivors = psutil.Process(process.pid).children(recursive=True)
    kill([psutil.Process(process.pid)])
    process.wait()
    for survivor in survivors:
        survivor.suspend()  # whatever this machine's speed, they are not done before they are met
    again = start(tmp_path, data, "--resume")
    printed = ""
    while "works still" not in printed:
        letter = again.stdout.read(1)
        assert letter, printed
        printed += letter
    for survivor in survivors:
        survivor.resume()
    finished(again)
    assert same(aligned(tmp_path), whole)
    (stdout,) = tmp_path.glob("projects/one/Runs/*ProtAlign/logs/run.stdout")
    assert stdout.read_text().count("PROTOCOL -----------------") == 1


def test_a_job_that_outlives_its_protocol_is_stopped_and_goes_on(tmp_path, data, whole):
    process = start(tmp_path, data)
    wait_until(lambda: checkpoints(tmp_path))
    members = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    orphans = [member for member in members if "--ended" in member.cmdline()]
    kill([member for member in members if member not in orphans and "--ended" not in " ".join(member.cmdline())])
    process.wait()
    (orphan,) = orphans
    orphan.suspend()  # whatever this machine's speed, it still holds its folder
    finished(start(tmp_path, data, "--resume"))
    assert not orphan.is_running() and same(aligned(tmp_path), whole) and not list(tmp_path.rglob(".*.part"))
    (stdout,) = tmp_path.glob("projects/one/Runs/*ProtAlign/logs/run.stdout")
    assert f"(process {orphan.pid}): they are stopped" in stdout.read_text()


def test_a_project_whose_making_was_cut_short_is_made_anew(tmp_path, data, whole):
    process = start(tmp_path, data)
    wait_until(lambda: (tmp_path / "projects" / "one" / "project.sqlite").exists())
    parent = psutil.Process(process.pid)
    kill([parent, *parent.children(recursive=True)])
    process.wait()
    finished(start(tmp_path, data, "--resume"))
    assert same(aligned(tmp_path), whole)
    events = [json.loads(line)["event"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert events.count("finished") >= 4 and "failed" not in events


def test_two_replays_of_one_project_do_not_run_at_once(tmp_path, data):
    process = start(tmp_path, data)
    try:
        log = tmp_path / "log.jsonl"
        wait_until(lambda: log.exists() and log.read_text())
        second = start(tmp_path, data, "--resume")
        printed, _ = second.communicate()
        assert second.returncode == 1 and "is being written by another run" in printed
    finally:
        parent = psutil.Process(process.pid)
        kill([parent, *parent.children(recursive=True)])
        process.wait()
