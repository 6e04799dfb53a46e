# SPDX-License-Identifier: GPL-3.0-or-later
"""emClarity's template-matching lists (.csv): 26 columns without a heading, one file a tomogram.

From 1: 1 CC, 2 binning of the search, 4 particle, 11-13 x y z in unbinned pixels, 14-16 Euler angles, 17-25 the
rotation matrix, column after column, 26 class (-9999: removed). The matrix takes the template into the tomogram; the
angles leave out symmetry, so only the matrix is read. emClarity is MATLAB's: pixels are counted from 1. A position is
the binning times the index of the peak in the searched volume (BH_templateSearch3d_2.m), and divided by any binning it
is again an index: BH_isWindowValid.m puts floor(position) at pixel n // 2 (from 0) of the box that it cuts.
"""

import re
from pathlib import Path

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import av3_from_matrices

from .aside import read_text, written_aside
from .number_rows import named_columns
from .particle_files import Columns, ParticleFile, check_some, proper_rotations, unique_ids

COLUMNS = ["CC", "sampling", "column3", "particle", *(f"column{i}" for i in range(5, 11)), "x", "y", "z"]
COLUMNS += ["phi", "theta", "psi", *(f"m{row}{column}" for column in "123" for row in "123"), "class"]
MATRIX = [f"m{row}{column}" for row in "123" for column in "123"]
REMOVED = -9999
KEPT = ("cc", "ids", "classes")


def is_emclarity(text):
    """Has the first line of a .csv 26 numbers, split by blanks or commas?"""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return len(first.replace(",", " ").split()) == len(COLUMNS)


def read_emclarity(path, context):
    """A `ParticleFile` of one tomogram, known by the file's name; those of class -9999 are left out, with a message.

    Raises InputError for another number of columns, cells that are not numbers, or matrices that are no rotation.
    """
    columns, messages = Columns(path, _read_csv(path), "row"), []
    columns.ignore("sampling", *(f"column{i}" for i in range(5, 11)), "phi", "theta", "psi")
    matrices = np.stack([columns.numbers(name) for name in MATRIX], -1).reshape(-1, 3, 3)
    name = _tomogram(Path(path), context)
    table = ParticleTable(
        columns.vectors("xyz") - context.shift(), proper_rotations(path, matrices),
        np.full(len(columns), name), cc=columns.numbers("CC", finite=False),
        ids=unique_ids(columns.integers("particle"), messages), classes=columns.integers("class"),
    )  # fmt: skip
    sizes = context.known_pixel_sizes([name], {})
    file = ParticleFile(table, sizes, {}, (*messages, *columns.left()))
    kept = table.classes != REMOVED
    if kept.all():
        return file
    if not kept.any():
        raise InputError(f"{path} has removed all its particles (class {REMOVED}): give another list")
    removed = (f"{int((~kept).sum())} particles of class {REMOVED}, which emClarity removed, were left out",)
    return ParticleFile(table.select(kept), sizes, {}, (*file.messages, *removed))


def write_emclarity(path, file, context):
    """Write the particles of one tomogram; returns messages on what has no place."""
    check_some(path, file)
    names = file.tomogram_ids()
    if len(names) > 1:
        raise InputError(f"emClarity keeps a list a tomogram, not {len(names)} in {path}: name a folder to write to")
    table = file.particles
    values = dict.fromkeys(COLUMNS, 0.0) | {f"column{i}": 1.0 for i in range(5, 10)} | {"sampling": 1.0}
    values |= {"CC": np.nan_to_num(table.cc), "particle": table.ids}
    values |= dict(zip("xyz", (table.positions + context.shift()).T, strict=True))
    # R = Rz(phi) @ Rx(theta) @ Rz(psi): AV3's angles in the other order.
    values |= dict(zip(("psi", "theta", "phi"), av3_from_matrices(table.rotations), strict=True))
    values |= dict(zip(MATRIX, table.rotations.reshape(-1, 9).T, strict=True))
    values["class"] = table.classes if table.classes.any() else 1
    rows = np.stack([np.broadcast_to(values[name], len(table)) for name in COLUMNS], -1)
    with written_aside(path) as aside:
        lines = [" ".join(f"{v:.10g}" for v in row) for row in rows.tolist()]
        aside.write_text("\n".join(lines) + "\n", encoding="ascii")
    return file.lost("emClarity", KEPT)


def _tomogram(path, context):
    """The only tomogram of the list, the longest listed name that the file's begins with, or the file's name."""
    names = [t.id for t in context.tomograms]
    fitting = [name for name in names if re.match(f"{re.escape(name)}(?![0-9A-Za-z])", path.stem)]  # not 1 for 10
    return max(fitting, key=len) if fitting else names[0] if len(names) == 1 else path.stem


def _read_csv(path):
    rows = [line.replace(",", " ").split() for line in read_text(path, "list").splitlines() if line.strip()]
    return named_columns(path, rows, COLUMNS, "emClarity's list")
