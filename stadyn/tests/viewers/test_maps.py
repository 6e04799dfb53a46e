# SPDX-License-Identifier: GPL-3.0-or-later
"""Viewers of maps: the right map, protein bright, cut where the form says."""

import numpy as np
import pytest

from stadyn.io.mrc import write_volume
from stadyn.protocols import StadynProtAlign, StadynProtHalfMaps, StadynProtSimulate

PIXEL = 2.0


def dotted(place, value):
    """A map of one voxel that is not 0, at `place` (x, y, z) px from the centre of a box of 16."""
    volume = np.zeros((16, 16, 16), np.float32)
    volume[tuple(8 + c for c in place[::-1])] = value
    return volume


@pytest.fixture
def aligned(make_run):
    """An alignment with dark averages of two tomograms, and a viewing copy."""
    run = make_run(StadynProtAlign)
    for name, place in (("a", (3, -5, 4)), ("b", (-2, 1, 0))):
        write_volume(run.resultPath("align", f"average_{name}.mrc"), dotted(place, -1.0), PIXEL)
        write_volume(run.resultPath("align", f"average_{name}_inverted.mrc"), dotted(place, 1.0), PIXEL)
    return run


def brightest(ax):
    """(horizontal, vertical) Å of the brightest pixel of an axis' image."""
    image = ax.images[0]
    values, (left, right, bottom, top) = image.get_array(), image.get_extent()
    row, column = np.unravel_index(np.argmax(values), values.shape)
    return left + (column + 0.5) * (right - left) / values.shape[1], bottom + (row + 0.5) * (top - bottom) / len(values)


def test_slices_go_through_the_point_and_show_protein_bright(aligned, draw):
    xy, xz, yz = draw(aligned, "showSlices", mapOfSlices=0, pointSlices="6 -10 8")
    assert brightest(xy) == pytest.approx((6, -10))
    assert brightest(xz) == pytest.approx((6, 8))
    assert brightest(yz) == pytest.approx((-10, 8))
    assert "protein bright (inverted)" in xy.figure._suptitle.get_text()


def test_maps_are_offered_without_their_viewing_copies(aligned, open_viewer):
    choices = open_viewer(aligned)._definition.getParam("mapOfSlices").choices
    assert choices == ["a", "b"]


def test_contrast_narrows_the_greys(make_run, draw):
    run = make_run(StadynProtAlign)
    volume = np.random.default_rng(0).standard_normal((16, 16, 16)).astype(np.float32)
    write_volume(run.resultPath("align", "average_all.mrc"), volume, PIXEL)
    plain, steep = (np.ptp(draw(run, "showSlices", contrastOfSlices=c)[0].images[0].get_clim()) for c in (1.0, 2.0))
    assert plain == pytest.approx(2 * steep)


def test_all_tomograms_side_by_side_at_the_same_point(aligned, draw):
    axes = draw(aligned, "showSideBySide", pointSideBySide="-4, 2, 0")
    assert len(axes) == 6
    assert [ax.get_title() for ax in axes if ax.get_title()] == ["a", "b"]
    b = axes[1::2]
    assert [brightest(ax) for ax in b] == [pytest.approx(p) for p in ((-4, 2), (-4, 0), (2, 0))]
    assert np.ptp(axes[0].images[0].get_array()) == 0  # the dot of a lies elsewhere


def test_bright_maps_stay_as_they_are(make_run, draw):
    run = make_run(StadynProtHalfMaps)
    for name in ("half1_class001_unfil", "half2_class001_unfil", "class001"):
        write_volume(run.resultPath(f"stadyn_{name}.mrc"), dotted((0, 0, 0), 1.0), PIXEL)
    axes = draw(run, "showSlices")
    assert brightest(axes[0]) == pytest.approx((0, 0))
    assert "inverted" not in axes[0].figure._suptitle.get_text()


def test_true_map_of_a_simulation(make_run, draw):
    run = make_run(StadynProtSimulate)
    write_volume(run.resultPath("simulation", "true_map.mrc"), dotted((1, 2, 3), 1.0), PIXEL)
    assert brightest(draw(run, "showSlices", pointSlices="2 4 6")[1]) == pytest.approx((2, 6))


@pytest.mark.parametrize(("text", "sentence"), [("1 2", "x, y and z"), ("0 0 90", "outside the box"), ("a b c", "Å")])
def test_a_point_that_makes_no_sense_is_answered(aligned, open_viewer, text, sentence):
    viewer = open_viewer(aligned, pointSlices=text)
    (view,) = viewer._getVisualizeDict()["showSlices"]("showSlices")
    assert sentence in view.getMessage()
