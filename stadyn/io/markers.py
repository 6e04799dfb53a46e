# SPDX-License-Identifier: GPL-3.0-or-later
"""Points marked in a map: Chimera's marker files (.cmm), or plain text with x, y, z on each line.

Chimera counts in the units of the map: with an MRC of pixel size a and origin zero, as
`stadyn.io.mrc` writes it, the voxel of index i lies at ``i * a`` Å.
"""

import math
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from stadyn.core.errors import InputError

from .aside import read_text, written_aside


def read_cmm(path):
    """(m, 3) float array x, y, z of all markers of a .cmm, in the file's own units and order.

    Raises InputError for malformed XML (with its line), a marker without finite coordinates, or no marker at all.
    """
    text = read_text(path, "marker file")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # Chimera writes none, and entities can be made to fill the memory
        raise InputError(f"{path} declares a document type: save the markers again from Chimera")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InputError(f"{path} is not a marker file ({error}): save the markers again from Chimera") from error
    points = [_marker(path, i, marker) for i, marker in enumerate(root.iter("marker"), 1)]
    if not points:
        raise InputError(f"{path} holds no markers: place some in Chimera and save them again")
    return np.array(points)


def read_points(path):
    """(m, 3) float array of a text file with x, y, z on each line, split by commas, semicolons or blanks.

    A heading ``x y z`` and lines that begin with ``#`` may occur. Raises InputError with the line number.
    """
    points = []
    for number, line in enumerate(read_text(path, "marker file").splitlines(), 1):
        cells = re.sub("[,;]", " ", line).split()
        if not cells or cells[0].startswith("#") or [c.strip("\"'").lower() for c in cells] == ["x", "y", "z"]:
            continue
        try:
            point = [float(cell) for cell in cells]
        except ValueError:
            point = []
        if len(point) != 3 or not all(map(math.isfinite, point)):
            raise InputError(f"{path}, line {number} is not three numbers: write x, y, z")
        points.append(point)
    if not points:
        raise InputError(f"{path} holds no points: write x, y, z on each line")
    return np.array(points)


def read_markers(path, pixel_size, box_px, units="angst"):
    """(m, 3) pixels x, y, z from the box centre, of the markers in a .cmm or a text file.

    Parameters
    ----------
    pixel_size : float, Å, of the map that was marked
    box_px : int, or (z, y, x) shape, of that map; the centre is index n // 2
    units : "angst" or "px", what the file counts in, both from the first voxel; Chimera's .cmm are in Å

    Raises InputError as the readers do, and for a marker outside the map, which tells of wrong units or another map.
    """
    if units not in ("angst", "px"):
        raise ValueError(f'units "{units}" of markers: use "angst" or "px"')
    points = read_cmm(path) if Path(path).suffix.lower() == ".cmm" else read_points(path)
    indices = points / pixel_size if units == "angst" else points
    size = np.broadcast_to(box_px, 3)[::-1]
    outside = np.any((indices < -0.5) | (indices > size - 0.5), axis=1)
    if outside.any():
        first = int(np.argmax(outside))
        place = ", ".join(f"{v:.1f}" for v in indices[first])
        shape = " x ".join(str(int(n)) for n in size)
        raise InputError(
            f"marker {first + 1} of {path} lies at ({place}) px, outside the map of {shape} px: "
            "mark this map, and check the pixel size and units"
        )
    return indices - size // 2


def write_cmm(path, points, radius=1.0, color=(1.0, 0.8, 0.0), name="stadyn"):
    """Write (m, 3) points x, y, z as one marker set, in the units that they are in (Å for a map with a pixel size)."""
    points = np.asarray(points, float).reshape(-1, 3)
    if not np.isfinite(points).all():
        raise ValueError(f"points that are not finite cannot be written to {path}")
    look = 'r="{:g}" g="{:g}" b="{:g}" radius="{:g}"'.format(*color, radius)
    lines = [f"<marker_set name={quoteattr(name)}>"]
    for i, (x, y, z) in enumerate(points.tolist(), 1):
        lines.append(f'<marker id="{i}" x="{x!r}" y="{y!r}" z="{z!r}" {look}/>')
    with written_aside(path) as aside:
        aside.write_text("\n".join([*lines, "</marker_set>", ""]), encoding="utf-8")


def _marker(path, number, marker):
    try:
        point = [float(marker.attrib[axis]) for axis in "xyz"]
    except (KeyError, ValueError):
        point = [math.nan]
    if not all(map(math.isfinite, point)):
        raise InputError(f'marker {number} of {path} has no x, y, z: write <marker id="1" x="10" y="20" z="30"/>')
    return point
