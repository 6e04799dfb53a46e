# SPDX-License-Identifier: GPL-3.0-or-later
"""Averages of particles that each miss a wedge: Fourier sums divided by the sum of the weights.

A particle's coefficients are put at their turned frequencies on a grid twice as
fine as the box's own, by trilinear weights; seen back in real space, with the
grid's sinc^2 envelope divided out, that is the particle turned by trigonometric
interpolation, exact but for the grid's small aliases. The sum of the particles'
weights goes the same way, symmetry is applied to both sums, and their quotient is
the average (Dynamo's Fourier compensation).
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft

from .arrays import array_module, to_host
from .fourier import OVERSAMPLING, frequency_radius, volume_from_half_cube
from .resample import box_coordinates, fourier_resize, turned_copies
from .symmetry import symmetry_matrices, symmetry_order

POINTS_AT_ONCE = 262144
"""Coefficients put on the grid at once on a CPU: enough to pay for a pass over the grid, few enough for memory."""


@dataclass(frozen=True, eq=False)
class Average:
    """An average of `n` particles; `weight` is how many of them saw each Fourier coefficient."""

    volume: np.ndarray  # (box, box, box) float32 [z, y, x], contrast of the data
    weight: np.ndarray  # (box, box, box // 2 + 1) float32, rfftn order
    n: int


class AverageSum:
    """Two running sums on the oversampled half grid: coefficients and weights, in float64."""

    def __init__(self, box_px, high):
        self.box_px = box_px
        self.k = int(np.ceil(high * OVERSAMPLING)) + 1
        side = 2 * self.k + 1
        self.shape = (self.k + 1, side, side)
        size = int(np.prod(self.shape))
        self.real, self.imag, self.weight = np.zeros(size), np.zeros(size), np.zeros(size)
        self.n = 0

    def add(self, data, weights, rotations, frequencies, amounts=None):
        """Put particles, already shifted onto their centres, into the sums.

        Parameters
        ----------
        data : (b, m) complex64, coefficients
        weights : (m,) or (b, m) float32, amplitude of the structure in each coefficient
        rotations : (b, 3, 3) reference -> tomogram
        frequencies : (m, 3), h in the tomogram frame
        amounts : (b,) how much each particle counts, 1 by default
        """
        xp = array_module(data)
        data, weights = data * weights, xp.broadcast_to(weights**2, data.shape)
        if amounts is not None:
            amounts = xp.asarray(amounts, dtype=np.float32)[:, None]
            data, weights = data * amounts, weights * amounts
        rows = max(1, POINTS_AT_ONCE // data.shape[1]) if xp is np else len(data)
        for start in range(0, len(data), rows):
            part = slice(start, start + rows)
            self._scatter(xp, data[part], weights[part], rotations[part], frequencies)
        self.n += len(data)

    def _scatter(self, xp, data, weights, rotations, frequencies):
        turned = xp.matmul(xp.asarray(frequencies, dtype=np.float32), xp.asarray(rotations, dtype=np.float32))
        sign = xp.where(turned[..., 2] < 0, -1.0, 1.0).astype(np.float32)
        turned *= (OVERSAMPLING * sign)[..., None]
        value = xp.stack([data.real, data.imag * sign])
        low = xp.floor(turned).astype(np.int32)
        frac = turned - low
        _, side, _ = self.shape
        base = (low[..., 2] * side + low[..., 1] + self.k) * side + low[..., 0] + self.k
        size = len(self.weight)
        sums = [0, 0, 0]  # on the device until all corners are in
        for corner in range(8):
            dx, dy, dz = corner & 1, corner >> 1 & 1, corner >> 2
            share = frac[..., 0] if dx else 1 - frac[..., 0]
            share = share * (frac[..., 1] if dy else 1 - frac[..., 1])
            share = share * (frac[..., 2] if dz else 1 - frac[..., 2])
            where = (base + ((dz * side + dy) * side + dx)).ravel()
            for i, part in enumerate((value[0], value[1], weights)):
                sums[i] += xp.bincount(where, (part * share).ravel(), size)
        self.real += to_host(sums[0])
        self.imag += to_host(sums[1])
        self.weight += to_host(sums[2])

    def merge(self, other):
        """Add another sum of the same shape."""
        self.real += other.real
        self.imag += other.imag
        self.weight += other.weight
        self.n += other.n

    def volumes(self):
        """The sum of the turned particles and of their turned weights as real boxes (not yet divided)."""
        data = (self.real + 1j * self.imag).reshape(self.shape)
        weight = self.weight.reshape(self.shape).astype(complex)
        weight[0, self.k, self.k] += 0.5 * self.n  # every particle's mean is known: it is zero
        boxes = []
        for cube in (data, weight):
            # On fz = 0 a coefficient and its Hermitian partner share the plane; only one of them was put there.
            cube[0] += np.conj(cube[0, ::-1, ::-1])
            boxes.append(volume_from_half_cube(cube.astype(np.complex64), self.box_px))
        return boxes


@dataclass(frozen=True, eq=False)
class SymmetrizedSum:
    """The two sums of an `AverageSum` as real boxes with symmetry applied: what adds up, before the division."""

    data: np.ndarray  # (box, box, box) float32
    weight: np.ndarray  # (box, box, box) float32
    high: float  # Fourier pixels
    n: int

    @classmethod
    def of(cls, total, symmetry="C1"):
        """Turn the sums of an `AverageSum` by every rotation of "Cn"."""
        high = (total.k - 1) / OVERSAMPLING
        data, weight = (symmetrize(_in_sphere(v), symmetry, high) for v in total.volumes())
        return cls(data, weight, high, total.n)

    def __add__(self, other):
        return SymmetrizedSum(self.data + other.data, self.weight + other.weight, self.high, self.n + other.n)

    def average(self, fmin=0.01):
        """The `Average`: the quotient of the sums in Fourier space, see `finish`."""
        n = self.data.shape[0]
        if self.n == 0:
            return Average(np.zeros((n, n, n), np.float32), np.zeros((n, n, n // 2 + 1), np.float32), 0)
        spectrum = scipy.fft.rfftn(scipy.fft.ifftshift(self.data))
        weight = np.maximum(scipy.fft.rfftn(scipy.fft.ifftshift(self.weight)).real, 0)
        radius = frequency_radius(n)
        inside = (radius > 0) & (radius <= self.high)
        floor = fmin * weight[inside].max()
        spectrum = np.where(inside, spectrum / np.maximum(weight, floor), 0)
        volume = scipy.fft.fftshift(scipy.fft.irfftn(spectrum, s=(n, n, n)))
        # A weight of 1 at every Fourier pixel is n^3 at the box centre, so in Fourier space each particle counts n^3.
        counted = np.where(inside, weight / n**3, 0).astype(np.float32)
        return Average(_in_sphere(volume.astype(np.float32)), counted, self.n)


def finish(total, symmetry="C1", fmin=0.01):
    """The `Average` of an `AverageSum`.

    Parameters
    ----------
    total : AverageSum
    symmetry : str, "Cn" about z, applied to the sums
    fmin : float, floor of the weight as a fraction of its largest value: where fewer
        particles contribute, the quotient is damped rather than noise being blown up
        (Dynamo's ``fmin`` of the Fourier compensation)
    """
    return SymmetrizedSum.of(total, symmetry).average(fmin)


def _in_sphere(volume, edge_px=2.0):
    """Zero outside the inscribed sphere, where a turned box shows its periodic neighbours."""
    n = volume.shape[0]
    radius = np.sqrt(np.sum(box_coordinates(n) ** 2, axis=0))
    return (volume * np.clip((n / 2 - 0.5 - radius) / edge_px, 0, 1)).astype(np.float32)


def symmetrize(volume, symmetry, high=None):
    """The mean of a volume over the rotations of "Cn" about z.

    Half a turn only reverses x and y; other angles are turned by cubic splines on a
    grid at least four times as fine as the finest frequency, where they are accurate.
    `high` is that frequency in Fourier pixels, Nyquist by default.
    """
    order = symmetry_order(symmetry)
    if order == 1:
        return volume
    if order % 2 == 0:
        volume, order = 0.5 * (volume + _half_turn(volume)), order // 2
    rotations = symmetry_matrices(f"C{order}")[1:]
    if order == 1:
        return volume.astype(np.float32)
    n = volume.shape[0]
    finer = 1 if high is not None and 4 * high <= n else 2
    copies = turned_copies(fourier_resize(volume, finer * n), rotations, finer)
    return np.mean([volume, *copies], axis=0, dtype=np.float32)


def _half_turn(volume):
    """A box turned by 180 degrees about z through its centre voxel; in an even box the first plane has no partner."""
    turned = volume[:, ::-1, ::-1]
    if volume.shape[0] % 2 == 0:
        turned = np.roll(turned, 1, axis=(1, 2))
        turned[:, 0], turned[:, :, 0] = 0, 0
    return turned
