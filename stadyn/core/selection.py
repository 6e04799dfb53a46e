# SPDX-License-Identifier: GPL-3.0-or-later
"""Which particles stay, judged by their cross-correlation: a two-Gaussian threshold, and a latitude-normalised cut."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.mixture import GaussianMixture

from .errors import InputError

MIN_SCORES = 20
"""Fewer scores than this are never split in two: five parameters would be fitted to them."""
MIN_VALLEY_DEPTH = 0.02
"""The valley must lie this fraction below the lower of the two peaks, or the mixture has one peak with a shoulder."""
STARTS = 5
FOURIER_TERMS = 2
"""Paper, step 8A: "the first 2 terms of a general Fourier series"."""
MIN_PER_TERM = 5
"""Particles per Fourier coefficient below which the trend with latitude is not fitted."""


@dataclass(frozen=True, eq=False)
class CCThreshold:
    """Gaussian mixture fitted to the scores of one tomogram, and the cut between its two populations.

    With one population there is one component, `valley` is nan, `threshold` is
    -inf (everything stays) and `message` says why.
    """

    scores: np.ndarray  # (n,) finite CC scores the mixture was fitted to
    means: np.ndarray  # (k,) of the components, ascending; k is 1 or 2
    sds: np.ndarray  # (k,) standard deviations
    weights: np.ndarray  # (k,) sum 1
    valley: float  # minimum of the mixture's density between its two peaks
    threshold: float  # valley + margin: scores below it are excluded
    two_populations: bool
    message: str

    def component_densities(self, x):
        """(k, m) weighted density of each component at the scores `x` (m,)."""
        return _component_densities(x, self.means, self.sds, self.weights)

    def density(self, x):
        """(m,) density of the whole mixture at the scores `x` (m,)."""
        return self.component_densities(x).sum(axis=0)


def fit_cc_threshold(cc, margin=0.01, seed=0):
    """Two Gaussians fitted to CC scores, and a threshold where they part (paper, step 6A).

    The threshold is the minimum of the mixture between its two peaks plus an
    empirical constant of 0.01. Where the scores are one population (the Bayesian
    information criterion prefers one Gaussian, or the two have no valley between
    them) nothing is cut.

    Parameters
    ----------
    cc : (n,) float array; values that are not finite are ignored
    margin : float, added to the minimum; 0.01 in the paper
    seed : int, of the starts of the fit
    """
    scores = np.asarray(cc, float)
    scores = scores[np.isfinite(scores)]
    if len(scores) < MIN_SCORES:
        return _one_population(
            scores, f"only {len(scores)} scores, {MIN_SCORES} are needed to tell two populations apart: all are kept"
        )
    if np.ptp(scores) == 0:
        return _one_population(scores, "all scores are equal: all are kept")
    # Scaled scores keep scikit-learn's variance floor and convergence limit meaningful for CC of any size.
    center, scale = scores.mean(), scores.std()
    column = ((scores - center) / scale)[:, None]
    single = GaussianMixture(1).fit(column)
    double = GaussianMixture(2, n_init=STARTS, max_iter=500, tol=1e-5, random_state=seed).fit(column)
    if single.bic(column) <= double.bic(column):
        return _one_population(scores, "one Gaussian describes the scores better than two: all are kept")
    order = np.argsort(double.means_[:, 0])
    means = center + scale * double.means_[order, 0]
    sds = scale * np.sqrt(double.covariances_[order, 0, 0])
    weights = double.weights_[order]
    valley = _valley(means, sds, weights)
    if valley is None:
        return _one_population(scores, "the scores have one peak, there is no valley to cut at: all are kept")
    threshold = valley + margin
    message = f"two populations, {np.mean(scores >= threshold):.0%} of the scores above the threshold {threshold:.4g}"
    return CCThreshold(scores, means, sds, weights, valley, threshold, True, message)


def with_threshold(fit, threshold):
    """The `CCThreshold` with a threshold that was typed in place of its own; the mixture stays, to be looked at."""
    share = np.mean(fit.scores >= threshold) if len(fit.scores) else 1.0
    own = f"automatic: {fit.threshold:.4g}" if fit.two_populations else f"automatic: none, {fit.message}"
    message = f"threshold {threshold:.4g} as typed, {share:.0%} of the scores above it ({own})"
    return replace(fit, threshold=float(threshold), message=message)


def select_by_cc(table, thresholds):
    """(n,) bool: which particles of `table` reach the threshold of their tomogram.

    Parameters
    ----------
    table : ParticleTable; a particle without a score (nan) stays only where nothing is cut
    thresholds : dict tomogram id -> CCThreshold, or a plain number for a threshold that was typed
    """
    missing = sorted(set(table.tomogram_ids) - set(thresholds))
    if missing:
        raise InputError(f"tomogram {missing[0]} has particles but no CC threshold: fit or give one")
    cut_of = {i: getattr(t, "threshold", t) for i, t in thresholds.items()}
    cuts = np.array([cut_of[i] for i in table.tomogram_ids], float)
    return (table.cc >= cuts) | np.isneginf(cuts)


@dataclass(frozen=True, eq=False)
class LatitudeFit:
    """How CC depends on the angle between particle and beam, and who stays once that is taken out."""

    theta_deg: np.ndarray  # (n,) angle between the particle's z axis and the beam, 0 to 180
    cc: np.ndarray  # (n,) scores as they were
    coefficients: np.ndarray  # (1 + terms,) of 1, cos 2 theta, cos 4 theta, ...
    normalized_cc: np.ndarray  # (n,) cc - trend + mean of cc
    threshold: float  # mean - k sd of the normalised scores
    kept: np.ndarray  # (n,) bool

    def trend(self, theta_deg):
        """(m,) fitted CC at angles (m,) to the beam."""
        return _cosines(theta_deg, len(self.coefficients)) @ self.coefficients


def fit_latitude(cc, normals, k=1.0, terms=FOURIER_TERMS):
    """Normalise CC by the latitude on the VLP, and cut at mean - k standard deviations (paper, step 8A).

    The missing wedge gives particles at the equator a higher CC than those at
    the poles. Every sampled Fourier coefficient has its Friedel mate and the
    in-plane angles are random, so the wedge affects theta and 180 - theta alike: the
    Fourier series is even about 0 and 90 degrees, and its first terms are
    cos 2 theta and cos 4 theta. Least squares, weights equal.

    Parameters
    ----------
    cc : (n,) float array, of one tomogram and one half-set; particles without a finite score do not stay
    normals : (n, 3) float array, z axes of the particles in the tomogram, whose z is the beam
    k : float, standard deviations below the mean that still stay; 1 in the paper
    terms : int, cosines beside the constant
    """
    cc, normals = np.asarray(cc, float), np.asarray(normals, float)
    # A copy, for strided arctan2 is not reproducible to the last bit.
    theta = np.degrees(np.arctan2(np.hypot(normals[:, 0], normals[:, 1]), normals[:, 2].copy()))
    known = np.isfinite(cc)
    if not known.any():
        return LatitudeFit(theta, cc, np.zeros(1 + terms), cc.copy(), -np.inf, known)
    coefficients = np.zeros(1 + terms)
    fitted = 1 + terms if known.sum() >= MIN_PER_TERM * (1 + terms) else 1
    coefficients[:fitted] = np.linalg.lstsq(_cosines(theta[known], fitted), cc[known], rcond=None)[0]
    mean = cc[known].mean()
    normalized = cc - _cosines(theta, 1 + terms) @ coefficients + mean
    threshold = float(normalized[known].mean() - k * normalized[known].std())
    with np.errstate(invalid="ignore"):
        kept = known & (normalized >= threshold)
    return LatitudeFit(theta, cc, coefficients, normalized, threshold, kept)


def fit_latitudes(table, k=1.0, terms=FOURIER_TERMS):
    """`fit_latitude` for each tomogram and half-set of a ParticleTable.

    Returns
    -------
    kept : (n,) bool array
    fits : dict (tomogram id, half) -> LatitudeFit
    """
    kept, fits = np.zeros(len(table), bool), {}
    for tomogram_id in np.unique(table.tomogram_ids):
        for half in np.unique(table.half[table.tomogram_ids == tomogram_id]):
            rows = (table.tomogram_ids == tomogram_id) & (table.half == half)
            fit = fit_latitude(table.cc[rows], table.normals()[rows], k, terms)
            fits[str(tomogram_id), int(half)] = fit
            kept[rows] = fit.kept
    return kept, fits


def _cosines(theta_deg, columns):
    """(m, columns) of 1, cos 2 theta, cos 4 theta, ..."""
    return np.cos(2 * np.radians(np.asarray(theta_deg, float))[..., None] * np.arange(columns))


def _component_densities(x, means, sds, weights):
    z = (np.asarray(x, float) - means[:, None]) / sds[:, None]
    return weights[:, None] * np.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * sds[:, None])


def _valley(means, sds, weights):
    """The score of the lowest mixture density between two peaks, or None when there is no valley."""
    x = np.linspace(means[0], means[1], 2001)
    density = _component_densities(x, means, sds, weights).sum(axis=0)
    lowest = int(np.argmin(density))
    peaks = density[: lowest + 1].max(), density[lowest:].max()
    return None if density[lowest] > (1 - MIN_VALLEY_DEPTH) * min(peaks) else float(x[lowest])


def _one_population(scores, message):
    mean, sd = (scores.mean(), scores.std()) if len(scores) else (np.nan, np.nan)
    return CCThreshold(scores, np.array([mean]), np.array([sd]), np.ones(1), np.nan, -np.inf, False, message)
