# SPDX-License-Identifier: GPL-3.0-or-later
"""An alignment whose particles are shared between jobs of the host's queue, each with nodes and GPUs of its own."""

import os
import shlex
import subprocess
import time

from pyworkflow.constants import QUEUE_FOR_JOBS
from pyworkflow.protocol.constants import LEVEL_ADVANCED, STATUS_RUNNING, UNKNOWN_JOBID
from pyworkflow.protocol.launch import _checkJobStatus, _submit

from stadyn.core.errors import InputError
from stadyn.io.settings import write_json
from stadyn.jobs.align import run_settings

from .forms import add_number

LOOK_SECONDS = 2.0
"""Between two questions to the queue about one job."""


def add_chunks(form):
    """How many jobs share the particles."""
    text = (
        "The particles are shared between so many jobs. With *Use a queue engine* and *Submit jobs: yes* each is one "
        "in the queue, with the GPU and the memory that are asked for there, on whichever node; without a queue they "
        "are processes here. A job that is lost is sent again, and the others do its share meanwhile. 1, 2 and 4 "
        "chunks give the same numbers to the last bit on processors."
    )
    add_number(form, "chunks", 1, (1, 1000), "Number of chunks", text, expertLevel=LEVEL_ADVANCED)


def check_chunks(protocol):
    """InputError for chunks that cannot be."""
    chunks, gpus = protocol.chunks.get(), protocol.getGpuList() if protocol.usesGpu() else []
    # Not useQueueForSteps: a protocol that is only being filled in does not know its host yet.
    queued = protocol.useQueue() and protocol.getQueueParams()[1].get(QUEUE_FOR_JOBS) == "Y"
    if chunks > 1 and queued and len(gpus) > 1:
        raise InputError(
            f"GPU ids are {' '.join(map(str, gpus))}, but each of the {chunks} chunks works on one GPU: give one id"
        )


def align_in_chunks(protocol, settings):
    """Run the job "align" in the chunks that the form asks for: by the queue if the protocol uses one for its jobs."""
    if protocol.chunks.get() > 1:
        settings = {**settings, "chunks": protocol.chunks.get()}
    if "chunks" not in settings or not protocol.useQueueForSteps():
        protocol.runStadynJob("align", settings)
        return
    write_json(protocol.resultPath("align.json"), settings)
    # Not a job: it waits most of the time, and must see the queue, which nodes often do not.
    run_settings(settings, launcher=HostQueue(protocol))


class HostQueue:
    """Starts workers, see `stadyn.jobs.chunks`, by what the host's configuration says of the queue; one job each."""

    watch_seconds = 5.0

    def __init__(self, protocol):
        self.protocol, self.host = protocol, protocol.getHostConfig()
        self._jobs, self._asked, self._logs, self._count = {}, {}, {}, 0

    def start(self, worker, words):
        """Submit worker 1, 2, ... with the words of its command."""
        self._count += 1
        values = {**self.host.getQueuesDefault(), **self.protocol.getSubmitDict()}
        values["JOB_NAME"] = f"{values['JOB_NAME']}-chunk{worker}-{self._count}"
        values["JOB_LOGS"] = os.path.abspath(self.protocol._getLogsPath(values["JOB_NAME"]))
        values["JOB_SCRIPT"] = values["JOB_LOGS"] + ".job"
        values["JOB_COMMAND"] = shlex.join(words)
        self._logs[worker] = values["JOB_LOGS"]
        number, refusal = _submit(self.host, values, env=self.protocol.jobEnvironment())
        if number is None or number == UNKNOWN_JOBID:
            why = " ".join(refusal or []).strip()
            raise InputError(f"the queue takes no job ({why}): check hosts.conf and what the form asks of the queue")
        self._jobs[worker] = number
        self._asked[worker] = time.monotonic()
        self.protocol.appendJobId(number)
        self.protocol._store(self.protocol._jobId)

    def ended(self, worker):
        """None while the queue knows of a worker's job; else that it does not."""
        if worker not in self._jobs:
            return "its job is not in the queue any more"
        if time.monotonic() - self._asked[worker] < LOOK_SECONDS:
            return None
        self._asked[worker] = time.monotonic()
        if _checkJobStatus(self.host, self._jobs[worker]) == STATUS_RUNNING:
            return None
        return self._forget(worker)

    def stop(self, worker):
        """Cancel a worker's job."""
        subprocess.run(self.host.getCancelCommand() % {"JOB_ID": self._jobs[worker]}, shell=True, check=False)
        self._forget(worker)

    def log(self, worker):
        """The start of the names of the files that the queue wrote of a worker."""
        return self._logs.get(worker, self.protocol._getLogsPath())

    def _forget(self, worker):
        self.protocol.removeJobId(self._jobs.pop(worker))
        self.protocol._store(self.protocol._jobId)
        return "its job is not in the queue any more"
