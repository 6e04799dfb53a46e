# SPDX-License-Identifier: GPL-3.0-or-later
"""A reference weighted by how well each resolution shell of it is known."""

import numpy as np
import scipy.fft

from .fourier import frequency_radius

THRESHOLD = 0.143
"""FSC of two halves at which their sum is still better signal than noise (Rosenthal & Henderson 2003)."""


def resolved_radius(curve, high):
    """Fourier pixels of the last shell before an FSC first falls under 0.143, at most `high`, at least 1."""
    below = np.flatnonzero(curve[1:] < THRESHOLD)
    return float(min(high, below[0] if len(below) else len(curve) - 1, len(curve) - 1)) or 1.0


def figure_of_merit(curve):
    """(s,) weight of each shell of the sum of two halves: ``sqrt(2 F / (1 + F))``, 0 from where F falls under 0.143.

    Rosenthal & Henderson 2003, doi:10.1016/j.jmb.2003.07.013.
    """
    below = np.flatnonzero(curve[1:] < THRESHOLD)
    last = below[0] + 1 if len(below) else len(curve)
    known = np.clip(curve, 0, 1)
    weight = np.sqrt(2 * known / (1 + known))
    weight[0] = 1
    weight[max(last, 2) :] = 0
    return weight


def filtered(volume, weights):
    """A box (n, n, n) with its shells weighted by (n // 2 + 1,) `weights`, linear in between, 0 beyond."""
    radius = frequency_radius(volume.shape[0])
    gain = np.interp(radius, np.arange(len(weights)), weights, right=0.0).astype(np.float32)
    return scipy.fft.irfftn(scipy.fft.rfftn(volume) * gain, s=volume.shape)
