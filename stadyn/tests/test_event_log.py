# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of a replay: each line whole, whatever becomes of the disk."""

import errno
import json
import os

import pytest

from stadyn.core.errors import InputError
from stadyn.event_log import EventLog


def test_a_disk_that_fills_in_a_line_leaves_the_lines_before(tmp_path, monkeypatch):
    log = EventLog(tmp_path / "log.jsonl")
    log.add("started", protocol="1 Tomogramas ñ")
    write = os.write

    def half(handle, data):
        monkeypatch.setattr(os, "write", full)
        return write(handle, data[:5])

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(InputError, match=r"log.jsonl: no room is left on the disk of .*, free some"):
        log.add("finished")
    monkeypatch.setattr(os, "write", write)
    log.add("skipped")
    events = [json.loads(line)["event"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert events == ["started", "skipped"]
