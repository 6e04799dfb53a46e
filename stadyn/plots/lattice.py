# SPDX-License-Identifier: GPL-3.0-or-later
"""How particles fit their lattice: distributions of each measure in every tomogram, and the order score of each VLP."""

import numpy as np
from matplotlib.figure import Figure

from .colors import CYCLE, EXCLUDED

MEASURES = (
    ("neighbours", "neighbours (6 expected)", np.arange(-0.5, 9)),
    ("spacing", "mean distance to neighbours (spacings)", np.linspace(0.7, 1.3, 41)),
    ("tilt_deg", "angle to the expected normal (degrees)", np.linspace(0, 20, 41)),
    ("turn_deg", "in-plane disagreement (degrees)", np.linspace(0, 30, 41)),
    ("order", "order score", np.linspace(0, 1, 41)),
)
"""Field of a LatticeQuality, what its axis is called, and the edges of its bins."""


def plot_measure(ax, quality, measure):
    """Draw the distribution of one of `MEASURES` in each tomogram; fractions of its particles.

    Parameters
    ----------
    ax : matplotlib Axes
    quality : LatticeQuality
    measure : str, name of the field
    """
    _, label, edges = next(entry for entry in MEASURES if entry[0] == measure)
    for number, (name, spacing) in enumerate(quality.lattice_spacing.items()):
        rows = quality.tomogram_ids == name
        values = getattr(quality, measure)[rows] / (spacing if measure == "spacing" else 1)
        values = np.clip(values[np.isfinite(values)], edges[0], edges[-1])
        share = np.full(len(values), 1 / max(rows.sum(), 1))
        ax.hist(values, edges, weights=share, histtype="step", color=CYCLE[number % len(CYCLE)], label=name)
    ax.set(xlabel=label, ylabel="fraction of particles")
    return ax


def plot_surfaces(ax, quality, least=0.1):
    """Draw, for each VLP, how many of its particles reach the order score `least`, and how many do not."""
    keys = sorted(set(zip(quality.tomogram_ids.tolist(), quality.surface_ids.tolist(), strict=True)))
    kept, out = [], []
    for name, number in keys:
        rows = (quality.tomogram_ids == name) & (quality.surface_ids == number)
        kept.append(int(np.sum(quality.order[rows] >= least)))
        out.append(int(np.sum(quality.order[rows] < least)))
    ax.bar(range(len(keys)), kept, color=CYCLE[0], label=f"order {least:g} and more")
    ax.bar(range(len(keys)), out, bottom=kept, color=EXCLUDED, label="less")
    ax.set_xticks(range(len(keys)), [f"{name} {number}" for name, number in keys], rotation=60, ha="right", fontsize=7)
    ax.set(ylabel="particles of each VLP", ylim=(0, 1.25 * max(np.add(kept, out), default=1)))  # room for the legend
    ax.legend(frameon=False, fontsize=8)
    return ax


def lattice_quality_figure(quality):
    """All measures of a `LatticeQuality`, tomogram by tomogram, and its VLPs."""
    figure = Figure(figsize=(13, 7), layout="constrained")
    axes = figure.subplots(2, 3).ravel()
    for ax, (measure, _, _) in zip(axes, MEASURES, strict=False):
        plot_measure(ax, quality, measure)
    axes[0].legend(frameon=False, fontsize=8)
    plot_surfaces(axes[-1], quality)
    return figure
