# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that are killed (-9) go on to what an unbroken run gives; a full disk is one sentence; one run a folder."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stadyn.__main__ import main
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.io.aside import claimed, written_aside
from stadyn.io.mrc import read_volume
from stadyn.io.results import read_result
from stadyn.jobs import align
from stadyn.tests.core.planted import misaligned, plant

from .planted_files import ROUND, written

BOX = 24
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def planted():
    return plant(12, BOX, snr=1.0, seed=3, tomogram_ids=("a", "b"))


def command(name, settings, folder):
    path = folder / f"{name}.json"
    path.write_text(json.dumps(settings))
    return [sys.executable, "-m", "stadyn", name, str(path)]


def same_results(one, other):
    first, second = (read_result(folder / "particles.npz", ParticleTable) for folder in (one, other))
    assert np.array_equal(first.rotations, second.rotations) and np.array_equal(first.positions, second.positions)
    assert np.array_equal(first.cc, second.cc) and np.array_equal(first.ids, second.ids)
    names = sorted(p.name for p in one.glob("*.mrc"))
    assert names == sorted(p.name for p in other.glob("*.mrc")) and names
    assert all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def test_a_killed_alignment_goes_on_to_the_same_result(tmp_path, planted):
    start = misaligned(planted.truth, 5.0, 1.0)
    settings = written(tmp_path, planted, start, rounds=[{**ROUND, "iterations": 3}, ROUND], group_by=["tomogram"])
    settings["output"] = str(tmp_path / "whole")
    align.run_settings(settings)
    broken = {**settings, "output": str(tmp_path / "broken")}
    words = command("align", broken, tmp_path)
    seen = []
    for finished in (2, 5):  # in the first group; in the second
        with subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                seen.append(line)
                if sum(" done, mean cc" in done for done in seen) == finished:
                    break
            process.kill()
        assert process.returncode == -signal.SIGKILL
    # What a death in the middle of a write leaves behind.
    with written_aside(tmp_path / "broken" / "table") as aside:
        left = aside.with_name(aside.name.replace(f".{os.getpid()}.", f".{process.pid}."))
        left.write_bytes(b"half a fi")
        aside.write_bytes(b"")
    (tmp_path / "broken" / "table").unlink()
    align.run_settings(broken)
    same_results(tmp_path / "whole", tmp_path / "broken")
    records = [json.loads((tmp_path / name / "convergence.json").read_text()) for name in ("whole", "broken")]
    assert [r["mean_cc"] for r in records[0]] == [r["mean_cc"] for r in records[1]]
    assert not list((tmp_path / "broken").glob(".*"))


def test_another_reference_under_the_same_name_is_another_run(tmp_path, planted):
    settings = written(tmp_path, planted, rounds=[ROUND], reference={"*": str(tmp_path / "map.mrc")})
    before = align.Checkpoint(tmp_path, "all", settings).key
    content = bytearray((tmp_path / "map.mrc").read_bytes())
    content[-1] ^= 1
    (tmp_path / "map.mrc").write_bytes(content)
    assert align.Checkpoint(tmp_path, "all", settings).key != before


def test_two_runs_never_write_the_same_folder(tmp_path, planted, capsys):
    settings = written(tmp_path, planted, rounds=[ROUND])
    words = command("align", settings, tmp_path)[3:]
    with claimed(settings["output"]):
        assert main(words) == 1
    error = capsys.readouterr().err
    assert f"{settings['output']} is being written by another run" in error and error.count("\n") == 1
    assert main(words) == 0


def test_a_full_disk_is_one_sentence_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "table.txt"
    path.write_text("old")
    sentence = r"cannot write .*table.txt: no room is left .* free some"
    with pytest.raises(InputError, match=sentence), written_aside(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["table.txt"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 512 KiB, and a function that makes it larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system")
    yield folder, lambda: subprocess.run(["mount", "-o", "remount,size=16m", str(folder)], check=True)
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("job", ["extract", "align"])
def test_a_job_goes_on_once_the_disk_has_room(tmp_path, small_disk, planted, job):
    disk, enlarge = small_disk
    settings = written(tmp_path, planted)
    if job == "align":
        settings["rounds"] = [{**ROUND, "iterations": 2}]
    expected = tmp_path / "expected"
    subprocess.run(command(job, {**settings, "output": str(expected)}, tmp_path), cwd=REPOSITORY, check=True)
    output = disk / "out"
    output.mkdir()
    words = command(job, {**settings, "output": str(output)}, tmp_path)
    room = 400 if job == "extract" else 508  # KiB taken: 2 of 12 subtomograms fit, or not even a checkpoint
    (disk / "other").write_bytes(bytes(room * 1024))
    broken = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert broken.returncode == 1
    lines = [line for line in broken.stderr.splitlines() if not line.startswith("warning: ")]
    assert len(lines) == 1 and lines[0].startswith(f"stadyn {job}: cannot write {output}"), broken.stderr
    assert "no room is left" in lines[0] and not list(disk.rglob(".*.part"))
    for volume in output.rglob("*.mrc"):
        assert read_volume(volume).shape == (BOX,) * 3
    enlarge()
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = sorted(p.relative_to(expected) for p in expected.rglob("*.mrc"))
    assert names and all((expected / n).read_bytes() == (output / n).read_bytes() for n in names)
