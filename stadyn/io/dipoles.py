# SPDX-License-Identifier: GPL-3.0-or-later
"""Dipoles as CSV: one row a virus-like particle, its centre and a surface point in 0-based pixels of the tomogram."""

import csv
import difflib
import io
import logging
import math

from stadyn.core.errors import InputError
from stadyn.core.tomograms import Dipole

from .aside import read_text, written_aside

POINTS = tuple(f"{point}_{axis}" for point in ("center", "north") for axis in "xyz")
COLUMNS = ("tomogram", "vlp", *POINTS)
logger = logging.getLogger(__name__)


def read_dipoles(path):
    """The list of `Dipole` in a CSV with the columns of `COLUMNS`, in any order; others are left out with a warning.

    Raises InputError, with the line, for a missing column or cell, a coordinate that is not finite or a
    `vlp` that is not a whole number from 1.
    """
    text = read_text(path, "dipole file")
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)  # spreadsheets in half of Europe write semicolons
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    names, dipoles = None, []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if names is None:
                names = _heading(path, cells)
            else:
                dipoles.append(_dipole(path, reader.line_num, names, cells))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num} is not CSV ({error}): correct it") from error
    if not dipoles:
        raise InputError(f"{path} holds no dipoles: write one row for each VLP under the heading {', '.join(COLUMNS)}")
    return dipoles


def write_dipoles(path, dipoles):
    """Write `Dipole`s as the CSV that `read_dipoles` reads, coordinates to a thousandth of a pixel."""
    with written_aside(path) as aside, open(aside, "w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        for dipole in dipoles:
            points = [f"{v:.3f}" for v in (*dipole.center, *dipole.north)]
            writer.writerow([dipole.tomogram_id, dipole.surface_id, *points])


def check_dipoles(dipoles, tomograms):
    """InputError unless every dipole fits the tomograms that it is to be used with.

    Refused are a tomogram that is not there, a centre outside it, a centre equal to its north point (less than a pixel
    away) and a VLP number given twice in one tomogram. North points may lie outside: VLPs are cut off by the border.

    Parameters
    ----------
    tomograms : iterable of `Tomogram`
    """
    shapes = {tomogram.id: tomogram.shape for tomogram in tomograms}
    seen = set()
    for dipole in dipoles:
        name, vlp = dipole.tomogram_id, dipole.surface_id
        if name not in shapes:
            raise InputError(f'VLP {vlp} is in tomogram "{name}", which is not among the input: {_known(name, shapes)}')
        if (name, vlp) in seen:
            raise InputError(f'VLP {vlp} of tomogram "{name}" is given twice: number the VLPs of a tomogram uniquely')
        seen.add((name, vlp))
        if not all(0 <= c <= n - 1 for c, n in zip(dipole.center, shapes[name][::-1], strict=True)):
            center = ", ".join(f"{c:g}" for c in dipole.center)
            size = " x ".join(str(int(n)) for n in shapes[name][::-1])
            raise InputError(
                f'VLP {vlp} of tomogram "{name}" has its centre at ({center}), outside the {size} pixels: '
                "give x, y, z in unbinned pixels of this tomogram"
            )
        if dipole.radius < 1:
            raise InputError(f'VLP {vlp} of tomogram "{name}" has its north point at its centre: put it on the surface')


def _heading(path, cells):
    names = [cell.lower() for cell in cells]
    for name in COLUMNS:
        if names.count(name) != 1:
            problem = "lacks the column" if name not in names else "has more than one column"
            raise InputError(f'{path} {problem} "{name}": its heading must be {", ".join(COLUMNS)}')
    extra = [cell for cell, name in zip(cells, names, strict=True) if name not in COLUMNS and name]
    if extra:
        logger.warning("%s: columns that dipoles have no place for were left out: %s", path, ", ".join(extra))
    return names


def _dipole(path, line, names, cells):
    if len(cells) != len(names):
        raise InputError(f"{path}, line {line} has {len(cells)} cells under {len(names)} headings: make them equal")
    row = dict(zip(names, cells, strict=True))
    values = {name: _coordinate(path, line, name, row[name]) for name in ("vlp", *POINTS)}
    if not row["tomogram"]:
        raise InputError(f"{path}, line {line} names no tomogram: write its tsId")
    if not (1 <= values["vlp"] < 2**53 and values["vlp"].is_integer()):
        raise InputError(f'{path}, line {line} has vlp "{row["vlp"]}": number the VLPs 1, 2, 3, ...')
    points = [values[name] for name in POINTS]
    return Dipole(row["tomogram"], int(values["vlp"]), tuple(points[:3]), tuple(points[3:]))


def _coordinate(path, line, name, cell):
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f'{path}, line {line} has {name} "{cell[:40]}": write a number')
    return value


def _known(name, shapes):
    close = difflib.get_close_matches(name, shapes, 1)
    if close:
        return f'did you mean "{close[0]}"?'
    names = sorted(shapes)
    return f"known are {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"
