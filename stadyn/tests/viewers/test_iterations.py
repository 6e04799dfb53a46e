# SPDX-License-Identifier: GPL-3.0-or-later
"""An alignment that is under way: which iteration is shown, what its slices hold, and its curves."""

from pathlib import Path

import numpy as np
import pytest

from stadyn.core.refinement import IterationReference
from stadyn.io.convergence import write_iteration
from stadyn.io.mrc import read_volume
from stadyn.jobs import align
from stadyn.plots.colors import BLACK
from stadyn.protocols import StadynProtAlign
from stadyn.tests.core.planted import misaligned, plant
from stadyn.tests.jobs.planted_files import ROUND, written
from stadyn.viewers.iterations import IterationStepper

from .test_maps import brightest

BOX, PIXEL = 24, 5.0


def stop_in_second_iteration(monkeypatch):
    """The job ends where the second iteration has its reference and no particle is aligned to it yet."""
    original = align._show_reference

    def show(work, group, volume, shown):
        original(work, group, volume, shown)
        if shown.iteration == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(align, "_show_reference", show)


@pytest.fixture
def stopped(tmp_path, make_run, monkeypatch):
    """An alignment run that was stopped after the first of its two iterations, and the job's settings."""
    planted = plant(8, BOX, snr=1.0, seed=3, tomogram_ids=("a", "b"))
    run = make_run(StadynProtAlign)
    settings = written(
        tmp_path, planted, misaligned(planted.truth, 5.0, 1.0), rounds=[{**ROUND, "iterations": 2}],
        reference={"*": str(tmp_path / "map.mrc")}, output=run.resultPath("align"),
    )  # fmt: skip
    stop_in_second_iteration(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        align.run_settings(settings)
    monkeypatch.undo()
    return run, settings, planted


def slices_of(volume):
    n = len(volume)
    return volume[n // 2], volume[:, n // 2], volume[:, :, n // 2]


def curves_of(ax):
    """{label: values} of the FSC curves of an axis."""
    return {line.get_label(): line.get_ydata() for line in ax.lines if len(line.get_xdata()) == BOX // 2 + 1}


def test_a_stopped_run_shows_its_newest_iteration_with_its_curve(stopped, draw):
    run, _, planted = stopped
    *slices, curves, resolutions = order_axes(draw(run, "showIterations"))
    title = slices[0].figure._suptitle.get_text()
    assert "round 1 iteration 2 (the newest of 2)" in title and "protein bright" in title
    reference = read_volume(run.resultPath("align", "reference_all.mrc"))
    for ax, expected in zip(slices, slices_of(reference), strict=True):
        np.testing.assert_allclose(ax.images[0].get_array(), -expected, rtol=1e-5)
    shown = slices[1].images[0].get_array().ravel()
    assert np.corrcoef(shown, -slices_of(planted.reference)[1].ravel())[0, 1] > 0.7  # an average of what was planted
    (label, values), = curves_of(curves).items()
    assert label == "round 1 iteration 2" and values[1] > 0.9
    shells = BOX * PIXEL / ROUND["lowpass_angst"]
    assert np.array_equal(np.isfinite(values), np.arange(len(values)) <= shells)  # the low-pass ends the curve
    assert list(resolutions.lines[0].get_xdata()) == [1, 2]
    first, second = resolutions.lines[0].get_ydata()
    assert np.isnan(first) and 2 * PIXEL <= second < BOX * PIXEL  # the first reference was given


def order_axes(axes):
    """The three slices, the curves, and the resolutions."""
    return sorted(axes, key=lambda ax: (not ax.images, "iteration" in ax.get_xlabel()))


def test_the_iteration_before_is_the_map_that_was_given(stopped, draw):
    run, _, planted = stopped
    axes = order_axes(draw(run, "showIterations", iterationShown=1))
    assert "round 1 iteration 1 (1 of 2)" in axes[0].figure._suptitle.get_text()
    np.testing.assert_allclose(axes[0].images[0].get_array(), -slices_of(planted.reference)[0], atol=1e-5)
    assert not curves_of(axes[3]) and "was given" in axes[3].texts[0].get_text()


def test_the_reference_can_be_sliced_until_there_is_an_average(stopped, open_viewer):
    run, settings, _ = stopped
    assert open_viewer(run)._definition.getParam("mapOfSlices").choices == ["reference_all"]
    align.run_settings(settings)
    assert open_viewer(run)._definition.getParam("mapOfSlices").choices == ["all"]


def test_a_run_that_goes_on_keeps_its_iterations_and_another_forgets_them(stopped, draw):
    run, settings, _ = stopped
    first = run.resultPath("align", "iterations", "all_round1_001.npz")
    before = Path(first).read_bytes()
    align.run_settings(settings)
    assert Path(first).read_bytes() == before
    align.run_settings({**settings, "rounds": [ROUND]})
    assert "(the newest of 1)" in order_axes(draw(run, "showIterations"))[0].figure._suptitle.get_text()


def planted_iteration(number, place, group="b", of_round=1):
    """A reference with one dark voxel at `place` (x, y, z) px from the centre."""
    volume = np.zeros((16, 16, 16), np.float32)
    volume[tuple(8 + c for c in place[::-1])] = -1
    curve = np.linspace(1, 0.1 * number, 9)
    return IterationReference.of(volume, group, of_round, number, curve, 8, PIXEL, 40.0 / number)


def test_groups_are_apart_and_in_order(make_run, draw, open_viewer):
    run = make_run(StadynProtAlign)
    folder = Path(run.resultPath("align", "convergence.json")).parent
    for reference in (
        planted_iteration(10, (0, 0, 0)), planted_iteration(2, (3, -5, 0)), planted_iteration(1, (0, 0, 0), "a"),
        planted_iteration(1, (2, 0, 6), of_round=2),
    ):  # fmt: skip
        write_iteration(folder, reference)
    assert open_viewer(run)._definition.getParam("groupOfIterations").choices == ["a", "b"]
    xy, *_ = order_axes(draw(run, "showIterations", groupOfIterations=1, iterationShown=1))
    assert brightest(xy) == pytest.approx((3 * PIXEL, -5 * PIXEL))
    _, xz, _, curves, *_ = order_axes(draw(run, "showIterations", groupOfIterations=1))
    assert brightest(xz) == pytest.approx((2 * PIXEL, 6 * PIXEL))
    assert xz.figure._suptitle.get_text().startswith("b: reference of round 2 iteration 1 (the newest of 3")
    (last,) = [line for line in curves.lines if str(line.get_color()) == BLACK]
    np.testing.assert_allclose(last.get_ydata(), np.linspace(1, 0.1, 9))


def test_an_iteration_that_has_not_begun_is_answered(stopped, open_viewer):
    viewer = open_viewer(stopped[0], iterationShown=3)
    (view,) = viewer._getVisualizeDict()["showIterations"]("showIterations")
    assert "2 have begun" in view.getMessage()


def test_steps_read_what_came_since(stopped, open_viewer):
    viewer = open_viewer(stopped[0], iterationShown=2)
    (view,) = viewer._getVisualizeDict()["showIterations"]("showIterations")
    figure, drawn = view.getFigure(), []
    found = [planted_iteration(1, (0, 0, 0)), planted_iteration(2, (0, 0, 0))]
    stepper = IterationStepper(figure, lambda: found, 1, lambda: drawn.append(figure.subfigs[0]._suptitle.get_text()))
    stepper.step(1)
    found.append(planted_iteration(3, (1, 2, 0)))
    stepper.step(1)
    stepper.step(-1)
    stepper.newest()
    numbers = [text.split("iteration ")[1].split(" ")[0] for text in drawn]
    assert numbers == ["2", "3", "2", "3"]
    assert brightest(figure.subfigs[0].axes[0]) == pytest.approx((PIXEL, 2 * PIXEL))
