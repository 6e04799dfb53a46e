# SPDX-License-Identifier: GPL-3.0-or-later
"""How a benchmark times two sides in turn, compares their errors, prints its rows and fails when one falls short."""

import os
import sys
import time
from dataclasses import dataclass, field

import numpy as np

RESAMPLES = 1000


@dataclass
class Rows:
    """The printed rows of one command."""

    failed: list = field(default_factory=list)

    def __post_init__(self):
        print(f"# load before the start {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores", flush=True)
        print("name | ours | theirs | ratio | our error | their error | asked", flush=True)

    def add(self, name, ours, theirs, ratio, our_error, their_error, asked, reached):
        """Print one row; `reached` says whether it is what was asked for."""
        ratio = f"{ratio:.3g}" if isinstance(ratio, float) and ratio < 100 else f"{ratio:.0f}" if ratio else ""
        if not reached:
            self.failed.append(name)
        cells = (name, ours, theirs, ratio, our_error, their_error, asked if reached else f"{asked}: FALLS SHORT")
        print(" | ".join(str(cell) for cell in cells), flush=True)

    def end(self):
        """Leave with status 1 if any row fell short."""
        if self.failed:
            sys.exit(f"{len(self.failed)} rows fall short: {', '.join(self.failed)}")


def seconds(function, *args, **kwargs):
    """(wall seconds, result) of one call."""
    started = time.perf_counter()
    result = function(*args, **kwargs)
    return time.perf_counter() - started, result


def in_turn(ours, theirs, repeats):
    """Call both alternately, A B A B: (seconds of ours, of theirs, last result of ours, all results of theirs).

    `theirs` is given the number of the repeat, so that it can take other particles of the same set each time.
    """
    mine, other, results = [], [], []
    for repeat in range(repeats):
        spent, found = seconds(ours)
        mine.append(spent)
        spent, result = seconds(theirs, repeat)
        other.append(spent)
        results.append(result)
    return np.array(mine), np.array(other), found, results


def no_larger(ours, theirs, seed=0):
    """Is the median of `ours` no larger than that of `theirs`, particle by particle the same set?

    A larger median passes only where chance explains it: when it is not larger in 97.5 % of the
    resamplings of the particles.
    """
    if np.median(ours) <= np.median(theirs):
        return True
    rows = np.random.default_rng(seed).integers(len(ours), size=(RESAMPLES, len(ours)))
    return bool(np.mean(np.median(ours[rows], axis=1) > np.median(theirs[rows], axis=1)) < 0.975)


def errors_no_larger(ours, theirs):
    """`no_larger` of both the angles and the shifts of two `Errors`."""
    return no_larger(ours.angle_deg, theirs.angle_deg) and no_larger(ours.shift_px, theirs.shift_px)


def per_particle(spent, count):
    """Milliseconds and particles per second, from seconds for `count` particles."""
    return f"{1e3 * spent / count:.3g} ms ({count / spent:.3g}/s)"
