# SPDX-License-Identifier: GPL-3.0-or-later
"""A slice of a tomogram as it is, protein dark, with the spheres of its VLPs where they cut it."""

import numpy as np
from matplotlib.patheffects import withStroke

from .colors import CYCLE, YELLOW

GREY_PERCENTILES = (1, 99)
ON_NOISE = [withStroke(linewidth=3, foreground="black")]
"""What letters need that stand on a tomogram."""


def plot_tomogram_slice(ax, section, height, dipoles=()):
    """Draw one averaged z slice, and a circle where each VLP's sphere cuts it.

    Parameters
    ----------
    ax : matplotlib Axes
    section : (rows, columns) float array
    height : float, z of the slice, px
    dipoles : Dipoles of this tomogram; the sphere of each lies about its centre and goes through its north point
    """
    low, high = np.percentile(section, GREY_PERCENTILES)
    ax.imshow(section, cmap="gray", origin="lower", vmin=low, vmax=high)
    angle = np.linspace(0, 2 * np.pi, 121)
    for number, dipole in enumerate(dipoles):
        squared = dipole.radius**2 - (height - dipole.center[2]) ** 2
        if squared > 0:
            rim = np.sqrt(squared) * np.stack([np.cos(angle), np.sin(angle)], axis=1) + dipole.center[:2]
            label = f"VLP {dipole.surface_id}"
            ax.plot(*rim.T, color=CYCLE[number % len(CYCLE)], linewidth=2, label=label)
            ax.plot(*dipole.center[:2], "+", color=YELLOW, markersize=10, markeredgewidth=2)
            ax.annotate(str(dipole.surface_id), dipole.center[:2], color=YELLOW, fontsize=13, xytext=(5, 5),
                        textcoords="offset points", path_effects=ON_NOISE)  # fmt: skip
    ax.set(xlim=(0, section.shape[1]), ylim=(0, section.shape[0]), xlabel="x (px)", ylabel="y (px)")
    return ax
