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


def interval(ours, theirs, seed=0):
    """(2,) the 95 % interval of our median less theirs, resampling the particles that both have."""
    rows = np.random.default_rng(seed).integers(len(ours), size=(RESAMPLES, len(ours)))
    return np.percentile(np.median(ours[rows], axis=1) - np.median(theirs[rows], axis=1), (2.5, 97.5))


def no_larger(ours, theirs):
    """Is the median of `ours` no larger than that of `theirs`, particle by particle the same set?

    A larger median passes only where chance explains it: when the interval of the difference reaches zero.
    """
    return bool(np.median(ours) <= np.median(theirs) or interval(ours, theirs)[0] <= 0)


def errors_no_larger(ours, theirs):
    """`no_larger` of both the angles and the shifts of two `Errors`; the intervals are printed."""
    angle, shift = interval(ours.angle_deg, theirs.angle_deg), interval(ours.shift_px, theirs.shift_px)
    print(
        f"#   {len(ours.angle_deg)} particles of both, our median less theirs, 95 % interval: "
        f"{angle[0]:+.2f} to {angle[1]:+.2f}°, {shift[0]:+.3f} to {shift[1]:+.3f} px",
        flush=True,
    )
    return no_larger(ours.angle_deg, theirs.angle_deg) and no_larger(ours.shift_px, theirs.shift_px)


def per_particle(spent, count):
    """Time of one and particles per second, from seconds for `count` particles."""
    each = spent / count
    return f"{each:.3g} s ({1 / each:.3g}/s)" if each >= 1 else f"{1e3 * each:.3g} ms ({1 / each:.3g}/s)"
