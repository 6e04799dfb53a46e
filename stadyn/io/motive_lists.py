# SPDX-License-Identifier: GPL-3.0-or-later
"""Motive lists: AV3's and TOM's (.em, 20 rows of numbers), and STOPGAP's (.star).

Rows of AV3's, from 1: 1 CC, 4 particle, 5 tomogram, 6 object, 8-10 x y z, 11-13 shift in the tomogram's frame,
17 phi, 18 psi, 19 theta, 20 class. Rows 14 to 16 hold a shift of the unturned reference in AV3 and anything at all in
other packages: they are left behind. Both packages are MATLAB's: pixels are counted from 1.
"""

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.particles import EVEN, ODD, UNASSIGNED, ParticleTable
from stadyn.core.rotations import av3_from_matrices, matrices_from_av3

from .aside import existing_file
from .em import map_em, write_em
from .particle_files import Columns, ParticleFile, check_some, named_tomograms, unique_ids
from .particle_places import whole_and_rest
from .star import read_star, write_star

AV3 = "CC row2 row3 particle tomogram object row7 x y z dx dy dz row14 row15 row16 phi psi theta class".split()
LARGEST_FLOAT32 = 2**24
STOPGAP_BLOCK = "stopgap_motivelist"
LETTERS = {ODD: "A", EVEN: "B"}
AV3_KEPT = ("cc", "surface_ids", "ids", "classes")
STOPGAP_KEPT = (*AV3_KEPT, "half")


def is_av3(path):
    """Does an .em file have the shape of a motive list?"""
    return _rows(map_em(existing_file(path, "motive list"))[0]) is not None


def read_av3(path, context):
    """A `ParticleFile` of an AV3 or TOM motive list; InputError for another shape or cells that are not finite."""
    values = map_em(existing_file(path, "motive list"))[0]
    rows = _rows(values)
    if rows is None:
        raise InputError(f"{path} is {values.shape[::-1]} and no motive list, which is 20 x particles: give another")
    with np.errstate(invalid="ignore"):  # a damaged file may hold signalling nan
        rows = np.array(rows, float)
    columns, messages = Columns(path, dict(zip(AV3, rows.T, strict=True)), "particle"), []
    if values.shape[2] != len(AV3):
        messages.append("the list is particles x 20 and was read so; AV3 writes 20 x particles")
    rotations = matrices_from_av3(*(columns.numbers(name) for name in ("phi", "theta", "psi")))
    table = ParticleTable(
        columns.vectors("xyz") + columns.vectors(("dx", "dy", "dz")) - context.shift(), rotations,
        named_tomograms(path, columns, "tomogram", context),
        surface_ids=columns.integers("object"), cc=columns.numbers("CC", finite=False),
        ids=unique_ids(columns.integers("particle"), messages), classes=columns.integers("class"),
    )  # fmt: skip
    sizes = context.known_pixel_sizes(np.unique(table.tomogram_ids).tolist(), {})
    return ParticleFile(table, sizes, {}, (*messages, *columns.left()))


def _rows(values):
    """(n, 20) of the array [z, y, x] of a list of 20 x n, 20 x 1 x n or, written transposed, n x 20; else None."""
    if values.shape[2] == len(AV3) and 1 in values.shape[:2]:
        return values.reshape(-1, len(AV3))
    return values[0].T if values.shape[:2] == (1, len(AV3)) else None


def write_av3(path, file, context):
    """Write particles as AV3's motive list; returns messages on what it has no place for."""
    check_some(path, file)
    table = file.particles
    if np.abs(table.ids).max() >= LARGEST_FLOAT32:
        raise InputError(f"{path} keeps no particle number of {LARGEST_FLOAT32} and more: renumber the particles")
    values = dict.fromkeys(AV3, 0.0) | _common(file, context, "tomogram")
    values |= {"particle": table.ids, "object": table.surface_ids, "CC": np.nan_to_num(table.cc)}
    rows = np.stack([np.broadcast_to(values[name], len(table)) for name in AV3], -1)
    write_em(path, rows[None].astype(np.float32))
    return file.lost("an AV3 motive list", AV3_KEPT)


def read_stopgap(path, context):
    """A `ParticleFile` of a STOPGAP motive list; half-set A is odd, B even, and a single letter is no half-set."""
    block = read_star(path).get(STOPGAP_BLOCK)
    if block is None:
        raise InputError(f"{path} has no block data_{STOPGAP_BLOCK}: give a STOPGAP motive list")
    columns, messages = Columns(path, block), []
    columns.ignore("motl_idx")
    shifts = columns.vectors(("x_shift", "y_shift", "z_shift"), 0.0)
    table = ParticleTable(
        columns.vectors(("orig_x", "orig_y", "orig_z")) + shifts - context.shift(),
        matrices_from_av3(*(columns.numbers(name) for name in ("phi", "the", "psi"))),
        named_tomograms(path, columns, "tomo_num", context),
        surface_ids=columns.integers("object", 0), cc=columns.numbers("score", np.nan, finite=False),
        ids=unique_ids(columns.integers("subtomo_num"), messages), half=_halves(path, columns),
        classes=columns.integers("class", 0),
    )  # fmt: skip
    sizes = context.known_pixel_sizes(np.unique(table.tomogram_ids).tolist(), {})
    return ParticleFile(table, sizes, {}, (*messages, *columns.left()))


def write_stopgap(path, file, context):
    """Write particles as a STOPGAP motive list; returns messages on what it has no place for."""
    check_some(path, file)
    table, n = file.particles, len(file.particles)
    values = _common(file, context, "tomo_num")
    block = {"motl_idx": np.arange(1, n + 1), "tomo_num": values["tomo_num"], "object": table.surface_ids}
    block |= {"subtomo_num": table.ids, "halfset": np.array([LETTERS.get(half, "A") for half in table.half])}
    block |= {f"orig_{axis}": values[axis].astype(int) for axis in "xyz"}
    block |= {"score": np.nan_to_num(table.cc)} | {f"{axis}_shift": values[f"d{axis}"] for axis in "xyz"}
    block |= {"phi": values["phi"], "psi": values["psi"], "the": values["theta"], "class": values["class"]}
    write_star(path, {STOPGAP_BLOCK: block})
    mixed = bool(table.half.any()) and not table.half.all()
    note = ("particles of no half-set were written as half-set A",) if mixed else ()
    return (*file.lost("a STOPGAP motive list", STOPGAP_KEPT), *note)


def _common(file, context, tomogram):
    """The values that both lists hold, by AV3's names: whole pixels to cut at and the shift from there."""
    table = file.particles
    numbers = context.numbers(file.tomogram_ids())
    whole, rest = whole_and_rest(table.positions + context.shift())
    phi, theta, psi = av3_from_matrices(table.rotations)
    values = {"phi": phi, "psi": psi, "theta": theta, "class": _classes(table)}
    values[tomogram] = np.array([numbers[name] for name in table.tomogram_ids])
    for i, axis in enumerate("xyz"):
        values |= {axis: whole[:, i], f"d{axis}": rest[:, i]}
    return values


def _classes(table):
    # Class 1 is what both packages average; 0 would be left out.
    return table.classes if table.classes.any() else np.ones(len(table), int)


def _halves(path, columns):
    if not columns.has("halfset"):
        return None
    letters = np.char.upper(columns.texts("halfset"))
    known = {letter: half for half, letter in LETTERS.items()}
    wrong = [letter for letter in np.unique(letters) if letter not in known]
    if wrong:
        raise InputError(f'{path} has the half-set "{wrong[0][:40]}": write A or B')
    if len(np.unique(letters)) == 1:
        return np.full(len(letters), UNASSIGNED)
    return np.array([known[letter] for letter in letters])
