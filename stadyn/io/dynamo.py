# SPDX-License-Identifier: GPL-3.0-or-later
"""Dynamo's particle tables (.tbl): columns of numbers without a heading, one row a particle.

Columns, counted from 1 as Dynamo does: 1 tag, 2 aligned, 3 averaged, 4-6 dx dy dz,
7-9 tdrot tilt narot, 10 cc, 13 ftype, 14-15 tilt range about y, 20 tomogram, 21 region,
22 class, 23 annotation, 24-26 x y z, 31 original tag, 36 pixel size. Dynamo counts
pixels from 1 and stadyn from 0: `pixel_offset` is that one pixel, 0 for tables of
converters that ignore it.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.particles import EVEN, UNASSIGNED, ParticleTable
from stadyn.core.rotations import dynamo_from_matrices, matrices_from_dynamo
from stadyn.core.tomograms import MissingWedge

from .aside import read_text, written_aside
from .particle_files import agreed

NAMES = (
    "tag aligned averaged dx dy dz tdrot tilt narot cc cc2 cpu ftype ymintilt ymaxtilt xmintilt xmaxtilt fs1 fs2 "
    "tomo reg class annotation x y z dshift daxis dnarot dcc otag npar unused33 ref sref apix def "
    "unused38 unused39 unused40 eig1 eig2"
).split()
SMALLEST, WRITTEN = 26, 35
COLUMN = {name: i for i, name in enumerate(NAMES)}
POSE = ("dx", "dy", "dz", "tdrot", "tilt", "narot", "x", "y", "z")
KEPT = {*POSE, "tag", "cc", "ftype", "ymintilt", "ymaxtilt", "tomo", "reg", "class", "annotation", "otag", "apix"}
FLAGS = {"aligned": 1, "averaged": 1, "xmintilt": 0, "xmaxtilt": 0, "cpu": 0}
"""Columns of no use outside Dynamo: worth a message only where they hold another value than every table does."""
DIGITS = r"(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|nan|inf)"
NUMBER = re.compile(rf"([+-]?{DIGITS})(?:[+-]{DIGITS}[ij])?", re.IGNORECASE | re.ASCII)
Y_TILT = 1
"""ftype of a missing wedge left by tilts about y."""


@dataclass(frozen=True, eq=False)
class DynamoTable:
    """A table as read: its particles, and what a `ParticleTable` has no column for."""

    particles: ParticleTable
    wedges: dict  # tomogram id -> MissingWedge, of tomograms whose rows agree on one about y
    pixel_sizes: dict  # tomogram id -> Å, of tomograms whose rows say one above 0
    messages: tuple = field(default=())  # sentences on what was changed or left behind


def read_table(path, tomogram_names=None, pixel_offset=1, half_from_class=False):
    """Read a Dynamo table of at least 26 columns.

    The position is that of the crop (24-26) less `pixel_offset`, plus the shift found since (4-6).
    Dynamo keeps no half-sets: the class column (22) is read as one (1 odd, 2 even), not as classes, only on request.

    Parameters
    ----------
    tomogram_names : dict int -> str, the tomogram id of each number in column 20, as from a .doc;
        by default the number itself as text
    pixel_offset : float, index of the first pixel in columns 24 to 26
    half_from_class : bool, as `write_table` writes it

    Returns
    -------
    DynamoTable

    Raises InputError, naming the line, for a file that is missing, ragged or not numeric, for tags and tomogram
    numbers that are not integers, for poses that are not finite, for a number that `tomogram_names` lacks, and for two
    pixel sizes in one tomogram.
    """
    values, lines, messages = _read_numbers(path)
    columns = {name: values[:, i] for i, name in enumerate(NAMES) if i < values.shape[1]}
    for name in ("tag", "tomo", *POSE):
        whole = name in ("tag", "tomo")
        bad = _not_whole(columns[name]) if whole else ~np.isfinite(columns[name])
        title = f"{name} (column {COLUMN[name] + 1})"
        _refuse(path, lines, bad, title, columns[name], "a whole number" if whole else "finite")
    ids = _tomogram_ids(path, lines, columns["tomo"], tomogram_names)
    half = None
    if half_from_class:
        half = columns["class"]
        _refuse(path, lines, ~np.isin(half, range(UNASSIGNED, EVEN + 1)), "class (column 22)", half, "0, 1 or 2")
    xyz = np.stack([columns[n] for n in "xyz"], -1) - pixel_offset
    particles = ParticleTable(
        positions=xyz + np.stack([columns[n] for n in ("dx", "dy", "dz")], -1),
        rotations=matrices_from_dynamo(columns["tdrot"], columns["tilt"], columns["narot"]),
        tomogram_ids=ids,
        surface_ids=_integers(columns, "reg", messages),
        cc=columns["cc"],
        ids=columns["tag"],
        half=half,
        parent=_integers(columns, "otag", messages),
        marker=_integers(columns, "annotation", messages),
        classes=None if half_from_class else _integers(columns, "class", messages),
    )
    if len(np.unique(particles.ids)) < len(particles):
        messages.append("tags occur more than once: renumber the particles before ids are used as keys")
    left = [f"{i} ({name})" for i, name in _left_behind(columns)]
    left += [str(i + 1) for i in range(len(NAMES), values.shape[1])]
    if left:
        messages.append(f"columns with no place in stadyn were left behind: {', '.join(left)}")
    wedges = _wedges(columns, ids, messages)
    pixel_sizes = agreed(path, ids, columns.get("apix", np.zeros(len(ids))))
    return DynamoTable(particles, wedges, pixel_sizes, tuple(messages))


def write_table(path, table, tomogram_numbers, wedges=None, pixel_sizes=None, pixel_offset=1):
    """Write a `ParticleTable` as a Dynamo table of 35 columns, or of 36 with `pixel_sizes`.

    Columns 24 to 26 hold the whole pixel to crop at, as dtcrop wants it, and 4 to 6 the rest of the position. The
    region (21) is the surface, the class (22) the half (1 odd, 2 even) where there are any, else the class, the
    annotation (23) the marker and the original tag (31) the parent.

    Parameters
    ----------
    tomogram_numbers : dict str -> int, column 20 of each tomogram id, as in the .doc beside the table
    wedges : dict str -> MissingWedge, columns 13 to 15; a tomogram without one gets ftype 0, nothing missing
    pixel_sizes : dict str -> float, Å, column 36
    pixel_offset : float, index of the first pixel in columns 24 to 26
    """
    if len(table) == 0:
        raise InputError(f"there are no particles to write to {path}: select some")
    if len(np.unique(table.ids)) < len(table):
        raise InputError(f"particle ids occur more than once and cannot be tags in {path}: renumber the particles")
    for given in filter(lambda d: d is not None, (tomogram_numbers, pixel_sizes)):
        for name in np.unique(table.tomogram_ids):
            if name not in given:
                raise InputError(f'tomogram "{name}" has no number or pixel size for {path}: give one to each tomogram')
    rows = np.zeros((len(table), WRITTEN + (pixel_sizes is not None)))
    crop = np.rint(table.positions)
    tdrot, tilt, narot = dynamo_from_matrices(table.rotations)
    filled = {"tag": table.ids, "aligned": 1, "averaged": 1, "tdrot": tdrot, "tilt": tilt, "narot": narot}
    filled |= {"cc": table.cc, "reg": table.surface_ids, "annotation": table.marker}
    filled["class"] = table.half if table.half.any() else table.classes
    filled |= {"otag": table.parent, "tomo": [tomogram_numbers[name] for name in table.tomogram_ids]}
    for i, name in enumerate("xyz"):
        filled[name] = crop[:, i] + pixel_offset
        filled[f"d{name}"] = table.positions[:, i] - crop[:, i]
    wedge = [(wedges or {}).get(name) for name in table.tomogram_ids]
    filled["ftype"] = [0 if w is None else Y_TILT for w in wedge]
    filled["ymintilt"] = [0 if w is None else w.min_deg for w in wedge]
    filled["ymaxtilt"] = [0 if w is None else w.max_deg for w in wedge]
    if pixel_sizes is not None:
        filled["apix"] = [pixel_sizes[name] for name in table.tomogram_ids]
    for name, column in filled.items():
        rows[:, COLUMN[name]] = column
    with written_aside(path) as aside, open(aside, "w", encoding="ascii") as handle:
        for row in rows + 0.0:  # no "-0"
            # Ten digits keep a millionth of a degree; tags keep all of theirs.
            handle.write(" ".join(f"{v:.0f}" if v.is_integer() else f"{v:.10g}" for v in row.tolist()) + "\n")


def _read_numbers(path):
    """((n, columns) float array, (n,) line numbers, messages)."""
    rows, lines, complex_cells = [], [], 0
    for number, line in enumerate(read_text(path, "table").splitlines(), 1):
        cells = line.split()
        if not cells:
            continue
        if rows and len(cells) != len(rows[0]):
            raise InputError(f"{path}, line {number} has {len(cells)} columns, not {len(rows[0])}: make all rows equal")
        try:
            if "_" in line:
                raise ValueError("only Python takes 1_0 for ten")
            row = list(map(float, cells))
        except ValueError:  # seldom, so that long tables stay fast
            row = [_number(path, number, cell) for cell in cells]
            complex_cells += sum(cell[-1] in "ij" for cell in cells)
        rows.append(row)
        lines.append(number)
    if not rows:
        raise InputError(f"table {path} has no rows: write it again")
    if len(rows[0]) < SMALLEST:
        raise InputError(f"{path} has {len(rows[0])} columns: give a Dynamo table, which has at least {SMALLEST}")
    note = f"{complex_cells} complex cells (such as 1.5+0i) were read as their real parts"
    return np.array(rows), np.array(lines), [note] if complex_cells else []


def _number(path, line, cell):
    """A cell as MATLAB prints it: Dynamo's averages and correlations can leave ``1.5+0i``, whose real part is meant."""
    parts = NUMBER.fullmatch(cell)
    if parts is None:
        shown = cell if len(cell) < 40 else cell[:40] + "..."
        raise InputError(f'{path}, line {line} holds "{shown}", which is not a number: correct the cell')
    return float(parts[1])


def _refuse(path, lines, bad, name, values, wanted):
    if bad.any():
        first = int(np.argmax(bad))
        value = f"{values[first]:g}"
        raise InputError(f"{path}, line {lines[first]} has {name} {value}, not {wanted}: correct or remove the row")


def _tomogram_ids(path, lines, numbers, names):
    if names is None:
        return [str(int(number)) for number in numbers]
    for line, number in zip(lines, numbers, strict=True):
        if number not in names:
            raise InputError(f"{path}, line {line} is of tomogram {number:.0f}, which has no name: add it to the .doc")
    return [names[int(number)] for number in numbers]


def _integers(columns, name, messages):
    """A column of whole numbers; 0 (unknown) with a message where it holds anything else, None where it is missing."""
    if name not in columns:
        return None
    values = columns[name]
    bad = _not_whole(values)
    if bad.any():
        count, number = int(bad.sum()), COLUMN[name] + 1
        messages.append(f"{count} cells of column {number} ({name}) are not whole numbers and became 0")
    return np.where(bad, 0, values)


def _not_whole(values):
    """True where a value is not an integer that a float keeps exactly; nan compares false."""
    return ~(np.abs(values) < 2**53) | (values != np.round(values))


def _left_behind(columns):
    """(1-based number, name) of columns that say something (more than zeros) and are dropped."""
    rest = {n: np.nan_to_num(values) for n, values in columns.items() if n not in KEPT}
    return [(COLUMN[n] + 1, n) for n, values in rest.items() if (values != FLAGS.get(n, 0)).any()]


def _agreed(rows_of):
    """The value of each tomogram on which all its rows agree."""
    return {name: next(iter(values)) for name, values in rows_of.items() if len(values) == 1}


def _wedges(columns, ids, messages):
    found = defaultdict(set)
    for name, *row in zip(ids, *(columns[n] for n in ("ftype", "ymintilt", "ymaxtilt")), strict=True):
        found[name].add(tuple(row))
    wedges = {}
    for name, (kind, low, high) in _agreed(found).items():
        if kind == Y_TILT and -90 <= low < high <= 90:
            wedges[name] = MissingWedge(low, high)
    without = sorted(set(found) - set(wedges))
    if without:
        messages.append(f"{len(without)} tomograms give no single tilt range about y, the first is {without[0]}")
    return wedges
