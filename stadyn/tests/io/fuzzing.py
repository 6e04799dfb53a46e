# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged files for a reader until its time is up: each is read, or refused in one sentence, soon and in little memory.

The reader works in a process of its own, whose address space is limited. Half of the time hypothesis decides on the
damage; where atheris is installed, it has the other half and follows which lines the damage reaches.
"""

import importlib.util
import json
import multiprocessing
import os
import resource
import shutil
import tempfile
import traceback
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

MEMORY_MB = 2048
LOST_S = 25.0
"""Of the processor without a word: the reader is in code that no signal interrupts."""


@dataclass
class Row:
    """What came of one reader."""

    reader: str
    inputs: int = 0
    crashes: int = 0
    hangs: int = 0
    peak_mb: float = 0.0
    seconds: float = 0.0  # of the processor
    guided: int = 0  # inputs that atheris made
    findings: list = field(default_factory=list)  # one line for each kind

    @property
    def passed(self):
        """No crash, no hang, and no more memory than allowed."""
        return self.inputs > 0 and not self.crashes and not self.hangs and self.peak_mb <= MEMORY_MB

    def __str__(self):
        return f"{self.reader:15} | {self.inputs:8} | {self.crashes:7} | {self.hangs:5} | {self.peak_mb:7.0f}"


HEADING = f"{'reader':15} | {'inputs':>8} | crashes | hangs | peak MB"


def has_atheris():
    """Is the coverage-guided fuzzer installed?"""
    return importlib.util.find_spec("atheris") is not None


def names():
    """Of all readers, asked in another process so that this one loads none of them."""
    return _in_process(_list_names).recv()


def fuzz(name, seconds, out, seed=0, guided=None):
    """The `Row` of one reader after `seconds` of the processor; inputs that fail are kept in the folder `out`/`name`.

    A process that dies with an input is replaced by another for the time that is left.
    """
    guided = has_atheris() if guided is None else guided
    row, kept = Row(name), Path(out).absolute() / name
    shutil.rmtree(kept, ignore_errors=True)
    plan = [("hypothesis", seconds / 2 if guided else seconds), *([("atheris", seconds / 2)] if guided else [])]
    for engine, share in plan:
        left = share
        while left > 0:
            with tempfile.TemporaryDirectory() as scratch:
                try:
                    told, death = _until_it_ends(name, engine, left, Path(scratch), kept, seed)
                except RuntimeError as error:
                    row.crashes += 1
                    row.findings.append(str(error))
                    break
                _add(row, told, engine)
                if death:
                    row.hangs += death == "hang"
                    row.crashes += death != "hang"
                    row.findings.append(f"{name}: {death} in code that no signal interrupts, see {kept / 'died'}")
                    shutil.copytree(scratch, kept / "died", dirs_exist_ok=True)
            left -= told["seconds"] + 0.1
            seed += 1
            if not death:
                break
    return row


def _add(row, told, engine):
    row.inputs += told["inputs"]
    row.crashes += told["crashes"]
    row.hangs += told["hangs"]
    row.seconds += told["seconds"]
    row.peak_mb = max(row.peak_mb, told["peak_mb"])
    row.findings += told["findings"]
    row.guided += told["inputs"] if engine == "atheris" else 0


def _until_it_ends(*task):
    """(what the process told last, None or how it died)."""
    told = {"inputs": 0, "crashes": 0, "hangs": 0, "seconds": 0.0, "peak_mb": 0.0, "findings": []}
    connection = _in_process(_work, *task)
    spoke = 0.0
    try:
        while True:
            if connection.poll(1.0):
                told = connection.recv()
                if "broken" in told:
                    raise RuntimeError(told["broken"])
                if told["end"]:
                    return told, None
                connection.send(True)  # while this process is stopped, so is the other
                spoke = connection.seconds()
            elif connection.seconds() - spoke > LOST_S:
                return told, "hang"
    except (EOFError, OSError):
        return told, f"death ({connection.exit_code()})"
    finally:
        connection.end()


class _Child:
    """A forked process and the pipe to it."""

    def __init__(self, function, args):
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_begin, args=(self._pipe, theirs, function, args), daemon=True)
        self._process.start()
        theirs.close()
        self.pid, self.poll, self.recv, self.send = self._process.pid, self._pipe.poll, self._pipe.recv, self._pipe.send

    def seconds(self):
        """Of the processor that it has used; 0 once it has ended."""
        try:
            return sum(psutil.Process(self.pid).cpu_times()[:2])
        except psutil.Error:
            return 0.0

    def exit_code(self):
        """With which it ended: minus the signal that ended it."""
        self._process.join(5.0)
        return self._process.exitcode

    def end(self):
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _begin(ours, theirs, function, args):
    ours.close()  # so that this process notices when the other has gone
    function(theirs, *args)


def _in_process(function, *args):
    return _Child(function, args)


def _list_names(pipe):
    from .readers import READERS

    pipe.send(list(READERS))


def _work(pipe, name, *task):
    """The whole life of the process that reads."""
    try:
        _read_damaged(pipe, name, *task)
    except Exception:
        pipe.send({"broken": f"{name} cannot be tried:\n{traceback.format_exc()}"})


def _read_damaged(pipe, name, engine, seconds, scratch, kept, seed):
    warnings.simplefilter("ignore")
    # Beside the files that are read, so that it is kept with them should this process die.
    log = os.open(scratch / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if engine == "atheris":
        import atheris

        with atheris.instrument_imports(include=["stadyn.io", "stadyn.workflow"]):
            from .readers import READERS
    else:
        from .readers import READERS
    from . import trials

    trial = trials.Trial(pipe, READERS[name], seconds, scratch, kept)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MB << 20, MEMORY_MB << 20))
    (trials.by_atheris if engine == "atheris" else trials.by_hypothesis)(trial, seed)


def read_state(path):
    """{reader: Row} of an earlier, perhaps interrupted run."""
    path = Path(path)
    return {r["reader"]: Row(**r) for r in json.loads(path.read_text())} if path.exists() else {}


def write_state(path, rows):
    """Keep the rows, whole or not at all."""
    aside = Path(f"{path}.part")
    aside.write_text(json.dumps([asdict(row) for row in rows.values()], indent=1))
    aside.replace(path)
