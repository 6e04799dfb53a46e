# SPDX-License-Identifier: GPL-3.0-or-later
"""PEET: for each tomogram a motive list (.csv, 20 columns) and an IMOD model (.mod) with as many points.

The angles are AV3's, phi (EulerZ(1)), psi (EulerZ(3)), theta (EulerX(2)). The offset is added to the point, as PEET's
users do (D. Vasishtan's PEET tools for TEMPy: `get_all_offsets() + get_all_points()`); the point counts as IMOD's do.
"""

import csv
import re
from pathlib import Path

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import av3_from_matrices, matrices_from_av3

from .aside import read_text, written_aside
from .imod_models import FIRST_PIXEL, read_model, write_model
from .number_rows import named_columns
from .particle_files import Columns, ParticleFile, check_some, unique_ids

HEADING = (
    "CCC,reserved,reserved,pIndex,wedgeWT,NA,NA,NA,NA,NA,xOffset,yOffset,zOffset,NA,NA,reserved,"
    "EulerZ(1),EulerZ(3),EulerX(2),reserved"
)
COLUMNS = (
    "CCC column2 column3 pIndex wedgeWT column6 column7 column8 column9 column10 xOffset yOffset zOffset "
    "column14 column15 column16 phi psi theta class"
).split()
KEPT = ("cc", "ids", "classes")
LIST_NAME = re.compile(r"(_?MOTL.*|_motl.*)$")
"""What PEET adds to the name of a model for that of its list: _MOTL_Tom1_Iter2."""


def is_peet(text):
    """Is the text of a .csv a PEET motive list?"""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return first.upper().startswith("CCC,") or len(first.split(",")) == len(COLUMNS)


def read_peet(path, context):
    """A `ParticleFile` of one motive list and the model beside it, which shares its name up to "_MOTL".

    Raises InputError for a list or model that is missing or malformed, or a model with another number of points.
    """
    path = Path(path)
    columns, messages = Columns(path, _read_csv(path)), []
    model = _model_of(path)
    if not model.is_file():
        raise InputError(f"{path} needs the IMOD model of its particles beside it: copy it there as {path.stem}.mod")
    points = read_model(model)[0]
    if len(columns) != len(points):
        raise InputError(f"{path} lists {len(columns)} particles, {model} {len(points)} points: give those of one run")
    name = _tomogram(model, context)
    offsets = columns.vectors(("xOffset", "yOffset", "zOffset"))
    table = ParticleTable(
        points + offsets - (FIRST_PIXEL if context.pixel_shift else 0.0),
        matrices_from_av3(*(columns.numbers(c) for c in ("phi", "theta", "psi"))),
        np.full(len(points), name), cc=columns.numbers("CCC", finite=False),
        ids=unique_ids(columns.integers("pIndex"), messages), classes=columns.integers("class"),
    )  # fmt: skip
    sizes = context.known_pixel_sizes([name], {})
    columns.ignore("wedgeWT")
    return ParticleFile(table, sizes, {}, (*messages, *columns.left()))


def check_peet_lists(paths):
    """InputError where two lists of a folder, as those of two iterations, belong to one model."""
    lists = {}
    for path in paths:
        other = lists.setdefault(model := _model_of(path), path)
        if other != path:
            raise InputError(f"{other} and {path} both list the particles of {model}: name one of them, not the folder")


def write_peet(path, file, context):
    """Write the particles of one tomogram as ``NAME.csv`` and ``NAME.mod``; returns messages on what has no place."""
    check_some(path, file)
    names = file.tomogram_ids()
    if len(names) > 1:
        raise InputError(f"PEET keeps a list for each tomogram, not {len(names)} in {path}: name a folder to write to")
    table, listed = file.particles, context.tomogram(names[0])
    points = table.positions + (FIRST_PIXEL if context.pixel_shift else 0.0)
    rounded = points.astype(np.float32).astype(float)  # the model keeps single precision, the offset the rest
    rows = np.zeros((len(table), len(COLUMNS)))
    values = {"CCC": np.nan_to_num(table.cc), "pIndex": table.ids, "wedgeWT": 1.0}
    values |= dict(zip(("phi", "theta", "psi"), av3_from_matrices(table.rotations), strict=True))
    values |= dict(zip(("xOffset", "yOffset", "zOffset"), (points - rounded).T, strict=True))
    values["class"] = table.classes
    for name, column in values.items():
        rows[:, COLUMNS.index(name)] = column
    model = _model_of(Path(path))
    if model.is_file() and not Path(path).is_file():  # somebody's picks, not what an earlier run of this wrote
        raise InputError(f"{model} is there already, and no list {path} that it belongs to: choose another name")
    write_model(model, rounded, listed.shape if listed else None)
    with written_aside(path) as aside:
        lines = [",".join(f"{v:.10g}" for v in row) for row in rows.tolist()]
        aside.write_text("\n".join([HEADING, *lines]) + "\n", encoding="ascii")
    return file.lost("PEET", KEPT)


def _model_of(path):
    """The model beside a list: the same name, or the name before "_MOTL"."""
    short = LIST_NAME.sub("", path.stem)
    candidates = [path.with_suffix(".mod"), path.with_name(f"{short}.mod")]
    return next((model for model in candidates if model.is_file()), candidates[-1])


def _tomogram(model, context):
    """The listed tomogram that a model belongs to by its name, the only one of the list, or the model's name."""
    if context.tomogram(model.stem) is None and len(context.tomograms) == 1:
        return context.tomograms[0].id
    return model.stem


def _read_csv(path):
    text = read_text(path, "motive list")
    try:
        lines = list(csv.reader(text.splitlines()))
    except csv.Error as error:
        raise InputError(f"{path} is not CSV ({error}): give PEET's motive list") from error
    rows = [[cell.strip() for cell in row] for row in lines if row and row[0].strip()]
    if rows and rows[0][0].upper() == "CCC":
        rows = rows[1:]
    return named_columns(path, rows, COLUMNS, "PEET's motive list")
