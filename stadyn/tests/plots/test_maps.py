# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures: that each slice shows the plane and the orientation it names, and curves the numbers they stand for."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from stadyn.core.fsc import half_map_fsc
from stadyn.core.local_resolution import LocalResolution
from stadyn.core.masks import sphere
from stadyn.core.sharpening import guinier_fit
from stadyn.plots.figures import averages_figure
from stadyn.plots.fsc import plot_fsc
from stadyn.plots.guinier import plot_guinier
from stadyn.plots.maps import plot_local_resolution, plot_slice, plot_slices

PIXEL = 2.0


def axes(columns):
    return np.atleast_1d(Figure().subplots(1, columns))


def brightest(image):
    """(horizontal, vertical) Å of the brightest pixel, by the axes' own coordinates."""
    values, (left, right, bottom, top) = image.get_array(), image.get_extent()
    row, column = np.unravel_index(np.argmax(values), values.shape)
    assert image.origin == "lower"
    return left + (column + 0.5) * (right - left) / values.shape[1], bottom + (row + 0.5) * (top - bottom) / len(values)


@pytest.mark.parametrize(("plane", "place"), [("xy", (3, -5)), ("xz", (3, 4)), ("yz", (-5, 4))])
def test_a_slice_shows_the_point_at_its_coordinates(plane, place):
    volume = np.zeros((20, 24, 28))
    point = (3, -5, 4)  # x, y, z
    volume[10 + 4, 12 - 5, 14 + 3] = 1
    (ax,) = axes(1)
    image = plot_slice(ax, volume, PIXEL, plane, point)
    assert brightest(image) == pytest.approx(tuple(PIXEL * c for c in place))
    assert (ax.get_xlabel(), ax.get_ylabel()) == (f"{plane[0]} (Å)", f"{plane[1]} (Å)")


def test_three_slices_cross_at_the_point():
    volume = np.random.default_rng(0).standard_normal((16,) * 3)
    point = {"x": 2, "y": -3, "z": 5}
    drawn = plot_slices(axes(3), volume, PIXEL, tuple(point.values()))
    for ax, (right, up) in zip(drawn, ("xy", "xz", "yz"), strict=True):
        horizontal, vertical = ax.lines
        assert horizontal.get_ydata()[0] == PIXEL * point[up]
        assert vertical.get_xdata()[0] == PIXEL * point[right]


def test_averages_side_by_side_keep_their_own_names_and_scales():
    dim, strong = np.random.default_rng(0).standard_normal((2, 12, 12, 12)) * np.array([1, 50])[:, None, None, None]
    drawn = averages_figure({"t1": dim, "t2": strong}, PIXEL).axes
    assert [ax.get_title() for ax in drawn[:2]] == ["t1", "t2"]
    assert len(drawn) == 6
    assert drawn[1].images[0].get_clim()[1] > 10 * drawn[0].images[0].get_clim()[1]


def test_local_resolution_leaves_the_outside_white_and_counts_the_inside():
    mask = sphere(16, 5, 0) > 0
    resolution = np.where(mask, 9.0, 0).astype(np.float32)
    resolution[8:][mask[8:]] = 12.0
    result = LocalResolution(resolution, mask, 0.5, 9, PIXEL, "C1", 12.0, np.array([9, 9, 12, 12, 12.0]))
    drawn = plot_local_resolution(axes(3), result)
    xz = drawn[1].images[0].get_array()
    assert np.array_equal(xz.mask, ~mask[:, 8, :])
    assert xz[10, 8] == 12 and xz[6, 8] == 9
    assert sum(bar.get_height() for bar in drawn[2].patches) == mask.sum()
    assert drawn[2].lines[0].get_xdata()[0] == 12


def test_fsc_plot_marks_the_resolutions_on_the_curve():
    rng = np.random.default_rng(0)
    signal, *noise = rng.standard_normal((3, 32, 32, 32))
    signal = 12 * sphere(32, 9, 4) * np.roll(signal, 1, 0) + 30 * sphere(32, 3, 9)
    curve = half_map_fsc(signal + 9 * noise[0], signal + 9 * noise[1], PIXEL, sphere(32, 11, 4))
    (ax,) = axes(1)
    plot_fsc(ax, curve)
    lines = {line.get_label(): line for line in ax.lines}
    for label, values in (("corrected", curve.corrected), ("phase-randomised", curve.randomised)):
        assert np.array_equal(lines[label].get_xdata(), curve.frequency)
        assert np.array_equal(lines[label].get_ydata(), values)
    marks = {line.get_ydata()[0]: line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"}
    assert marks[0.5] == pytest.approx(1 / curve.resolution_05_angst)
    assert ax.get_xlim()[1] == pytest.approx(1 / (2 * PIXEL))


def test_guinier_line_lies_on_the_fit():
    volume = np.random.default_rng(0).standard_normal((32,) * 3)
    fit = guinier_fit(volume, PIXEL, np.ones(17), fine_angst=4.5)
    (ax,) = axes(1)
    line = plot_guinier(ax, fit).lines[-1]
    assert np.allclose(line.get_ydata(), fit.intercept + fit.b_factor / 4 * line.get_xdata())
    assert f"{fit.b_factor:.0f} Å²" in line.get_label()
