# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the databases of a protocol's inputs are what their makers left; a lost one the host takes for empty."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from pwem.objects import EMSet


def damaged_inputs(protocol):
    """Sentences about sets that a protocol is linked to, or that those lie in, and that are lost or damaged."""
    sentences = {}
    for _, pointer in protocol.iterInputAttributes():
        given, source = pointer.get(), pointer.getObjValue()
        for item in (given, _tomograms_of(given)):
            wrong = _what_is_wrong(item) if isinstance(item, EMSet) and not item.isStreamOpen() else None
            if wrong:
                path = os.path.abspath(item.getFileName())
                maker = f"{source.getObjLabel()!r}, which" if item is given and source is not given else "the run that"
                sentences[path] = f"{path} {wrong}: restart {maker} made it"
    return list(sentences.values())


def _tomograms_of(item):
    """The set of tomograms that coordinates lie in; None for what has none, or does not know them."""
    pointer = getattr(item, "_precedentsPointer", None)
    return pointer.get() if pointer is not None else None


def _what_is_wrong(item):
    path = Path(item.getFileName()).absolute()
    if not path.exists():
        return "is not there any more"
    prefix = (item.getPrefix() or "").strip().rstrip("_")
    table = f"{prefix}_Objects" if prefix else "Objects"
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            (count,) = database.execute(f'SELECT COUNT(*) FROM "{table}"').fetchone()
    except sqlite3.Error as error:
        # A set that nothing was ever appended to has no table yet: it is empty, which the checks say.
        return None if "no such table" in str(error) and not item.getSize() else f"is damaged ({error})"
    return "is empty" if item.getSize() and not count else None
