# SPDX-License-Identifier: GPL-3.0-or-later
"""One map on another, to hundredths of a pixel: the last polish of half-maps that already nearly lie on each other."""

import numpy as np
from scipy import fft as sfft
from scipy import ndimage

from .fourier import frequency_radius
from .resample import box_coordinates, fourier_resize
from .rotations import rotation_vectors_to_matrices
from .sharpening import lowpass_gain

SAMPLES_PER_LOWPASS = 4.0
"""Voxels per length of the low-pass: nothing is lost by binning to that, and large boxes stay fast."""
UPSAMPLING = 2
"""Of the map that is read between its voxels: cubic splines then err by less than a thousandth."""
STEPS = 8
CONVERGED = 1e-5


def polish_pose(fixed, moving, rotation, shift_px, pixel_size, lowpass_angst, mask=None):
    """The pose at which ``moving(shift + rotation @ r)`` fits ``fixed(r)`` best, by Gauss-Newton from one that is near.

    Both maps are low-passed; the scale and level of the moving one are free.

    Parameters
    ----------
    fixed, moving : (n, n, n) float arrays
    rotation : (3, 3) start; within a degree or two
    shift_px : (3,) start, (x, y, z) px; within a pixel or two
    pixel_size, lowpass_angst : float, Å
    mask : (n, n, n) float array about the fixed map, or None for the sphere that stays inside the moving map

    Returns
    -------
    rotation : (3, 3), shift_px : (3,)
    """
    n = fixed.shape[0]
    box = min(n, 2 * int(np.ceil(n * pixel_size * SAMPLES_PER_LOWPASS / lowpass_angst / 2)))
    cut = n * pixel_size / lowpass_angst
    target = fourier_resize(_lowpassed(fixed, cut), box)
    fine = _Interpolated(fourier_resize(_lowpassed(moving, cut), UPSAMPLING * box))
    scale = box / n
    rotation, shift = np.array(rotation, float), np.asarray(shift_px, float) * scale
    weight = _weight(box, mask, np.linalg.norm(shift))
    chosen = weight > 0.01
    points = box_coordinates(box).reshape(3, -1)[:, chosen.ravel()].T.astype(float)
    root, target = np.sqrt(weight[chosen]), target[chosen]
    for _ in range(STEPS):
        values, gradient = fine(shift + points @ rotation.T)
        turned = gradient @ rotation
        # Columns: turn about the fixed map's axes, shift, and the level and scale that fit best.
        columns = np.column_stack([np.cross(points, turned), gradient, values, np.ones(len(values))])
        step = np.linalg.lstsq(columns * root[:, None], target * root, rcond=None)[0]
        step = step[:6] / step[6] if step[6] > 0 else np.zeros(6)
        rotation = rotation @ rotation_vectors_to_matrices(step[None, :3])[0]
        shift = shift + step[3:]
        if np.abs(step).max() < CONVERGED:
            break
    return rotation, shift / scale


def _lowpassed(volume, cut):
    volume = np.asarray(volume, np.float32)
    gain = lowpass_gain(frequency_radius(volume.shape[0]), cut).astype(np.float32)
    return sfft.irfftn(sfft.rfftn(volume) * gain, s=volume.shape)


def _weight(box, mask, shift):
    """(box, box, box) weights of the fixed map's voxels."""
    if mask is not None:
        return np.clip(fourier_resize(mask, box), 0, 1)
    radius = box / 2 - 2 - shift
    return (np.sum(box_coordinates(box) ** 2, axis=0) <= radius**2).astype(float)


class _Interpolated:
    """An upsampled map that is read, with its gradient, at points in px of the map before upsampling."""

    def __init__(self, volume):
        self._origin = volume.shape[0] // 2
        parts = [volume, *np.gradient(volume)[::-1]]  # value, then d/dx, d/dy, d/dz
        self._coefficients = [ndimage.spline_filter(part, order=3, output=np.float32) for part in parts]

    def __call__(self, points):
        indices = points.T[::-1] * UPSAMPLING + self._origin
        value, *gradient = (
            ndimage.map_coordinates(part, indices, order=3, prefilter=False, mode="nearest")
            for part in self._coefficients
        )
        return value, UPSAMPLING * np.stack(gradient, axis=-1)
