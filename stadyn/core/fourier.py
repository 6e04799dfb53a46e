# SPDX-License-Identifier: GPL-3.0-or-later
"""The Fourier coefficients inside a low-pass: which they are, and how boxes turn into them and back.

Everything above the low-pass of a round is zero, so a particle is kept as the
Hermitian half of its coefficients inside a sphere and nothing else. They are
computed by three small matrix products instead of a full FFT: of N^3 coefficients
only a few per cent are wanted, and a matrix product runs at the machine's peak.
The origin of every transform is the box centre, index N // 2.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft

from .arrays import array_module

OVERSAMPLING = 2
"""Samples per Fourier pixel of the cubes that are interpolated: trilinear interpolation
at this density, with its sinc^2 envelope divided out, is what RELION's padding 2 does."""


@dataclass(frozen=True, eq=False)
class Band:
    """The coefficients with ``low < |h| <= high``, one of each Hermitian pair."""

    box_px: int
    high: float  # Fourier pixels
    low: float  # Fourier pixels; 0 leaves out the mean only
    indices: np.ndarray  # (m, 3) int16, h = (x, y, z)

    def __len__(self):
        return len(self.indices)


@lru_cache(maxsize=32)
def band(box_px, high, low=0.0):
    """The `Band` of a box between two radii in Fourier pixels; `high` is cut at Nyquist."""
    high = min(float(high), box_px // 2 - 1)
    k = int(high)
    z, y, x = np.meshgrid(np.arange(0, k + 1), np.arange(-k, k + 1), np.arange(-k, k + 1), indexing="ij")
    half = (z > 0) | ((z == 0) & (y > 0)) | ((z == 0) & (y == 0) & (x > 0))
    radius2 = x * x + y * y + z * z
    chosen = half & (radius2 <= high * high + 1e-6) & (radius2 > low * low)
    return Band(box_px, high, float(low), np.stack([x[chosen], y[chosen], z[chosen]], -1).astype(np.int16))


def lowpass_radius(box_px, pixel_size, resolution_angst):
    """Fourier pixels of a resolution: ``box * pixel_size / resolution``, at most Nyquist."""
    return min(box_px * pixel_size / resolution_angst, box_px // 2 - 1) if resolution_angst > 0 else box_px // 2 - 1


def sinc2_envelope(box_px):
    """(n,) what trilinear interpolation on the oversampled grid multiplies a box by, along one axis."""
    return np.sinc((np.arange(box_px) - box_px // 2) / (box_px * OVERSAMPLING)) ** 2


def _dft_matrix(box_px, frequencies, weights=None):
    """(f, n) complex64 ``exp(-2 pi i f (x - centre) / n)``, optionally weighted over x."""
    x = np.arange(box_px) - box_px // 2
    matrix = np.exp(-2j * np.pi * np.outer(frequencies, x) / box_px)
    return (matrix if weights is None else matrix * weights).astype(np.complex64)


@lru_cache(maxsize=16)
def _plan(box_px, k_samples, samples_per_pixel, compensated, ahead=0.0):
    weights = 1.0 / sinc2_envelope(box_px) if compensated else None
    return _dft_matrix(box_px, (np.arange(-k_samples, k_samples + 1) - ahead) / samples_per_pixel, weights)


@lru_cache(maxsize=16)
def _forward_plan(*plan):
    """Two real matrices of a `_plan`, k being its samples on either side of zero.

    (n, 2 k + 2), the real and imaginary part of each frequency >= 0 side by side: a real
    box times this is complex as it stands. And (2 k + 1, n), real parts of frequencies >= 0
    above imaginary parts of those > 0: a frequency and its negative share them.
    """
    half = _plan(*plan)[plan[1] :]
    return np.ascontiguousarray(half.T).view(np.float32), np.concatenate([half.real, half[1:].imag])


def _both_signs(parts, signal):
    """(..., 2 k + 1, m) transform of (..., n, m) complex signals along their last axis but one.

    `parts` is the second matrix of `_forward_plan`; half as many products as with a complex matrix.
    """
    xp = array_module(signal)
    k = len(parts) // 2
    both = xp.matmul(parts, signal.view(np.float32)).view(np.complex64)
    even, odd = both[..., : k + 1, :], both[..., k + 1 :, :]
    odd *= np.complex64(1j)
    out = xp.empty(both.shape, np.complex64)
    out[..., k, :] = even[..., 0, :]
    xp.add(even[..., 1:, :], odd, out=out[..., k + 1 :, :])
    xp.subtract(even[..., :0:-1, :], odd[..., ::-1, :], out=out[..., :k, :])
    return out


def _transform(volumes, k_samples, samples_per_pixel, compensated):
    """(b, 2 k + 1, 2 k + 1, k + 1) complex64 array [fy, fx, fz] of (b, n, n, n) boxes; see `half_cube`."""
    xp = array_module(volumes)
    volumes = volumes.astype(np.float32, copy=False)
    b, n = volumes.shape[:2]
    first, parts = (xp.asarray(m) for m in _forward_plan(n, k_samples, samples_per_pixel, compensated))
    done = xp.matmul(xp.swapaxes(volumes.reshape(b, n, n * n), 1, 2), first).view(np.complex64)  # (y x) fz
    done = _both_signs(parts, done.reshape(b, n, n * (k_samples + 1)))  # fy (x fz)
    return _both_signs(parts, done.reshape(b, 2 * k_samples + 1, n, k_samples + 1))


def half_cube(volumes, k_samples, samples_per_pixel=1, compensated=False):
    """The transform of boxes on a cube of frequencies, z >= 0 half.

    Parameters
    ----------
    volumes : (b, n, n, n) or (n, n, n) real array [z, y, x]
    k_samples : int, samples on either side of zero
    samples_per_pixel : int, 1 for the box's own Fourier pixels, 2 for twice as fine
    compensated : bool, divide out the envelope of a later trilinear interpolation

    Returns
    -------
    (b, k + 1, 2 k + 1, 2 k + 1) complex64 array [fz, fy, fx]
    """
    xp = array_module(volumes)
    single = volumes.ndim == 3
    done = _transform(volumes[None] if single else volumes, k_samples, samples_per_pixel, compensated)
    done = xp.ascontiguousarray(xp.moveaxis(done, 3, 1))
    return done[0] if single else done


def places_in_half_cube(samples, k_samples):
    """(m,) int, where `half_cube_samples` finds three (m,) int arrays of indices [fz, fy, fx] of a half cube."""
    z, y, x = samples
    return (y * (2 * k_samples + 1) + x) * (k_samples + 1) + z


def half_cube_samples(volumes, places, k_samples, samples_per_pixel=1, compensated=False):
    """(b, m) complex64, some samples of the `half_cube` of (b, n, n, n) boxes, chosen by `places_in_half_cube`."""
    xp = array_module(volumes)
    done = _transform(volumes, k_samples, samples_per_pixel, compensated)
    return xp.take(done.reshape(len(done), -1), xp.asarray(places), axis=1)


def volume_from_half_cube(cube, box_px, samples_per_pixel=OVERSAMPLING, compensated=True, ahead=0.0):
    """The real box that the samples of a half cube and their Hermitian partners make: the adjoint of `half_cube`.

    The sum over all frequencies is not divided by their number.

    Parameters
    ----------
    cube : (k + 1, 2 k + 1, 2 k + 1) complex array [fz, fy, fx]; of a sample and its partner in fz = 0 it holds one
    box_px : int
    samples_per_pixel, compensated : as in `half_cube`
    ahead : float, samples by which the cube's frequencies lie below those of `half_cube`, along every axis
    """
    xp = array_module(cube)
    k = cube.shape[-1] // 2
    inverse = xp.asarray(_plan(box_px, k, samples_per_pixel, compensated, ahead).conj())
    part = xp.matmul(cube, inverse)  # fx -> x
    part = xp.matmul(inverse.T, part)  # fy -> y
    half = 2 * inverse[k:]  # a sample and its partner are conjugate: twice the real part
    flat = part.reshape(k + 1, box_px * box_px)
    out = half.real.T @ flat.real - half.imag.T @ flat.imag
    return out.reshape(box_px, box_px, box_px)


def frequency_radius(box_px):
    """(n, n, n // 2 + 1) float32 radius in Fourier pixels of each coefficient of ``scipy.fft.rfftn``."""
    f = scipy.fft.fftfreq(box_px, 1.0 / box_px).astype(np.float32)
    h = scipy.fft.rfftfreq(box_px, 1.0 / box_px).astype(np.float32)
    return np.sqrt(f[:, None, None] ** 2 + f[None, :, None] ** 2 + h[None, None, :] ** 2)


def bandpass(volume, pixel_size, lowpass_angst=0.0, highpass_angst=0.0, edge_px=2.0):
    """A real box with only the frequencies between two resolutions left, soft raised-cosine edges.

    A limit of 0 is no limit. `edge_px` is the edge's width in Fourier pixels.
    """
    n = volume.shape[0]
    radius = frequency_radius(n)
    gain = np.ones_like(radius)
    if lowpass_angst > 0:
        gain *= _edge((n * pixel_size / lowpass_angst - radius) / edge_px)
    if highpass_angst > 0:
        gain *= _edge((radius - n * pixel_size / highpass_angst) / edge_px)
    return scipy.fft.irfftn(scipy.fft.rfftn(volume.astype(np.float32)) * gain, s=volume.shape)


def _edge(t):
    """Raised cosine from 0 at t = -1/2 to 1 at t = 1/2."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(t + 0.5, 0, 1))
