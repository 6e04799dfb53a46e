# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of a run tells how far it is while it runs, in the words that its job prints."""

import os
import time

import pytest

from stadyn.core.refinement import IterationRecord
from stadyn.jobs.align import Checkpoint
from stadyn.jobs.common import Progress
from stadyn.protocols import StadynProtAlign
from stadyn.protocols.progress import TAIL_BYTES, progress_lines

from .project import new_project


@pytest.fixture
def log(tmp_path, capsys, monkeypatch):
    """What a job prints: an iteration, and the next one under way, with other lines between."""
    (tmp_path / "particles.npz").write_bytes(b"x")
    checkpoint = Checkpoint(tmp_path, "odd", {"particles": str(tmp_path / "particles.npz")})
    monkeypatch.setattr("stadyn.jobs.align.write_result", lambda *arguments: None)
    progress = Progress(100)
    progress("odd: round 1/2 iteration 1/3", 4, 4)
    checkpoint.save(1, None, None, IterationRecord("odd", 1, 1, 400, 0.1, 5.0, 9.0, 2.0))
    for done in (1, 2):
        progress("odd: round 1/2 iteration 2/3", done, 4)
        progress._last = time.monotonic() - 60
    print("fast engine: said in between")
    path = tmp_path / "run.stdout"
    path.write_text("noise\n" * TAIL_BYTES + capsys.readouterr().out, encoding="utf-8")
    return str(path)


def test_the_newest_iteration_and_the_newest_progress_are_told(log):
    iteration, progress = progress_lines(log)
    assert iteration.startswith("odd: round 1 iteration 1 done, mean cc 0.1000")
    assert progress.startswith("odd: round 1/2 iteration 2/3 50 %") and "left" in progress


def test_a_log_without_progress_or_none_at_all_tells_nothing(tmp_path):
    assert progress_lines(str(tmp_path / "none")) == [] == progress_lines(None)
    (tmp_path / "log").write_bytes(b"\xff\xfe 50 % of the disk\n")
    assert progress_lines(str(tmp_path / "log")) == []


def test_the_summary_of_a_running_run_holds_them_and_of_a_stopped_one_does_not(log, monkeypatch):
    monkeypatch.chdir(os.getcwd())  # where the tests after this one are at home
    project = new_project("stadyn-progress")
    os.chdir(project.path)
    run = project.newProtocol(StadynProtAlign)
    project.saveProtocol(run)
    run.makePathsAndClean()
    run.getStdoutLog = lambda: log
    run.setStatus("running")
    assert run._summary() == ["Not finished yet.", *progress_lines(log)]
    run.setStatus("aborted")
    assert run._summary() == ["Not finished yet."]
