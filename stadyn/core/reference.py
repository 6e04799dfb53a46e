# SPDX-License-Identifier: GPL-3.0-or-later
"""A reference as a function of frequency: interpolated between oversampled samples, with its gradient."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .arrays import array_module
from .fourier import OVERSAMPLING, half_cube

POINTS_AT_ONCE = 16384
"""Points interpolated at once on a CPU: the temporaries then stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class Reference:
    """A masked reference on the oversampled half grid, ready to be interpolated."""

    cube: np.ndarray  # (k + 1, 2 k + 1, 2 k + 1) complex64 [fz, fy, fx]
    box_px: int

    @classmethod
    def from_volume(cls, volume, high, mask=None, xp=np):
        """Prepare a reference.

        Parameters
        ----------
        volume : (n, n, n) float array [z, y, x]
        high : float, Fourier pixels needed
        mask : (n, n, n) float array in 0..1, or None for all of the box's sphere
        """
        n = volume.shape[0]
        if mask is None:
            axis = np.arange(n) - n // 2
            radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
            mask = np.clip((n / 2 - 1 - radius) / 3, 0, 1)
        volume = (volume - np.sum(volume * mask) / np.sum(mask)) * mask
        k = int(np.ceil(high * OVERSAMPLING)) + 2
        cube = half_cube(xp.asarray(volume.astype(np.float32)), k, OVERSAMPLING, True)
        return cls(cube, n)

    def sample(self, frequencies):
        """(b, m) complex64 values at (b, m, 3) float32 frequencies of the reference frame, Fourier pixels."""
        return trilinear(self.cube.reshape(-1), self.cube.shape, frequencies)

    def sample_with_gradient(self, frequencies):
        """(4, b, m) complex64: values and their derivatives by the x, y, z of the frequency."""
        return trilinear(self.cube.reshape(-1), self.cube.shape, frequencies, gradient=True)


@dataclass(frozen=True, eq=False)
class BallLines:
    """The samples of a half grid inside a ball, line by line along x: under half of the grid."""

    side: int  # 2 k + 1
    middles: np.ndarray  # ((k + 1) * side,) int32, where x = 0 of each line (z, y) is among the samples
    samples: tuple  # three (g,) int arrays, z, y + k, x + k of each sample

    def __len__(self):
        return len(self.samples[0])


@lru_cache(maxsize=4)
def ball_lines(k):
    """The `BallLines` of a grid with `k` samples on either side of zero, complete for points within k - 2 samples."""
    radius2 = (k - 2 + np.sqrt(3)) ** 2  # the far corner of a point's cell
    z, y = np.meshgrid(np.arange(k + 1), np.arange(-k, k + 1), indexing="ij")
    left = (radius2 - z**2 - y**2).ravel()
    reach = np.sqrt(np.maximum(left, 0)).astype(int)
    lengths = np.where(left >= 0, 2 * reach + 1, 0)
    middles = np.cumsum(lengths) - lengths + reach
    line = np.repeat(np.arange(len(lengths)), lengths)
    x = np.arange(len(line)) - middles[line]
    side = 2 * k + 1
    return BallLines(side, middles.astype(np.int32), (line // side, line % side, x + k))


def trilinear(table, grid, frequencies, gradient=False):
    """Interpolate an oversampled half grid, reading the Hermitian partner where z is negative.

    Parameters
    ----------
    table : complex64 array of the grid in C order [fz, fy, fx]; or (b, size) when each of the b particles has its own
    grid : (k + 1, 2 k + 1, 2 k + 1), or `BallLines` when the table holds no more than a ball
    frequencies : (b, m, 3) float32, Fourier pixels of the box
    gradient : bool, also the interpolant's own derivatives

    Returns
    -------
    (b, m) complex64, or (4, b, m) with the derivatives by x, y, z
    """
    xp = array_module(table)
    b, m = frequencies.shape[:2]
    out = xp.empty((4 if gradient else 1, b, m), np.complex64)
    rows = max(1, POINTS_AT_ONCE // m) if xp is np else b
    for start in range(0, b, rows):
        part = slice(start, start + rows)
        own = table[part] if table.ndim == 2 else table
        _trilinear(xp, own, grid, frequencies[part], out[:, part])
    return out if gradient else out[0]


def _trilinear(xp, table, grid, frequencies, out):
    x, y, z = (xp.ascontiguousarray(frequencies[..., axis]) for axis in range(3))
    sign = xp.where(z < 0, np.float32(-1), np.float32(1))
    corner, fractions = [], []
    for axis in (x, y, z):
        axis = axis * sign
        axis *= OVERSAMPLING
        low = xp.floor(axis)
        axis -= low
        fractions.append(axis)
        corner.append(low.astype(np.int32))
    fx, fy, fz = fractions
    in_ball = isinstance(grid, BallLines)
    side = grid.side if in_ball else grid[1]
    middles = xp.asarray(grid.middles) if in_ball else None
    line_number = corner[2] * side + corner[1] + side // 2
    along = corner[0] if in_ball else corner[0] + side // 2
    if table.ndim == 2:
        along = along + (xp.arange(len(table), dtype=np.int32) * table.shape[1])[:, None]
        table = table.reshape(-1)
    lines, slopes = [], []
    for dz, dy in ((0, 0), (0, 1), (1, 0), (1, 1)):  # four edges along x, then two along y, then z
        number = line_number + (dz * side + dy)
        at = (xp.take(middles, number) if in_ball else number * side) + along
        line = xp.take(table, at)
        at += 1
        slope = xp.take(table, at)
        slope -= line
        slopes.append(slope)
        line += slope * fx
        lines.append(line)
    bottom, bottom_slope = lines[0], lines[1] - lines[0]
    top, top_slope = lines[2], lines[3] - lines[2]
    bottom += bottom_slope * fy
    top += top_slope * fy
    z_slope = top - bottom
    bottom += z_slope * fz
    out[0].real, out[0].imag = bottom.real, bottom.imag * sign
    if len(out) == 4:
        near = slopes[0] + (slopes[1] - slopes[0]) * fy
        far = slopes[2] + (slopes[3] - slopes[2]) * fy
        far -= near
        near += far * fz
        top_slope -= bottom_slope
        bottom_slope += top_slope * fz
        scale = sign * OVERSAMPLING  # G(-q) = conj G(q): its derivative changes sign as well
        for target, slope in zip(out[1:], (near, bottom_slope, z_slope), strict=True):
            xp.multiply(slope.real, scale, out=target.real)
            xp.multiply(slope.imag, OVERSAMPLING, out=target.imag)


def phases(frequencies, shifts, box_px):
    """(b, m) complex64 ``exp(-2 pi i h . t / n)`` of frequencies (m, 3) or (b, m, 3) and shifts (b, 3)."""
    xp = array_module(frequencies)
    dots = (
        xp.matmul(frequencies, xp.asarray(shifts, dtype=np.float32)[..., None])[..., 0]
        if frequencies.ndim == 3
        else (xp.asarray(shifts, dtype=np.float32) @ frequencies.T)
    )
    angle = dots * np.float32(-2 * np.pi / box_px)
    out = xp.empty(angle.shape, np.complex64)
    out.real, out.imag = xp.cos(angle), xp.sin(angle)
    return out
