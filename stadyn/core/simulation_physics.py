# SPDX-License-Identifier: GPL-3.0-or-later
"""What microscope and reconstruction do to a density: projections, CTF, dose, noise, phase flip, back-projection.

Tilting by an angle t turns the sample about y, right-handed: a point (x, y, z) is
seen at ``x cos t + z sin t``, and the Fourier plane that the image measures holds
y and ``(cos t, 0, sin t)``.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.sparse import csr_matrix

from .optics import contrast_transfer, dose_envelope

OVERSAMPLING = 3
"""Of the grid on which points are spread; linear spreading then errs by 4 % of the amplitude at Nyquist."""


def tilt_angles(min_deg, max_deg, step_deg):
    """(t,) tilts from `min_deg` in steps, the last not above `max_deg`."""
    return min_deg + step_deg * np.arange(int(np.floor((max_deg - min_deg) / step_deg + 1e-6)) + 1)


@dataclass(frozen=True)
class Exposure:
    """One image of the tilt series."""

    dose: float  # electrons per square Å so far, at its middle
    defocus_angst: float  # underfocus
    noise: float  # standard deviation of white noise in a pixel
    solvent: float  # the same of a texture of the ice, which passes the optics as the sample does


def _image_frequency(shape, pixel_size):
    fy, fx = scipy.fft.fftfreq(shape[0], pixel_size), scipy.fft.rfftfreq(shape[1], pixel_size)
    return np.hypot(fy[:, None], fx[None, :]).astype(np.float32)


def project_points(clouds, tilt_deg, shape, pixel_size):
    """Fourier transform (rfft2) of the projection of `clouds` at one tilt, origin at pixel n // 2.

    Parameters
    ----------
    clouds : list of PointCloud, Å from the centre of the field
    tilt_deg : float
    shape : (2,) int, rows (y) and columns of the image
    pixel_size : float, Å

    Returns
    -------
    (y, x // 2 + 1) complex64 array: residues per pixel
    """
    tilt = np.radians(tilt_deg)
    fine = tuple(OVERSAMPLING * n for n in shape)
    fy, fx = scipy.fft.fftfreq(shape[0]), scipy.fft.rfftfreq(shape[1])
    rows = np.r_[0 : (shape[0] + 1) // 2, fine[0] - shape[0] // 2 : fine[0]]
    total = np.zeros((shape[0], len(fx)), np.complex64)
    for cloud in clouds:
        x = cloud.points[:, 0] * np.cos(tilt) + cloud.points[:, 2] * np.sin(tilt)
        grid = _spread(x, cloud.points[:, 1], cloud.weights, fine, pixel_size / OVERSAMPLING)
        spectrum = scipy.fft.rfft2(grid)[rows, : len(fx)]
        width = np.pi * cloud.sigma / pixel_size
        by, bx = (np.exp(-2 * (width * f) ** 2) / np.sinc(f / OVERSAMPLING) ** 2 for f in (fy, fx))
        total += spectrum * np.outer(by, bx).astype(np.float32)
    return total


def _spread(x, y, weights, shape, pixel_size):
    """Points on a fine grid, each shared linearly by four pixels; those outside are left out.

    The origin lies where the unrefined image has it, so that no phase is left to correct.
    """
    x, y = (r / pixel_size + OVERSAMPLING * (n // OVERSAMPLING // 2) for r, n in ((x, shape[1]), (y, shape[0])))
    column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    inside = (column >= 0) & (column < shape[1] - 1) & (row >= 0) & (row < shape[0] - 1)
    column, row, weights = column[inside], row[inside], weights[inside]
    u, v = x[inside] - column, y[inside] - row
    index = row * shape[1] + column
    grid = np.zeros(shape[0] * shape[1])
    for offset, part in ((0, (1 - u) * (1 - v)), (1, u * (1 - v)), (shape[1], (1 - u) * v), (shape[1] + 1, u * v)):
        grid += np.bincount(index + offset, weights * part, len(grid))
    return grid.reshape(shape).astype(np.float32)


def record_image(spectrum, exposure, shape, pixel_size, microscope, rng):
    """One micrograph, phase-flipped, protein dark: the signal through dose and CTF, and noise.

    Parameters
    ----------
    spectrum : (y, x // 2 + 1) complex array, rfft2 of the projection
    exposure : Exposure
    shape : (2,) int, rows and columns of the image
    pixel_size : float, Å
    microscope : Microscope
    rng : numpy.random.Generator

    Returns
    -------
    (y, x // 2 + 1) complex64 array
    """
    frequency = _image_frequency(shape, pixel_size)
    ctf = contrast_transfer(frequency, exposure.defocus_angst, microscope).astype(np.float32)
    ice = scipy.fft.rfft2(rng.standard_normal(shape, np.float32) * np.float32(exposure.solvent))
    image = (spectrum * dose_envelope(frequency, exposure.dose).astype(np.float32) + ice) * ctf
    image += scipy.fft.rfft2(rng.standard_normal(shape, np.float32) * np.float32(exposure.noise))
    return -np.sign(ctf) * image


def _ramp(n):
    """|k| along x of an rfft; the first bin keeps a quarter of its neighbour, as the mean over the bin's width."""
    ramp = scipy.fft.rfftfreq(n)
    ramp[0] = ramp[1] / 4
    return ramp.astype(np.float32)


def back_project(spectra, tilts_deg, image_shape, volume_shape, workers=1):
    """Weighted back-projection of rfft2 images: ramp filter, images refined twofold along x, linear interpolation.

    The interpolation is one sparse matrix from image columns to (z, x) pixels,
    applied to all rows y at once.

    Returns
    -------
    (z, y, x) float32 array
    """
    nz, ny, nx = volume_shape
    columns = 2 * image_shape[1]
    images = []
    for spectrum in spectra:
        image = scipy.fft.ifft(spectrum * _ramp(image_shape[1]), axis=0)
        images.append(scipy.fft.irfft(image, n=columns, axis=1)[:ny].T.astype(np.float32))
    stack = np.concatenate(images)  # (tilt * column, y)
    x = np.arange(nx) - nx // 2
    tilts = np.radians(tilts_deg)[:, None]
    reach = np.max(np.abs(x * np.cos(tilts)) + nz // 2 * np.abs(np.sin(tilts)))
    if reach >= image_shape[1] // 2 - 1:
        raise ValueError(f"images {image_shape[1]} px wide do not cover a volume of {volume_shape} at every tilt")

    def slab(z):
        place = 2 * (x * np.cos(tilts) + (z - nz // 2) * np.sin(tilts) + image_shape[1] // 2)
        column = np.floor(place).astype(np.int64)
        fraction = (place - column).astype(np.float32)
        first = column + columns * np.arange(len(tilts))[:, None]
        index = np.stack([first, first + 1], -1).transpose(1, 0, 2).reshape(-1)
        weight = np.stack([1 - fraction, fraction], -1).transpose(1, 0, 2).reshape(-1)
        pointer = np.arange(nx + 1) * (2 * len(tilts))
        return (csr_matrix((weight, index, pointer), shape=(nx, len(stack))) @ stack).T

    volume = np.empty(volume_shape, np.float32)
    with ThreadPoolExecutor(workers) as pool:
        for z, plane in enumerate(pool.map(slab, range(nz))):
            volume[z] = plane
    return volume
