# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand random particles, and any tables given, through every format and back: poses, columns lost silently."""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from stadyn.io.particle_files import TITLES, Context, ListedTomogram
from stadyn.io.tables import FORMATS, read_particles, write_particles
from stadyn.tests.io.planted_particles import CONTEXT, degrees_apart, thousand

ASKED_DEG, ASKED_PX = 1e-4, 1e-3
ONE_WAY = ("chimerax", "dynamo-folder")
"""Written only, or with boxes cut from tomograms."""
COLUMNS = ("surface_ids", "ids", "half", "parent", "marker", "classes", "cc")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", help="particles in any format that convert reads")
    args = parser.parse_args()
    print(f"{'particles of':24} | {'format':10} | {'number':>6} | {'angle, deg':>10} | {'px':>8} | said to be lost")
    passed = run("1,000 at random", thousand(), CONTEXT)
    for path in args.tables:
        file = read_particles(path)
        print(*(f"    {path}: {message}" for message in file.messages), sep="\n")
        file, context = framed(file)
        passed &= run(Path(path).name, file, context)
    sys.exit(int(not passed))


def framed(file):
    """The particles of a table with pixel sizes, and a context of tomograms just large enough for them."""
    sizes = {name: file.pixel_sizes.get(name, 5.0) for name in file.tomogram_ids()}
    tomograms = []
    for number, name in enumerate(file.tomogram_ids(), 1):
        inside = file.particles.positions[file.particles.tomogram_ids == name]
        shape = tuple(int(n) for n in np.ceil(inside.max(axis=0))[::-1] + 10)
        tomograms.append(ListedTomogram(name, number, f"{name}.mrc", shape, sizes[name]))
    return replace(file, pixel_sizes=sizes), Context(tuple(tomograms))


def run(title, file, context):
    """A row for each format; returns whether all are good."""
    rows = [through(title, name, found, file, context) for name, found in FORMATS.items() if name not in ONE_WAY]
    return all(rows)


def through(title, name, found, file, context):
    """Write and read `file` in one format, print the row; True where poses hold and what is lost was said."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("p" if found.one_tomogram else f"p{found.endings[0]}")
        messages = write_particles(path, file, name, context)
        halves = name == "dynamo" and bool(file.particles.half.any())
        back = read_particles(path, name, replace(context, half_from_class=halves))
    order, truth = in_the_same_order(back.particles, file.particles), file.particles
    table = back.particles.select(order)
    angle = degrees_apart(table.rotations, truth.rotations).max()
    shift = np.abs(table.positions - truth.positions).max()
    said = " ".join(messages)
    silent = [column for column in lost(replace(back, particles=table), file) if TITLES[column] not in said]
    good = angle < ASKED_DEG and shift < ASKED_PX and not silent
    rest = "; ".join(m for m in messages if "says which is which" not in m) or "nothing"
    note = f"  LOST WITHOUT A WORD: {', '.join(silent)}" if silent else "" if good else "  FALLS SHORT"
    print(f"{title:24} | {name:10} | {len(table):6} | {angle:10.1e} | {shift:8.1e} | {rest}{note}", flush=True)
    return good


def in_the_same_order(table, truth):
    """Rows of `table` in the order of `truth`: formats of one file a tomogram sort by it."""
    theirs, ours = (np.argsort(t.tomogram_ids, kind="stable") for t in (table, truth))
    order = np.empty(len(truth), int)
    order[ours] = theirs
    return order


def lost(back, file):
    """Columns that said something and came back otherwise."""
    truth, table = file.particles, back.particles
    for column in COLUMNS:
        before, after = getattr(truth, column), getattr(table, column)
        spoke = np.isfinite(before).any() if column == "cc" else before.any()
        kept = np.allclose(after, np.nan_to_num(before), atol=1e-6) or np.allclose(after, before, 1e-5, equal_nan=True)
        if spoke and not kept:
            yield column
    if file.wedges and back.wedges != file.wedges:
        yield "wedges"
    if any(abs(back.pixel_sizes.get(name, 0) / size - 1) > 1e-6 for name, size in file.pixel_sizes.items()):
        yield "pixel_sizes"


if __name__ == "__main__":
    main()
