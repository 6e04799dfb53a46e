# SPDX-License-Identifier: GPL-3.0-or-later
"""Who stays and why: the CC histogram with its mixture and threshold, and CC against latitude."""

import textwrap

import numpy as np

# Okabe & Ito's colours, which the colour-blind tell apart too (jfly.uni-koeln.de/color); line styles serve grey prints
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION = "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00"
COMPONENTS = ((VERMILION, "--", "lower Gaussian"), (BLUE, "-.", "upper Gaussian"))


def plot_cc_threshold(ax, fit, title=None):
    """Draw a `CCThreshold`: histogram of the scores, each Gaussian, their sum, the valley and the threshold."""
    ax.set(xlabel="CC", ylabel="density of particles", title=title)
    if len(fit.scores) == 0:
        ax.annotate("no scores", (0.5, 0.5), xycoords="axes fraction", ha="center")
        return ax
    counts, edges = np.histogram(fit.scores, bins=_bins(len(fit.scores)), density=True)
    kept = edges[:-1] + 0.5 * np.diff(edges) >= fit.threshold
    for rows, color, label in ((~kept, "0.75", "excluded"), (kept, SKY, "kept")):
        if rows.any():
            ax.bar(edges[:-1][rows], counts[rows], np.diff(edges)[rows], align="edge", color=color, label=label)
    if fit.sds[0] > 0:
        x = np.linspace(edges[0], edges[-1], 500)
        two = len(fit.means) > 1
        ax.plot(x, fit.density(x), "-", color=BLACK, linewidth=1.3, label="mixture" if two else "one Gaussian")
        if two:
            for density, (color, style, label) in zip(fit.component_densities(x), COMPONENTS, strict=True):
                ax.plot(x, density, style, color=color, linewidth=1.8, label=label)
    if fit.two_populations:
        ax.axvline(fit.valley, color="0.5", linestyle=":", linewidth=1.2, label=f"minimum {fit.valley:.4f}")
        ax.axvline(fit.threshold, color=ORANGE, linewidth=2, label=f"threshold {fit.threshold:.4f}")
    else:
        ax.set_ylim(top=1.3 * ax.get_ylim()[1])
        place = {"xy": (0, 1), "xytext": (6, -6), "xycoords": "axes fraction", "textcoords": "offset points"}
        ax.annotate(textwrap.fill(fit.message, 34), va="top", fontsize=8, **place)
    ax.legend(frameon=False, fontsize=8)
    return ax


def plot_latitude(axes, fit, title=None):
    """Draw a `LatitudeFit` on two axes: CC against the angle to the beam with its trend, and with that taken out."""
    before, after = axes
    _scatter(before, fit.theta_deg, fit.cc, fit.kept)
    theta = np.linspace(0, 180, 361)
    before.plot(theta, fit.trend(theta), color=BLACK, linewidth=2, label="fitted trend")
    before.set(title=title or "as scored", ylabel="CC")
    _scatter(after, fit.theta_deg, fit.normalized_cc, fit.kept)
    if np.isfinite(fit.threshold):
        mean = np.nanmean(fit.normalized_cc)
        after.axhline(mean, color="0.5", linestyle=":", linewidth=1.2, label="mean")
        after.axhline(fit.threshold, color=ORANGE, linewidth=2, label=f"threshold {fit.threshold:.4f}")
    after.set(title="normalised for latitude", ylabel="normalised CC")
    for ax in axes:
        ax.set(xlabel="angle of the particle's axis to the beam (degrees)", xlim=(0, 180), xticks=range(0, 181, 30))
        ax.legend(frameon=False, fontsize=8, loc="lower center")
    return axes


def _bins(n):
    """Finer than the usual rules, which are made for one peak."""
    return int(np.clip(2 * np.sqrt(n), 10, 100))


def _scatter(ax, theta_deg, cc, kept):
    """Kept and excluded particles, told apart by colour and by shape."""
    for rows, color, marker, label in ((kept, SKY, "o", "kept"), (~kept, VERMILION, "x", "excluded")):
        if rows.any():
            ax.scatter(theta_deg[rows], cc[rows], s=8, color=color, marker=marker, linewidths=0.8, label=label)
