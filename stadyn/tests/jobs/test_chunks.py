# SPDX-License-Identifier: GPL-3.0-or-later
"""An alignment in chunks gives what one process gives, whatever happens to those that work on the chunks."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from threadpoolctl import threadpool_limits

from stadyn.__main__ import main
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.io.mrc import write_volume
from stadyn.io.results import read_result
from stadyn.io.settings import read_settings, write_json
from stadyn.jobs import align, chunks
from stadyn.jobs.chunk_exchange import Exchange, owner_name
from stadyn.jobs.chunk_worker import Worker
from stadyn.jobs.launchers import Processes
from stadyn.tests.core.planted import misaligned, plant

from .planted_files import ROUND, written

BOX = 24


class Threads:
    """A launcher whose workers are threads of this process, which start in no time."""

    watch_seconds = 0.05

    def __init__(self):
        self.threads, self.started = {}, []

    def start(self, worker, words):
        settings = read_settings(words[words.index("align-chunk") + 1])
        exchange, session = Exchange(settings.pop("exchange")), words[words.index("--session") + 1]
        self.started.append(worker)
        thread = threading.Thread(target=self.serve, args=(Worker(settings, exchange, worker, session),), daemon=True)
        self.threads[worker] = thread
        thread.start()

    def serve(self, worker):
        worker.serve()

    def ended(self, worker):
        return None if self.threads[worker].is_alive() else "lost"

    def stop(self, worker):
        self.threads[worker].join(timeout=10)

    def log(self, worker):
        return f"log of {worker}"


@pytest.fixture(scope="module")
def planted():
    return plant(300, BOX, snr=1.0, seed=3, tomogram_ids=("a", "b"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, planted):
    """Settings of two rounds, and the folder of their result by one process: ten batches, so chunks are uneven."""
    folder = tmp_path_factory.mktemp("chunks")
    start = misaligned(planted.truth, 5.0, 1.0)
    wide = {**ROUND, "iterations": 2, "cone_range_deg": 12, "inplane_range_deg": 12}
    fine = {**ROUND, "symmetry": "C2", "highpass_angst": 60}
    settings = written(folder, planted, start, rounds=[wide, fine], reference_filter="fsc")
    settings["output"] = str(folder / "whole")
    align.run_settings(settings)
    return settings


def results(folder):
    return read_result(Path(folder) / "particles.npz", ParticleTable), Path(folder) / "average_all.mrc"


def assert_same(one, other):
    (first, map_of_first), (second, map_of_second) = results(one), results(other)
    assert np.array_equal(first.rotations, second.rotations) and np.array_equal(first.positions, second.positions)
    assert np.array_equal(first.cc, second.cc) and map_of_first.read_bytes() == map_of_second.read_bytes()


@pytest.mark.parametrize("number", [1, 2, 4])
def test_chunks_that_divide_the_strands_give_the_bits_of_one_process(tmp_path, whole, number):
    align.run_settings({**whole, "output": str(tmp_path), "chunks": number}, launcher=Threads())
    assert_same(whole["output"], tmp_path)
    assert not (tmp_path / "chunks").exists()


def test_the_bits_do_not_depend_on_the_processors_that_a_node_shows(tmp_path, whole):
    with threadpool_limits(3):
        align.run_settings({**whole, "output": str(tmp_path)})
    assert_same(whole["output"], tmp_path)


def test_another_number_of_chunks_gives_the_same_but_for_rounding(tmp_path, whole, planted):
    found = align.run_settings({**whole, "output": str(tmp_path), "chunks": 3}, launcher=Threads())
    expected, _ = results(whole["output"])
    assert np.abs(expected.rotations - found.rotations).max() < 1e-5
    assert np.abs(expected.positions - found.positions).max() < 1e-4
    assert np.abs(found.positions - planted.truth.positions).max() < 0.5 < 1.0  # the start was 1 px off


def test_a_killed_worker_costs_nothing_but_time(tmp_path, whole, capsys):
    class Killing(Processes):
        watch_seconds = 0.0
        killed = 0

        def ended(self, worker):
            claims = {p.name.split("_", 1)[1] for p in self.folder.glob("claim_*_2")}
            at_work = claims - {p.stem.split("_", 1)[1] for p in self.folder.glob("answer_*_2.npz")}
            if worker == 2 and at_work and not self.killed:
                self.killed = self._processes[2].pid
                os.kill(self.killed, signal.SIGKILL)
                self._processes[2].wait()
            return super().ended(worker)

    launcher = Killing(tmp_path / "chunks")
    align.run_settings({**whole, "output": str(tmp_path), "chunks": 4}, launcher=launcher)
    assert launcher.killed
    assert "worker 2 was lost (killed by signal 9): it is sent again" in capsys.readouterr().out
    assert_same(whole["output"], tmp_path)


def test_what_was_finished_when_all_was_lost_is_used_again(tmp_path, whole, monkeypatch):
    settings = {**whole, "output": str(tmp_path), "chunks": 4}
    done, answer = [], Worker.answer

    def counted(self, request, chunk):
        done.append((request.settings is not None, request.table.positions.sum(), chunk))
        return answer(self, request, chunk)

    class Dying(Threads):
        def serve(self, worker):
            if worker.number != 3:
                super().serve(worker)

        def ended(self, worker):
            if len(list((tmp_path / "chunks").glob("answer_*"))) == 7:  # all sums, and the poses of three chunks
                raise KeyboardInterrupt
            return None

    monkeypatch.setattr(Worker, "answer", counted)
    monkeypatch.setattr("stadyn.jobs.chunk_worker.GRACE_SECONDS", 0.5)
    with pytest.raises(KeyboardInterrupt):
        align.run_settings(settings, launcher=Dying())
    before = len(done)
    assert before >= 7
    align.run_settings(settings, launcher=Threads())
    assert len(set(done)) == len(done), "a chunk was done twice"
    assert_same(whole["output"], tmp_path)


def test_a_worker_that_never_comes_is_replaced_by_the_others(tmp_path, whole, monkeypatch):
    class Queued(Threads):
        def serve(self, worker):
            if worker.number == 1:
                super().serve(worker)

        def ended(self, worker):
            return None

    monkeypatch.setattr("stadyn.jobs.chunk_worker.GRACE_SECONDS", 0.0)
    monkeypatch.setattr(chunks, "LEAVE_SECONDS", 0.1)
    align.run_settings({**whole, "output": str(tmp_path), "chunks": 4}, launcher=Queued())
    assert_same(whole["output"], tmp_path)


def test_a_lost_node_that_the_queue_still_believes_in_is_replaced_by_the_others(tmp_path, whole, monkeypatch, capsys):
    class Silent(Threads):
        def serve(self, worker):
            if worker.number == 2:  # claims its chunk, and is never heard of again
                worker.answer = lambda *_: threading.Event().wait()
                worker._show = lambda: None
            super().serve(worker)

        def stop(self, worker):
            if worker != 2:
                super().stop(worker)

    monkeypatch.setattr(chunks, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(chunks, "LEAVE_SECONDS", 0.1)
    monkeypatch.setattr("stadyn.jobs.chunk_exchange.BEAT_SECONDS", 0.1)
    monkeypatch.setattr("stadyn.jobs.chunk_worker.BEAT_SECONDS", 0.1)
    monkeypatch.setattr("stadyn.jobs.chunk_worker.GRACE_SECONDS", 0.1)
    align.run_settings({**whole, "output": str(tmp_path), "chunks": 2}, launcher=Silent())
    assert "nothing is heard of worker 2: the others do its chunk" in capsys.readouterr().out
    assert_same(whole["output"], tmp_path)


def test_a_job_that_the_queue_started_again_gives_back_what_it_had_claimed(tmp_path):
    exchange = Exchange(tmp_path)
    exchange.open("one")
    assert exchange.claim("request", 1, owner_name("one", 1)) and exchange.claim("request", 2, owner_name("one", 2))
    exchange.arrive(1, "one")
    assert exchange.claim("request", 1, owner_name("one", 3)) and not exchange.claim("request", 2, owner_name("one", 3))


def test_a_damaged_answer_is_given_again(tmp_path, whole, monkeypatch):
    leave, damaged = Exchange.answer, []

    def leave_damaged(self, name, chunk, answer):
        leave(self, name, chunk, answer)
        if not damaged:
            damaged.append(chunk)
            path = self.answer_path(name, chunk)
            path.write_bytes(path.read_bytes()[:-100])

    monkeypatch.setattr(Exchange, "answer", leave_damaged)
    align.run_settings({**whole, "output": str(tmp_path), "chunks": 2}, launcher=Threads())
    assert damaged
    assert_same(whole["output"], tmp_path)


def test_a_chunk_that_is_lost_again_and_again_ends_the_run_with_a_sentence(tmp_path, whole, monkeypatch):
    def fail(self, request, chunk):
        if chunk == 2:
            raise EOFError  # gone with its claim, like a process that was killed
        return answer(self, request, chunk)

    answer = Worker.answer
    monkeypatch.setattr(Worker, "answer", fail)
    launcher = Threads()
    with pytest.raises(InputError, match="chunk 2 of 2 was lost 3 times.*see log of .*run the same again"):
        align.run_settings({**whole, "output": str(tmp_path), "chunks": 2}, launcher=launcher)


def test_what_a_worker_refuses_is_what_the_run_says(tmp_path, whole, capsys):
    write_json(tmp_path / "settings.json", {**whole, "output": str(tmp_path / "out"), "gpu": [99]})
    assert main(["align", str(tmp_path / "settings.json"), "--chunks", "1", "--submit", "{command}"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("stadyn align: chunk 1 of 1 was lost 3 times, at last with") and error.count("\n") == 1
    assert "GPU" in error


def test_a_queue_that_takes_no_job_says_why(tmp_path, whole):
    settings = {**whole, "output": str(tmp_path), "chunks": 2, "submit": "echo no partition X >&2; false {command}"}
    with pytest.raises(InputError, match=r"at last with 'exit code 1: no partition X': see .*worker_\d\.log, then run"):
        align.run_settings(settings)


def test_no_more_jobs_are_started_than_have_something_to_do(tmp_path, whole, capsys):
    launcher = Threads()
    found = align.run_settings({**whole, "output": str(tmp_path), "chunks": 50}, launcher=launcher)
    assert sorted(launcher.started) == list(range(1, 11))  # of ten batches
    assert "of 50 chunks only 10 are started" in capsys.readouterr().err
    assert np.abs(results(whole["output"])[0].rotations - found.rotations).max() < 1e-5


def test_a_command_that_waits_on_is_ended_with_all_it_started(tmp_path):
    note = tmp_path / "child"
    launcher = Processes(tmp_path, f"trap '' TERM; {{command}} & echo $! > {note}; sleep 100")
    launcher.start(1, ["sleep", "100"])
    while not note.exists() or not note.read_text().strip():
        assert launcher.ended(1) is None
    launcher.stop(1)
    assert launcher.ended(1) == "killed by signal 9"
    child = int(note.read_text())
    deadline = time.monotonic() + 5
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    "more, sentence",
    [
        ({"chunks": 0}, '"chunks" is 0: give 1 or more'),
        ({"submit": "x {command}"}, '"submit" is given without "chunks"'),
        ({"chunks": 2, "submit": "sbatch --wait"}, "say with {command} where"),
        ({"chunks": 2, "processes": 2}, '"chunks" and "processes"'),
        ({"chunks": 2, "submit": "x {command}", "gpu": [0, 1]}, "one GPU each"),
    ],
)
def test_settings_that_do_not_go_together(tmp_path, whole, more, sentence):
    with pytest.raises(InputError, match=sentence):
        align.run_settings({**whole, "output": str(tmp_path), **more})


def test_a_worker_leaves_when_the_alignment_is_dead(tmp_path, whole):
    exchange = Exchange(tmp_path)
    exchange.open("one")
    settings = {key: value for key, value in whole.items() if key != "output"}
    worker = Worker({**settings, "output": str(tmp_path)}, exchange, 1, "one")
    with pytest.raises(InputError, match="nothing was heard of the alignment for 0 s"):
        worker.serve(patience=0.2)
    exchange.open("two")  # a run that goes on: workers of the one before have no business there
    worker.serve(patience=1000)


def test_a_request_that_a_file_server_shows_late_is_read_later(tmp_path, whole, monkeypatch):
    read, late = Exchange.request, []

    def read_late(self, name):
        if name not in late:
            late.append(name)
            return None
        return read(self, name)

    monkeypatch.setattr(Exchange, "request", read_late)
    align.run_settings({**whole, "output": str(tmp_path), "chunks": 1}, launcher=Threads())
    assert len(late) == 7  # sums and poses of three iterations, and the average
    assert_same(whole["output"], tmp_path)


def test_groups_masks_references_and_local_scores_come_out_the_same(tmp_path):
    planted = plant(150, BOX, snr=1.0, seed=3, tomogram_ids=("a", "b"))
    start = misaligned(planted.truth, 5.0, 1.0)
    settings = written(tmp_path, planted, start, rounds=[ROUND], group_by=["tomogram"], score="local", threads=2)
    ball = np.sum((np.indices((BOX,) * 3) - BOX // 2) ** 2, axis=0) < 81
    write_volume(tmp_path / "mask.mrc", ball.astype(np.float32), 5.0)
    settings.update(mask=str(tmp_path / "mask.mrc"), reference={"*": str(tmp_path / "map.mrc")}, randomize_azimuth=True)
    one = align.run_settings({**settings, "output": str(tmp_path / "one")})
    four = align.run_settings({**settings, "output": str(tmp_path / "four"), "chunks": 4}, launcher=Threads())
    assert np.array_equal(one.rotations, four.rotations) and np.array_equal(one.positions, four.positions)
    assert np.array_equal(one.cc, four.cc) and np.abs(one.rotations - start.rotations).max() > 0.5
    for name in ("average_a.mrc", "average_b.mrc"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "four" / name).read_bytes()
