# SPDX-License-Identifier: GPL-3.0-or-later
"""A replay whose project's disk fills up, also inside the host's databases: one sentence, and it goes on with room."""

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stadyn.io.mrc import write_volume

REPOSITORY = Path(__file__).parents[2]
SENTENCE = r"stadyn replay: .*no room is left on the disk of {folder}[^,]*, free some and run the same again"


@pytest.fixture
def small_disk(tmp_path):
    """A function that mounts so many KiB, and one that makes them plenty."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(size, *options):
        command = ["mount", *options, "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(folder)]
        if os.geteuid() or subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("only root can mount a small file system")

    yield folder, mount, lambda: subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
    subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.fixture
def workflow(tmp_path):
    """A workflow that imports a tomogram."""
    write_volume(tmp_path / "t1.mrc", np.random.default_rng(0).normal(size=(8, 12, 12)), 5.4)
    path = tmp_path / "one.json"
    path.write_text(
        '[{"object.className": "StadynProtImportTomograms", "object.id": "2", "object.label": "1 Import",'
        f' "listFile": "{tmp_path}/t1.mrc", "pixelSize": 5.4}}]'
    )
    return path


def replay(workflow, projects, *options):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SCIPION_")}
    environment |= {"PYTHONPATH": str(REPOSITORY), "SCIPION_HOME": str(workflow.parent / "home")}
    words = [sys.executable, "-m", "stadyn", "replay", str(workflow), "--projects", str(projects), "--project", "one"]
    return subprocess.run([*words, *options], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("size", [8, 36, 64, 100])  # project, settings, protocols, run: what does not fit
def test_a_full_disk_is_one_sentence_and_the_replay_goes_on_with_room(small_disk, workflow, size):
    folder, mount, enlarge = small_disk
    mount(size)
    broken = replay(workflow, folder)
    assert broken.returncode == 1
    lines = broken.stderr.splitlines()
    assert re.match(SENTENCE.format(folder=folder), lines[0]), lines
    assert "Traceback" not in broken.stderr and not list(folder.rglob(".*.part"))
    enlarge()
    resumed = replay(workflow, folder, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    for path in folder.glob("projects/one/**/*.sqlite"):
        with sqlite3.connect(path) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert list(folder.glob("projects/one/Runs/*/tomograms.sqlite"))
