# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of tomograms for converting particles: Dynamo's .doc and .vll, and RELION's tomograms.star."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.tomograms import MissingWedge

from .aside import read_text
from .mrc import read_header
from .particle_files import Columns, ListedTomogram
from .star import read_star
from .tomogram_names import tomogram_id
from .volume_lists import read_doc, read_vll

SIZES = ("rlnTomoSizeZ", "rlnTomoSizeY", "rlnTomoSizeX")
FILE = "rlnTomoReconstructedTomogram"
ANGLES = ("rlnTomoNominalStageTiltAngle", "rlnTomoYTilt")
SET = ("rlnTomoParticlesFile", "rlnTomoTomogramsFile")
LARGEST_SET = 10_000
"""Bytes: an optimisation set is a handful of paths."""
LARGEST_SIDE = 1_000_000
UNSTATED = (0.0, 1.0)
"""Pixel sizes that programs write into a header when they do not know."""


def read_tomogram_list(path, headers=True):
    """A tuple of `ListedTomogram`, with shape and pixel size of those whose list says so or, by its header, whose file.

    Tomograms of a .doc or .vll are known by the names of their files; where several have the same, as rec.mrc in a
    folder each, by those of folder and file. Only a .doc and a .vll number tomograms.

    Parameters
    ----------
    headers : bool, open the files that are there

    Raises InputError for a list that cannot be read, or two tomograms of one name.
    """
    ending = Path(path).suffix.lower()
    if ending == ".star":
        tomograms = _from_star(path)
    elif ending == ".vll":
        volumes = read_vll(path, must_exist=False)
        tomograms = [
            ListedTomogram(name, v.number or i, v.path, None, v.pixel_size, v.wedge)
            for i, (v, name) in enumerate(zip(volumes, _names([v.path for v in volumes]), strict=True), 1)
        ]
    elif ending == ".doc":
        volumes = read_doc(path, must_exist=False)
        named = zip(volumes.items(), _names(list(volumes.values())), strict=True)
        tomograms = [ListedTomogram(name, number, volume) for (number, volume), name in named]
    else:
        raise InputError(f"{path} is no list of tomograms: give a .doc, a .vll or RELION's tomograms.star")
    names = [tomogram.id for tomogram in tomograms]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f'{path} lists two tomograms called "{twice}": rename one of the files')
    return tuple(map(_with_header, tomograms) if headers else tomograms)


def _names(paths):
    """The name of each file, with that of its folder where several files have the same."""
    names = [tomogram_id(path) for path in paths]
    folders = [Path(path).parent.name for path in paths]
    return [f"{f}_{name}" if names.count(name) > 1 and f else name for f, name in zip(folders, names, strict=True)]


def _with_header(tomogram):
    """The tomogram with what its file says, where the list does not say it and there is a file."""
    if not tomogram.path or tomogram.shape or not os.path.isfile(tomogram.path):
        return tomogram
    header = read_header(tomogram.path)
    stated = None if header.pixel_size in UNSTATED else header.pixel_size
    return replace(tomogram, shape=header.shape, pixel_size=tomogram.pixel_size or stated)


def optimisation_set(path):
    """(particle file, tomogram file or None) that RELION's optimisation set at `path` names; None for any other file.

    RELION writes paths from the folder of its project: they are looked for there, from the set's own folder upwards.
    Raises InputError where the particle file is not found.
    """
    path = Path(path)
    small = path.suffix.lower() == ".star" and path.is_file() and 0 < path.stat().st_size < LARGEST_SET
    if not small or SET[0] not in read_text(path, "STAR file"):
        return None
    named = next((block for block in read_star(path).values() if SET[0] in block), {})
    names = [str(np.ravel(named.get(label, ""))[0]) for label in SET]
    folders = [*path.absolute().parents, Path.cwd()]
    found = [next((f / name for f in folders if name and (f / name).is_file()), None) for name in names]
    if found[0] is None:
        raise InputError(f"{path} names {names[0]} ({SET[0]}), which is not there: give that file itself")
    return tuple(found)


def _from_star(path):
    """RELION 4 and 5: sizes count pixels of the tilt series, whatever the binning of the reconstruction."""
    found = optimisation_set(path)
    if found is not None and found[1] is not None:
        path = found[1]
    blocks = read_star(path)
    block = next((block for block in blocks.values() if "rlnTomoName" in block), None)
    if block is None:
        raise InputError(f"{path} has no column rlnTomoName: give RELION's tomograms.star")
    columns = Columns(path, block)
    names = columns.texts("rlnTomoName")
    shapes = columns.vectors(SIZES) if columns.has(*SIZES) else [None] * len(names)
    sizes = columns.numbers("rlnTomoTiltSeriesPixelSize", 0.0)
    files = columns.texts(FILE).tolist() if columns.has(FILE) else [""] * len(names)
    tomograms = []
    for i, name in enumerate(names):
        shape = None if shapes[i] is None else tuple(int(n) for n in shapes[i])
        if not 0 <= sizes[i] < 1e4 or (shape and not 1 <= min(shape) <= max(shape) <= LARGEST_SIDE):
            raise InputError(f"{path}, row {i + 1}, has a size or pixel size that cannot be: correct it")
        wedge = _wedge(path, columns, i, blocks.get(name))
        tomograms.append(ListedTomogram(str(name), None, "", shape, float(sizes[i]) or None, wedge, files[i]))
    return tomograms


def _wedge(path, columns, row, own_block):
    """The tilt range that a tilt series' own table gives: a file beside the list, or a block in it."""
    tables = [own_block] if own_block else []
    if columns.has("rlnTomoTiltSeriesStarFile"):
        name = columns.texts("rlnTomoTiltSeriesStarFile")[row]
        series = next((p for p in (Path(path).parent / name, name) if os.path.isfile(p)), None)
        tables += read_star(series).values() if series else []
    for table in tables:
        label = next((label for label in ANGLES if label in table), None)
        if label is not None:
            angles = Columns(path, table).numbers(label)
            if -90 <= angles.min() < angles.max() <= 90:
                return MissingWedge(float(angles.min()), float(angles.max()))
    return None
