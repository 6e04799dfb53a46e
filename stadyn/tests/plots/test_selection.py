# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of selections: what is drawn is what the results say."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from stadyn.core.halves import split_halves
from stadyn.core.selection import fit_cc_threshold, fit_latitude
from stadyn.core.surfaces import oversample
from stadyn.core.tomograms import Dipole
from stadyn.plots.colors import EXCLUDED
from stadyn.plots.particles import HALVES, plot_particles
from stadyn.plots.selection import plot_cc_threshold, plot_latitude


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(0.1, 0.02, 600), rng.normal(0.25, 0.03, 400)])


@pytest.fixture
def table():
    table = oversample([Dipole("t", 1, (60, 60, 40), (60, 60, 70)), Dipole("t", 2, (150, 80, 45), (185, 80, 45))], 8)
    return split_halves(table.replace(cc=np.linspace(0, 1, len(table))))


def test_histogram_mixture_and_threshold(scores):
    fit = fit_cc_threshold(scores)
    ax = plot_cc_threshold(Figure().subplots(), fit)
    labels = ax.get_legend_handles_labels()[1]
    above = np.sum(fit.scores >= fit.threshold)
    wanted = {f"above: {above}", f"below: {1000 - above}", "mixture", f"threshold {fit.threshold:.4f}"}
    assert wanted <= set(labels)
    assert sum(bar.get_height() for bar in ax.patches) == 1000
    mixture = next(line for line in ax.lines if line.get_label() == "mixture")
    scale = 1000 * ax.patches[0].get_width()
    np.testing.assert_allclose(mixture.get_ydata(), scale * fit.density(mixture.get_xdata()))
    cut = next(line for line in ax.lines if line.get_label().startswith("threshold"))
    assert cut.get_xdata()[0] == fit.threshold


@pytest.mark.parametrize(
    "values", [np.random.default_rng(1).normal(0.2, 0.02, 300), np.array([0.2, 0.3]), np.array([])]
)
def test_one_population_is_drawn_without_a_cut(values):
    fit = fit_cc_threshold(values)
    ax = plot_cc_threshold(Figure().subplots(), fit)
    assert not any("threshold" in line.get_label() for line in ax.lines)
    written = " ".join(text.get_text() for text in ax.texts).replace("\n", " ")
    assert fit.message in written or "no scores" in written


def test_latitude_before_and_after():
    rng = np.random.default_rng(2)
    normals = rng.standard_normal((300, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    fit = fit_latitude(0.3 + 0.05 * (1 - normals[:, 2] ** 2) + 0.01 * rng.standard_normal(300), normals)
    before, after = plot_latitude(Figure().subplots(1, 2), fit)
    assert sum(len(c.get_offsets()) for c in before.collections) == 300
    trend = next(line for line in before.lines if line.get_label() == "fitted trend")
    np.testing.assert_allclose(trend.get_ydata(), fit.trend(trend.get_xdata()))
    assert np.ptp(trend.get_ydata()) > 0.03
    cut = next(line for line in after.lines if line.get_label().startswith("threshold"))
    assert cut.get_ydata()[0] == fit.threshold
    kept = next(c for c in after.collections if c.get_label().startswith("kept"))
    assert len(kept.get_offsets()) == fit.kept.sum()


@pytest.mark.parametrize("solid", [True, False])
def test_particles_by_cc_with_the_excluded_in_red(table, solid):
    kept = table.cc > 0.3
    ax = Figure().add_subplot(projection="3d" if solid else None)
    _, points = plot_particles(ax, table.select(kept), table.select(~kept), normals_px=4)
    np.testing.assert_array_equal(points.get_array(), table.cc[kept])
    crosses = next(c for c in ax.collections if c.get_label() == "excluded")
    assert to_hex(crosses.get_edgecolor()[0]) == EXCLUDED.lower()
    if not solid:
        np.testing.assert_allclose(crosses.get_offsets(), table.positions[~kept][:, :2])
    assert len(ax.lines) == 1


def test_particles_by_half_and_by_vlp(table):
    ax = plot_particles(Figure().add_subplot(), table, color_by="half")
    drawn = {c.get_label(): c for c in ax.collections}
    assert set(drawn) == {"odd", "even"}
    np.testing.assert_allclose(drawn["odd"].get_offsets(), table.positions[table.ids % 2 == 1, :2])
    assert to_hex(drawn["even"].get_facecolor()[0]) == HALVES[2][0].lower()
    ax = plot_particles(Figure().add_subplot(), table, color_by="surface")
    assert [len(c.get_offsets()) for c in ax.collections] == [
        np.sum(table.surface_ids == 1),
        np.sum(table.surface_ids == 2),
    ]


def test_unknown_colouring_is_refused(table):
    with pytest.raises(ValueError, match="weather"):
        plot_particles(Figure().add_subplot(), table, color_by="weather")
