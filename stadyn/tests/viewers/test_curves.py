# SPDX-License-Identifier: GPL-3.0-or-later
"""Viewers of what was fitted or measured: what is drawn is what the result files say."""

import numpy as np
import pytest

from stadyn.core.fsc import half_map_fsc
from stadyn.core.local_resolution import LocalResolution
from stadyn.core.masks import sphere
from stadyn.core.selection import CCThreshold, fit_latitude
from stadyn.core.sharpening import guinier_fit
from stadyn.io.results import write_result
from stadyn.io.settings import write_json
from stadyn.protocols import (
    StadynProtAlign,
    StadynProtLatitudeFilter,
    StadynProtLocalResolution,
    StadynProtPostprocess,
    StadynProtSelectCC,
)
from stadyn.viewers.thresholds import ThresholdDragger, new_selection

PIXEL = 2.0


def threshold(cut, scores):
    """A CCThreshold at a planted place."""
    parameters = np.array([0.1, 0.3]), np.array([0.02, 0.03]), np.array([0.4, 0.6])
    return CCThreshold(np.asarray(scores), *parameters, cut - 0.01, cut, True, "planted")


@pytest.fixture
def selection(make_run):
    """A selection with six particles in one tomogram and four in another."""
    run = make_run(StadynProtSelectCC)
    write_result(run.resultPath("select", "threshold_a.npz"), threshold(0.2, [0.1, 0.11, 0.3, 0.31, 0.32, 0.29]))
    write_result(run.resultPath("select", "threshold_b.npz"), threshold(0.15, [0.1, 0.1, 0.1, 0.3]))
    run.saveSummary(thresholds={"a": {"kept": 3, "excluded": 3}, "b": {"kept": 1, "excluded": 3}})
    return run


def bars(ax, label):
    """Sum of the bars whose legend begins with `label`."""
    containers = [c for c in ax.containers if c.get_label().startswith(label)]
    return sum(bar.get_height() for container in containers for bar in container)


def test_cc_histogram_shows_each_tomogram_with_its_counts_and_threshold(selection, draw):
    axes = draw(selection, "showCCHistogram")
    assert [ax.get_title().split(":")[0] for ax in axes] == ["a", "b"]
    assert [(bars(ax, "below"), bars(ax, "above")) for ax in axes] == [(2, 4), (3, 1)]
    # One of the four above the threshold of a is a duplicate that was excluded.
    assert "3 particles kept, 3 excluded" in axes[0].get_title()
    for ax, cut in zip(axes, (0.2, 0.15), strict=True):
        line = next(line for line in ax.lines if line.get_label().startswith("threshold"))
        assert line.get_xdata()[0] == cut
        assert {"mixture", "lower Gaussian", "upper Gaussian"} <= {line.get_label() for line in ax.lines}


def test_latitude_before_and_after_of_each_group(make_run, draw):
    run = make_run(StadynProtLatitudeFilter)
    normals = np.random.default_rng(0).standard_normal((200, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    cc = 0.3 + 0.1 * (1 - normals[:, 2] ** 2)
    fits = {"t_odd": fit_latitude(cc, normals), "t_even": fit_latitude(cc[:100], normals[:100])}
    for group, fit in fits.items():
        write_result(run.resultPath(f"latitude_{group}.npz"), fit)
    assert [ax.get_title().split(":")[0] for ax in draw(run, "showLatitude", groupOfLatitude=1)] == ["t_odd"] * 2
    axes = draw(run, "showLatitude", groupOfLatitude=2)
    assert len(axes) == 4
    # By name: even first.
    for before, after, group in ((*axes[:2], "t_even"), (*axes[2:], "t_odd")):
        fit = fits[group]
        assert before.get_title().startswith(group)
        points = np.concatenate([c.get_offsets() for c in before.collections])
        assert sorted(points[:, 1]) == pytest.approx(sorted(fit.cc))
        spread = np.concatenate([c.get_offsets() for c in after.collections])[:, 1]
        assert np.ptp(spread) < 0.2 * np.ptp(points[:, 1])
        cut = next(line for line in after.lines if line.get_label().startswith("threshold"))
        assert cut.get_ydata()[0] == fit.threshold


@pytest.fixture
def resolved(make_run):
    """A run of post-processing with curves of noisy maps."""
    run = make_run(StadynProtPostprocess)
    rng = np.random.default_rng(0)
    signal, *noise = rng.standard_normal((3, 32, 32, 32))
    signal = 12 * sphere(32, 9, 4) * np.roll(signal, 1, 0) + 30 * sphere(32, 3, 9)
    curve = half_map_fsc(signal + 9 * noise[0], signal + 9 * noise[1], PIXEL, sphere(32, 11, 4))
    write_result(run.resultPath("postprocess", "fsc.npz"), curve)
    fit = guinier_fit(signal, PIXEL, np.ones(17), fine_angst=4.5)
    write_result(run.resultPath("postprocess", "guinier.npz"), fit)
    return run, curve, fit


def test_fsc_shows_four_curves_both_thresholds_and_angstroms(resolved, draw):
    run, curve, _ = resolved
    (ax,) = draw(run, "showFSC")
    lines = {line.get_label(): line.get_ydata() for line in ax.lines}
    for label, name in (("corrected", "corrected"), ("unmasked", "unmasked"), ("masked", "masked"),
                        ("phase-randomised", "randomised")):  # fmt: skip
        np.testing.assert_array_equal(lines[label], getattr(curve, name))
    levels = {line.get_ydata()[0] for line in ax.lines if len(set(line.get_ydata())) == 1}
    assert {0.143, 0.5} <= levels
    written = [text.get_text() for text in ax.texts]
    assert curve.resolution_0143_angst == 2 * PIXEL  # it never falls so far
    assert f"FSC 0.143: {curve.resolution_0143_angst:.2f} Å (Nyquist)" in written
    (top,) = ax.child_axes
    for tick, label in zip(top.get_xticks(), top.get_xticklabels(), strict=True):
        assert tick == pytest.approx(1 / float(label.get_text()))


def test_guinier_shows_the_fit(resolved, draw):
    run, _, fit = resolved
    (ax,) = draw(run, "showGuinier")
    measured = next(line for line in ax.lines if line.get_label() == "measured")
    np.testing.assert_array_equal(measured.get_ydata(), fit.ln_amplitude)
    np.testing.assert_array_equal(measured.get_xdata(), fit.inverse_square)
    assert any(f"B = {fit.b_factor:.0f} Å²" in line.get_label() for line in ax.lines)


def test_local_resolution_shows_slices_and_counts(make_run, draw):
    run = make_run(StadynProtLocalResolution)
    mask = sphere(16, 5, 0) > 0
    resolution = np.where(mask, 9.0, 0).astype(np.float32)
    resolution[8:][mask[8:]] = 12.0
    result = LocalResolution(resolution, mask, 0.5, 9, PIXEL, "C1", 12.0, np.array([9, 9, 12, 12, 12.0]))
    write_result(run.resultPath("local-resolution", "local_resolution.npz"), result)
    xy, xz, histogram, bar = draw(run, "showLocalResolution")
    assert set(xy.images[0].get_array().compressed()) == {12.0}
    assert set(xz.images[0].get_array().compressed()) == {9.0, 12.0}
    assert sum(p.get_height() for p in histogram.patches) == mask.sum()
    assert bar.get_ylabel() == "resolution (Å)"


def records(group, cc, rounds):
    """Records of an alignment as its job writes them."""
    return [
        {
            "group": group, "round": r, "iteration": i, "particles": 5, "mean_cc": value, "median_turn_deg": 10 - value,
            "median_shift_angst": 20 - value, "seconds": 1.0,
        }
        for (r, i), value in zip(rounds, cc, strict=True)
    ]  # fmt: skip


def test_convergence_after_the_run(make_run, draw):
    run, rounds = make_run(StadynProtAlign), [(1, 1), (1, 2), (2, 1)]
    odd, even = records("odd", [0.1, 0.2, 0.3], rounds), records("even", [0.15, 0.25], rounds[:2])
    write_json(run.resultPath("align", "convergence.json"), odd + even)
    axes = draw(run, "showConvergence")
    for ax, values in zip(axes, ([0.1, 0.2, 0.3], [9.9, 9.8, 9.7], [19.9, 19.8, 19.7]), strict=True):
        by_label = {line.get_label(): line for line in ax.lines}
        np.testing.assert_allclose(by_label["odd"].get_ydata(), values[:2])
        np.testing.assert_array_equal(by_label["odd"].get_xdata(), [1, 2])
        assert any(np.allclose(line.get_ydata(), values[2:]) for line in ax.lines if list(line.get_xdata()) == [3])
        assert "even" in by_label
        assert {"round 1", "round 2"} == {text.get_text() for text in ax.texts}


def test_convergence_while_it_runs(make_run, draw):
    run = make_run(StadynProtAlign)
    rows = records("all", [0.1, 0.2], [(1, 1), (1, 2)])
    write_json(run.resultPath("align", "checkpoint_all.json"), {"key": "k", "group": "all", "records": rows})
    axes = draw(run, "showConvergence")
    np.testing.assert_allclose(axes[0].lines[0].get_ydata(), [0.1, 0.2])


class Mouse:
    """An event of matplotlib's."""

    def __init__(self, ax, x):
        self.inaxes, self.xdata = ax, x


def test_a_dragged_threshold_counts_anew_and_makes_a_new_selection(selection, open_viewer, project):
    viewer = open_viewer(selection)
    (view,) = viewer._getVisualizeDict()["showCCHistogram"]("showCCHistogram")
    ax = view.getFigure().axes[0]
    redrawn = []
    fits = {name: threshold(cut, [0.1, 0.11, 0.3, 0.31, 0.32, 0.29]) for name, cut in (("a", 0.2), ("b", 0.15))}
    dragger = ThresholdDragger(
        dict(zip("ab", view.getFigure().axes, strict=True)), fits, lambda: redrawn.append(1)
    )
    dragger.press(Mouse(ax, 0.22))
    dragger.drag(Mouse(ax, 0.305))
    dragger.release()
    dragger.drag(Mouse(ax, 0.15))  # nobody holds it now
    assert (bars(ax, "below"), bars(ax, "above")) == (4, 2) and len(redrawn) == 2
    assert dragger.text() == "a=0.3050"
    copy = new_selection(project, selection, dragger.text())
    assert type(copy) is StadynProtSelectCC and copy.threshold.get() == "a=0.3050"
    assert copy.getObjId() != selection.getObjId() and not copy.isFinished()
    assert "a=0.3050" not in (selection.threshold.get() or "")
