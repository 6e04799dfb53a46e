# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles of a tomogram in space, coloured by score, half or VLP, with the excluded ones in red."""

import numpy as np

from stadyn.core.particles import EVEN, ODD, UNASSIGNED

EXCLUDED = "#D55E00"  # Okabe & Ito's vermilion: the red that the colour-blind still see against blue and green
HALVES = {UNASSIGNED: ("0.6", "no half"), ODD: ("#0072B2", "odd"), EVEN: ("#E69F00", "even")}
CYCLE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
COLORINGS = ("cc", "half", "surface")


def plot_particles(ax, table, excluded=None, color_by="cc", normals_px=0.0, size=12):
    """Draw the particles of one tomogram, from any direction on a 3D axis, or along the beam on a plain one.

    Parameters
    ----------
    ax : matplotlib axis, 3D (``projection="3d"``) or plain
    table : ParticleTable
    excluded : ParticleTable, optional, drawn as red crosses
    color_by : "cc", "half" or "surface"
    normals_px : float, length of a line along each particle's axis; 0 draws none
    size : float, of the markers, points squared

    Returns
    -------
    ax, or the pair of it and the coloured points (for a colour bar) when colours stand for the CC
    """
    if color_by not in COLORINGS:
        raise ValueError(f"particles cannot be coloured by {color_by!r}: choose one of {', '.join(COLORINGS)}")
    solid = hasattr(ax, "get_zlim")
    axes = 3 if solid else 2
    points = None
    for rows, style in _layers(table, color_by):
        points = ax.scatter(*table.positions[rows, :axes].T, s=size, **style)
    if excluded is not None and len(excluded):
        where = excluded.positions[:, :axes].T
        ax.scatter(*where, s=size, color=EXCLUDED, marker="x", linewidths=0.8, label="excluded")
    if normals_px and len(table):
        _draw_normals(ax, table, axes, normals_px)
    ax.set(xlabel="x (px)", ylabel="y (px)")
    if solid:
        ax.set_zlabel("z (px)")
        ax.locator_params(axis="z", nbins=3)
    everything = np.concatenate([table.positions, *([excluded.positions] if excluded is not None else [])])
    _equal_scale(ax, everything, solid)
    if ax.get_legend_handles_labels()[1]:
        ax.legend(framealpha=0.8, fontsize=8, loc="upper right")
    return (ax, points) if color_by == "cc" else ax


def _layers(table, color_by):
    """(rows, scatter style) of each group that shares a colour."""
    if color_by == "cc":
        return [(np.arange(len(table)), {"c": table.cc, "cmap": "viridis", "plotnonfinite": True})]
    if color_by == "half":
        return [
            (table.half == half, {"color": color, "label": label})
            for half, (color, label) in HALVES.items()
            if np.any(table.half == half)
        ]
    surfaces = np.unique(table.surface_ids)
    return [(table.surface_ids == s, {"color": CYCLE[i % len(CYCLE)]}) for i, s in enumerate(surfaces)]


def _draw_normals(ax, table, axes, length):
    ends = table.positions + length * table.normals()
    # One line broken by nans: a thousand artists would be slow to turn.
    path = np.stack([table.positions, ends, np.full_like(ends, np.nan)], axis=1).reshape(-1, 3)
    ax.plot(*path[:, :axes].T, color="0.4", linewidth=0.6)


def _equal_scale(ax, points, solid):
    """The same length for a pixel along every axis, so that a sphere is drawn as one."""
    if not solid:
        ax.set_aspect("equal")
    elif len(points):
        span = np.maximum(np.ptp(points, axis=0), 1.0)
        middle = 0.5 * (points.min(0) + points.max(0))
        for name, center, extent in zip("xyz", middle, span, strict=True):
            getattr(ax, f"set_{name}lim")(center - 0.52 * extent, center + 0.52 * extent)
        ax.set_box_aspect(span)
