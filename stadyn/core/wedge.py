# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Fourier coefficients a tilt series about y sampled: the missing wedge as a weight."""

import numpy as np

from .arrays import array_module

TOLERANCE = 1e-4
"""Fourier pixels by which a coefficient may lie beyond the last tilt's plane and still count as on it."""


def wedge_weights(wedge, frequencies):
    """1 where a tilt in [min, max] about y sampled the coefficient, 0 in the missing wedge.

    A view tilted by theta fills the central plane that holds the y axis and the
    direction (cos theta, 0, sin theta) of the tomogram, so a coefficient is there
    when its angle ``atan2(kz, kx)``, folded to -90..90, lies in the tilt range.

    Parameters
    ----------
    wedge : MissingWedge
    frequencies : (..., 3) array, Fourier pixels (x, y, z) in the tomogram frame, on the host or a device

    Returns
    -------
    (...) float32 array
    """
    xp = array_module(frequencies)
    kx, kz = (frequencies[..., axis].astype(np.float32) for axis in (0, 2))
    sign = xp.where(kx < 0, -1, 1).astype(np.float32)
    kx, kz = kx * sign, kz * sign
    low, high = np.radians(wedge.min_deg), np.radians(wedge.max_deg)
    # On which side of the two limiting planes: the folded angle without an arctangent.
    sampled = kz * np.float32(np.cos(low)) - kx * np.float32(np.sin(low)) >= -TOLERANCE
    sampled &= kz * np.float32(np.cos(high)) - kx * np.float32(np.sin(high)) <= TOLERANCE
    if wedge.min_deg == -90 or wedge.max_deg == 90:
        sampled |= kx == 0  # -90 and 90 are one direction
    return sampled.astype(np.float32)
