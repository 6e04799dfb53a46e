# SPDX-License-Identifier: GPL-3.0-or-later
"""How the workers of an alignment in chunks are started, watched and stopped without the host."""

import contextlib
import os
import shlex
import signal
import subprocess
from pathlib import Path

from stadyn.core.errors import InputError

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 2.0


class Processes:
    """Starts workers as processes of this machine, or through a command that lasts as long as their job.

    Parameters
    ----------
    folder : where their logs go
    submit : str, such as ``sbatch --wait --wrap "{command}"``; None for processes
    """

    watch_seconds = 0.5

    def __init__(self, folder, submit=None):
        if submit is not None and "{command}" not in submit:
            raise InputError(f'"submit" is {submit!r}: say with {{command}} where the command of a chunk belongs')
        self.folder, self.submit = Path(folder), submit
        self._processes = {}

    def start(self, worker, words):
        """Start worker 1, 2, ... with the words of its command."""
        paths = [str(PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
        command = words if self.submit is None else self.submit.replace("{command}", shlex.join(words))
        with open(self.log(worker), "ab") as log:
            self._processes[worker] = subprocess.Popen(
                command, shell=self.submit is not None, env=env, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def ended(self, worker):
        """None while a worker runs or is queued; else how it ended, as a sentence's end."""
        if worker not in self._processes:
            return "it never started"
        code = self._processes[worker].poll()
        if code is None:
            return None
        if code == 0 and self.submit is not None:
            return "its command came back although the alignment goes on (let it wait for the job: sbatch --wait)"
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}{self._last_words(worker)}"

    def _last_words(self, worker):
        lines = self.log(worker).read_text(errors="replace").strip().splitlines()
        return f": {lines[-1].strip()}" if lines else ""

    def stop(self, worker):
        """End a worker that does not end by itself."""
        process = self._processes[worker]
        for end in (signal.SIGTERM, signal.SIGKILL):  # some commands of queues wait on
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(process.pid, end)  # with what a shell started
                process.wait(timeout=STOP_SECONDS)
                return

    def log(self, worker):
        """The file that holds what a worker printed."""
        return self.folder / f"worker_{worker}.log"
