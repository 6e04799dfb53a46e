# SPDX-License-Identifier: GPL-3.0-or-later
"""What the particles of an alignment were compared with: slices of the reference of one iteration, and the FSC of all.

The FSC is that of the averages of every other particle, which were all aligned to the same reference: it is better
than that of two halves that share nothing, and tells whether the alignment still gains, not the resolution.
"""

import numpy as np
from matplotlib import colormaps

from stadyn.core.fsc import GOLD_STANDARD_THRESHOLD

from .colors import BLACK, BLUE, SEQUENTIAL, VERMILION
from .fsc import resolution_axis
from .maps import PLANES, plot_plane

BRIGHTEST = 0.85
"""Of the colour map: its yellow end is hard to see on white."""


def plot_iteration(figure, references, shown=-1):
    """Fill a figure: three slices above, the FSC curves and the resolution of each iteration below.

    Parameters
    ----------
    figure : matplotlib Figure or SubFigure
    references : list of `stadyn.core.refinement.IterationReference` of one group, in their order
    shown : int, which of them
    """
    above, below = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    number = shown % len(references) + 1
    chosen = references[number - 1]
    place = f"the newest of {number}" if number == len(references) else f"{number} of {len(references)}"
    above.suptitle(f"{chosen.group}: reference of {_name(chosen)} ({place}), protein bright (inverted)")
    for ax, plane, image in zip(above.subplots(1, 3), PLANES, chosen.planes, strict=True):
        plot_plane(ax, -image, chosen.pixel_size, plane)
    curves, resolutions = below.subplots(1, 2)
    plot_iteration_curves(curves, references[:number])
    plot_iteration_resolutions(resolutions, references, number)
    return figure


def plot_iteration_curves(ax, references):
    """The FSC of every reference that has one, dark to bright in their order, the last one black."""
    known = [r for r in references if np.isfinite(r.curve).any()]
    colors = colormaps[SEQUENTIAL](np.linspace(0, BRIGHTEST, max(len(known), 2)))
    for order, reference in enumerate(known):
        last = reference is references[-1]
        frequency = np.arange(len(reference.curve)) / (reference.planes.shape[-1] * reference.pixel_size)
        style = {"color": BLACK, "linewidth": 2.2} if last else {"color": colors[order], "linewidth": 1.1}
        ax.plot(frequency, reference.curve, label=_name(reference) if last or order == 0 else None, **style)
    n, pixel_size = references[-1].planes.shape[-1], references[-1].pixel_size
    ax.axhline(GOLD_STANDARD_THRESHOLD, color="0.6", linewidth=0.8)
    last_shell = max([4, *(np.flatnonzero(np.isfinite(r.curve))[-1] + 1 for r in known)])
    end = min(last_shell, n // 2) / (n * pixel_size)
    ax.set(xlim=(0, end), ylim=(-0.1, 1.03), xlabel="spatial frequency (1/Å)")
    ax.set_ylabel("FSC of every other particle")
    resolution_axis(ax)
    if known:
        ax.legend(frameon=False, fontsize=8)
    if references[-1] not in known:
        ax.annotate(
            "this reference was given: it has no FSC", (0.5, 0.9), xycoords="axes fraction", ha="center", fontsize=9
        )
    return ax


def plot_iteration_resolutions(ax, references, number):
    """Where each of these curves falls under 0.143, Å, finer upwards; the `number`-th reference is marked."""
    places = np.arange(len(references)) + 1
    values = np.array([r.resolution_angst for r in references])
    ax.plot(places, values, "o-", color=BLUE, markersize=5)
    ax.axvline(number, color=VERMILION, linewidth=1.2, linestyle="--", label=f"shown: {_name(references[number - 1])}")
    ax.set(xlabel="iteration", ylabel=f"FSC {GOLD_STANDARD_THRESHOLD:g}, at most the low-pass (Å)")
    ax.set(xlim=(0.5, len(references) + 0.5))
    ax.locator_params(axis="x", integer=True)
    ax.invert_yaxis()
    ax.legend(frameon=False, fontsize=8)
    return ax


def _name(reference):
    return f"round {reference.round} iteration {reference.iteration}"
