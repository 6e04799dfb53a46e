# SPDX-License-Identifier: GPL-3.0-or-later
"""A protocol's jobs that outlived it, and are stopped before it starts them again; when a queued one is over.

They are not waited for: what they compute may no longer be what the form asks, and they may hang. Stopping
loses what came after the last finished iteration, which the job that follows repeats to the same bits.
"""

import os
import subprocess
import time
from pathlib import Path

import psutil
from pyworkflow.protocol.constants import STATUS_RUNNING
from pyworkflow.protocol.launch import _checkJobStatus

from stadyn.core.errors import InputError
from stadyn.io.settings import read_settings, write_json

SECONDS_TO_END = 30
"""A killed process is gone at once, unless a network file system holds it; a queue takes some seconds."""
QUEUED = "queued.json"


class StopsItsOrphans:
    """A protocol that, when it is continued, first ends the jobs of its own that still work."""

    def appendJobId(self, jobId):
        """The host's hook for a job that was queued; the host itself forgets it when the run is continued."""
        super().appendJobId(jobId)
        self._keepJobIds()

    def removeJobId(self, jobId):
        """The host's hook for a queued job that has ended."""
        super().removeJobId(jobId)
        self._keepJobIds()

    def _keepJobIds(self):
        if self.useQueueForSteps():
            write_json(self._getExtraPath(QUEUED), {"jobs": [str(number) for number in self.getJobIds()]})

    def _runSteps(self, doneSteps):
        if self.useQueueForSteps() and not self.getHostConfig().getJobDoneRegex():
            # An empty pattern fits every answer of a queue: the host would take jobs that work for ended ones.
            self.getHostConfig().queueSystem.jobDoneRegex.set(None)
        self.stopOrphans()
        super()._runSteps(doneSteps)

    def stopOrphans(self):
        """End the jobs of an earlier start that work, or wait in the queue."""
        extra = Path(self._getExtraPath()).absolute()
        queued = read_settings(extra / QUEUED)["jobs"] if (extra / QUEUED).exists() else []
        if queued:
            self.warning(f"jobs of an earlier start are in the queue ({', '.join(queued)}): they are cancelled")
            cancel(self.getHostConfig(), queued)
            (extra / QUEUED).unlink()
        left = jobs_of(str(extra))
        if left:
            numbers = ", ".join(str(process.pid) for process in left)
            self.warning(f"jobs of an earlier start still work (process {numbers}): they are stopped, and go on here")
            stop_processes(left)


def jobs_of(folder):
    """Processes of this machine that a protocol started and that say how they end in `folder`."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "--ended" in words[:-1] and os.path.dirname(words[words.index("--ended") + 1]) == folder:
            found.append(process)
    return found


def stop_processes(processes):
    """Kill processes with all they started, and wait until they are gone; InputError for one that cannot be."""
    family = []
    for process in processes:
        try:
            family += [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied as error:
            raise InputError(f"process {process.pid} of an earlier start still works, as another user's") from error
    _, alive = psutil.wait_procs(family, SECONDS_TO_END)
    if alive:
        raise InputError(f"process {alive[0].pid} of an earlier start cannot be stopped: end it, then continue")


def cancel(host, numbers):
    """Cancel jobs in the queue that `host`, of the host's configuration, describes; InputError for one that stays."""
    for number in numbers:
        subprocess.run(host.getCancelCommand() % {"JOB_ID": number}, shell=True, check=False)
    deadline = time.monotonic() + SECONDS_TO_END
    for number in numbers:
        while _checkJobStatus(host, number) == STATUS_RUNNING:
            if time.monotonic() >= deadline:
                raise InputError(f"job {number} of an earlier start stays in the queue: cancel it, then continue")
            time.sleep(1)
