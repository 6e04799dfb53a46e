# SPDX-License-Identifier: GPL-3.0-or-later
"""Slices of a tomogram as grey pictures: which plane, how thick, how large, and where a pixel of it lies."""

import numpy as np

from stadyn.core.pictures import BACKGROUND_ANGST, band_passed, grey, magnified
from stadyn.io.mrc import open_volume

PLANES = {"xy": (0, 1, 2), "xz": (1, 0, 2), "yz": (2, 1, 0)}
"""Name -> axes of the array [z, y, x] that run through the plane, down it and along it."""


class Slices:
    """Pictures of one tomogram, memory-mapped, reduced or magnified to `most` pixels along its longest side.

    Reduced by whole numbers: every so manieth voxel is read, no more.

    Parameters
    ----------
    tomogram : Tomogram
    most : int
    """

    def __init__(self, tomogram, most=640):
        self.tomogram, self.volume = tomogram, open_volume(tomogram.path)
        longest = max(self.volume.shape)
        self.step = max(1, int(np.ceil(longest / most)))
        self.scale = max(1.0, most / longest)  # screen pixels a voxel, of tomograms that are read whole

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
        image = band_passed(image, pixel * self.step, lowpass_angst, BACKGROUND_ANGST if flatten else None)
        return grey(magnified(image, self.scale), contrast)

    def point(self, plane, index, column, row):
        """(3,) (x, y, z) of the tomogram under a pixel (column, row) of a picture."""
        through, down, along = PLANES[plane]
        zyx = np.zeros(3)
        zyx[through], zyx[down], zyx[along] = index, self._voxel(row), self._voxel(column)
        return zyx[::-1]

    def pixel(self, plane, point):
        """(column, row) of a point (x, y, z), and its voxel along the axis through the plane."""
        through, down, along = PLANES[plane]
        zyx = np.asarray(point, float)[::-1]
        return self._place(zyx[along]), self._place(zyx[down]), zyx[through]

    def _voxel(self, place):
        return ((place + 0.5) / self.scale - 0.5) * self.step

    def _place(self, voxel):
        return (voxel / self.step + 0.5) * self.scale - 0.5

    def circle(self, plane, index, dipole):
        """(column, row, radius) in pixels where a dipole's sphere meets a plane, or None."""
        column, row, height = self.pixel(plane, dipole.center)
        left = dipole.radius**2 - (height - index) ** 2
        return (column, row, float(np.sqrt(left)) * self.scale / self.step) if left > 0 else None
