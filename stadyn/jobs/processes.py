# SPDX-License-Identifier: GPL-3.0-or-later
"""A crew of processes, one a GPU or one a core, that share the particles of a group between them."""

import multiprocessing
import traceback

import numpy as np

from stadyn.core.crew import LocalCrew
from stadyn.core.particle_data import batches_of_rows


class ProcessCrew:
    """What `LocalCrew` does, by several processes, each with a fixed share of the batches.

    The shares' sums are merged in the order of the processes. A process that dies or
    fails ends the run with its message; the checkpoint of the last iteration stays.

    Parameters
    ----------
    settings : dict, of the job
    devices : list of int or None, one process for each: the number of a GPU, or None for the CPU
    """

    def __init__(self, settings, box_px, pixel_size, engine, score, devices):
        context = multiprocessing.get_context("spawn")  # a forked process cannot use a GPU
        self._connections, self._processes, self._shares = [], [], []
        for device in devices:
            ours, theirs = context.Pipe()
            arguments = (theirs, settings, box_px, pixel_size, engine, score, device)
            process = context.Process(target=_serve, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self._connections.append(ours)
            self._processes.append(process)

    def begin(self, table, rows, high, low, coarse):
        """Deal the batches of a round out to the processes, which prepare them."""
        chunks = batches_of_rows(table, rows)
        count = len(self._connections)
        self._shares = [np.sort(np.concatenate([rows[:0], *chunks[i::count]])) for i in range(count)]
        self._ask("begin", [(table, share, high, low, coarse) for share in self._shares])

    def steps(self):
        """One step for each process."""
        return len(self._connections)

    def sums(self, table, first):
        """The sums of all shares, merged."""
        totals = None
        for sums in self._ask("sums", [(table, first)] * len(self._connections)):
            if totals is None:
                totals = sums
            else:
                for total, part in zip(totals, sums, strict=True):
                    total.merge(part)
        return totals

    def align(self, table, anchors, reference, mask, settings, report=None):
        """The table with every share one iteration further."""
        arguments = [(table, anchors, reference, mask, settings)] * len(self._connections)
        positions, rotations, cc = table.positions.copy(), table.rotations.copy(), table.cc.copy()
        for share, aligned in zip(self._shares, self._ask("align", arguments, report), strict=True):
            positions[share], rotations[share] = aligned.positions[share], aligned.rotations[share]
            cc[share] = aligned.cc[share]
        return table.replace(positions=positions, rotations=rotations, cc=cc)

    def close(self):
        """End the processes."""
        for connection, process in zip(self._connections, self._processes, strict=True):
            connection.close()
            process.join(timeout=10)
            if process.is_alive():
                process.terminate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _ask(self, method, arguments, report=None):
        answers = []
        for number, (connection, given) in enumerate(zip(self._connections, arguments, strict=True), 1):
            try:
                connection.send((method, given))
            except OSError as error:
                raise RuntimeError(f"process {number} of the alignment is gone before {method!r}") from error
        for number, connection in enumerate(self._connections, 1):
            try:
                failed, answer = connection.recv()
            except (EOFError, OSError) as error:
                raise RuntimeError(f"process {number} of the alignment died while it did {method!r}") from error
            if failed:
                raise RuntimeError(f"process {number} of the alignment failed: {answer}")
            answers.append(answer)
            if report:
                report(number)
        return answers


def _serve(connection, settings, box_px, pixel_size, engine, score, device):
    """Answer requests until the other end is closed."""
    from .common import Work  # here, so that CuPy is imported with this process's device

    crew = None
    while True:
        try:
            method, arguments = connection.recv()
        except EOFError:
            return
        try:
            if crew is None:
                work = Work({**settings, "gpu": None if device is None else [device], "threads": 1})
                crew = LocalCrew(work.source, box_px, pixel_size, engine, score, 1, work.xp)
            connection.send((False, getattr(crew, method)(*arguments)))
        except Exception:  # whatever it is, the process that asked must hear of it
            connection.send((True, traceback.format_exc()))
