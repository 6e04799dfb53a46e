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

from .particle_files import Columns, ParticleFile, agreed, check_some, tomogram_id, unique_ids
from .star import read_star, write_star

AXES = "XYZ"
PIXELS = tuple(f"rlnCoordinate{a}" for a in AXES)
CENTERED = tuple(f"rlnCenteredCoordinate{a}Angst" for a in AXES)
ORIGIN_ANGST = tuple(f"rlnOrigin{a}Angst" for a in AXES)
ORIGIN_PX = tuple(f"rlnOrigin{a}" for a in AXES)
ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
SUBTOMOGRAM = ("rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi")
SCORES = ("rlnAutopickFigureOfMerit", "rlnLCCmax")
SURFACES = ("rlnTomoManifoldIndex", "rlnHelicalTubeID")
PIXEL_SIZES = ("rlnTomoTiltSeriesPixelSize", "rlnMicrographPixelSize", "rlnImagePixelSize", "rlnPixelSize")
NOTHING = ("rlnOpticsGroup", "rlnOpticsGroupName", "rlnGroupNumber", "rlnTomoParticleName")
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
    stated = agreed(ids, _stated_pixel_sizes(path, columns, blocks.get("optics")))
    turned = _rotations(columns, SUBTOMOGRAM, messages=None)
    rotations = turned @ _rotations(columns, ANGLES, messages)
    read = _centered_positions if columns.has(*CENTERED) else _pixel_positions
    positions, sizes = read(path, columns, ids, stated, turned, context, messages)
    table = ParticleTable(
        positions, rotations, ids,
        surface_ids=_first(columns, SURFACES, columns.integers, 0),
        cc=_first(columns, SCORES, lambda name: columns.numbers(name, finite=False), np.nan),
        ids=unique_ids(_particle_ids(columns), messages),
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
        raise InputError(f'tomogram "{missing}" has no pixel size, which {path} needs: give it (--pixel-size)')
    groups = {size: i for i, size in enumerate(sorted(set(sizes.values())), 1)}
    particles = {"rlnMicrographName" if version == 3 else "rlnTomoName": table.tomogram_ids}
    if version == 5:
        particles |= dict(zip(CENTERED, _centered(path, table, sizes, context).T, strict=True))
    else:
        particles |= dict(zip(PIXELS, table.positions.T, strict=True))
    particles |= dict(zip(ANGLES, relion_from_matrices(table.rotations), strict=True))
    particles |= {name: np.zeros(len(table)) for name in ORIGIN_ANGST}
    particles |= {"rlnTomoParticleId": table.ids, SURFACES[0]: table.surface_ids}
    if version > 3:
        pairs = zip(table.tomogram_ids, table.ids, strict=True)
        particles["rlnTomoParticleName"] = np.array([f"{name}/{number}" for name, number in pairs])
    if np.isfinite(table.cc).any():
        particles[SCORES[0]] = table.cc
    if table.half.any():
        particles["rlnRandomSubset"] = table.half
    if table.classes.any():
        particles["rlnClassNumber"] = table.classes
    particles |= {"stadynParent": table.parent, "stadynMarker": table.marker}
    particles["rlnOpticsGroup"] = np.array([groups[sizes[name]] for name in table.tomogram_ids])
    label = "rlnImagePixelSize" if version == 3 else PIXEL_SIZES[0]
    optics = {
        "rlnOpticsGroup": np.array(list(groups.values())),
        "rlnOpticsGroupName": np.array([f"opticsGroup{i}" for i in groups.values()]),
        label: np.array(list(groups)),
    }
    write_star(path, {"optics": optics, "particles": particles})
    return file.lost(f"RELION {version}", KEPT)


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


def _particle_ids(columns):
    for name in ("rlnTomoParticleId", "stadynId"):
        if columns.has(name):
            return columns.integers(name)
    return np.arange(1, len(columns) + 1)


def _stated_pixel_sizes(path, columns, optics):
    """(n,) Å per pixel of the coordinates, 0 where the file does not say."""
    own = next((name for name in PIXEL_SIZES if columns.has(name)), None)
    if own is not None:
        return columns.numbers(own)
    label = next((name for name in PIXEL_SIZES if optics and name in optics), None)
    if label is not None and "rlnOpticsGroup" in optics:
        table = Columns(path, optics, "row of the optics")
        groups = dict(zip(table.integers("rlnOpticsGroup"), table.numbers(label), strict=True))
        return np.array([groups.get(group, 0.0) for group in columns.integers("rlnOpticsGroup", 1)])
    if columns.has("rlnDetectorPixelSize"):
        detector = columns.numbers("rlnDetectorPixelSize")
        if columns.has("rlnMagnification"):  # version 3.0: micrometres on the detector
            return detector * 1e4 / np.maximum(columns.numbers("rlnMagnification"), 1e-6)
        return detector  # template matching writes Å here
    return np.zeros(len(columns))


def _rotations(columns, names, messages):
    if columns.has(*names):
        return matrices_from_relion(*(columns.numbers(name) for name in names))
    if messages is not None and not columns.has(*SUBTOMOGRAM):
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
    return columns.vectors(PIXELS) - shifts, known


def _centered_positions(path, columns, ids, stated, turned, context, messages):
    columns.ignore(*PIXELS)
    centred, offsets = columns.vectors(CENTERED), _offsets(path, columns, np.zeros(len(columns)))
    if context.add_origins:
        centred = centred - np.einsum("nij,nj->ni", turned, offsets)
    elif offsets.any():
        messages.append("rlnOrigin was not subtracted: the centred coordinates of RELION 5 already include it")
    listed = {name: context.tomogram(name) for name in np.unique(ids).tolist()}
    sizes = {name: t.pixel_size for name, t in listed.items() if t is not None and t.pixel_size}
    sizes = {**context.known_pixel_sizes(list(listed), {**stated, **sizes}), **sizes}
    halves = {name: _half_size(path, name, sizes, context) for name in listed}
    half = np.array([halves[name] for name in ids])
    scale = np.array([sizes[name] for name in ids])
    return centred / scale[:, None] + half, sizes


def _half_size(path, name, sizes, context):
    """(3,) x, y, z: half the size of a tomogram, in its pixels, where RELION puts the origin."""
    listed = context.tomogram(name)
    if listed is None or listed.shape is None:
        raise InputError(
            f'{path} counts from the centre of tomogram "{name}", whose size is not known: give the tomograms, with '
            "their files or as RELION's tomograms.star (--tomograms)"
        )
    if name not in sizes:
        raise InputError(f'tomogram "{name}" of {path} has no pixel size: give it (--pixel-size)')
    return np.array(listed.shape[::-1]) / 2.0


def _centered(path, table, sizes, context):
    """(n, 3) Å from the centre of each particle's tomogram."""
    halves = {name: _half_size(path, name, sizes, context) for name in sizes}
    names = table.tomogram_ids
    return (table.positions - [halves[name] for name in names]) * np.array([[sizes[name]] for name in names])
