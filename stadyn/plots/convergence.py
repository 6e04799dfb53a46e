# SPDX-License-Identifier: GPL-3.0-or-later
"""How an alignment went: mean CC, and how far particles still turned and moved, in every iteration."""

import numpy as np

from .colors import CYCLE

QUANTITIES = (
    ("mean_cc", "mean CC"),
    ("median_turn_deg", "median turn (degrees)"),
    ("median_shift_angst", "median shift (Å)"),
)
MARKERS = "osD^v<>"


def plot_convergence(axes, records):
    """Draw three axes, one for each of `QUANTITIES`, over the iterations; a line a group, a gap where a round ends.

    Parameters
    ----------
    axes : three matplotlib Axes
    records : list of `stadyn.core.refinement.IterationRecord`
    """
    groups = {}
    for record in records:
        groups.setdefault(record.group, []).append(record)
    for ax, (key, label) in zip(axes, QUANTITIES, strict=True):
        for number, (group, rows) in enumerate(groups.items()):
            style = {"color": CYCLE[number % len(CYCLE)], "marker": MARKERS[number % len(MARKERS)], "markersize": 5}
            for part, (start, stop) in enumerate(_rounds(rows)):
                x = np.arange(start, stop) + 1
                ax.plot(x, [getattr(r, key) for r in rows[start:stop]], label=group if part == 0 else None, **style)
        _mark_rounds(ax, max(groups.values(), key=len, default=[]))
        ax.set(xlabel="iteration", ylabel=label)
        if key != "mean_cc":
            ax.set_ylim(bottom=0)
    if groups:
        axes[0].legend(frameon=False, fontsize=8)
    return axes


def _rounds(rows):
    """(start, stop) of the records of each round."""
    numbers = [r.round for r in rows]
    starts = [i for i, number in enumerate(numbers) if i == 0 or number != numbers[i - 1]]
    return list(zip(starts, [*starts[1:], len(rows)], strict=True))


def _mark_rounds(ax, rows):
    for start, _ in _rounds(rows):
        if start:
            ax.axvline(start + 0.5, color="0.8", linewidth=0.8)
        place = (start + 0.55, 1.0)
        ax.annotate(
            f"round {rows[start].round}", place, xycoords=("data", "axes fraction"), va="bottom", fontsize=8
        )
    ax.set(xlim=(0.5, len(rows) + 0.5), xticks=range(1, len(rows) + 1))
