# SPDX-License-Identifier: GPL-3.0-or-later
"""The common height of averages along z: each against one synthetic reference that carries no azimuth and no noise."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import map_coordinates
from scipy.optimize import minimize_scalar

from .flattening import layer_centroid
from .masks import centered_grid
from .resample import rotate_volume

ITERATIONS = 3


@dataclass(frozen=True)
class HeightFit:
    """Where the origin of the reference sits in an average: ``average(r + (0, 0, shift_px))`` matches ``reference(r)``."""

    shift_px: float
    cc: float


def fit_height(volume, reference, max_shift_px, radius_px):
    """Shift along z alone between an average and a reference (paper, step 6B).

    Only the columns of a cylinder about z are compared, by their normalised
    cross-correlation; splines along z give shifts between pixels. The particles
    of the average follow with ``table.moved((0, 0, shift_px))``.

    Parameters
    ----------
    volume, reference : (n, n, n) float arrays of the same pixel size
    max_shift_px : float, largest shift tried
    radius_px : float, of the cylinder
    """
    n = volume.shape[0]
    x, y, _ = centered_grid(n)
    inside = (np.hypot(x, y) <= radius_px)[0]
    spline = CubicSpline(np.arange(n), np.asarray(volume, float)[:, inside], axis=0)
    reach = min(int(np.ceil(max_shift_px)), n // 2 - 2)
    heights = np.arange(reach, n - reach)
    fixed = np.asarray(reference, float)[heights][:, inside]

    def score(shift):
        return _correlation(spline(heights + shift), fixed)

    coarse = np.arange(-reach, reach + 1)
    best = coarse[np.argmax([score(s) for s in coarse])]
    limits = max(best - 1.0, -float(max_shift_px)), min(best + 1.0, float(max_shift_px))
    found = minimize_scalar(lambda s: -score(s), bounds=limits, method="bounded", options={"xatol": 1e-3})
    return HeightFit(float(found.x), float(-found.fun))


def synthetic_reference(volumes, pixel_size, max_shift_px, radius_px):
    """A reference of the common height, made from the averages that are to be compared with it.

    The averages are brought to their common height, summed and turned into their
    azimuthal mean about z, repeatedly; so neither the noise nor the in-plane
    angle of any one stays in it. Its z origin is the centroid of the unit cell's density.

    Parameters
    ----------
    volumes : sequence of (n, n, n) float arrays, protein dark
    pixel_size : float, Å
    max_shift_px, radius_px : float, as in `fit_height`
    """
    volumes = [(v - np.mean(v)) / np.std(v) for v in (np.asarray(v, np.float32) for v in volumes)]
    reference = azimuthal_mean(sum(volumes))
    for _ in range(ITERATIONS if len(volumes) > 1 else 0):
        fits = [fit_height(v, reference, max_shift_px, radius_px) for v in volumes]
        # The mean stays where it is: only differences between the averages are taken out.
        common = np.mean([fit.shift_px for fit in fits])
        shifted = [rotate_volume(v, np.eye(3), (0, 0, fit.shift_px - common)) for v, fit in zip(volumes, fits)]
        reference = azimuthal_mean(sum(shifted))
    origin = layer_centroid(reference, pixel_size)
    return rotate_volume(reference, np.eye(3), (0, 0, origin))


def azimuthal_mean(volume):
    """The volume with every ring about z replaced by its mean; rings that leave the box keep the mean of what is inside."""
    n = volume.shape[0]
    x, y, _ = centered_grid(n)
    distance = np.hypot(x, y)[0]
    low = np.floor(distance).astype(int)
    upper = distance - low
    bins = low.max() + 2
    # Each voxel is shared between the two nearest rings, and read back by the same weights.
    weight = np.bincount(low.ravel(), (1 - upper).ravel(), bins) + np.bincount(low.ravel() + 1, upper.ravel(), bins)
    out = np.empty(volume.shape, np.float32)
    for z in range(n):
        plane = np.asarray(volume[z], float)
        total = np.bincount(low.ravel(), ((1 - upper) * plane).ravel(), bins)
        total += np.bincount(low.ravel() + 1, (upper * plane).ravel(), bins)
        profile = total / np.maximum(weight, 1e-9)
        out[z] = map_coordinates(profile, [distance], order=1, mode="nearest")
    return out


def _correlation(a, b):
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt(np.sum(a * a) * np.sum(b * b))
    return float(np.sum(a * b) / norm) if norm > 0 else 0.0
