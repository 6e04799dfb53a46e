# SPDX-License-Identifier: GPL-3.0-or-later
"""Slices of a tomogram as grey pictures: which plane, how thick, how filtered, and where a pixel of it lies."""

import numpy as np
from scipy.ndimage import gaussian_filter

from stadyn.io.mrc import open_volume

PLANES = {"xy": (0, 1, 2), "xz": (1, 0, 2), "yz": (2, 1, 0)}
"""Name -> axes of the array [z, y, x] that run through the plane, down it and along it."""
BACKGROUND_ANGST = 600.0
"""Density varying over longer than this is taken out by the high-pass."""


class Slices:
    """Pictures of one tomogram, memory-mapped, reduced to at most `most` pixels a side.

    Parameters
    ----------
    tomogram : Tomogram
    most : int
    """

    def __init__(self, tomogram, most=640):
        self.tomogram, self.volume = tomogram, open_volume(tomogram.path)
        self.step = max(1, int(np.ceil(max(self.volume.shape) / most)))

    def picture(self, plane, index, thickness_angst=60.0, lowpass_angst=40.0, flatten=True, contrast=3.0):
        """uint8 (rows, columns) of a plane through voxel `index` of its axis; protein dark.

        `contrast` standard deviations either side of the mean go from black to white.
        """
        through, down, along = PLANES[plane]
        size, pixel = self.volume.shape[through], self.tomogram.pixel_size
        half = max(0, int(thickness_angst / pixel / 2))
        low, high = max(0, index - half), min(size, index + half + 1)
        cut = [slice(None, None, self.step)] * 3
        cut[through] = slice(low, max(high, low + 1))
        image = np.asarray(self.volume[tuple(cut)], np.float32).mean(axis=through)
        if down > along:
            image = image.T
        shown = pixel * self.step
        if lowpass_angst > 2 * shown:
            # A Gaussian that halves the amplitude at this resolution.
            image = gaussian_filter(image, 0.187 * lowpass_angst / shown)
        if flatten:
            image = image - gaussian_filter(image, 0.187 * BACKGROUND_ANGST / shown)
        spread = max(float(image.std()), 1e-9) * contrast
        return np.clip(127.5 + 127.5 * (image - image.mean()) / spread, 0, 255).astype(np.uint8)

    def point(self, plane, index, column, row):
        """(3,) (x, y, z) of the tomogram under a pixel (column, row) of a picture."""
        through, down, along = PLANES[plane]
        zyx = np.zeros(3)
        zyx[through], zyx[down], zyx[along] = index, row * self.step, column * self.step
        return zyx[::-1]

    def pixel(self, plane, point):
        """(column, row) of a point (x, y, z), and its voxel along the axis through the plane."""
        through, down, along = PLANES[plane]
        zyx = np.asarray(point, float)[::-1]
        return zyx[along] / self.step, zyx[down] / self.step, zyx[through]

    def circle(self, plane, index, dipole):
        """(column, row, radius) in pixels where a dipole's sphere meets a plane, or None."""
        column, row, height = self.pixel(plane, dipole.center)
        left = dipole.radius**2 - (height - index) ** 2
        return (column, row, float(np.sqrt(left)) / self.step) if left > 0 else None
