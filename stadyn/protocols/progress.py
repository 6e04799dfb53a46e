# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run is, as its log tells it while it runs."""

import os
import re

TAIL_BYTES = 2**16
PROGRESS = re.compile(r"^.+ +\d+ % .* left \d+:\d\d$")
"""A line that `stadyn.jobs.common.Progress` prints."""
ITERATION = re.compile(r"^.+: round \d+ iteration \d+ done, .+$")
"""A line that an alignment prints after an iteration."""


def progress_lines(log):
    """The newest finished iteration and the newest state of the work in a job's log, as far as there are any."""
    if not log or not os.path.exists(log):
        return []
    with open(log, "rb") as file:
        file.seek(max(0, os.path.getsize(log) - TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    newest = (next((line for line in reversed(lines) if kind.match(line)), None) for kind in (ITERATION, PROGRESS))
    return [" ".join(line.split()) for line in newest if line]
