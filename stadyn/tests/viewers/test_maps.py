# SPDX-License-Identifier: GPL-3.0-or-later
"""Viewers of maps: the right map, protein bright, cut where the form says."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.backend_bases import MouseEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from pwem.objects import Volume, VolumeMask

from stadyn.io.mrc import write_volume
from stadyn.plots.colors import ORANGE
from stadyn.protocols import StadynProtAlign, StadynProtHalfMaps, StadynProtMask, StadynProtSimulate

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


def block(corner, opposite, side=16):
    """A mask that is 1 between two corners, (x, y, z) px from the centre, both included."""
    z, y, x = np.indices((side,) * 3) - side // 2
    inside = [(a <= c) & (c <= b) for c, a, b in zip((x, y, z), corner, opposite, strict=True)]
    return np.all(inside, axis=0).astype(np.float32)


def outline(ax):
    """((left, right), (bottom, top)) Å of the orange contour on an axis, or None."""
    found = [c for c in ax.collections if len(c.get_edgecolor()) and to_hex(c.get_edgecolor()[0]) == ORANGE.lower()]
    if not found:
        return None
    corners = np.concatenate([path.vertices for path in found[0].get_paths()])
    return [tuple(edges) for edges in np.stack([corners.min(0), corners.max(0)], axis=1)]


def given_mask(run, volume, pixel_size, name="given.mrc", item=VolumeMask):
    """A mask in a file, as a protocol's output or input."""
    mask = item()
    path = run.resultPath(name)
    write_volume(path, volume, pixel_size)
    mask.setFileName(path)
    mask.setSamplingRate(pixel_size)
    return mask


def test_the_mask_that_a_run_used_is_outlined_on_its_slices(aligned, draw):
    aligned.inputMask.set(given_mask(aligned, block((-4, -2, 0), (1, 3, 6)), PIXEL))
    xy, xz, yz = draw(aligned, "showSlices", pointSlices="0 0 4")
    # The contour of a step lies half-way between two pixels.
    assert outline(xy) == [pytest.approx((-9, 3)), pytest.approx((-5, 7))]
    assert outline(xz) == [pytest.approx((-9, 3)), pytest.approx((-1, 13))]
    assert outline(yz) == [pytest.approx((-5, 7)), pytest.approx((-1, 13))]
    assert outline(draw(aligned, "showSlices", pointSlices="0 0 -4")[0]) is None
    assert [outline(ax) for ax in draw(aligned, "showSlices", maskOfSlices=0)] == [None] * 3
    assert outline(draw(aligned, "showSideBySide")[3]) == [pytest.approx((-9, 3)), pytest.approx((-1, 13))]


def test_a_mask_of_another_box_and_pixel_size_lies_where_it_will_be_used(aligned, draw):
    aligned.inputMask.set(given_mask(aligned, block((-1, -1, -1), (1, 2, 0), side=6), 2 * PIXEL))
    xy, xz, _ = draw(aligned, "showSlices")
    assert outline(xy) == [pytest.approx((-6, 6)), pytest.approx((-6, 8))]  # (-1.5 to 1.5, -1.5 to 2) px of 4 Å
    assert outline(xz) == [pytest.approx((-6, 6)), pytest.approx((-6, 2))]
    assert outline(draw(aligned, "showSlices", pointSlices="0 0 14")[0]) is None  # beyond its box


def test_masks_of_other_runs_are_offered(aligned, open_viewer, project):
    other = project.newProtocol(StadynProtMask)
    other.setObjLabel("slab of step 8")
    project.saveProtocol(other)
    other._defineOutputs(mask=given_mask(aligned, block((0, 0, 0), (2, 2, 2)), PIXEL, "slab.mrc"))
    other._store()
    project.getRuns(refresh=True)
    mask = open_viewer(aligned)._definition.getParam("maskOfSlices")
    assert "slab of step 8" in mask.choices and int(mask.default.get()) == 0  # this run used none
    aligned.inputMask.set(given_mask(aligned, block((0, 0, 0), (2, 2, 2)), PIXEL))
    mask = open_viewer(aligned)._definition.getParam("maskOfSlices")
    assert mask.choices[:2] == ["none", "the mask of this run"] and int(mask.default.get()) == 1


def test_a_mask_is_shown_on_the_map_it_was_made_for(make_run, draw):
    run = make_run(StadynProtMask)
    run.inputMap.set(given_mask(run, dotted((3, -5, 0), -1.0), PIXEL, "map.mrc", Volume))
    write_volume(run.resultPath("mask.mrc"), block((-4, -2, -5), (1, 3, 6)), PIXEL)
    xy = draw(run, "showSlices")[0]
    assert brightest(xy) == pytest.approx((6, -10))
    assert outline(xy) == [pytest.approx((-9, 3)), pytest.approx((-5, 7))]
    assert draw(run, "showSlices", mapOfSlices=1)[0].images[0].get_array().max() == 1  # the mask itself


def clicking(viewer, button):
    """(figure, click(ax, x, y)) of a button's window: real events of matplotlib on its canvas."""
    (view,) = viewer._getVisualizeDict()[button](button)
    figure = view.getFigure()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    window = SimpleNamespace(canvas=canvas, toolbar=SimpleNamespace(mode=""), say=lambda text: None)
    canvas.draw_idle = canvas.draw
    view.interaction(window)

    def click(ax, x, y, button=1):
        place = ax.transData.transform((x, y))
        canvas.callbacks.process("button_press_event", MouseEvent("button_press_event", canvas, *place, button))

    return figure, click, window


def places(figure):
    """What each axis is cut at: (x, y) of the yellow lines."""
    return [(ax.lines[1].get_xdata()[0], ax.lines[0].get_ydata()[0]) for ax in figure.axes]


def test_a_click_moves_the_two_other_slices_through_that_voxel(aligned, open_viewer):
    figure, click, _ = clicking(open_viewer(aligned, mapOfSlices=0, pointSlices="0 0 0"), "showSlices")
    xy, xz, yz = figure.axes
    assert np.ptp(xz.images[0].get_array()) == 0
    click(xy, 6.4, -10.6)  # Å: the voxel (3, -5) is the nearest
    assert places(figure) == [(6, -10), (6, 0), (-10, 0)]
    assert np.ptp(xy.images[0].get_array()) == 0  # the dot is 4 px above
    assert brightest(xz) == pytest.approx((6, 8)) and brightest(yz) == pytest.approx((-10, 8))
    title = figure._suptitle.get_text()
    assert "(3, -5, 0) px = (6, -10, 0) Å" in title and title.endswith("density 0")
    click(yz, -9.8, 8.3)
    assert brightest(xy) == pytest.approx((6, -10)) and places(figure)[0] == (6, -10)
    title = figure._suptitle.get_text()
    assert "(3, -5, 4) px = (6, -10, 8) Å" in title and title.endswith("density 1")  # bright where the file is dark


def test_a_click_keeps_the_zoom_and_the_outline_and_stays_inside_the_box(aligned, open_viewer):
    aligned.inputMask.set(given_mask(aligned, block((-4, -2, 0), (1, 3, 6)), PIXEL))
    figure, click, window = clicking(open_viewer(aligned), "showSlices")
    xy, xz, _ = figure.axes
    xy.set(xlim=(-10, 40), ylim=(-12, 8))
    click(xy, 39, 0)
    assert (xy.get_xlim(), xy.get_ylim()) == ((-10, 40), (-12, 8))
    assert places(figure)[0] == (14, 0)  # the last voxel
    click(xz, 0, 6)
    assert outline(xy) == [pytest.approx((-9, 3)), pytest.approx((-5, 7))]
    window.toolbar.mode = "zoom rect"
    click(xz, 0, 10)
    click(xz, 0, 10, button=3)
    assert places(figure)[1] == (0, 6)


def test_a_click_moves_all_maps_that_are_side_by_side(aligned, open_viewer):
    figure, click, _ = clicking(open_viewer(aligned), "showSideBySide")
    a, b = figure.axes[0], figure.axes[3]  # xy of the first, xz of the second
    click(b, -4, 0)
    click(a, -4, 2)
    assert [brightest(ax) for ax in figure.axes[1::2]] == [pytest.approx(p) for p in ((-4, 2), (-4, 0), (2, 0))]
    assert "(-2, 1, 0) px = (-4, 2, 0) Å" in figure._suptitle.get_text()
