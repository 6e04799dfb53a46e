# SPDX-License-Identifier: GPL-3.0-or-later
"""Fourier shell correlation along directions: each shell cut to a cone, which tells how even the resolution is.

Conical FSC as of Tan et al. 2017 (doi:10.1038/nmeth.4347), whose half-angle of 20 degrees is the default. Masked
half-maps are compared as they are: the mask's own correlation is not taken out, so that only differences between
directions are to be read, not the absolute resolution.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft as sfft

from .errors import InputError
from .fsc import GOLD_STANDARD_THRESHOLD, check_same_cube, resolution_at, shell_indices

HALF_ANGLE_DEG = 20.0
DIRECTIONS = 60
FEWEST = 12
"""Coefficients that a cone must hold of a shell; of a smaller one, near the origin, the whole shell speaks."""
AXES = "xyz"


@dataclass(frozen=True, eq=False)
class DirectionalFSC:
    """FSC curves inside cones about directions of the half sphere; the first three are the x, y and z axes."""

    directions: np.ndarray  # (d, 3) unit vectors (x, y, z)
    half_angle_deg: float
    frequency: np.ndarray  # (shells,) 1/Å
    curves: np.ndarray  # (d, shells)
    resolution_angst: np.ndarray  # (d,) Å at `threshold`, interpolated; inf where not reached
    threshold: float

    def axis(self, name):
        """Resolution (Å) along "x", "y" or "z"."""
        return float(self.resolution_angst[AXES.index(name)])

    def anisotropy(self):
        """Worst resolution over the best, 1 where all directions are alike."""
        return float(self.resolution_angst.max() / self.resolution_angst.min())


def half_sphere(count):
    """(3 + count, 3) unit vectors: the axes, then a Fibonacci spiral over the half sphere z > 0."""
    i = np.arange(count) + 0.5
    z = 1 - i / max(count, 1)
    angle = np.pi * (1 + np.sqrt(5)) * i
    rho = np.sqrt(1 - z**2)
    return np.vstack([np.eye(3), np.column_stack([rho * np.cos(angle), rho * np.sin(angle), z])])


def directional_fsc(half1, half2, pixel_size, mask=None, half_angle_deg=HALF_ANGLE_DEG, directions=DIRECTIONS,
                    threshold=GOLD_STANDARD_THRESHOLD):  # fmt: skip
    """FSC inside cones about the axes and `directions` others, even over the half sphere.

    Parameters
    ----------
    half1, half2 : (n, n, n) float arrays, [z, y, x]
    pixel_size : float, Å
    mask : (n, n, n) float array; None compares the maps as they are
    half_angle_deg : float, between the cone's axis and its side
    directions : int, beside the three axes
    threshold : float

    Returns
    -------
    DirectionalFSC
    """
    check_same_cube(half1, half2)
    if not 5 <= half_angle_deg <= 90:
        raise InputError(f"a cone of half-angle {half_angle_deg:g}°: give 5 to 90, 20 is usual")
    box = half1.shape[0]
    transforms = [sfft.rfftn(np.asarray(half if mask is None else half * mask, np.float32)) for half in (half1, half2)]
    shells = shell_indices(box)
    used = (shells > 0) & (shells <= box // 2)
    z, y, x = np.nonzero(used)
    vectors = np.column_stack([x, _signed(y, box), _signed(z, box)]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1)[:, None]
    fa, fb = (f[used] for f in transforms)
    cross = (fa.real * fb.real + fa.imag * fb.imag).astype(np.float64)
    powers = [np.square(f.real, dtype=np.float64) + np.square(f.imag, dtype=np.float64) for f in (fa, fb)]
    shell = shells[used]
    axes = half_sphere(directions)
    whole, _ = _correlation(shell, (cross, *powers), box)
    curves = []
    for axis in axes:
        cosine = np.abs(vectors @ axis.astype(np.float32))
        inside = cosine >= np.cos(np.radians(half_angle_deg)) - 1e-6
        curve, count = _correlation(shell[inside], [values[inside] for values in (cross, *powers)], box)
        curves.append(np.where(count < FEWEST, whole, curve))
    curves = np.array(curves)
    frequency = np.arange(box // 2 + 1) / (box * pixel_size)
    resolution = np.array([resolution_at(frequency, curve, threshold) for curve in curves])
    return DirectionalFSC(axes, float(half_angle_deg), frequency, curves, resolution, float(threshold))


def _signed(index, box):
    """Frequencies of indices along a full axis of a transform."""
    return np.where(index > box // 2, index - box, index)


def _correlation(shell, values, box):
    """((n // 2 + 1,) FSC of some coefficients, number of them in each shell)."""
    cross, *powers = (np.bincount(shell, part, box // 2 + 1) for part in values)
    power = np.sqrt(powers[0] * powers[1])
    curve = np.divide(cross, power, out=np.zeros_like(cross), where=power > 0)
    curve[0] = 1.0
    return curve, np.bincount(shell, minlength=box // 2 + 1)
