# SPDX-License-Identifier: GPL-3.0-or-later
"""FSC curves against spatial frequency, with their thresholds and a resolution axis in Å on top."""

import numpy as np

from stadyn.core.fsc import CONSERVATIVE_THRESHOLD, GOLD_STANDARD_THRESHOLD

from .colors import BLACK, BLUE, GREEN, VERMILION

# Line styles serve grey prints.
CURVES = {
    "corrected": (BLACK, "-", 2.0),
    "unmasked": (BLUE, "--", 1.2),
    "masked": (GREEN, "-.", 1.2),
    "randomised": (VERMILION, ":", 1.5),
}
LABELS = {"corrected": "corrected", "unmasked": "unmasked", "masked": "masked", "randomised": "phase-randomised"}


def plot_fsc(ax, curve):
    """Draw an `FSCCurve`: every curve that exists, both thresholds, and where the corrected curve meets them."""
    masked = np.isfinite(curve.masked).any()
    for name, (color, style, width) in CURVES.items():
        values = getattr(curve, name)
        if np.isfinite(values).any() and (masked or name == "unmasked"):
            ax.plot(curve.frequency, values, style, color=color, linewidth=width, label=LABELS[name])
    for threshold, resolution in (
        (GOLD_STANDARD_THRESHOLD, curve.resolution_0143_angst),
        (CONSERVATIVE_THRESHOLD, curve.resolution_05_angst),
    ):
        ax.axhline(threshold, color="0.6", linewidth=0.8)
        if np.isfinite(resolution):
            ax.plot(1 / resolution, threshold, "o", color="black", markersize=4, clip_on=False)
        ax.annotate(
            f"FSC {threshold:g}: {_angst(resolution, curve)}", (0.0, threshold), xycoords=("axes fraction", "data"),
            va="bottom", xytext=(6, 2), textcoords="offset points", fontsize=9,
        )  # fmt: skip
    ax.axhline(0, color="0.85", linewidth=0.8, zorder=0)
    if np.isfinite(curve.randomised_from_angst):
        ax.axvline(1 / curve.randomised_from_angst, color=VERMILION, linewidth=0.8, linestyle=":", alpha=0.7)
    ax.set(xlim=(0, curve.frequency[-1]), ylim=(-0.1, 1.03), xlabel="spatial frequency (1/Å)")
    ax.set_ylabel("Fourier shell correlation")
    resolution_axis(ax)
    # Between the start of the curves, at 1, and the thresholds: where they fall is where one looks.
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(0.0, 0.68))
    return ax


def resolution_axis(ax):
    """Å on top of an axis over spatial frequency (1/Å), at round values that lie apart."""
    nyquist = 1 / ax.get_xlim()[1]
    candidates = [60, 40, 30, 20, 15, 12, 10, 8, 7, 6, 5, 4.5, 4, 3.5, 3, 2.5, 2, 1.5]
    ticks, last = [], -1.0
    for angst in (value for value in candidates if value >= nyquist):
        place = nyquist / angst
        if place - last > 0.07:
            ticks.append(angst)
            last = place
    top = ax.secondary_xaxis("top", functions=(lambda f: f, lambda f: f))  # the ticks carry the Å: 1/0 has no place
    top.set_xticks([1 / angst for angst in ticks], [f"{angst:g}" for angst in ticks], fontsize=8)
    top.set_xlabel("resolution (Å)")


def _angst(resolution, curve):
    if not np.isfinite(resolution):
        return "not reached"
    at_nyquist = resolution * curve.frequency[-1] <= 1 + 1e-9  # no shell falls under the threshold
    return f"{resolution:.2f} Å" + (" (Nyquist)" if at_nyquist else "")
