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
import scipy.sparse

from .arrays import array_module, in_parts, to_host
from .fourier import OVERSAMPLING, frequency_radius, volume_from_half_cube
from .resample import box_coordinates, fourier_resize, turned_copies
from .symmetry import symmetry_matrices, symmetry_order

POINTS_AT_ONCE = 2**20
"""Coefficients put on the grid at once on a CPU: enough to pay for a pass over the grid, few enough for memory."""
POINTS_IN_CACHE = 2**14
"""Coefficients whose corners are worked out at once on a CPU: the temporaries then stay in the processor's cache."""


AHEAD = 0.25
"""Samples by which the grid lies below the box's own frequencies. The envelope of trilinear shares is sinc^2 on
average over where points fall between samples. Those of particles that are not turned would all fall on
samples, whose envelope is 1: the rim of their average came out a tenth too strong. A quarter from one they
have sinc^2 within 1 % to two thirds of the radius, and turned ones do not notice."""


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
        self.sums = np.zeros((int(np.prod(self.shape)), 3))  # real part, imaginary part, weight: side by side in memory
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
        in_parts(
            lambda part: self._scatter(xp, data[part], weights[part], rotations[part], frequencies), len(data), rows
        )
        self.n += len(data)

    def _scatter(self, xp, data, weights, rotations, frequencies):
        turned = xp.matmul(xp.asarray(frequencies, dtype=np.float32), xp.asarray(rotations, dtype=np.float32))
        turned = turned.reshape(-1, 3)
        points = len(turned)
        value, share = xp.empty((points, 3), np.float64), xp.empty((points, 8), np.float64)
        where = xp.empty((points, 8), np.int32)
        value[:, 0], value[:, 1], value[:, 2] = data.real.ravel(), data.imag.ravel(), weights.ravel()
        step = POINTS_IN_CACHE if xp is np else points
        for start in range(0, points, step):
            part = slice(start, start + step)
            mirrored = _corners(turned[part], self.shape, where[part], share[part])
            value[part, 1] *= mirrored
        self.sums += to_host(_added_up(where, share, value, len(self.sums)))

    def merge(self, other):
        """Add another sum of the same shape."""
        self.sums += other.sums
        self.n += other.n

    def volumes(self):
        """The sum of the turned particles and of their turned weights as real boxes (not yet divided)."""
        where, share = np.empty((1, 8), np.int32), np.empty((1, 8))
        _corners(np.zeros((1, 3), np.float32), self.shape, where, share)
        data, weight = self.sums[:, 0] + 1j * self.sums[:, 1], self.sums[:, 2].astype(complex)
        weight[where[0]] += 0.5 * self.n * share[0]  # every particle's mean is known: it is zero
        return [
            volume_from_half_cube(cube.reshape(self.shape).astype(np.complex64), self.box_px, ahead=AHEAD)
            for cube in (data, weight)
        ]


def _corners(turned, shape, where, share):
    """The eight grid points about each frequency, and the trilinear share that each of them gets.

    Parameters
    ----------
    turned : (p, 3) float32, frequencies in the frame of the grid, Fourier pixels
    shape : (k + 1, 2 k + 1, 2 k + 1) of the grid [fz, fy, fx]
    where, share : (p, 8) int32 and float64, filled with indices into the flat grid and with shares that sum to 1

    Returns
    -------
    (p,) float32, -1 where the grid holds the Hermitian partner (z < 0) and 1 elsewhere
    """
    xp = array_module(turned)
    k, side, _ = shape
    k -= 1
    x, y, z = xp.ascontiguousarray(turned.T)
    sign = xp.where(z < 0, np.float32(-1), np.float32(1))
    fractions, corner = [], 0
    for axis, stride in ((z * sign, side * side), (y * sign, side), (x * sign, 1)):
        axis *= OVERSAMPLING
        axis += AHEAD
        low = xp.floor(axis)
        axis -= low
        fractions.append((1 - axis, axis))
        corner = corner + low.astype(np.int32) * stride
    corner += k * side + k
    offsets = [(dz * side + dy) * side + dx for dz in (0, 1) for dy in (0, 1) for dx in (0, 1)]
    xp.add(corner[:, None], xp.asarray(offsets, dtype=np.int32), out=where)
    for i in range(4):
        edge = fractions[0][i >> 1] * fractions[1][i & 1]
        share[:, 2 * i] = edge * fractions[2][0]
        share[:, 2 * i + 1] = edge * fractions[2][1]
    return sign


def _added_up(where, share, value, size):
    """(size, 3) float64: each row of `value` (p, 3) added at its eight places `where`, each times its share (p, 8).

    On a CPU this is the product of a sparse matrix with the values, which touches all three sums of a place at once.
    """
    xp = array_module(value)
    if xp is np:
        ends = np.arange(0, where.size + 1, 8, dtype=np.int32)
        return scipy.sparse.csr_matrix((share.ravel(), where.ravel(), ends), shape=(len(value), size)).T @ value
    columns = [xp.bincount(where.ravel(), (share * value[:, i, None]).ravel(), size) for i in range(3)]
    return xp.stack(columns, axis=1)


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
