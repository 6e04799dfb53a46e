# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Fourier coefficients a tilt series about y sampled: the missing wedge as a weight."""

import numpy as np


def wedge_weights(wedge, frequencies):
    """1 where a tilt in [min, max] about y sampled the coefficient, 0 in the missing wedge.

    A view tilted by theta fills the central plane that holds the y axis and the
    direction (cos theta, 0, sin theta) of the tomogram, so a coefficient is there
    when its angle ``atan2(kz, kx)``, folded to -90..90, lies in the tilt range.

    Parameters
    ----------
    wedge : MissingWedge
    frequencies : (..., 3) array, (x, y, z) in the tomogram frame

    Returns
    -------
    (...) float32 array
    """
    kx, kz = np.asarray(frequencies[..., 0], float), np.asarray(frequencies[..., 2], float)
    flip = np.where(kx < 0, -1.0, 1.0)
    angle = np.degrees(np.arctan2(kz * flip, kx * flip))
    tolerance = 1e-6
    sampled = (angle >= wedge.min_deg - tolerance) & (angle <= wedge.max_deg + tolerance)
    if wedge.min_deg > -90 or wedge.max_deg < 90:
        vertical = (kx == 0) & (kz != 0)  # +90 and -90 are one direction
        sampled &= ~vertical | (wedge.max_deg >= 90) | (wedge.min_deg <= -90)
    return sampled.astype(np.float32)
