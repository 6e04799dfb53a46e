# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene for ChimeraX: a part of a tomogram, an average, and a copy of it at the pose of each particle.

Plain commands (www.rbvi.ucsf.edu/chimerax/docs/user/commands): ``open``, ``volume``, ``view matrix models``. Lengths
are Å from the centre of the first voxel of the part of the tomogram.
"""

from pathlib import Path

import numpy as np

from stadyn.core.resample import resize_box

from .aside import written_aside
from .mrc import open_volume, write_volume

SCRIPT, TOMOGRAM, AVERAGE = "scene.cxc", "tomogram.mrc", "average.mrc"
COPY_RADIUS_ANGST = 50.0
"""One unit cell and its rim; the box of the whole average would draw every cell many times."""
LEVEL = 0.4
"""Of the brightest density of the average: its surface."""
MAX_COPIES = 400


def write_scene(folder, tomogram, table, average, pixel_size, margin_angst, radius_angst=COPY_RADIUS_ANGST):
    """Write scene.cxc, tomogram.mrc and average.mrc, both with protein bright; returns the path of the script.

    Parameters
    ----------
    folder : existing folder
    tomogram : Tomogram, protein dark in its file
    table : ParticleTable of particles in it; of more than `MAX_COPIES` the first are placed
    average : (n, n, n) float array, protein bright
    pixel_size : float, Å of the average
    margin_angst : float, of tomogram about the particles
    radius_angst : float, how much of the average a copy shows
    """
    folder, table = Path(folder), table.select(slice(MAX_COPIES))
    corner, part = _part(tomogram, table.positions, margin_angst / tomogram.pixel_size)
    write_volume(folder / TOMOGRAM, -part, tomogram.pixel_size, label="stadyn part of a tomogram, protein bright")
    box = min(average.shape[0], 2 * int(np.ceil(radius_angst / pixel_size)))
    small = resize_box(average, box)
    write_volume(folder / AVERAGE, small, pixel_size, label="stadyn average to be placed, protein bright")
    shifts = (table.positions - corner) * tomogram.pixel_size
    lines = _commands(box // 2, LEVEL * float(small.max()), table.rotations, shifts)
    with written_aside(folder / SCRIPT) as aside:
        aside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / SCRIPT


def _part(tomogram, positions, margin_px):
    """((3,) first voxel x, y, z, and the [z, y, x] array) of the tomogram about some positions."""
    volume = open_volume(tomogram.path)
    size = np.array(volume.shape[::-1])
    low = np.clip(np.floor(positions.min(0) - margin_px).astype(int), 0, size - 1)
    high = np.clip(np.ceil(positions.max(0) + margin_px).astype(int) + 1, low + 1, size)
    (x0, y0, z0), (x1, y1, z1) = low, high
    return low, np.asarray(volume[z0:z1, y0:y1, x0:x1], np.float32)


def _commands(centre, level, rotations, shifts):
    yield f"open {TOMOGRAM} id 1"
    yield "volume #1 step 1 style surface sdLevel 2.5"
    yield "color #1 darkgray"
    yield "transparency #1 60"
    for number, (rotation, shift) in enumerate(zip(rotations, shifts, strict=True), 1):
        model = f"#2.{number}"
        rows = np.column_stack([rotation, shift]).ravel()
        yield f"open {AVERAGE} id 2.{number}"
        # The map's own origin goes to its centre voxel, about which the pose turns it.
        yield f"volume {model} originIndex {centre},{centre},{centre} step 1 style surface level {level:.6g}"
        yield f"view matrix models {model}," + ",".join(f"{value:.6f}" for value in rows)
    yield "color #2 orange"
    yield "view"
