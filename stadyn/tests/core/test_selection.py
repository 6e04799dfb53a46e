# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted mixtures and latitude trends: the cut lies where it should, and one population is never cut."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from stadyn.core.errors import InputError
from stadyn.core.particles import EVEN, ODD, ParticleTable
from stadyn.core.selection import fit_cc_threshold, fit_latitude, fit_latitudes, select_by_cc


def mixture(n, means, sds, weights, seed):
    rng = np.random.default_rng(seed)
    which = rng.random(n) < weights[1]
    return np.where(which, rng.normal(means[1], sds[1], n), rng.normal(means[0], sds[0], n)), which


def true_valley(means, sds, weights):
    def density(x):
        return sum(w * norm.pdf(x, m, s) for w, m, s in zip(weights, means, sds, strict=True))

    return minimize_scalar(density, bounds=means, method="bounded").x


@pytest.mark.parametrize(
    "n, means, sds, weights",
    [
        (3000, (0.10, 0.25), (0.02, 0.03), (0.6, 0.4)),
        (9000, (0.05, 0.15), (0.03, 0.02), (0.3, 0.7)),
        (400, (0.2, 0.6), (0.05, 0.08), (0.5, 0.5)),
        (2000, (-0.002, 0.01), (0.002, 0.002), (0.85, 0.15)),
    ],
)
def test_threshold_is_the_valley_plus_margin(n, means, sds, weights):
    scores, which = mixture(n, means, sds, weights, 1)
    fit = fit_cc_threshold(scores, margin=0.01)
    assert fit.two_populations
    assert abs(fit.valley - true_valley(means, sds, weights)) < 0.3 * max(sds)
    assert fit.threshold == pytest.approx(fit.valley + 0.01)
    assert np.all(np.abs(fit.means - means) < 0.2 * np.array(sds))
    np.testing.assert_allclose(fit.sds, sds, rtol=0.15)
    np.testing.assert_allclose(fit.weights, weights, atol=0.05)
    assert np.mean((scores > fit.valley) == which) > 0.97


BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "selection.py"


@pytest.mark.skipif(not BENCHMARK.exists(), reason="benchmarks are not installed")
def test_random_mixtures_down_to_two_deviations_and_single_bells():
    """The benchmark of 200 cases, in small."""
    spec = importlib.util.spec_from_file_location("selection_benchmark", BENCHMARK)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    found = benchmark.measure(24, seed=1)
    assert found["within"] >= 0.95 and found["recognised"] == [1.0, 1.0, 1.0]


def test_order_of_scores_and_nans_do_not_matter_and_the_seed_holds():
    scores, _ = mixture(800, (0.1, 0.3), (0.03, 0.04), (0.5, 0.5), 2)
    fit = fit_cc_threshold(scores)
    assert fit_cc_threshold(scores).threshold == fit.threshold
    shuffled = np.random.default_rng(0).permutation(np.append(scores, [np.nan, np.inf]))
    again = fit_cc_threshold(shuffled)
    assert again.threshold == pytest.approx(fit.threshold, abs=1e-3)
    assert len(again.scores) == 800


@pytest.mark.parametrize("n", [300, 2000, 9000])
@pytest.mark.parametrize("shape", ["normal", "skewed", "heavy", "uniform"])
def test_one_population_is_recognised(shape, n):
    rng = np.random.default_rng(n)
    draw = {
        "normal": rng.standard_normal,
        "skewed": lambda n: rng.gamma(6, size=n),
        "heavy": lambda n: rng.standard_t(5, n),
    }
    scores = 0.3 + 0.05 * draw.get(shape, rng.random)(n)
    fit = fit_cc_threshold(scores)
    if shape != "uniform":  # a flat distribution is two-peaked as a mixture; what matters is that bells are not cut
        assert not fit.two_populations and fit.threshold == -np.inf
        assert "kept" in fit.message and np.isnan(fit.valley)


def test_tiny_and_constant_sets_are_not_cut():
    assert "only 7 scores" in fit_cc_threshold(np.arange(7)).message
    assert not fit_cc_threshold(np.full(100, 0.3)).two_populations
    assert fit_cc_threshold([]).threshold == -np.inf


def test_density_is_that_of_the_mixture():
    scores, _ = mixture(1000, (0.1, 0.3), (0.03, 0.04), (0.5, 0.5), 5)
    fit = fit_cc_threshold(scores)
    x = np.linspace(-0.2, 0.7, 4001)
    assert np.sum(fit.density(x)) * (x[1] - x[0]) == pytest.approx(1, abs=1e-3)
    assert fit.component_densities(x).shape == (2, 4001)


def table_of(cc, tomograms, half=None):
    n = len(cc)
    return ParticleTable(np.zeros((n, 3)), np.tile(np.eye(3), (n, 1, 1)), tomograms, cc=cc, half=half)


def test_each_tomogram_has_its_own_threshold():
    low, low_is_good = mixture(600, (0.1, 0.2), (0.015, 0.015), (0.5, 0.5), 1)
    high, high_is_good = mixture(600, (0.3, 0.5), (0.03, 0.03), (0.5, 0.5), 2)
    table = table_of(np.append(low, high), ["a"] * 600 + ["b"] * 600)
    thresholds = {i: fit_cc_threshold(table.cc[table.tomogram_ids == i], margin=0.0) for i in "ab"}
    kept = select_by_cc(table, thresholds)
    assert np.mean(kept == np.append(low_is_good, high_is_good)) > 0.99
    assert thresholds["a"].threshold < 0.2 < thresholds["b"].threshold


def test_selection_with_typed_thresholds_and_unknown_scores():
    table = table_of([0.1, 0.2, np.nan, 0.3, np.nan], ["a", "a", "a", "b", "b"])
    assert select_by_cc(table, {"a": 0.2, "b": -np.inf}).tolist() == [False, True, False, True, True]
    with pytest.raises(InputError, match="tomogram b"):
        select_by_cc(table, {"a": 0.2})


def latitude_scores(n, seed, amplitudes=(0.04, -0.01)):
    rng = np.random.default_rng(seed)
    normals = rng.standard_normal((n, 3))
    theta = np.arctan2(np.hypot(*normals.T[:2]), normals[:, 2])
    trend = amplitudes[0] * -np.cos(2 * theta) + amplitudes[1] * np.cos(4 * theta)
    quality = 0.3 + 0.02 * rng.standard_normal(n)
    return quality + trend, quality, normals, theta


def test_latitude_trend_is_removed_and_the_oracle_cut_found():
    cc, quality, normals, theta = latitude_scores(1500, 0)
    fit = fit_latitude(cc, normals)
    oracle = quality >= quality.mean() - quality.std()
    assert np.mean(fit.kept == oracle) >= 0.98
    assert np.mean((cc >= cc.mean() - cc.std()) == oracle) < 0.95  # without the fit the poles are lost
    np.testing.assert_allclose(fit.coefficients[1:], [-0.04, -0.01], atol=0.002)
    left = np.polyfit(np.cos(2 * theta), fit.normalized_cc, 1)[0]
    assert abs(left) < 0.05 * 0.04
    assert fit.normalized_cc.mean() == pytest.approx(cc.mean(), abs=1e-9)
    np.testing.assert_allclose(fit.theta_deg, np.degrees(theta), atol=1e-9)
    np.testing.assert_allclose(cc - fit.trend(fit.theta_deg) + cc.mean(), fit.normalized_cc)


def test_north_and_south_are_treated_alike():
    cc, _, normals, _ = latitude_scores(400, 1)
    flipped = normals * np.where(np.random.default_rng(0).random(400) < 0.5, -1, 1)[:, None]
    np.testing.assert_array_equal(fit_latitude(cc, normals).kept, fit_latitude(cc, flipped).kept)


def test_k_moves_the_cut_and_few_particles_get_no_trend():
    cc, _, normals, _ = latitude_scores(1000, 2)
    assert fit_latitude(cc, normals, k=2).kept.sum() > fit_latitude(cc, normals, k=1).kept.sum() > 700
    few = fit_latitude(cc[:8], normals[:8])
    assert np.all(few.coefficients[1:] == 0)
    assert not fit_latitude([np.nan, np.nan], normals[:2]).kept.any()
    unknown = fit_latitude(np.append(cc, np.nan), np.vstack([normals, [0, 0, 1]]))
    assert not unknown.kept[-1] and unknown.kept.sum() == fit_latitude(cc, normals).kept.sum()


def test_tomograms_and_halves_share_no_threshold():
    """Doubling one half's scores changes nothing in the other."""
    cc, _, normals, _ = latitude_scores(900, 3)
    columns = np.column_stack([np.cross(normals, [1, 0, 0]), normals, normals]).reshape(-1, 3, 3).swapaxes(1, 2)
    table = table_of(cc, ["a"] * 500 + ["b"] * 400, np.where(np.arange(900) % 2, EVEN, ODD)).replace(rotations=columns)
    kept, fits = fit_latitudes(table)
    changed, _ = fit_latitudes(table.replace(cc=np.where(table.half == ODD, 2 * cc + 1, cc)))
    np.testing.assert_array_equal(kept[table.half == EVEN], changed[table.half == EVEN])
    assert set(fits) == {("a", ODD), ("a", EVEN), ("b", ODD), ("b", EVEN)}
    assert 0.8 < kept.mean() < 0.88
