# SPDX-License-Identifier: GPL-3.0-or-later
"""How an alignment went, as its folder tells it: at the end in convergence.json, before that in its checkpoints.

What its particles were compared with in each iteration, slices and FSC, lies in the folder iterations.
"""

import json
import re
from pathlib import Path

from stadyn.core.errors import InputError
from stadyn.core.refinement import IterationRecord, IterationReference

from .aside import read_text
from .results import read_result, write_result

FINISHED = "convergence.json"
RUNNING = "checkpoint_*.json"
ITERATIONS = "iterations"


def read_convergence(folder):
    """The `IterationRecord`s of an alignment's result folder, as far as it is; empty before its first iteration ends.

    Raises InputError for a file that is damaged.
    """
    folder = Path(folder)
    if (folder / FINISHED).exists():
        return _records(folder / FINISHED)
    return [record for path in sorted(folder.glob(RUNNING)) for record in _records(path)]


def _records(path):
    text = read_text(path, "record of an alignment")
    try:
        content = json.loads(text)
        rows = content["records"] if isinstance(content, dict) else content
        return [IterationRecord(**_finite(row)) for row in rows]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        why = str(error)[:100]
        raise InputError(f"{path} is no record of an alignment ({why!r}): run the alignment again") from error


def _finite(row):
    """JSON knows no nan: it was written as null."""
    return {key: float("nan") if value is None else value for key, value in row.items()}


def write_iteration(folder, reference):
    """Keep an `IterationReference` in an alignment's result folder."""
    folder = Path(folder) / ITERATIONS
    folder.mkdir(exist_ok=True)
    write_result(folder / f"{reference.group}_round{reference.round}_{reference.iteration:03d}.npz", reference)


def forget_iterations(folder, group):
    """Remove what an earlier alignment of a group left in the folder."""
    name = re.compile(re.escape(group) + r"_round\d+_\d+\.npz")
    for path in (Path(folder) / ITERATIONS).glob("*.npz"):
        if name.fullmatch(path.name):
            path.unlink()


def read_iterations(folder):
    """{group: [IterationReference, ...]} of an alignment's result folder, in their order, as far as it is.

    Raises InputError for a file that is damaged.
    """
    found = {}
    for path in sorted((Path(folder) / ITERATIONS).glob("*.npz")):
        reference = read_result(path, IterationReference)
        found.setdefault(reference.group, []).append(reference)
    return {group: sorted(rows, key=lambda r: (r.round, r.iteration)) for group, rows in sorted(found.items())}
