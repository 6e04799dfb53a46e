# SPDX-License-Identifier: GPL-3.0-or-later
"""Half-written files: who may remove them, with locks and without; a folder that another process holds."""

import errno
import fcntl
import os
import subprocess
import sys
import time

import pytest

from stadyn.core.errors import InputError
from stadyn.io.aside import STALE_SECONDS, claimed, written_aside

WRITER = """
import sys, time
from stadyn.io.aside import written_aside
with written_aside(sys.argv[1]) as aside:
    aside.write_bytes(b"half a fi")
    print("begun", flush=True)
    sys.stdin.readline()
    aside.write_bytes(b"all of it")
"""


@pytest.fixture
def writer(tmp_path):
    """A process in the middle of writing ``table``; a line on its standard input lets it finish."""
    words = [sys.executable, "-c", WRITER, str(tmp_path / "table")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        yield process
        process.kill()


@pytest.fixture(params=[None, errno.ENOLCK, errno.EOPNOTSUPP], ids=["locks", "no daemon", "no locks"])
def locks(request, monkeypatch):
    """A file system with locks, and two without."""

    def refuse(handle, operation):
        raise OSError(request.param, os.strerror(request.param))

    if request.param is not None:
        monkeypatch.setattr(fcntl, "flock", refuse)


def parts(folder):
    return list(folder.glob(".*.part"))


def test_what_is_being_written_stays_and_what_a_killed_process_left_goes(tmp_path, writer, locks):
    with claimed(tmp_path):
        assert len(parts(tmp_path)) == 1
    writer.communicate("\n")
    assert (tmp_path / "table").read_text() == "all of it" and not parts(tmp_path)


def test_what_a_killed_process_left_is_removed_at_once_on_its_machine(tmp_path, writer, locks):
    writer.kill()
    writer.wait()
    with claimed(tmp_path):
        assert not parts(tmp_path)


@pytest.mark.parametrize("ago, left", [(0, 1), (STALE_SECONDS / 2, 1), (STALE_SECONDS + 60, 0)])
def test_what_another_machine_writes_stays_until_it_has_not_changed_for_long(tmp_path, writer, locks, ago, left):
    (own,) = parts(tmp_path)
    other = tmp_path / f".node7-1.1.{own.name.split('.')[-2]}.part"
    other.write_bytes(b"half")
    os.utime(other, (time.time() - ago,) * 2)
    with claimed(tmp_path):
        assert other.exists() == bool(left)


def test_other_hidden_files_are_nobodys_business(tmp_path):
    strange = tmp_path / ".download.part"
    strange.write_bytes(b"x")
    os.utime(strange, (0, 0))
    with claimed(tmp_path):
        assert strange.exists()


def test_a_folder_is_held_by_one_process_and_free_after_its_death(tmp_path):
    hold = "import sys, time; from stadyn.io.aside import claimed\n"
    hold += "with claimed(sys.argv[1]): print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with pytest.raises(InputError, match="is being written by another run"), claimed(tmp_path):
            pass
        holder.kill()
    with claimed(tmp_path), written_aside(tmp_path / "table") as aside:
        aside.write_bytes(b"x")
