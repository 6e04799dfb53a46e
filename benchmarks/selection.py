# SPDX-License-Identifier: GPL-3.0-or-later
"""Thresholds by CC on planted mixtures: how far from the true valley, and is one population ever cut?

    python benchmarks/selection.py [--cases 200] [--seed 0]

Two populations: 300 to 9,000 scores (log-uniform), means 2 to 6 standard deviations apart (uniform; of the wider
Gaussian), the other's width 0.6 to 1 of it, 15 to 85 % in the lower. A case is drawn again while its own density has
no valley between the peaks, for then no threshold is true; how often is printed. One population: as many
sets, normal, skewed (gamma 6) and heavy-tailed (Student 5) in turn.

Latitude: as many sets of scores whose trend with the angle to the beam is 1 to 3 standard deviations in amplitude; how
much of it the fit leaves, and how many particles are kept as an oracle would that knows the scores without it.
"""

import argparse

import numpy as np
from scipy.stats import norm

from stadyn.core.selection import fit_cc_threshold, fit_latitude

WITHIN_SD = 0.3


def planted_valley(means, sds, weights):
    """The lowest point of the true density between the two means, or None where it has none."""
    x = np.linspace(*means, 4001)
    density = sum(w * norm.pdf(x, m, s) for w, m, s in zip(weights, means, sds, strict=True))
    lowest = int(np.argmin(density))
    return float(x[lowest]) if 0 < lowest < len(x) - 1 else None


def two_populations(rng):
    """(scores, true valley, sd of the wider Gaussian, separation in it, number of draws)."""
    draws, valley = 0, None
    while valley is None:
        draws += 1
        sd = rng.uniform(0.01, 0.06)
        sds = rng.permutation([sd, sd * rng.uniform(0.6, 1.0)])
        separation = rng.uniform(2, 6)
        means = rng.uniform(0.05, 0.3) + np.array([0, separation * sd])
        lower = rng.uniform(0.15, 0.85)
        valley = planted_valley(means, sds, (lower, 1 - lower))
    n = int(np.exp(rng.uniform(np.log(300), np.log(9000))))
    which = (rng.random(n) >= lower).astype(int)
    return rng.normal(means[which], sds[which]), valley, sd, separation, draws


def one_population(rng, kind):
    """Scores of one bell of a kind."""
    n = int(np.exp(rng.uniform(np.log(300), np.log(9000))))
    draw = (rng.standard_normal, lambda n: rng.gamma(6, size=n) / 2.45, lambda n: rng.standard_t(5, n))[kind]
    return rng.uniform(0.05, 0.3) + rng.uniform(0.01, 0.06) * draw(n)


def measure(cases, seed=0):
    """dict of the shares and of every case: (separation, n, error in sd; inf where nothing was cut)."""
    rng = np.random.default_rng(seed)
    found, draws = [], 0
    for _ in range(cases):
        scores, valley, sd, separation, drawn = two_populations(rng)
        fit = fit_cc_threshold(scores, margin=0.0)
        error = abs(fit.valley - valley) / sd if fit.two_populations else np.inf
        found.append((separation, len(scores), error))
        draws += drawn
    single = [[fit_cc_threshold(one_population(rng, kind)) for _ in range(cases // 3 + 1)] for kind in range(3)]
    return {
        "cases": np.array(found),
        "redrawn": draws - cases,
        "within": float(np.mean(np.array(found)[:, 2] <= WITHIN_SD)),
        "recognised": [float(np.mean([not fit.two_populations for fit in fits])) for fits in single],
    }


def latitude(rng, n):
    """(share of the planted trend that is left, agreement of the kept set with the oracle's) of one case."""
    normals = rng.standard_normal((n, 3))
    theta = np.arctan2(np.hypot(normals[:, 0], normals[:, 1]), normals[:, 2])
    sd = rng.uniform(0.01, 0.04)
    trend = rng.uniform(1, 3) * sd * (-np.cos(2 * theta) + rng.uniform(-0.3, 0.3) * np.cos(4 * theta))
    quality = rng.uniform(0.1, 0.4) + sd * rng.standard_normal(n)
    fit = fit_latitude(quality + trend, normals)
    left = trend - fit.trend(np.degrees(theta))
    oracle = quality >= quality.mean() - quality.std()
    return left.std() / trend.std(), np.mean(fit.kept == oracle)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    result = measure(args.cases, args.seed)
    cases = result["cases"]
    print(f"two populations: {result['within']:.1%} of {args.cases} within {WITHIN_SD} sd of the true valley")
    for low, high in ((2, 2.5), (2.5, 3), (3, 4), (4, 6)):
        here = (cases[:, 0] >= low) & (cases[:, 0] < high)
        if here.any():
            part = cases[here, 2]
            print(
                f"  {low} to {high} sd apart: {here.sum():3d} cases, within {np.mean(part <= WITHIN_SD):.1%}, "
                f"not cut {np.mean(np.isinf(part)):.1%}, median error {np.median(part):.3f} sd"
            )
    print(f"  {result['redrawn']} further draws had no valley of their own")
    for kind, share in zip(("normal", "skewed", "heavy-tailed"), result["recognised"], strict=True):
        print(f"one population, {kind}: {share:.1%} recognised")
    rng = np.random.default_rng(args.seed)
    for n in (300, 1000, 3000, 9000):
        left, same = np.array([latitude(rng, n) for _ in range(args.cases)]).T
        print(
            f"latitude, {n} particles: {np.median(left):.1%} of the trend is left (worst {left.max():.1%}, 5 % or less "
            f"in {np.mean(left <= 0.05):.0%}); {same.mean():.2%} of the set as the oracle (worst {same.min():.1%})"
        )


if __name__ == "__main__":
    main()
