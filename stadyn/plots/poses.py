# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way particles point, how they lie to their neighbours, and what an alignment changed about them."""

import numpy as np
from matplotlib.colors import LogNorm
from scipy.spatial import cKDTree

from stadyn.core.rotations import axis_errors_deg, inplane_errors_deg

from .colors import BLUE, ORANGE, SEQUENTIAL, VERMILION

BINS = 40


def plot_orientations(ax, table):
    """Where the axes of the particles point: azimuth about the beam against cos of the angle to it, an equal-area map.

    Returns
    -------
    matplotlib QuadMesh, for a colour bar
    """
    x, y, z = table.normals().T
    rows = int(np.clip(np.sqrt(len(table) / 8), 6, 18))  # about four particles a cell
    counts, *edges = np.histogram2d(
        np.degrees(np.arctan2(y, x)), z, bins=(2 * rows, rows), range=((-180, 180), (-1, 1))
    )
    drawn = ax.pcolormesh(*edges, np.ma.masked_equal(counts.T, 0), cmap=SEQUENTIAL)
    ax.set(xlabel="azimuth of the axis (degrees)", ylabel="angle to the beam (degrees)", xticks=range(-180, 181, 60))
    angles = np.arange(0, 181, 30)
    ax.set_yticks(np.cos(np.radians(angles)), angles)
    ax.set_title(f"{len(table)} particles")
    return drawn


def plot_changes(axes, before, after, pixel_size):
    """Shift (Å), turn of the axis and turn about the axis (degrees) between two tables, matched by their ids.

    Parameters
    ----------
    axes : three matplotlib Axes
    before, after : ParticleTable
    pixel_size : float, Å
    """
    _, rows, others = np.intersect1d(before.ids, after.ids, return_indices=True)
    before, after = before.select(rows), after.select(others)
    values = (
        (np.linalg.norm(after.positions - before.positions, axis=1) * pixel_size, "shift (Å)"),
        (axis_errors_deg(after.rotations, before.rotations), "turn of the axis (degrees)"),
        (inplane_errors_deg(after.rotations, before.rotations), "turn about the axis (degrees)"),
    )
    for ax, (numbers, label) in zip(axes, values, strict=True):
        ax.hist(numbers, bins=BINS, color=BLUE)
        median = np.median(np.abs(numbers)) if len(numbers) else np.nan
        word = "median size" if np.any(numbers < 0) else "median"
        ax.axvline(median, color=ORANGE, linewidth=2, label=f"{word} {median:.2f}")
        ax.set(xlabel=label, ylabel="particles")
        ax.legend(frameon=False, fontsize=8)
    return axes


def plot_neighbours(axes, table, pixel_size, radius_angst):
    """Where the neighbours of each particle lie in its own frame, from above and from the side: a lattice shows spots.

    Parameters
    ----------
    axes : two matplotlib Axes
    table : ParticleTable
    pixel_size : float, Å
    radius_angst : float, how far a neighbour may be
    """
    vectors = neighbour_vectors(table, radius_angst / pixel_size) * pixel_size
    limits = ((-radius_angst, radius_angst),) * 2
    for ax, (i, j) in zip(axes, ((0, 1), (0, 2)), strict=True):
        if len(vectors):
            ax.hist2d(vectors[:, i], vectors[:, j], bins=80, range=limits, cmap=SEQUENTIAL, norm=LogNorm(vmin=1))
        ax.plot(0, 0, "+", color=VERMILION, markersize=10)
        ax.set(xlabel=f"{'xyz'[i]} (Å)", ylabel=f"{'xyz'[j]} (Å)", aspect="equal", xlim=limits[0], ylim=limits[1])
    per_particle = len(vectors) / max(len(table), 1)
    axes[0].set_title(f"{per_particle:.1f} neighbours within {radius_angst:g} Å")
    axes[1].set_title("seen from the side")
    return axes


def neighbour_vectors(table, radius_px):
    """(m, 3) positions of all neighbours within `radius_px`, each in the reference frame of the particle it is near."""
    vectors = [np.empty((0, 3))]
    for name in np.unique(table.tomogram_ids):
        part = table.select(table.tomogram_ids == name)
        pairs = cKDTree(part.positions).query_pairs(radius_px, output_type="ndarray")
        first, second = np.concatenate([pairs, pairs[:, ::-1]]).T
        between = part.positions[second] - part.positions[first]
        vectors.append(np.einsum("nji,nj->ni", part.rotations[first], between))
    return np.concatenate(vectors)
