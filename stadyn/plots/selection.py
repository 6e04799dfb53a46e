# SPDX-License-Identifier: GPL-3.0-or-later
"""Who stays and why: the CC histogram with its mixture and threshold, and CC against latitude."""

import textwrap

import numpy as np

from .colors import BLACK, BLUE, ORANGE, SKY, VERMILION

COMPONENTS = ((VERMILION, "--", "lower Gaussian"), (BLUE, "-.", "upper Gaussian"))


def plot_cc_threshold(ax, fit, title=None, threshold=None):
    """Draw a `CCThreshold`: particles per bin of CC, each Gaussian, their sum, the valley and the threshold.

    Parameters
    ----------
    ax : matplotlib Axes
    fit : CCThreshold
    title : str, such as the tomogram's name
    threshold : float, drawn and counted with in place of the fitted one
    """
    ax.set(xlabel="CC", ylabel="particles per bin", title=title)
    if len(fit.scores) == 0:
        ax.annotate("no scores", (0.5, 0.5), xycoords="axes fraction", ha="center")
        return ax
    cut = fit.threshold if threshold is None else threshold
    edges = np.histogram_bin_edges(fit.scores, bins=_bins(len(fit.scores)))
    _stacked_histogram(ax, edges, fit.scores, fit.scores >= cut)
    if fit.sds[0] > 0:
        x, scale = np.linspace(edges[0], edges[-1], 500), len(fit.scores) * (edges[1] - edges[0])
        two = len(fit.means) > 1
        ax.plot(x, scale * fit.density(x), "-", color=BLACK, linewidth=1.3, label="mixture" if two else "one Gaussian")
        if two:
            for density, (color, style, label) in zip(fit.component_densities(x), COMPONENTS, strict=True):
                ax.plot(x, scale * density, style, color=color, linewidth=1.8, label=label)
    if fit.two_populations:
        ax.axvline(fit.valley, color="0.5", linestyle=":", linewidth=1.2, label=f"minimum {fit.valley:.4f}")
    else:
        ax.annotate(textwrap.fill(fit.message, 60), (0.5, 0.72), xycoords="axes fraction", ha="center", fontsize=8)
    if np.isfinite(cut):
        ax.axvline(cut, color=ORANGE, linewidth=2.5, label=f"threshold {cut:.4f}")
    ax.set_ylim(top=1.4 * ax.get_ylim()[1])  # the legend must not hide the valley
    ax.legend(fontsize=8, ncols=2, loc="upper center", facecolor="white", edgecolor="none", framealpha=0.9)
    return ax


def _stacked_histogram(ax, edges, values, kept):
    """Values below and above the threshold stacked on common bins, each with its number in the legend."""
    bottom = np.zeros(len(edges) - 1)
    for rows, color, label in ((~kept, "0.75", "below"), (kept, SKY, "above")):
        if rows.any():
            counts = np.histogram(values[rows], edges)[0]
            text = f"{label}: {rows.sum()}"
            ax.bar(edges[:-1], counts, np.diff(edges), bottom, align="edge", color=color, label=text)
            bottom += counts


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
        low, high = ax.get_ylim()
        ax.set_ylim(bottom=low - 0.22 * (high - low))  # the legend must not hide points
        ax.legend(frameon=False, fontsize=8, loc="lower center", ncols=2)
    return axes


def _bins(n):
    """Finer than the usual rules, which are made for one peak."""
    return int(np.clip(2 * np.sqrt(n), 10, 100))


def _scatter(ax, theta_deg, cc, kept):
    """Kept and excluded particles, told apart by colour and by shape."""
    for rows, color, marker, label in ((kept, SKY, "o", "kept"), (~kept, VERMILION, "x", "excluded")):
        if rows.any():
            text = f"{label}: {rows.sum()}"
            ax.scatter(theta_deg[rows], cc[rows], s=8, color=color, marker=marker, linewidths=0.8, label=text)
