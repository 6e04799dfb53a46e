# SPDX-License-Identifier: GPL-3.0-or-later
"""The job that works on chunks of an alignment which runs elsewhere, on another node as a rule, until that ends.

It keeps the particles of its chunk prepared from iteration to iteration. It prefers its
own chunk, and takes over those of workers that are not there (still queued, or lost).
"""

import contextlib
import os
import threading
import time

from threadpoolctl import threadpool_limits

from stadyn.core.crew import LocalCrew
from stadyn.core.errors import InputError
from stadyn.core.passes import GLOBAL
from stadyn.io.settings import read_settings

from .chunk_exchange import BEAT_SECONDS, Answer, Exchange, PartialSum, owner_name
from .common import Work

POLL_SECONDS = 0.05, 1.0
"""Between two looks at the folder, at first and after a long wait: file servers count looks."""
GRACE_SECONDS = 3.0
"""How long a chunk waits for its own worker: one that begins at the same time must not find its chunk taken."""
PATIENCE_SECONDS = 180.0
"""How long an alignment may be silent before its workers take it for dead."""


def add_arguments(parser):
    """The command line of the job."""
    parser.add_argument("settings", help="settings file (JSON) that the alignment wrote for this worker")
    parser.add_argument("--worker", type=int, required=True, help="number of this worker, and of its own chunk")
    parser.add_argument("--session", required=True, help="which run of the alignment it works for")


def run(args):
    """Work until the alignment ends."""
    settings = read_settings(args.settings, required=("exchange",))
    exchange = Exchange(settings.pop("exchange"))
    with threadpool_limits(1):  # the bits must not depend on the processors that a node shows
        Worker(settings, exchange, args.worker, args.session).serve()


class Worker:
    """One process of those that share the chunks.

    Parameters
    ----------
    settings : dict, of the alignment
    exchange : Exchange
    number : int, 1, 2, ..., also that of its own chunk
    session : str
    """

    def __init__(self, settings, exchange, number, session):
        self.settings, self.exchange, self.number, self.session = settings, exchange, number, session
        self.work, self._left = None, threading.Event()
        self._round, self._crews = None, {}

    def serve(self, patience=PATIENCE_SECONDS):
        """Answer requests until the session ends or nothing was heard of the alignment for `patience` seconds."""
        seen, since, beat, heard, parent = None, 0.0, None, time.monotonic(), os.getppid()
        pause = POLL_SECONDS[0]
        try:
            self.exchange.now(self.session)  # which is over when this job was queued for long
            self.work = Work(self.settings)
            self.exchange.arrive(self.number, self.session)
            threading.Thread(target=self._show, daemon=True).start()
            while True:
                name = self.exchange.now(self.session)
                if name and name != seen and (request := self.exchange.request(name)):
                    seen, since = name, time.monotonic()
                if name and name == seen and self._do_one(name, request, time.monotonic() - since > GRACE_SECONDS):
                    heard, pause = time.monotonic(), POLL_SECONDS[0]
                    continue
                sign = self._sign()
                if sign != beat:
                    beat, heard = sign, time.monotonic()
                if time.monotonic() - heard > patience:
                    raise InputError(
                        f"nothing was heard of the alignment for {patience:.0f} s: run it again, it goes on from what"
                        " is finished"
                    )
                if os.getppid() != parent:
                    raise EOFError
                time.sleep(pause)
                pause = min(1.3 * pause, POLL_SECONDS[1])
        except EOFError:
            print("the alignment has ended", flush=True)
        finally:
            self._left.set()

    def _show(self):
        """A sign of life every few seconds, also while this process is busy."""
        count = 0
        while not self._left.wait(BEAT_SECONDS):
            count += 1
            with contextlib.suppress(OSError):  # a full disk, say
                self.exchange.show(self.number, count)

    def _sign(self):
        try:
            return self.exchange.beat.read_text()
        except OSError:
            return None

    def _do_one(self, name, request, others):
        """Answer one chunk, of an absent worker too if `others`; False when there is none to answer."""
        chunks = [self.number] if self.number <= request.chunks else []
        if others:
            chunks += [c for c in range(1, request.chunks + 1) if c != self.number and not self.exchange.present(c)]
        for chunk in chunks:
            if self.exchange.claim(name, chunk, owner_name(self.session, self.number)):
                started = time.monotonic()
                self.exchange.answer(name, chunk, self.answer(request, chunk))
                what = "added up" if request.settings is None else "aligned"
                rows = len(request.share(chunk))
                print(f"chunk {chunk}: {rows} particles {what} in {time.monotonic() - started:.1f} s", flush=True)
                return True
        return False

    def answer(self, request, chunk):
        """The `Answer` of one chunk to a `Request`."""
        crew, rows = self._crew(request, chunk)
        if request.settings is None:
            pairs = crew.parts(request.table, request.first, request.strands())
            return Answer(sums=tuple(tuple(PartialSum.of(part) for part in pair) for pair in pairs))
        aligned = crew.align(request.table, request.anchors, request.reference, request.mask, request.settings)
        return Answer(aligned.positions[rows], aligned.rotations[rows], aligned.cc[rows])

    def _crew(self, request, chunk):
        """The `LocalCrew` that keeps the particles of a chunk, and their rows; those of earlier rounds are dropped."""
        key = request.round_key()
        if key != self._round:
            self._round, self._crews = key, {}
        if chunk not in self._crews:
            work, rows = self.work, request.share(chunk)
            crew = LocalCrew(
                work.source, work.box_px, work.pixel_size, self.settings.get("engine", "fast"),
                self.settings.get("score", GLOBAL), work.threads, work.xp,
            )  # fmt: skip
            crew.begin(request.cut, rows, request.high, request.low, request.coarse)
            self._crews[chunk] = crew, rows
        return self._crews[chunk]
