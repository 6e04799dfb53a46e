# SPDX-License-Identifier: GPL-3.0-or-later
"""EMAN2: lists of aligned particles (.lst) with their coordinates, and boxes picked in a tomogram (info .json).

Coordinates count unbinned pixels from the tomogram's middle, size // 2. The matrix of xform.align3d takes the
particle to the reference, ``x_ref = M @ x + t`` from the box centre, and the score is better the lower it is.
"""

import json
import re
from pathlib import Path

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable

from .aside import read_text, written_aside
from .particle_files import ParticleFile, check_some, proper_rotations
from .particle_places import rescaled

HEADER = "#LSX"
NOTE = (
    "# This file is in fast LST format. All lines after the next line have exactly the number of characters shown on "
    "the next line. This MUST be preserved if editing."
)
KEPT = ("cc", "classes", "pixel_sizes")
ALIGNMENT = "xform.align3d"
LARGEST = 1e15
NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"


def read_eman2(path, context):
    """A `ParticleFile` of an .lst whose lines carry "coord", or of the boxes_3d of an info file.

    Raises InputError, with the line, for entries without coordinates or that are not JSON, and for a tomogram
    whose size is not known.
    """
    return _read_boxes(path, context) if Path(path).suffix.lower() == ".json" else _read_lst(path, context)


def write_eman2(path, file, context):
    """Write particles as an .lst with coordinates, alignment, score and class; returns messages on what has no place.

    The stacks that its lines name, particles3d/TOMOGRAM__stadyn.hdf, are for EMAN2 to extract at the coordinates.
    """
    check_some(path, file)
    table = file.particles
    counts, lines = {}, []
    middles = {name: _middle(path, name, context) for name in file.tomogram_ids()}
    for i, name in enumerate(map(str, table.tomogram_ids)):
        counts[name] = counts.get(name, -1) + 1
        matrix = np.concatenate([table.rotations[i].T, np.zeros((3, 1))], axis=1)
        entry = {"coord": (table.positions[i] - middles[name]).tolist()}
        entry[ALIGNMENT] = {"__class__": "Transform", "matrix": str(matrix.ravel().tolist()).replace(" ", "")}
        if np.isfinite(table.cc[i]):
            entry["score"] = -float(table.cc[i])
        if table.classes.any():
            entry["class"] = int(table.classes[i])
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
        lines.append(f"{counts[name]}\tparticles3d/{name}__stadyn.hdf\t{text}")
    width = max(len(line.encode()) for line in lines)
    padded = [line + " " * (width - len(line.encode())) for line in lines]
    with written_aside(path) as aside:
        aside.write_text("\n".join([HEADER, NOTE, f"# {width + 1}", *padded]) + "\n", encoding="utf-8")
    return file.lost("EMAN2", set(KEPT) - {"pixel_sizes"})


def _read_lst(path, context):
    rows, others, unoriented = [], set(), 0
    for number, line in enumerate(read_text(path, "particle list").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = line.split("\t")
        entry = _entry(path, number, cells)
        coordinates = _floats(path, number, "coord", entry.get("coord"), 3)
        matrix = np.eye(3, 4)
        if ALIGNMENT in entry:
            stored = entry[ALIGNMENT]
            stored = stored.get("matrix") if isinstance(stored, dict) else stored
            matrix = np.reshape(_floats(path, number, ALIGNMENT, stored, 12), (3, 4))
        else:
            unoriented += 1
        score = _floats(path, number, "score", [entry.get("score", "nan")], 1, finite=False)[0]
        group = _floats(path, number, "class", [entry.get("class", 0)], 1)[0]
        others |= set(entry) - {"coord", ALIGNMENT, "score", "class"}
        name = Path(cells[1].strip()).stem.split("__")[0]
        rows.append((name, coordinates, matrix, -score, group))
    if not rows:
        raise InputError(f"{path} lists no particles: give an .lst that EMAN2 wrote")
    names = np.array([row[0] for row in rows], str)
    matrices = np.array([row[2] for row in rows])
    rotations = np.swapaxes(proper_rotations(path, matrices[:, :, :3]), 1, 2)
    # The point that the alignment takes to the middle of the reference.
    shifts = -np.einsum("nij,nj->ni", rotations, matrices[:, :, 3])
    messages = [f"{unoriented} particles have no alignment and got the identity"] if unoriented else []
    from_middle = np.array([row[1] for row in rows]) + shifts
    positions, sizes = _placed(path, names, from_middle, 0.0, context, messages)
    scores, classes = (np.array([row[i] for row in rows]) for i in (3, 4))
    table = ParticleTable(positions, rotations, names, cc=scores, classes=classes)
    if others:
        messages.append(f"entries with no place in stadyn were left behind: {', '.join(sorted(others))}")
    if not context.pixel_size and any(name in sizes for name in names):
        messages.append(
            "coordinates were taken to count pixels of the tomograms; EMAN2 counts unbinned ones: say their size if it "
            "is another (--pixel-size)"
        )
    return ParticleFile(table, sizes, {}, tuple(messages))


def _read_boxes(path, context):
    text = read_text(path, "info file")
    try:
        info = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({error}): give an info file of EMAN2") from error
    boxes = info.get("boxes_3d") if isinstance(info, dict) else None
    if not isinstance(boxes, list) or not boxes:
        raise InputError(f"{path} has no boxes_3d: pick particles in EMAN2, or give another info file")
    rows = []
    for i, box in enumerate(boxes, 1):
        if not isinstance(box, list) or len(box) < 3:
            raise InputError(f"{path}, box {i} is not x, y, z: pick it again in EMAN2")
        score = box[4] if len(box) > 4 else "nan"
        rows.append([*_floats(path, i, "box", box[:3], 3), *_floats(path, i, "score", [score], 1, finite=False)])
        rows[-1] += _floats(path, i, "class", [box[5] if len(box) > 5 else 0], 1).tolist()
    values = np.array(rows)
    name = re.sub("_info$", "", Path(path).stem)
    if context.tomogram(name) is None and len(context.tomograms) == 1:
        name = context.tomograms[0].id
    stated = _floats(path, 0, "apix_unbin", [info.get("apix_unbin", 0)], 1)[0]
    names, messages = np.full(len(values), name), ["the boxes have no orientation: all particles got the identity"]
    if "apix_unbin" in info:
        positions, sizes = _placed(path, names, values[:, :3], stated, context, messages)
    else:  # EMAN2 counted from the corner, in pixels of the tomogram that it showed
        positions, sizes = values[:, :3], context.known_pixel_sizes([name], {})
    rotations = np.broadcast_to(np.eye(3), (len(values), 3, 3))
    table = ParticleTable(positions, rotations, names, cc=values[:, 3], classes=values[:, 4])
    return ParticleFile(table, sizes, {}, tuple(messages))


def _entry(path, number, cells):
    try:
        entry = json.loads(cells[2]) if len(cells) > 2 else None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}, line {number} is not JSON ({error}): write the list again with EMAN2") from error
    if not isinstance(entry, dict) or "coord" not in entry:
        raise InputError(
            f'{path}, line {number} has no "coord": give EMAN2\'s particle_info_3d.lst, or one that stadyn wrote'
        )
    return entry


def _floats(path, number, name, values, count, finite=True):
    """`count` numbers of a list, or of text that lists them."""
    if isinstance(values, str):
        values = re.findall(NUMBER, values)
    try:
        found = np.array(values, float)
    except (TypeError, ValueError, OverflowError):
        found = np.empty(0)
    wrong = found.shape != (count,) or (np.abs(np.nan_to_num(found)) > LARGEST).any()
    if wrong or (finite and not np.isfinite(found).all()):
        raise InputError(f"{path}, line {number} has a {name} that is not {count} numbers: correct it")
    return found


def _placed(path, names, coordinates, stated, context, messages):
    """((n, 3) positions in pixels of the tomograms, dict id -> their Å) of coordinates from the middle.

    Parameters
    ----------
    stated : float, Å of the pixels of the unbinned images, which the coordinates count; 0 where the file is silent,
        then the option, else the tomograms' own
    """
    positions, sizes, changes = np.array(coordinates, float), {}, {}
    for name in np.unique(names).tolist():
        rows, middle = names == name, _middle(path, name, context)
        listed, counted = context.tomogram(name).pixel_size, stated or context.pixel_size
        if listed:
            context.known_pixel_sizes([name], {name: counted})
        own = listed or context.pixel_size  # the option, where only the tomogram is silent
        if counted and not own:
            raise InputError(f'tomogram "{name[:80]}" of {path} has no pixel size: give it (--pixel-size)')
        if own:
            sizes[name] = own
        if counted and abs(counted / own - 1) > 1e-4:
            positions[rows] *= counted / own
            changes[name] = (counted, own)
        positions[rows] += middle
    messages += rescaled(changes)
    return positions, sizes


def _middle(path, name, context):
    """(3,) x, y, z of the voxel that EMAN2 counts from."""
    listed = context.tomogram(name)
    if listed is None or listed.shape is None:
        raise InputError(
            f'{path} counts from the middle of tomogram "{name[:80]}", whose size is not known{context.known()}: '
            "give the tomograms (--tomograms)"
        )
    return np.array(listed.shape[::-1], float) // 2.0
