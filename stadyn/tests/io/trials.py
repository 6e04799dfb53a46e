# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reader makes of one damaged file after another, and who decides on the damage: hypothesis or atheris."""

import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from stadyn.core.errors import InputError

from .damage import damaged

LONGEST_S = 5.0
"""Of the processor, for one input."""
TALK_S = 0.3
LONGEST_MESSAGE = 1500
KEPT = 3
"""Inputs kept of failures that end in the same line."""


class Hang(BaseException):
    """An input took too long; no reader may catch it."""


class Trial:
    """Valid files of a reader, and what it makes of damaged ones."""

    def __init__(self, pipe, reader, seconds, scratch, kept):
        self.pipe, self.reader, self.seconds, self.kept = pipe, reader, seconds, kept
        self.told = {"inputs": 0, "crashes": 0, "hangs": 0, "findings": [], "end": False}
        self.counts, self.valid, self.folders = {}, [], []
        for number, write in enumerate(reader.write):
            folder = scratch / str(number)
            folder.mkdir()
            write(folder)
            reader.read(folder / reader.main)  # what is valid must be read
            self.folders.append(folder)
            files = sorted(p for p in folder.rglob("*") if p.is_file())
            self.valid += [(number, path, path.read_bytes()) for path in files]
        self.began = self.spoke = time.process_time()
        signal.signal(signal.SIGPROF, _too_long)

    def start(self):
        """The time begins to run, now that everything is imported."""
        self.began = self.spoke = time.process_time()

    def over(self):
        """Is the time up? The other process is told how far this one is, and may keep it waiting."""
        now = time.process_time()
        if now - self.spoke > TALK_S:
            self._tell(False)
            self.pipe.recv()
            self.spoke = now
        return now - self.began > self.seconds

    def end(self):
        """Tell for the last time and leave at once."""
        self._tell(True)
        os._exit(0)

    def of(self, which, content):
        """Read with one file's content exchanged, which stays until the next; says nothing, and counts."""
        number, path, valid = self.valid[which]
        path.write_bytes(content)
        self.told["inputs"] += 1
        try:
            signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
            try:
                self.reader.read(self.folders[number] / self.reader.main)
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
        except InputError as error:
            if "\n" in str(error) or not 10 < len(str(error)) < LONGEST_MESSAGE:
                self._keep("crashes", error, which, content)
        except Hang as error:
            self._keep("hangs", error, which, content)
        except BaseException as error:  # whatever it is, it is a finding
            self._keep("crashes", error, which, content)
        path.write_bytes(valid)

    def _keep(self, kind, error, which, content):
        self.told[kind] += 1
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if f"{os.sep}stadyn{os.sep}" in f.filename and "trials" not in f.filename] or frames
        place = f"{Path(own[-1].filename).name}:{own[-1].lineno}"
        key = f"{type(error).__name__} at {place}"
        self.counts[key] = self.counts.get(key, 0) + 1
        if self.counts[key] > KEPT:
            return
        folder = self.kept / f"{key.replace(' at ', '_').replace(':', '_')}_{self.counts[key]}"
        _, path, _ = self.valid[which]
        shutil.copytree(self.folders[self.valid[which][0]], folder, dirs_exist_ok=True)
        (folder / "error.txt").write_text("".join(traceback.format_exception(error))[-8000:], errors="replace")
        if self.counts[key] == 1:
            self.told["findings"].append(f"{key}: {str(error)[:100]!r}, {path.name} in {folder}")

    def _tell(self, end):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.pipe.send({**self.told, "end": end, "seconds": time.process_time() - self.began, "peak_mb": peak})


def _too_long(signum, frame):
    raise Hang(f"more than {LONGEST_S:g} s of the processor")


def by_hypothesis(trial, first_seed):
    """Batches of inputs that hypothesis decides on, none remembered and none made smaller, until the time is up."""
    unhurried = {"deadline": None, "suppress_health_check": list(HealthCheck)}
    batch = settings(max_examples=1000, database=None, phases=[Phase.generate], **unhurried)

    @batch
    @given(st.randoms(use_true_random=False))
    def one(chance):
        which = chance.randrange(0, len(trial.valid))
        content = damaged(chance, trial.valid[which][2])  # drawn whatever the time, for hypothesis repeats what it did
        if not trial.over():
            trial.of(which, content)

    trial.start()
    while not trial.over():
        seed(first_seed)(one)()
        first_seed += 1
    trial.end()


def by_atheris(trial, first_seed):
    """Inputs that follow the lines reached; the first byte says which file is exchanged."""
    import atheris

    def one(data):
        if trial.over():
            trial.end()
        if data:
            trial.of(data[0] % len(trial.valid), data[1:])

    def change(data, max_size, number):
        chance = random.Random(number)
        if not data or chance.random() < 0.3:
            return atheris.Mutate(data, max_size)
        return data[:1] + damaged(chance, data[1:])[: max_size - 1]

    corpus = Path(tempfile.mkdtemp())
    for which, (_, _, content) in enumerate(trial.valid):
        (corpus / str(which)).write_bytes(bytes([which]) + content)
    # Hangs are told here, by the processor's time: atheris's own clock is the wall's, and 0 does not stop it.
    options = [f"-seed={first_seed + 1}", "-max_len=70000", "-rss_limit_mb=0", f"-timeout={10**6}", "-verbosity=0"]
    aside = f"-artifact_prefix={trial.folders[0].parent}{os.sep}"
    atheris.Setup([sys.argv[0], aside, *options, str(corpus)], one, custom_mutator=change)
    trial.start()
    atheris.Fuzz()
