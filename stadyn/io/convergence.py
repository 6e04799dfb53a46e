# SPDX-License-Identifier: GPL-3.0-or-later
"""How an alignment went, as its folder tells it: at the end in convergence.json, before that in its checkpoints."""

import json
from pathlib import Path

from stadyn.core.errors import InputError
from stadyn.core.refinement import IterationRecord

from .aside import read_text

FINISHED = "convergence.json"
RUNNING = "checkpoint_*.json"


def read_convergence(folder):
    """The `IterationRecord`s of an alignment's result folder, as far as it is; empty before its first iteration ends.

    Raises InputError for a file that is damaged.
    """
    folder = Path(folder)
    if (folder / FINISHED).exists():
        return _records(folder / FINISHED)
    return [record for path in sorted(folder.glob(RUNNING)) for record in _records(path)]


def _records(path):
    try:
        content = json.loads(read_text(path, "record of an alignment"))
        rows = content["records"] if isinstance(content, dict) else content
        return [IterationRecord(**_finite(row)) for row in rows]
    except (json.JSONDecodeError, TypeError, KeyError) as error:
        raise InputError(f"{path} is no record of an alignment ({error}): run the alignment again") from error


def _finite(row):
    """JSON knows no nan: it was written as null."""
    return {key: float("nan") if value is None else value for key, value in row.items()}
