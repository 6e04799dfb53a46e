# SPDX-License-Identifier: GPL-3.0-or-later
"""Dynamo's tables and data folders (``crop.tbl`` beside ``particle_00001.em``) as `ParticleFile`s."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.resample import box_fits, crop

from .dynamo import read_table, write_table
from .em import write_em
from .mrc import open_volume
from .particle_files import ParticleFile, check_some
from .volume_lists import write_doc

CROP_TABLE = "crop.tbl"
KEPT = ("cc", "surface_ids", "ids", "half", "parent", "marker", "classes", "wedges", "pixel_sizes")


def read_dynamo(path, context):
    """A `ParticleFile` of a .tbl; tomograms by the names that the context gives their numbers."""
    names = {t.number: t.id for t in context.tomograms if t.number is not None} or None
    read = read_table(path, names, context.shift(), context.half_from_class)
    known = read.particles.tomogram_ids
    sizes = context.known_pixel_sizes(np.unique(known).tolist(), read.pixel_sizes)
    return ParticleFile(read.particles, sizes, read.wedges, read.messages)


def write_dynamo(path, file, context):
    """Write a .tbl; returns messages on what it has no place for."""
    names = file.tomogram_ids()
    sizes = context.known_pixel_sizes(names, file.pixel_sizes)
    write_table(
        path, file.particles, context.numbers(names), file.wedges, sizes if len(sizes) == len(names) else None,
        context.shift(),
    )  # fmt: skip
    messages = file.without_wedge("the table says that nothing is missing (ftype 0), correct columns 13 to 15")
    if file.particles.half.any() and file.particles.classes.any():
        return (*messages, "Dynamo's class column holds the half-sets, so the classes have no place")
    if file.particles.half.any():
        messages += ("Dynamo's class column (22) holds the half-sets: read it as such (--half-from-class)",)
    return (*messages, *file.lost("Dynamo", KEPT))


def read_dynamo_folder(path, context):
    """A `ParticleFile` of a folder's crop table, with a message where particles have no file."""
    file = read_dynamo(Path(path) / CROP_TABLE, context)
    there = {p.stem for p in Path(path).glob("particle_*")}
    lacking = [tag for tag in file.particles.ids if not {_name(tag), f"particle_{tag:06d}"} & there]
    if not lacking:
        return file
    note = f"{len(lacking)} particles of the table have no file in {path}, the first is number {lacking[0]}"
    return replace(file, messages=(*file.messages, note))


def write_dynamo_folder(path, file, context):
    """Cut boxes out of the tomograms of the context and write them with their crop table; returns messages.

    A box is centred on the whole pixel nearest to its particle and never turned; particles whose box leaves the
    tomogram are left out. Raises InputError without a box size, or for a tomogram whose file is not there.
    """
    check_some(path, file)
    path, box = Path(path), context.box_px
    if not box:
        raise InputError(f"the boxes of {path} need a size: give it in pixels (--box)")
    listed = {name: context.tomogram(name) for name in file.tomogram_ids()}
    without = next((name for name, t in listed.items() if t is None or not t.path), None)
    if without is not None:
        raise InputError(f'boxes of tomogram "{without}" need its file: list it in a .doc or .vll (--tomograms)')
    volumes = {name: open_volume(tomogram.path) for name, tomogram in listed.items()}
    table = file.particles
    kept = np.array([
        box_fits(volumes[name].shape, position[None], box)[0]
        for name, position in zip(table.tomogram_ids, table.positions, strict=True)
    ])  # fmt: skip
    if not kept.any():
        raise InputError(f"no box of {box} pixels fits into its tomogram: give a smaller one (--box)")
    file, left_out = file.select(kept), int(np.sum(~kept))
    table = file.particles
    path.mkdir(exist_ok=True)
    for name, position, tag in zip(table.tomogram_ids, table.positions, table.ids, strict=True):
        write_em(path / f"{_name(tag)}.em", crop(volumes[name], np.rint(position).astype(int), box))
    messages = write_dynamo(path / CROP_TABLE, file, context)
    numbers = context.numbers(file.tomogram_ids())
    write_doc(path / "crop.doc", {number: listed[name].path for name, number in numbers.items()})
    note = (f"{left_out} particles whose box leaves their tomogram were left out",) if left_out else ()
    return (*messages, *note)


def _name(tag):
    """The stem of a particle's file."""
    return f"particle_{tag:05d}"
