# SPDX-License-Identifier: GPL-3.0-or-later
"""Guinier plot: ln of the mean amplitude against 1/d², and the line that gives the B-factor."""

import numpy as np

from .colors import BLACK, BLUE, VERMILION


def plot_guinier(ax, fit):
    """Draw a `GuinierFit`: amplitudes as measured and FSC-weighted, the fitted points and their line."""
    x = fit.inverse_square
    ax.plot(x, fit.ln_amplitude, "--", color=BLUE, linewidth=1.2, label="measured")
    ax.plot(x, fit.ln_weighted, "-", color=BLACK, linewidth=1.2, label="FSC-weighted")
    ax.plot(x[fit.fitted], fit.ln_weighted[fit.fitted], "o", color=BLACK, markersize=3)
    ends = np.array([x[fit.fitted].min(), x[fit.fitted].max()])
    label = f"B = {fit.b_factor:.0f} Å², r = {fit.r:.3f}\n{fit.coarse_angst:.1f} to {fit.fine_angst:.1f} Å"
    ax.plot(ends, fit.intercept + fit.b_factor / 4 * ends, "-", color=VERMILION, linewidth=2, label=label)
    ax.set(xlabel="1/d² (1/Å²)", ylabel="ln(mean amplitude)", xlim=(0, x[-1]))
    ax.legend(frameon=False, fontsize=8)
    return ax
