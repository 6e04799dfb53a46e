# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles of a tomogram in space, coloured by score, half, class or VLP, with the excluded ones in red."""

import numpy as np
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from stadyn.core.particles import EVEN, ODD, UNASSIGNED

from .colors import BLUE, CYCLE, EXCLUDED, ORANGE, SEQUENTIAL, SKY

HALVES = {UNASSIGNED: ("0.6", "no half"), ODD: (BLUE, "odd"), EVEN: (ORANGE, "even")}
COLORINGS = ("cc", "half", "surface", "latitude", "order", "marker", "class")
COLORBAR_LABELS = {"cc": "CC", "latitude": "angle to the beam (degrees)", "order": "order score"}
"""Colourings whose colours stand for values, and what a colour bar calls these."""
CLASS_MARKERS = "o^sDv"
DISC_CORNERS = 12
MOST_DISCS = 1000
"""Of one tomogram: more of them hide each other, and take seconds to turn."""


def plot_particles(ax, table, excluded=None, color_by="cc", normals_px=0.0, size=12, discs_px=0.0, order=None):
    """Draw the particles of one tomogram, from any direction on a 3D axis, or along the beam on a plain one.

    Parameters
    ----------
    ax : matplotlib axis, 3D (``projection="3d"``) or plain
    table : ParticleTable
    excluded : ParticleTable, optional, drawn as red crosses
    color_by : "cc", "half", "surface" (the VLP), "latitude", "order", "marker" (that it was subboxed at),
        or "class", with its count in the legend and the same colour in every tomogram
    normals_px : float, length of a line along each particle's axis; 0 draws none
    size : float, of the markers, points squared
    discs_px : float, radius of a disc across each particle's axis, on a 3D axis; 0 draws none, and of more than
        `MOST_DISCS` particles only some have one: the legend says how many
    order : (n,) float array, the order scores that "order" asks for

    Returns
    -------
    ax, or the pair of it and the coloured points (for a colour bar) when colours stand for values
    """
    if color_by not in COLORINGS:
        raise ValueError(f"particles cannot be coloured by {color_by!r}: choose one of {', '.join(COLORINGS)}")
    solid = hasattr(ax, "get_zlim")
    axes = 3 if solid else 2
    flat = {"depthshade": False} if solid else {}  # fading with depth changes what a colour stands for
    points = None
    for rows, style in _layers(table, color_by, order):
        points = ax.scatter(*table.positions[rows, :axes].T, s=size, linewidths=0, **style, **flat)
    if excluded is not None and len(excluded):
        where = excluded.positions[:, :axes].T
        ax.scatter(*where, s=size, color=EXCLUDED, marker="x", linewidths=0.8, label="excluded", **flat)
    if normals_px and len(table):
        _draw_normals(ax, table, axes, normals_px)
    if discs_px and solid and len(table):
        _draw_discs(ax, table, discs_px)
    ax.set(xlabel="x (px)", ylabel="y (px)")
    if solid:
        ax.set_zlabel("z (px)")
        ax.locator_params(axis="z", nbins=3)
    everything = np.concatenate([table.positions, *([excluded.positions] if excluded is not None else [])])
    _equal_scale(ax, everything, solid)
    if ax.get_legend_handles_labels()[1]:
        ax.legend(framealpha=0.8, fontsize=8, loc="upper right")
    return (ax, points) if color_by in COLORBAR_LABELS else ax


def _layers(table, color_by, order):
    """(rows, scatter style) of each group that shares a colour."""
    if color_by in COLORBAR_LABELS:
        values = {
            "cc": lambda: table.cc,
            "latitude": lambda: np.degrees(np.arccos(np.clip(table.normals()[:, 2], -1, 1))),
            "order": lambda: order,
        }[color_by]()
        return [(np.arange(len(table)), {"c": values, "cmap": SEQUENTIAL, "plotnonfinite": True})]
    if color_by == "half":
        return [
            (table.half == half, {"color": color, "label": label})
            for half, (color, label) in HALVES.items()
            if np.any(table.half == half)
        ]
    if color_by == "class":
        return [_class_layer(table.classes, number) for number in np.unique(table.classes)]
    numbers, word = (table.marker, "marker") if color_by == "marker" else (table.surface_ids, "VLP")
    return [
        (numbers == number, {"color": CYCLE[i % len(CYCLE)], "label": f"{word} {number}"})
        for i, number in enumerate(np.unique(numbers))
    ]


def _class_layer(classes, number):
    """Rows and style of one class; beyond as many as there are colours, their symbols tell classes apart."""
    rows = classes == number
    name = f"class {number}" if number else "no class"
    turn, i = divmod(int(number) - 1, len(CYCLE))
    style = {"color": CYCLE[i], "marker": CLASS_MARKERS[turn % len(CLASS_MARKERS)]} if number else {"color": "0.6"}
    return rows, {**style, "label": f"{name}: {np.sum(rows)}"}


def _draw_discs(ax, table, radius):
    """The face of each box: a disc across the particle's axis."""
    every = -(-len(table) // MOST_DISCS)
    table = table.select(slice(None, None, every))
    angles = 2 * np.pi * np.arange(DISC_CORNERS) / DISC_CORNERS
    rim = radius * np.stack([np.cos(angles), np.sin(angles), np.zeros(DISC_CORNERS)])
    corners = table.positions[:, None] + np.swapaxes(table.rotations @ rim, 1, 2)
    discs = Poly3DCollection(corners, facecolors=SKY, edgecolors="0.3", linewidths=0.3, alpha=0.25)
    ax.add_collection3d(discs)
    if every > 1:
        discs.set_label(f"discs: one in {every} particles")


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
