# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles to look at in ChimeraX: linked markers (.cmm), arrows (.bild), or a script that opens the arrows (.cxc).

Lengths are Å: with an MRC of pixel size a and origin zero, voxel i lies at ``i * a``.
"""

from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from stadyn.core.errors import InputError

from .aside import written_aside
from .particle_files import check_some

ARROW_PX = 12.0
"""Length of an arrow along the particle's z axis; a quarter of it along x, which shows the in-plane angle."""
KEPT = ("pixel_sizes",)
Z_COLOR, X_COLOR = (0.2, 0.5, 1.0), (1.0, 0.6, 0.1)


def write_chimerax(path, file, context):
    """Write positions and orientations of the particles of one tomogram; returns messages on what has no place."""
    check_some(path, file)
    path, names = Path(path), file.tomogram_ids()
    if len(names) > 1:
        raise InputError(f"ChimeraX shows one tomogram at a time, not the {len(names)} for {path}: name a folder")
    size = context.known_pixel_sizes(names, file.pixel_sizes).get(names[0])
    if size is None:
        raise InputError(f"ChimeraX counts in Å and {names[0]} has no pixel size for {path}: give it (--pixel-size)")
    starts = file.particles.positions * size
    tips = starts + file.particles.normals() * ARROW_PX * size
    sides = starts + file.particles.rotations[:, :, 0] * ARROW_PX / 4 * size
    if path.suffix.lower() == ".cmm":
        _write(path, _markers(names[0], starts, tips, size))
    else:
        arrows = path.with_suffix(".bild")
        _write(arrows, _arrows(starts, tips, sides, size))
        if path.suffix.lower() == ".cxc":
            _write(path, [f"open {quoteattr(arrows.name)}", "view"])
    return file.lost("ChimeraX", KEPT)


def _write(path, lines):
    with written_aside(path) as aside:
        aside.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _markers(name, starts, tips, size):
    """A marker at each particle, linked to one at the tip of its z axis."""
    lines = [f"<marker_set name={quoteattr(name)}>"]
    colors = [" ".join(f'{c}="{v}"' for c, v in zip("rgb", color, strict=True)) for color in (X_COLOR, Z_COLOR)]
    for i, (start, tip) in enumerate(zip(starts, tips, strict=True)):
        for j, (point, color, radius) in enumerate(((start, colors[0], 3.0), (tip, colors[1], 1.0))):
            xyz = " ".join(f'{axis}="{v:.4f}"' for axis, v in zip("xyz", point, strict=True))
            lines.append(f'<marker id="{2 * i + j + 1}" {xyz} {color} radius="{radius * size:.3f}"/>')
    for i in range(len(starts)):
        lines.append(f'<link id1="{2 * i + 1}" id2="{2 * i + 2}" {colors[1]} radius="{size:.3f}"/>')
    return [*lines, "</marker_set>"]


def _arrows(starts, tips, sides, size):
    lines = []
    for ends, color in ((tips, Z_COLOR), (sides, X_COLOR)):
        lines.append(".color " + " ".join(map(str, color)))
        for start, end in zip(starts, ends, strict=True):
            points = " ".join(f"{v:.4f}" for v in np.concatenate([start, end]))
            lines.append(f".arrow {points} {size:.3f} {2 * size:.3f} 0.75")
    return lines
