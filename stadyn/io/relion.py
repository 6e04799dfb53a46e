# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles in RELION's STAR files, versions 3 (Warp, M), 4 and 5.

A particle's angles and those of its subtomogram are both reference -> tomogram once
transposed, and compose as ``R = A_subtomogram @ A_particle``; the offset rlnOrigin is
subtracted in the frame of the subtomogram (RELION, `ParticleSet::getPosition`).
Coordinates are pixels of the tomogram in versions 3 and 4, and Å from its centre,
size / 2, in version 5, where they already include the refined offset.
"""

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import matrices_from_relion, relion_from_matrices

from .particle_files import Columns, ParticleFile, agreed, check_some, unique_ids
from .relion_pixel_sizes import IMAGE, TILT_SERIES, stated_pixel_sizes
from .star import read_star, write_star
from .tomogram_names import tomogram_id

AXES = "XYZ"
PIXELS = tuple(f"rlnCoordinate{a}" for a in AXES)
CENTERED = tuple(f"rlnCenteredCoordinate{a}Angst" for a in AXES)
ORIGIN_ANGST = tuple(f"rlnOrigin{a}Angst" for a in AXES)
ORIGIN_PX = tuple(f"rlnOrigin{a}" for a in AXES)
ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
SUBTOMOGRAM = ("rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi")
SCORES = ("rlnAutopickFigureOfMerit", "rlnLCCmax")
SURFACES = ("rlnTomoManifoldIndex", "rlnHelicalTubeID")
PARTICLE_NAME = "rlnTomoParticleName"
LONGEST_NUMBER = 15
NOTHING = ("rlnOpticsGroup", "rlnOpticsGroupName", "rlnGroupNumber", PARTICLE_NAME)
"""Columns that only number or name what others say."""
KEPT = ("cc", "surface_ids", "ids", "half", "parent", "marker", "classes", "pixel_sizes")


def is_relion(blocks):
    """Does a STAR file hold particles of a tomogram as RELION writes them?"""
    return _particle_block(blocks) is not None


def version_of(blocks):
    """3, 4 or 5: the version whose coordinates the particles have."""
    block = _particle_block(blocks)
    if CENTERED[0] in block:
        return 5
    return 4 if "rlnTomoName" in block else 3


def read_relion(path, context):
    """A `ParticleFile` of a particle STAR file of RELION 3, 4 or 5.

    Raises InputError for a file without particles, cells that are not numbers, offsets in Å without a pixel size,
    and centred coordinates of a tomogram whose size is not known.
    """
    blocks = read_star(path)
    block = _particle_block(blocks)
    if block is None:
        raise InputError(f"{path} has no block of particles with coordinates: give RELION's particle STAR file")
    columns, messages = Columns(path, block), []
    columns.ignore(*NOTHING)
    ids = _tomogram_ids(columns, messages)
    sizes = stated_pixel_sizes(path, columns, blocks.get("optics"), context.pixel_size, messages)
    stated = agreed(path, ids, sizes)
    turned = _rotations(columns, SUBTOMOGRAM, messages=None)
    rotations = turned @ _rotations(columns, ANGLES, messages)
    read = _centered_positions if columns.has(CENTERED[0]) else _pixel_positions
    positions, sizes = read(path, columns, ids, stated, turned, context, messages)
    table = ParticleTable(
        positions, rotations, ids,
        surface_ids=_first(columns, SURFACES, columns.integers, 0),
        cc=_first(columns, SCORES, lambda name: columns.numbers(name, finite=False), np.nan),
        ids=unique_ids(_particle_ids(columns, messages), messages),
        half=columns.halves("rlnRandomSubset"),
        parent=columns.integers("stadynParent", 0),
        marker=columns.integers("stadynMarker", 0),
        classes=columns.integers("rlnClassNumber", 0),
    )  # fmt: skip
    return ParticleFile(table, sizes, {}, (*messages, *columns.left()))


def write_relion(path, file, context, version=5):
    """Write particles as RELION 3, 4 or 5 reads them; returns messages on what it has no place for.

    Offsets are folded into the coordinates. Parent and marker go into columns of our own name, which RELION
    carries along. The optics hold only the pixel size: RELION's import asks for the microscope's.
    """
    check_some(path, file)
    table, names = file.particles, file.tomogram_ids()
    sizes = context.known_pixel_sizes(names, file.pixel_sizes)
    missing = next((name for name in names if name not in sizes), None)
    if missing is not None:
        raise InputError(f'tomogram "{missing[:80]}" has no pixel size, which {path} needs: give it (--pixel-size)')
    groups = {size: i for i, size in enumerate(sorted(set(sizes.values())), 1)}
    own = {name: _relion_name(name, context) if version > 3 else name for name in names}
    written = np.array([own[name] for name in table.tomogram_ids.tolist()])
    particles = {"rlnMicrographName" if version == 3 else "rlnTomoName": written}
    if version == 5:
        particles |= dict(zip(CENTERED, _centered(path, table, sizes, context).T, strict=True))
    else:
        particles |= dict(zip(PIXELS, table.positions.T, strict=True))
    particles |= dict(zip(ANGLES, relion_from_matrices(table.rotations), strict=True))
    particles |= {name: np.zeros(len(table)) for name in ORIGIN_ANGST}
    particles |= {"rlnTomoParticleId": table.ids, SURFACES[0]: table.surface_ids}
    if version > 3:
        pairs = zip(written, table.ids, strict=True)
        particles[PARTICLE_NAME] = np.array([f"{name}/{number}" for name, number in pairs])
    if np.isfinite(table.cc).any():
        particles[SCORES[0]] = table.cc
    if table.half.any():
        particles["rlnRandomSubset"] = table.half
    if table.classes.any():
        particles["rlnClassNumber"] = table.classes
    particles |= {"stadynParent": table.parent, "stadynMarker": table.marker}
    particles["rlnOpticsGroup"] = np.array([groups[sizes[name]] for name in table.tomogram_ids])
    label = IMAGE if version == 3 else TILT_SERIES
    optics = {
        "rlnOpticsGroup": np.array(list(groups.values())),
        "rlnOpticsGroupName": np.array([f"opticsGroup{i}" for i in groups.values()]),
        label: np.array(list(groups)),
    }
    write_star(path, {"optics": optics, "particles": particles})
    renamed = {name: new for name, new in own.items() if name != new}
    first = next(iter(renamed.items()), None)
    note = (f'{len(renamed)} tomograms are called as in the list: "{first[0]}" is "{first[1]}"',) if renamed else ()
    return (*file.lost(f"RELION {version}", KEPT), *note)


def _relion_name(name, context):
    """The name that RELION's own list of tomograms has for a tomogram, else `name`."""
    listed = context.tomogram(name)
    return listed.id if listed is not None and not listed.path else name


def _particle_block(blocks):
    named = [blocks[name] for name in ("particles", "") if name in blocks]
    for block in [*named, *blocks.values()]:
        if PIXELS[0] in block or CENTERED[0] in block:
            return block
    return None


def _first(columns, names, read, default):
    """The first of several columns that is there, else a column of `default`."""
    found = next((name for name in names if columns.has(name)), None)
    return np.full(len(columns), default) if found is None else read(found)


def _tomogram_ids(columns, messages):
    if columns.has("rlnTomoName"):
        columns.ignore("rlnMicrographName")
        return columns.texts("rlnTomoName")
    names = columns.texts("rlnMicrographName")
    ids = {name: tomogram_id(name) for name in np.unique(names)}
    if len(set(ids.values())) < len(ids):  # the same file name in several folders
        ids = {name: name for name in ids}
    if any(name != short for name, short in ids.items()):
        messages.append(f"tomograms are known by their file's name, as {sorted(ids.values())[0]}")
    return np.array([ids[name] for name in names], str)


def _particle_ids(columns, messages):
    for name in ("rlnTomoParticleId", "stadynId"):
        if columns.has(name):
            return columns.integers(name)
    count = np.arange(1, len(columns) + 1)
    if not columns.has(PARTICLE_NAME):
        return count
    numbers = [name.rpartition("/")[2] for name in columns.texts(PARTICLE_NAME).tolist()]
    if not all(n.isascii() and n.isdigit() and len(n) < LONGEST_NUMBER for n in numbers):
        return count
    numbers = np.array(list(map(int, numbers)))  # version 5: TS_01/7
    if len(np.unique(numbers)) == len(numbers):
        return numbers
    messages.append(f"particles are numbered anew: {PARTICLE_NAME} numbers those of each tomogram")
    return count


def _rotations(columns, names, messages):
    if any(columns.has(name) for name in names):  # RELION takes 0 for one that is missing
        return matrices_from_relion(*(columns.numbers(name, 0.0) for name in names))
    if messages is not None and not any(columns.has(name) for name in SUBTOMOGRAM):
        messages.append("the particles have no angles: all of them got the identity")
    return np.broadcast_to(np.eye(3), (len(columns), 3, 3))


def _offsets(path, columns, sizes):
    """(n, 3) rlnOrigin in Å or, for version 3.0, turned into Å; `sizes` (n,) Å."""
    if columns.has(*ORIGIN_ANGST):
        return columns.vectors(ORIGIN_ANGST)
    if columns.has(*ORIGIN_PX):
        return columns.vectors(ORIGIN_PX) * np.where(sizes > 0, sizes, 1.0)[:, None]
    return np.zeros((len(columns), 3))


def _pixel_positions(path, columns, ids, stated, turned, context, messages):
    known = context.known_pixel_sizes(np.unique(ids).tolist(), stated)
    sizes = np.array([known.get(name, 0.0) for name in ids])
    offsets = _offsets(path, columns, sizes)
    bad = (sizes <= 0) & offsets.any(axis=1) & columns.has(*ORIGIN_ANGST)
    if bad.any():
        raise InputError(f"{path} has offsets in Å but no pixel size: give it (--pixel-size)")
    shifts = np.einsum("nij,nj->ni", turned, offsets) / np.where(sizes > 0, sizes, 1.0)[:, None]
    pixels = columns.vectors(PIXELS)
    inside_one = ((pixels >= 0) & (pixels <= 1)).all() and (pixels != np.round(pixels)).any()
    if inside_one and not columns.has("rlnTomoName"):
        pixels = pixels * _tomogram_sizes(path, ids, context)
        messages.append("coordinates from 0 to 1 were taken as parts of the tomogram's size, as Warp's matching has it")
    return pixels - shifts, known


def _tomogram_sizes(path, ids, context):
    """(n, 3) x, y, z: the size of each particle's tomogram, pixels."""
    listed = {name: context.tomogram(name) for name in np.unique(ids).tolist()}
    without = next((name for name, t in listed.items() if t is None or t.shape is None), None)
    if without is not None:
        raise InputError(
            f"{path} has coordinates from 0 to 1, parts of the size of a tomogram, which is not known of "
            f'"{without[:80]}": give the tomograms (--tomograms)'
        )
    return np.array([listed[name].shape[::-1] for name in ids], float)


def _centered_positions(path, columns, ids, stated, turned, context, messages):
    columns.ignore(*PIXELS)
    centred, offsets = columns.vectors(CENTERED), _offsets(path, columns, np.zeros(len(columns)))
    if context.add_origins:
        centred = centred - np.einsum("nij,nj->ni", turned, offsets)
    elif offsets.any():
        messages.append("rlnOrigin was not subtracted: the centred coordinates of RELION 5 already include it")
    listed = {name: context.tomogram(name) for name in np.unique(ids).tolist()}
    # The size of a tomogram counts its own pixels, or in RELION's list those of the tilt series, as the table's does.
    sizes = {name: t.pixel_size or (not t.path and stated.get(name)) for name, t in listed.items() if t is not None}
    sizes = context.known_pixel_sizes(list(listed), sizes)
    halves = {name: _half_size(path, name, sizes, context) for name in listed}
    half = np.array([halves[name] for name in ids])
    scale = np.array([sizes[name] for name in ids])
    return centred / scale[:, None] + half, sizes


def _half_size(path, name, sizes, context):
    """(3,) x, y, z: half the size of a tomogram, in its pixels, where RELION puts the origin."""
    listed = context.tomogram(name)
    if listed is None or listed.shape is None:
        raise InputError(
            f'{path} counts from the centre of tomogram "{name[:80]}", whose size is not known{context.known()}: '
            "give the tomograms, with their files or as RELION's tomograms.star (--tomograms)"
        )
    if name not in sizes:
        raise InputError(f'tomogram "{name[:80]}" of {path} has no pixel size: give it (--pixel-size)')
    return np.array(listed.shape[::-1], float) / 2.0


def _centered(path, table, sizes, context):
    """(n, 3) Å from the centre of each particle's tomogram."""
    halves = {name: _half_size(path, name, sizes, context) for name in sizes}
    names = table.tomogram_ids
    return (table.positions - [halves[name] for name in names]) * np.array([[sizes[name]] for name in names])
