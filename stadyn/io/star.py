# SPDX-License-Identifier: GPL-3.0-or-later
"""STAR files as RELION writes them: blocks of columns, or of single values."""

import io
import keyword
import re
import shlex

import numpy as np
from emtable import Table

from stadyn.core.errors import InputError

from .aside import read_text, written_aside

NAME = re.compile(r"[+-]?0\d|.*_")
"""Text that Python would take for a number, and that is a name: 007, 1_000."""
NAMES = ("Name", "File")
"""Endings of labels of text: a tomogram called 1e5 is none called 100000.0, and 1.10 is not 1.1."""
RESERVED = "_reserved_word"


def write_star(path, blocks):
    """Write blocks in order, whole or not at all.

    Parameters
    ----------
    blocks : dict name -> dict label -> value; the values of a block are all (n,) columns, written as a loop, or all
        single values, written as pairs. Numbers keep every digit of their type. Labels have no leading underscore.
    """
    with written_aside(path) as aside, open(aside, "w", encoding="utf-8") as handle:
        for name, columns in blocks.items():
            single = [np.ndim(values) == 0 for values in columns.values()]
            if not columns or len(set(single)) != 1:
                raise ValueError(f"block {name} of {path} must hold columns only, or single values only")
            texts = [_texts(np.atleast_1d(values)) for values in columns.values()]
            # emtable makes a namedtuple of the labels, and STOPGAP has one that Python keeps for itself: "class".
            labels = [f"{label}{RESERVED}" if keyword.iskeyword(label) else label for label in columns]
            table = Table(columns=labels)
            for row in zip(*texts, strict=True):
                table.addRow(*row)
            block = io.StringIO()
            table.writeStar(block, tableName=name, singleRow=single[0])
            handle.write(block.getvalue().replace(RESERVED, ""))


def read_star(path):
    """dict block name -> dict label -> (n,) array of int, float or str, or a single such value for a block of pairs.

    Not emtable's reader, which drops surplus cells and all rows after a blank line without a word.

    Raises InputError, with the line, for a missing file, one without blocks, and rows that do not fit their labels.
    """
    blocks = {}
    for name, first, lines in _split(path):
        if name in blocks:
            raise InputError(f"{path} has two blocks named data_{name[:60]}: rename one")
        labels, loop, rows = _parse(path, first, lines)
        columns = [_typed(*c) for c in zip(labels, zip(*rows, strict=True), strict=rows != [])]
        columns = columns or [np.empty(0)] * len(labels)
        blocks[name] = dict(zip(labels, columns if loop else [c[0].item() for c in columns], strict=True))
    return blocks


def _texts(values):
    if values.dtype.kind == "f":
        return [str(v) for v in values]  # the shortest text that gives the same number of this precision
    texts = [str(v) for v in (values.astype(int) if values.dtype.kind == "b" else values)]
    if any(quote in text for text in texts for quote in "'\"\\\n\r"):
        raise ValueError("text with quotes, backslashes or line breaks has no place in a STAR file")
    # Readers decide on the first row whether a table is quoted, so all rows of a column are, or none.
    quoted = any(not t or t.split() != [t] or t.startswith(("#", "_", "data_", "loop_")) for t in texts)
    return [f'"{text}"' for text in texts] if quoted else texts


def _split(path):
    """(block name, number of its first line, [(line number, line)] without blanks and comments) of each block."""
    blocks = []
    for number, line in enumerate(read_text(path, "STAR file").split("\n"), 1):
        line = line.strip()
        if line.startswith("data_"):
            blocks.append((line[5:].strip(), number, []))
        elif line and not line.startswith("#"):
            if not blocks:
                raise InputError(f"{path}, line {number} comes before any data_ block: give a STAR file")
            blocks[-1][2].append((number, line))
    if not blocks:
        raise InputError(f"{path} has no data_ block: give a STAR file")
    return blocks


def _parse(path, first, lines):
    """(labels, whether the block is a loop, rows of text); a block of pairs is one row."""
    labels, loop, rows = [], False, []
    for number, line in lines:
        cells = _cells(path, number, line)
        if line.startswith("loop_") and not labels:
            loop = True
        elif line.startswith("_") and not (loop and rows):
            labels.append(cells[0][1:])
            if not loop:
                rows = rows or [[]]
                rows[0] += cells[1:]
            if not loop and len(cells) != 2:
                raise InputError(f"{path}, line {number} is not a label and its value: correct it")
        elif not loop or len(cells) != len(labels):
            raise InputError(f"{path}, line {number} has {len(cells)} cells, not {len(labels)}: correct it")
        else:
            rows.append(cells)
    if not labels or len(set(labels)) < len(labels):
        raise InputError(f"{path}, the block at line {first} has no labels, or one twice: correct it")
    return labels, loop, rows


def _cells(path, number, line):
    try:
        return shlex.split(line) if "'" in line or '"' in line else line.split()
    except ValueError as error:
        raise InputError(f"{path}, line {number} has an open quote: close it") from error


def _typed(label, texts):
    for kind in (int, float):
        if label.endswith(NAMES) or any(NAME.match(text) for text in texts):
            break
        try:
            return np.array([kind(text) for text in texts], dtype=kind)
        except (ValueError, OverflowError):
            continue
    return np.array(texts, dtype=str)
