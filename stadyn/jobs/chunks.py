# SPDX-License-Identifier: GPL-3.0-or-later
"""A crew of jobs, on other nodes as a rule, that share the particles of a group; a lost one's chunk is done again."""

import contextlib
import secrets
import shutil
import sys
import threading
import time
from pathlib import Path

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.particle_data import batches_of_rows
from stadyn.core.passes import merged
from stadyn.io.settings import read_settings, write_json

from .chunk_exchange import BEAT_SECONDS, Exchange, Request, digest, owner_name

TRIES = 3
"""How often a chunk may be lost, or a worker without a chunk, before the alignment ends."""
SILENT_SECONDS = 20.0
"""How long a worker may be silent before others do its chunk: its node may be lost before the queue notices."""
POLL_SECONDS = 0.02, 1.0
"""Between two looks at the folder, at first and after a long wait."""
LEAVE_SECONDS = 5.0
"""How long workers have to leave by themselves when the alignment ends."""
ELSEWHERE = ("chunks", "submit", "processes")
"""Settings that only say who does the work."""


class ChunkCrew:
    """What `LocalCrew` does, by workers that `jobs.chunk_worker` describes, one chunk of the batches each.

    The sums of the chunks are merged in the order of an unbroken run.

    Parameters
    ----------
    settings : dict, of the job
    work : Work
    chunks : int
    launcher : starts, watches and stops the workers: `launchers.Processes`, or the host's queue
    """

    def __init__(self, settings, work, chunks, launcher):
        self.box_px, self.chunks, self.launcher = work.box_px, chunks, launcher
        self._job = digest({k: v for k, v in settings.items() if k not in (*ELSEWHERE, "threads", "gpu", "output")})
        self.exchange = Exchange(exchange_folder(work.output))
        self._session = secrets.token_hex(6)
        self._begun, self._names, self._batches = (), [], 0
        self._lost = dict.fromkeys(range(1, chunks + 1), 0)  # chunk -> times its worker was lost with it
        self._idle = dict.fromkeys(range(1, chunks + 1), 0)  # worker -> times it was lost since it last gave an answer
        self._given_up, self._watched = set(), 0.0
        self._signs = dict.fromkeys(self._idle, ("", 0.0))  # worker -> its last sign of life, and when that came
        self._ended = threading.Event()
        self._settings_of = {worker: self._own_settings(settings, worker) for worker in self._idle}

    # ----- what a crew does

    def begin(self, table, rows, high, low, coarse):
        """The particles of a round, cut at the poses of `table`, in a band of Fourier pixels."""
        self._begun = (self._job, self.chunks, table, rows, high, low, coarse)
        self._batches = len(batches_of_rows(table, rows))

    def steps(self):
        """How many steps `align` reports."""
        return self._batches

    def sums(self, table, first):
        """The sums of the particles with `first` (n,) bool and of the others, each merged."""
        answers = self._ask(Request(*self._begun, table, first), self._valid_sums)
        high = self._begun[4]
        # Strand s of an unbroken run is the (s // chunks)-th of chunk s % chunks.
        pairs = [pair for pairs in zip(*(a.sums for a in answers), strict=True) for pair in pairs]
        return tuple(merged([part.restored(self.box_px, high) for part in parts]) for parts in zip(*pairs, strict=True))

    def total(self, table, rows, high):
        """The `AverageSum` of all `rows` at the poses of a table, up to `high` Fourier pixels."""
        self.begin(table, rows, high, 0.0, False)
        return self.sums(table, np.ones(len(table), bool))[0]

    def align(self, table, anchors, reference, mask, settings, report=None):
        """The table with every chunk one iteration further."""
        request = Request(*self._begun, table, None, anchors, reference, mask, settings)
        positions, rotations, cc = table.positions.copy(), table.rotations.copy(), table.cc.copy()
        for chunk, answer in enumerate(self._ask(request, self._valid_poses, report), 1):
            share = request.share(chunk)
            positions[share], rotations[share], cc[share] = answer.positions, answer.rotations, answer.cc
        return table.replace(positions=positions, rotations=rotations, cc=cc)

    def open(self):
        """Start the workers."""
        self.exchange.open(self._session)
        threading.Thread(target=self._beat, daemon=True).start()
        for worker, settings in self._settings_of.items():
            write_json(self._settings(worker), settings)
            self._start(worker)

    def close(self, finished=False):
        """Let the workers go; what they gave is kept unless the alignment is `finished`."""
        self._ended.set()
        with contextlib.suppress(InputError):  # a full disk: they are stopped below
            self.exchange.tell(self._session, ended=True)
        deadline = time.monotonic() + LEAVE_SECONDS
        while time.monotonic() < deadline and any(self.launcher.ended(w) is None for w in self._idle):
            time.sleep(0.1)
        for worker in self._idle:
            if self.launcher.ended(worker) is None:
                self.launcher.stop(worker)
        if finished:
            shutil.rmtree(self.exchange.folder, ignore_errors=True)

    def __enter__(self):
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, *_):
        self.close(finished=kind is None)

    # ----- requests

    def _ask(self, request, valid, report=None):
        """The answers of all chunks, in their order."""
        name, answers = digest(request), {}
        self.exchange.post(name, request)
        self._names.append(name)
        for old in self._names[:-2]:  # an iteration that is done again asks for its sums, then for its poses
            self.exchange.forget(old)
        self._names = self._names[-2:]
        self.exchange.tell(self._session, name)
        self._lost = dict.fromkeys(self._lost, 0)
        pause, done = POLL_SECONDS[0], 0
        while len(answers) < self.chunks:
            for chunk in range(1, self.chunks + 1):
                if chunk not in answers and self._collect(name, chunk, request, valid, answers):
                    done += len(batches_of_rows(request.cut, request.share(chunk)))
                    if report:
                        report(done)
            if len(answers) < self.chunks:
                self._watch(name)
                time.sleep(pause)
                pause = min(1.3 * pause, POLL_SECONDS[1])
        return [answers[chunk] for chunk in sorted(answers)]

    def _collect(self, name, chunk, request, valid, answers):
        """Put the answer of a chunk into `answers`; False when there is none, or none that is valid."""
        answer = self.exchange.take(name, chunk)
        if answer is None:
            return False
        if not valid(answer, request, chunk):
            self.exchange.refuse(name, chunk)
            return False
        answers[chunk] = answer
        for worker in self._idle:
            if self.exchange.owner(name, chunk) == owner_name(self._session, worker):
                self._idle[worker] = 0
        return True

    def _valid_poses(self, answer, request, chunk):
        return answer.cc is not None and len(answer.cc) == len(request.share(chunk))

    def _valid_sums(self, answer, request, chunk):
        count = sum(sum(part.n for part in pair) for pair in answer.sums)
        return len(answer.sums) == request.strands() and count == len(request.share(chunk))

    # ----- workers

    def _watch(self, name):
        """Start lost workers again, and release the chunks they had."""
        if time.monotonic() - self._watched < self.launcher.watch_seconds:
            return
        ends = {w: self.launcher.ended(w) for w in self._idle}
        gone = {worker: end for worker, end in ends.items() if end is not None}
        away = {w for w in ends if w in gone or self._is_silent(w)}
        for worker in away:
            self.exchange.leave(worker)
        owners = [owner_name(self._session, worker) for worker in ends if worker not in away]
        for chunk, owner in self.exchange.void_claims(name, owners).items():
            self._lost[chunk] += 1
            if self._lost[chunk] >= TRIES:
                worker = next((w for w in away if owner_name(self._session, w) == owner), chunk)
                self._give_up(chunk, worker, gone.get(worker, "nothing more heard of it"))
        for worker in set(gone) - self._given_up:
            self._idle[worker] += 1
            again = self._idle[worker] < TRIES
            print(
                f"worker {worker} was lost ({gone[worker]}): it is sent again"
                if again
                else f"worker {worker} was lost {TRIES} times: the others do its chunk",
                flush=True,
            )
            if again:
                self._start(worker)
                continue
            self._given_up.add(worker)
            if len(self._given_up) == self.chunks:
                self._give_up(worker, worker, gone[worker])
        self._watched = time.monotonic()

    def _is_silent(self, worker):
        """Was nothing heard for long of a worker that had come?"""
        sign = self.exchange.sign(worker)
        if sign != self._signs[worker][0]:
            self._signs[worker] = sign, time.monotonic()
        silent = bool(sign) and time.monotonic() - self._signs[worker][1] > SILENT_SECONDS
        if silent:
            print(f"nothing is heard of worker {worker}: the others do its chunk", flush=True)
        return silent

    def _give_up(self, chunk, worker, end):
        raise InputError(
            f"chunk {chunk} of {self.chunks} was lost {TRIES} times, at last with {self._sentence(worker) or end!r}:"
            f" see {self.launcher.log(worker)}, then run the same again, it goes on from what is finished"
        )

    def _own_settings(self, settings, worker):
        own = {k: v for k, v in settings.items() if k not in ELSEWHERE}
        gpus = settings.get("gpu") or []
        own["gpu"] = [gpus[(worker - 1) % len(gpus)]] if gpus else None
        own["exchange"] = str(self.exchange.folder.resolve())
        return own

    def _start(self, worker):
        self._end(worker).unlink(missing_ok=True)
        words = [sys.executable, "-m", "stadyn", "--ended", self._end(worker), "align-chunk", self._settings(worker)]
        words += ["--worker", worker, "--session", self._session]
        self.launcher.start(worker, [str(word) for word in words])

    def _sentence(self, worker):
        """What a worker said when it refused its work, or None."""
        path = self._end(worker)
        return read_settings(path)["sentence"] if path.exists() else None

    def _end(self, worker):
        return self.exchange.folder.resolve() / f"ended_{worker}.json"

    def _settings(self, worker):
        return self.exchange.folder.resolve() / f"worker_{worker}.json"

    def _beat(self):
        """A sign of life every few seconds, also while this process is busy."""
        count = 0
        while True:
            count += 1
            with contextlib.suppress(OSError):  # a full disk, say: the workers are patient
                self.exchange.beat.write_text(f"{self._session} {count}")
            if self._ended.wait(BEAT_SECONDS):
                return


def exchange_folder(output):
    """Where an alignment and its workers exchange files."""
    return Path(output) / "chunks"
