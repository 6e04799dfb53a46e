# SPDX-License-Identifier: GPL-3.0-or-later
"""Local resolution of two half-maps: the FSC inside a window about every voxel.

The correlation of a window's Fourier shell is, by Parseval, that of the two band-passed maps inside the window. So
each band is cut once from the whole maps, and one convolution with the window gives it for all voxels: 192³ voxels
take minutes instead of one small FFT pair a voxel, and a strong shell does not leak through the window into its
neighbours.  The result is what blocres (Cardone et al. 2013, doi:10.1016/j.jsb.2013.08.002), which the paper uses,
estimates with a box of the same size.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft as sfft

from .errors import InputError
from .fourier import frequency_radius
from .fsc import check_same_cube, shell_indices
from .resample import rotate_volume
from .sharpening import lowpass_gain
from .symmetry import symmetry_matrices, symmetry_order

BANDS_PER_SHELL = 2  # a window of w px resolves 1/w; bands of that width half overlap
FILTER_LEVELS = 16
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, eq=False)
class LocalResolution:
    """Resolution at every voxel, and its distribution inside the mask.

    Voxels that agree in no band carry the coarsest value the window can tell, `window_px` * `pixel_size`; those
    that agree in all, Nyquist. Within half a window of the box border, and over about one window across a
    boundary between good and bad regions, values are mixed.
    """

    resolution: np.ndarray  # (n, n, n) float32, Å; 0 outside the mask
    mask: np.ndarray  # (n, n, n) bool
    threshold: float  # of the local FSC
    window_px: int  # side of the window
    pixel_size: float  # Å
    symmetry: str
    median_angst: float
    quantiles_angst: np.ndarray  # (5,) Å, at 5, 25, 50, 75 and 95 %


def local_resolution(half1, half2, pixel_size, mask=None, window_px=23, threshold=0.5, symmetry="C1", report=None):
    """Local resolution by windowed FSC.

    Parameters
    ----------
    half1, half2 : (n, n, n) float arrays
    pixel_size : float, Å
    mask : (n, n, n) float array; voxels above 0.5 enter the result, None: all
    window_px : int, side of the Hann window; 23 with `threshold` 0.5 are the paper's (post-processing).
        At coarse sampling it covers many Å; below 10 px single shells hold too little to correlate.
    threshold : float, 0.5 or 0.143
    symmetry : "Cn" about z, imposed on the result
    report : function of a float in [0, 1], called as work proceeds

    Returns
    -------
    LocalResolution

    Raises
    ------
    InputError
        If the window does not fit, or the mask holds nothing.
    """
    check_same_cube(half1, half2)
    box = half1.shape[0]
    if not 5 <= window_px <= box // 2:
        raise InputError(f"a window of {window_px} px does not fit a box of {box} px: choose 5 to {box // 2}")
    inside = np.ones(half1.shape, bool) if mask is None else np.asarray(mask) > 0.5
    if not inside.any():
        raise InputError("the mask is empty: no voxel exceeds 0.5")
    frequency = _crossing_frequency(half1, half2, window_px, threshold, report or (lambda fraction: None))
    if symmetry_order(symmetry) > 1:
        frequency = _symmetrised(frequency, symmetry)
    resolution = np.where(inside, pixel_size / frequency, 0).astype(np.float32)
    quantiles = np.quantile(resolution[inside], QUANTILES)
    return LocalResolution(
        resolution=resolution, mask=inside, threshold=float(threshold), window_px=int(window_px),
        pixel_size=float(pixel_size), symmetry=symmetry,
        median_angst=float(quantiles[2]), quantiles_angst=quantiles,
    )  # fmt: skip


def local_filter(volume, resolution_angst, pixel_size):
    """The map low-passed at each voxel to its own resolution.

    Parameters
    ----------
    volume : (n, n, n) float array
    resolution_angst : (n, n, n) float array, Å; voxels with 0, outside the mask, take the coarsest resolution of all
    pixel_size : float, Å

    Returns
    -------
    (n, n, n) float32 array: between the low-passed maps of two neighbouring levels, linear in frequency
    """
    known = resolution_angst > 0
    if not known.any():
        raise InputError("the resolution map is empty: estimate it inside a mask that holds voxels")
    box = volume.shape[0]
    wanted = box * pixel_size / np.where(known, resolution_angst, resolution_angst[known].max())
    levels = np.linspace(wanted.min(), wanted.max() + 1e-3, FILTER_LEVELS)
    place = (wanted - levels[0]) / (levels[1] - levels[0])
    transform, radius = sfft.rfftn(np.asarray(volume, np.float32)), frequency_radius(box)
    filtered = np.zeros(volume.shape, np.float32)
    for index, level in enumerate(levels):
        share = np.clip(1 - np.abs(place - index), 0, 1).astype(np.float32)
        filtered += share * sfft.irfftn(transform * lowpass_gain(radius, level).astype(np.float32), s=volume.shape)
    return filtered


def _crossing_frequency(half1, half2, window_px, threshold, report):
    """(n, n, n) float32, 1/px, where each voxel's local FSC first falls under `threshold`."""
    box = half1.shape[0]
    transforms = _whitened([sfft.rfftn(np.asarray(half, np.float32)) for half in (half1, half2)])
    radius = frequency_radius(box) / box
    smooth = _window_sum(box, window_px)
    step = 1.0 / (BANDS_PER_SHELL * window_px)
    centers = np.arange(1.0 / window_px, 0.5 + 0.5 * step, step)
    crossing = np.full(half1.shape, centers[0], np.float32)
    alive, previous = np.ones(half1.shape, bool), None
    for index, center in enumerate(centers):
        current = _band_correlation(transforms, _band(radius, center, 2 * step), smooth)
        falls = alive & (current < threshold)
        if previous is not None:
            above, below = previous[falls], current[falls]
            crossing[falls] = center - step + step * (above - threshold) / (above - below)
        alive &= ~falls
        previous = current
        report((index + 1) / len(centers))
        if not alive.any():
            break
    crossing[alive] = 0.5
    return crossing


def _whitened(transforms):
    """Both divided by their common amplitude per shell: else a band's coarse end outweighs its fine one."""
    shells = shell_indices(transforms[0].shape[0])
    power = sum(np.bincount(shells.ravel(), weights=(np.abs(f) ** 2).ravel()) for f in transforms)
    scale = np.sqrt(np.bincount(shells.ravel()) / np.where(power > 0, power, np.inf)).astype(np.float32)
    return [f * scale[shells] for f in transforms]


def _band(radius, center, width):
    """Gain of a band: a raised cosine of full width at half maximum `width` about `center`, in 1/px."""
    return 0.5 + 0.5 * np.cos(np.pi * np.clip((radius - center) / width, -1, 1))


def _band_correlation(transforms, gain, smooth):
    a, b = (sfft.irfftn(f * gain, s=(gain.shape[0],) * 3) for f in transforms)
    cross, power_a, power_b = smooth(a * b), smooth(a * a), smooth(b * b)
    power = np.maximum(power_a, 0) * np.maximum(power_b, 0)
    return np.divide(cross, np.sqrt(power), out=np.zeros_like(cross), where=power > 0)


def _window_sum(box, window_px):
    """A function that sums a map under a separable Hann window about every voxel, zeros beyond the box."""
    padded = sfft.next_fast_len(box + window_px, real=True)
    offsets = np.arange(-(window_px // 2), window_px // 2 + 1)
    window = 0.5 + 0.5 * np.cos(2 * np.pi * offsets / (window_px + 1))
    kernel = np.zeros(padded)
    kernel[offsets] = window / window.sum()
    line = sfft.fft(kernel).real.astype(np.float32)  # real: the window is even
    gain = line[:, None, None] * line[None, :, None] * line[: padded // 2 + 1]

    def smooth(volume):
        transform = sfft.rfftn(volume, s=(padded,) * 3)
        transform *= gain
        return sfft.irfftn(transform, s=(padded,) * 3)[:box, :box, :box]

    return smooth


def _symmetrised(values, symmetry):
    """Mean of `values` over the turns of `symmetry`; a corner that turns out of the box counts where it stays."""
    ones = np.ones_like(values)
    matrices = symmetry_matrices(symmetry)
    total = sum(rotate_volume(values, matrix, order=1) for matrix in matrices)
    return total / sum(rotate_volume(ones, matrix, order=1) for matrix in matrices)
