# SPDX-License-Identifier: GPL-3.0-or-later
"""Directional FSC: the curves of all cones, the axes among them, and how far their resolutions spread."""

import numpy as np
from matplotlib.figure import Figure

from stadyn.core.directional_fsc import AXES

AXIS_STYLES = {"x": ("#0072B2", "--"), "y": ("#009E73", "-."), "z": ("#D55E00", "-")}


def plot_directional_fsc(axes, result):
    """Draw a `DirectionalFSC` on two axes: curves against frequency, and a histogram of the resolutions."""
    curves, spread = axes
    curves.plot(result.frequency, result.curves[len(AXES) :].T, color="0.8", linewidth=0.7, zorder=1)
    curves.plot(result.frequency, result.curves.mean(axis=0), color="#000000", linewidth=1.5, label="mean")
    for index, (name, (color, style)) in enumerate(AXIS_STYLES.items()):
        label = f"along {name}: {result.axis(name):.2f} Å"
        curves.plot(result.frequency, result.curves[index], style, color=color, linewidth=1.5, label=label)
    curves.axhline(result.threshold, color="0.5", linewidth=0.8, linestyle=":")
    curves.set(xlim=(0, result.frequency[-1]), ylim=(-0.1, 1.03), xlabel="spatial frequency (1/Å)")
    curves.set(ylabel=f"masked FSC in cones of ±{result.half_angle_deg:g}°")
    curves.legend(frameon=False, fontsize=8)
    reached = result.resolution_angst[np.isfinite(result.resolution_angst)]
    spread.hist(reached, bins=20, color="#56B4E9")
    spread.set(xlabel=f"resolution at {result.threshold:g} (Å)", ylabel="directions")
    spread.set_title(f"worst over best: {result.anisotropy():.2f}", fontsize=9)
    return axes


def directional_fsc_figure(result):
    """The figure of a `DirectionalFSC`."""
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    plot_directional_fsc(figure.subplots(1, 2, width_ratios=(1.6, 1)), result)
    return figure

