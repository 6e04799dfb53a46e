# SPDX-License-Identifier: GPL-3.0-or-later
"""The common height of averages along z: each against one synthetic reference that carries no azimuth and no noise."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import map_coordinates

from .flattening import layer_centroid
from .resample import rotate_volume

ITERATIONS = 3
FINE_STEP_PX = 0.005


@dataclass(frozen=True)
class HeightFit:
    """Where the reference's origin sits in an average: ``average(r + (0, 0, shift_px))`` matches ``reference(r)``."""

    shift_px: float
    cc: float


def fit_height(volume, reference, max_shift_px, radius_px):
    """Shift along z alone between an average and a reference (paper, step 6B).

    Only the columns of a cylinder about z are compared. Their normalised
    cross-correlation finds the shift, least squares its fraction of a pixel. The
    particles of the average follow with ``table.moved((0, 0, shift_px))``.

    Parameters
    ----------
    volume, reference : (n, n, n) float arrays of the same pixel size
    max_shift_px : float, largest shift tried
    radius_px : float, of the cylinder
    """
    n = volume.shape[0]
    inside = _axis_distance(n) <= radius_px
    moving = np.asarray(volume, float)[:, inside]
    # One whole pixel further than asked, so that the spline has a neighbour on both sides.
    reach = min(int(np.ceil(max_shift_px)) + 1, n // 2 - 2)
    heights = np.arange(reach, n - reach)
    fixed = np.asarray(reference, float)[heights][:, inside]
    shifts = np.arange(-reach, reach + 1)
    windows = [moving[heights + s] for s in shifts]
    # These curves are interpolated, never the data, whose noise that would smooth between pixels.
    covariance = CubicSpline(shifts, [np.mean((w - w.mean()) * (fixed - fixed.mean())) for w in windows])
    variance = CubicSpline(shifts, [w.var() for w in windows])
    limit = min(float(max_shift_px), float(reach))
    fine = np.linspace(-limit, limit, 2 * int(np.ceil(limit / FINE_STEP_PX)) + 1)
    correlation = covariance(fine) / np.sqrt(np.maximum(variance(fine) * fixed.var(), 1e-30))
    best = int(np.argmax(correlation))
    # With noise the correlation leans to where more density (the membrane) enters the window; the residual at
    # the contrast found there does not.
    near = np.flatnonzero(np.abs(fine - fine[best]) <= 1)
    for _ in range(ITERATIONS):
        contrast = covariance(fine[best]) / max(fixed.var(), 1e-30)
        best = near[np.argmin((variance(fine) - 2 * contrast * covariance(fine))[near])]
    return HeightFit(float(fine[best]), float(correlation[best]))


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
        shifted = [
            rotate_volume(v, np.eye(3), (0, 0, fit.shift_px - common)) for v, fit in zip(volumes, fits, strict=True)
        ]
        reference = azimuthal_mean(sum(shifted))
    origin = layer_centroid(reference, pixel_size)
    return rotate_volume(reference, np.eye(3), (0, 0, origin))


def azimuthal_mean(volume):
    """The volume with every ring about z replaced by its mean, over what of the ring lies inside the box."""
    n = volume.shape[0]
    distance = _axis_distance(n)
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


def _axis_distance(n):
    """(n, n) distance (px) of a plane's voxels from the z axis."""
    axis = np.arange(n) - n // 2
    return np.hypot(axis[:, None], axis)
