# SPDX-License-Identifier: GPL-3.0-or-later
"""An average mapped back into a slice of its tomogram: do the particles sit where the table says?"""

import numpy as np
from scipy.ndimage import map_coordinates

from .colors import ORANGE

OUTLINE = 0.4
"""Of the brightest density of the average: where its outline is drawn."""


def copies_in_section(average, table, height, shape, scale=1.0, radius=None):
    """The brightest value of all copies of an average at every pixel of one z section of their tomogram.

    A copy of the particle i has at the point p of the tomogram the value of the average at
    ``rotations[i].T @ (p - positions[i])``, which is what its pose means.

    Parameters
    ----------
    average : (n, n, n) float array [z, y, x], protein bright
    table : ParticleTable of one tomogram
    height : float, z of the section, px of the tomogram
    shape : (rows, columns) of the section
    scale : float, pixels of the average per pixel of the tomogram
    radius : float, px of the tomogram; density farther from the particle is left out, half the box by default

    Returns
    -------
    (rows, columns) float array, 0 where there is no copy
    """
    n = average.shape[0]
    radius = (n // 2 - 1) / scale if radius is None else radius
    section = np.zeros(shape, np.float32)
    near = np.flatnonzero(np.abs(table.positions[:, 2] - height) < radius)
    for row in near:
        position, rotation = table.positions[row], table.rotations[row]
        low = np.maximum(np.ceil(position[:2] - radius).astype(int), 0)
        high = np.minimum(np.floor(position[:2] + radius).astype(int) + 1, shape[::-1])
        if np.any(high <= low):
            continue
        x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
        offsets = np.stack([x, y, np.full(x.shape, height)], -1) - position
        inside = np.linalg.norm(offsets, axis=-1) <= radius
        places = n // 2 + scale * (offsets[inside] @ rotation)  # each row times R is R.T times the column
        window = section[low[1] : high[1], low[0] : high[0]]
        values = map_coordinates(average, places.T[::-1], order=1)
        window[inside] = np.maximum(window[inside], values)
    return section


def plot_mapped_back(axes, section, copies, extent=None):
    """A section of a tomogram, and beside it the same with the outlines of the copies.

    Parameters
    ----------
    axes : two matplotlib Axes
    section : (rows, columns) of the tomogram, protein dark as it is
    copies : (rows, columns) from `copies_in_section`
    extent : (left, right, bottom, top) px of the part that is shown
    """
    whole = (0, section.shape[1], 0, section.shape[0])
    left, right, bottom, top = (int(v) for v in (whole if extent is None else extent))
    shown = section[max(bottom, 0) : top, max(left, 0) : right]
    low, high = np.percentile(shown, (1, 99))
    for ax in axes:
        ax.imshow(section, cmap="gray", origin="lower", vmin=low, vmax=high)
        ax.set(xlim=(left, right), ylim=(bottom, top), xlabel="x (px)", ylabel="y (px)")
    if copies.max() > 0:
        axes[1].contour(copies, levels=[OUTLINE * copies.max()], colors=[ORANGE], linewidths=1.6)
    axes[0].set_title("tomogram, protein dark")
    axes[1].set_title("outlines of the average at its poses")
    return axes
