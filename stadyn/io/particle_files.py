# SPDX-License-Identifier: GPL-3.0-or-later
"""What every particle format shares: the content of a file, what is known besides it, and checked columns."""

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count

import numpy as np
from scipy.spatial.transform import Rotation

from stadyn.core.errors import InputError
from stadyn.core.particles import EVEN, UNASSIGNED, ParticleTable
from stadyn.core.tomograms import MissingWedge

from .tomogram_names import tilt_series_id, tomogram_id

LARGEST = 2**53
"""Above it a float no longer keeps every integer."""
TITLES = {
    "cc": "CC", "surface_ids": "VLP", "ids": "particle number", "half": "half-set", "parent": "parent",
    "marker": "marker", "classes": "class", "wedges": "missing wedge", "pixel_sizes": "pixel size",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class ParticleFile:
    """What a file says of particles, whatever its format."""

    particles: ParticleTable
    pixel_sizes: dict = field(default_factory=dict)  # tomogram id -> Å, of the pixels that the positions count
    wedges: dict = field(default_factory=dict)  # tomogram id -> MissingWedge
    messages: tuple = ()  # sentences on what was changed or left behind

    def tomogram_ids(self):
        """The tomograms that occur, sorted."""
        return np.unique(self.particles.tomogram_ids).tolist()

    def select(self, rows):
        """The particles chosen by a boolean mask or by indices."""
        return replace(self, particles=self.particles.select(rows))

    def without_wedge(self, written):
        """A tuple of one sentence on the tomograms whose missing wedge is not known, `written` so, or of none."""
        names = [name for name in self.tomogram_ids() if name not in self.wedges]
        return (f'{len(names)} tomograms, "{names[0]}" the first, have no tilt range: {written}',) if names else ()

    def lost(self, title, kept):
        """A tuple of one sentence on the columns that say something and that a format lacks, or of none.

        Parameters
        ----------
        title : str, the format
        kept : names of `TITLES` that it has a place for
        """
        table = self.particles
        said = {
            "cc": np.isfinite(table.cc).any(), "surface_ids": table.surface_ids.any(), "half": table.half.any(),
            "ids": not np.array_equal(table.ids, np.arange(1, len(table) + 1)), "parent": table.parent.any(),
            "marker": table.marker.any(), "classes": table.classes.any(),
            "wedges": bool(self.wedges), "pixel_sizes": bool(self.pixel_sizes),
        }  # fmt: skip
        missing = [TITLES[name] for name, speaks in said.items() if speaks and name not in kept]
        return (f"{title} has no place for: {', '.join(missing)}",) if missing else ()


@dataclass(frozen=True)
class ListedTomogram:
    """What a list says of a tomogram; None where it does not."""

    id: str
    number: int = None  # by which Dynamo, AV3 and STOPGAP know it
    path: str = ""
    shape: tuple = None  # (z, y, x) voxels
    pixel_size: float = None  # Å
    wedge: MissingWedge = None
    alias: str = ""  # file of its reconstruction, whose pixels are not those of `shape`


@dataclass(frozen=True)
class Context:
    """What is known besides the file, and how its numbers are to be read."""

    tomograms: tuple = ()  # of ListedTomogram
    pixel_size: float = None  # Å, of the positions, where the file does not say
    pixel_shift: bool = True  # turn pixels counted from 1 into pixels counted from 0, and back
    add_origins: bool = False  # RELION 5: subtract rlnOrigin from the centred coordinates once more
    half_from_class: bool = False  # Dynamo: the class column holds half-sets
    box_px: int = None  # of the boxes that a data folder gets

    def tomogram(self, name):
        """The `ListedTomogram` of that id, else the one whose file has that name, or None."""
        file = tomogram_id(name)
        return self._by_id.get(name) or self._by_file.get(file) or self._by_file.get(tilt_series_id(file))

    def known(self):
        """What to say of the tomograms that are known, where one is not among them."""
        names = ", ".join(t.id[:80] for t in self.tomograms[:3])
        return f" (the list has {names}{' ...' if len(self.tomograms) > 3 else ''})" if names else ""

    def name(self, number):
        """The tomogram id of a number; the number itself as text where no list numbers tomograms."""
        return self._by_number.get(number, None if self._by_number else str(number))

    @cached_property
    def _by_id(self):
        return {t.id: t for t in reversed(self.tomograms)}  # of several the first

    @cached_property
    def _by_file(self):
        owners = {}
        for t in self.tomograms:
            files = {tomogram_id(path) for path in (t.path or t.id, t.alias) if path}
            for name in files | {tilt_series_id(file) for file in files}:
                owners.setdefault(name, []).append(t)
        return {name: own[0] for name, own in owners.items() if len(own) == 1}

    @cached_property
    def _by_number(self):
        return {t.number: t.id for t in self.tomograms if t.number is not None}

    def shift(self, pixels=1.0):
        """`pixels` to take from the numbers in a file, 0 where they are to be read as they are."""
        return pixels if self.pixel_shift else 0.0

    def numbers(self, names):
        """dict id -> number of each of `names`: the list's, else the number that the id is, else the next free one."""
        listed = {name: self.tomogram(name) for name in names}
        numbers = {name: t.number for name, t in listed.items() if t is not None and t.number is not None}
        if not numbers and all(re.fullmatch(r"[1-9]\d{0,8}", name, re.ASCII) for name in names):
            return {name: int(name) for name in names}
        free = (n for n in count(1) if n not in self._by_number)
        return numbers | {name: next(free) for name in sorted(names) if name not in numbers}

    def known_pixel_sizes(self, names, stated):
        """dict id -> Å: what the file states, else the option, else the list; InputError where two disagree.

        RELION's list, which names no files, says the pixels of the tilt series: positions in a table that does not say
        which it counts are as a rule those of a binned tomogram.
        """
        sizes = {}
        for name in names:
            listed = self.tomogram(name)
            size = stated.get(name) or self.pixel_size or (listed.pixel_size if listed and listed.path else None)
            if size and self.pixel_size and abs(size / self.pixel_size - 1) > 0.01:
                raise InputError(
                    f'tomogram "{name[:80]}" has {size:.4g} Å a pixel in the file, not the {self.pixel_size:.4g} '
                    "given: correct one of them"
                )
            if size:
                sizes[name] = float(size)
        return sizes


class Columns:
    """Named columns of a file, checked when they are taken; what is never taken can be listed.

    Parameters
    ----------
    path : named in errors
    columns : dict name -> (n,) array of numbers or text
    row : str, what a row of the file is called

    Raises InputError for a table without rows.
    """

    def __init__(self, path, columns, row="row"):
        self.path, self.row = path, row
        self.columns = {name: np.atleast_1d(values) for name, values in columns.items()}
        self.taken = set()
        if len(self) == 0:
            raise InputError(f"{path} has a table without rows: write it again, with particles")

    def __len__(self):
        return len(next(iter(self.columns.values()), ()))

    def has(self, *names):
        """Are all these columns there?"""
        return all(name in self.columns for name in names)

    def ignore(self, *names):
        """Columns that say nothing anywhere else."""
        self.taken.update(names)

    def texts(self, name):
        """(n,) str array; InputError where the column is missing."""
        return self._column(name).astype(str)

    def numbers(self, name, default=None, finite=True):
        """(n,) float array, `default` where the column is missing; InputError for text and, by default, nan."""
        if name not in self.columns and default is not None:
            return np.full(len(self), default, float)
        values = self._column(name)
        if values.dtype.kind not in "biuf":
            values = np.array([self._number(name, i, text) for i, text in enumerate(values)])
        values = values.astype(float)
        bad = ~np.isfinite(values) if finite else np.zeros(len(values), bool)
        if bad.any():
            first = int(np.argmax(bad))
            raise InputError(f"{self._where(first)} has {name} {values[first]:g}, not a finite number: correct it")
        return values

    def integers(self, name, default=None):
        """(n,) int array, `default` where the column is missing; InputError for fractions."""
        values = self.numbers(name, default)
        bad = (np.abs(values) >= LARGEST) | (values != np.round(values))
        if bad.any():
            first = int(np.argmax(bad))
            raise InputError(f"{self._where(first)} has {name} {values[first]:g}, not a whole number: correct it")
        return values.astype(np.int64)

    def halves(self, name):
        """(n,) half-sets 0, 1 or 2 of an integer column, 0 where it is missing."""
        values = self.integers(name, 0)
        bad = (values < UNASSIGNED) | (values > EVEN)
        if bad.any():
            first = int(np.argmax(bad))
            raise InputError(f"{self._where(first)} has {name} {values[first]}, not 1 or 2: correct it")
        return values

    def vectors(self, names, default=None):
        """(n, 3) float array of three columns."""
        return np.stack([self.numbers(name, default) for name in names], -1)

    def left(self):
        """A tuple of one sentence on the columns that say something and were not taken, or of none."""
        names = [n for n, values in self.columns.items() if n not in self.taken and _speaks(values)]
        return (f"columns with no place in stadyn were left behind: {', '.join(names)}",) if names else ()

    def _column(self, name):
        if name not in self.columns:
            raise InputError(f"{self.path} has no column {name}: give a table that has it")
        self.taken.add(name)
        return self.columns[name]

    def _number(self, name, i, text):
        try:
            return float(text)
        except ValueError:
            raise InputError(f'{self._where(i)} has {name} "{text[:40]}", not a number: correct it') from None

    def _where(self, i):
        return f"{self.path}, {self.row} {i + 1}"


def agreed(path, ids, sizes):
    """dict id -> Å of what the rows of each tomogram say, where they do; InputError where they differ."""
    found = {}
    for name, size in zip(ids, sizes, strict=True):
        if np.isfinite(size) and size > 0 and found.setdefault(str(name), float(size)) != size:
            raise InputError(
                f'{path} has particles of {found[name]:.6g} and of {size:.6g} Å a pixel in tomogram "{name[:80]}": '
                "bring them to one pixel size, or give a table for each"
            )
    return found


def named_tomograms(path, columns, name, context):
    """(n,) tomogram ids of a column of numbers; InputError, with the line, for one that the list lacks."""
    numbers = columns.integers(name)
    ids = {number: context.name(int(number)) for number in np.unique(numbers)}
    for number, found in ids.items():
        if found is None:
            raise InputError(f"{path} has particles of tomogram {number}, which the list of tomograms lacks: add it")
    return np.array([ids[number] for number in numbers], str)


def unique_ids(ids, messages):
    """`ids`, or 1..n with a message where some occur more than once."""
    if len(np.unique(ids)) == len(ids):
        return ids
    messages.append("particle numbers occur more than once and were replaced by 1, 2, ...")
    return np.arange(1, len(ids) + 1)


def proper_rotations(path, matrices):
    """The (n, 3, 3) rotations nearest to `matrices`; InputError for one that scales, shears or mirrors."""
    bounded = np.clip(np.nan_to_num(matrices, nan=2.0), -2, 2)  # products do not overflow, and NaN is no rotation
    error = np.abs(bounded @ np.swapaxes(bounded, 1, 2) - np.eye(3)).max(axis=(1, 2))
    bad = (error > 1e-2) | (np.linalg.det(bounded) < 0)
    if bad.any():
        raise InputError(f"{path}, particle {int(np.argmax(bad)) + 1} has a matrix that is no rotation: correct it")
    return Rotation.from_matrix(bounded).as_matrix()


def check_some(path, file):
    """InputError where there are no particles to write, or two share a number."""
    if len(file.particles) == 0:
        raise InputError(f"there are no particles to write to {path}: select some")
    if len(np.unique(file.particles.ids)) < len(file.particles):
        raise InputError(f"particle numbers occur more than once and cannot be written to {path}: renumber them")


def _speaks(values):
    silent = values.dtype.kind not in "biuf" and np.isin(values, ("", "None", "null", "<NA>"))
    try:
        return bool(np.nan_to_num(np.where(silent, 0, values).astype(float)).any())
    except ValueError:
        return True
