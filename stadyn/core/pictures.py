# SPDX-License-Identifier: GPL-3.0-or-later
"""Slices made fit to look at: band-passed, stretched to grey values, magnified."""

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter

HALVING = 0.187
"""A Gaussian of this sd, in resolutions, halves the amplitude at that resolution: sqrt(ln 2 / 2) / pi."""
BACKGROUND_ANGST = 600.0
"""Density varying over longer than this is taken out by the high-pass."""


def band_passed(image, pixel_size, lowpass_angst, highpass_angst=BACKGROUND_ANGST):
    """A slice through Gaussian filters; amplitudes at both lengths are halved.

    Parameters
    ----------
    image : (rows, columns) float array
    pixel_size : float, Å
    lowpass_angst : float; nothing is done up to two pixels
    highpass_angst : float, or None
    """
    if lowpass_angst > 2 * pixel_size:
        image = gaussian_filter(image, HALVING * lowpass_angst / pixel_size)
    if highpass_angst is not None:
        image = image - gaussian_filter(image, HALVING * highpass_angst / pixel_size)
    return image


def grey(image, contrast):
    """uint8 array: `contrast` standard deviations either side of the mean go from black to white."""
    spread = max(float(image.std()), 1e-9) * contrast
    return np.clip(127.5 + 127.5 * (image - image.mean()) / spread, 0, 255).astype(np.uint8)


def magnified(image, scale):
    """`image` with `scale` pixels for each of its own, linear in between; the borders of both coincide.

    Pixel c of the result is at (c + 0.5) / scale - 0.5 of `image`.
    """
    if scale == 1:
        return image
    shape = tuple(max(1, round(n * scale)) for n in image.shape)
    return affine_transform(image, np.eye(2) / scale, 0.5 / scale - 0.5, shape, order=1, mode="nearest")
