# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes cut, turned, shifted and resized; the only module that turns (x, y, z) into (z, y, x)."""

import numpy as np
import scipy.fft
from scipy import ndimage


def box_coordinates(box_px):
    """(3, n, n, n) float32 x, y, z of each voxel of a box, pixels from its centre, index n // 2."""
    axis = np.arange(box_px, dtype=np.float32) - box_px // 2
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    return np.stack([x, y, z])


def inside(shape, positions, margin_px=0):
    """(n,) bool: is each of `positions` (n, 3; x, y, z) at least `margin_px` inside a volume of `shape` (z, y, x)?"""
    size = np.asarray(shape[::-1])
    positions = np.asarray(positions)
    return np.all((positions >= margin_px) & (positions <= size - 1 - margin_px), axis=-1)


def box_fits(shape, centers, box_px):
    """(n,) bool: does a box around each of `centers` (n, 3; x, y, z; rounded) lie wholly in `shape` (z, y, x)?"""
    low = np.rint(np.asarray(centers)).astype(int) - box_px // 2
    return np.all((low >= 0) & (low + box_px <= np.asarray(shape[::-1])), axis=-1)


def crop(volume, center, box_px):
    """The box around an integer voxel, never turned or interpolated.

    Parameters
    ----------
    volume : (z, y, x) array, may be memory-mapped and of any real type
    center : (3,) int, voxel (x, y, z) that becomes index ``box_px // 2``
    box_px : int

    Returns
    -------
    (box_px, box_px, box_px) float32 array. Voxels outside the volume take the mean
    of those inside, so that they add no edge; a box wholly outside is all zero.
    """
    low = np.asarray(center, int)[::-1] - box_px // 2
    start, stop = np.maximum(low, 0), np.minimum(low + box_px, volume.shape)
    if np.any(stop <= start):
        return np.zeros((box_px,) * 3, np.float32)
    part = np.asarray(volume[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))], np.float32)
    if part.shape == (box_px,) * 3:
        return part
    out = np.full((box_px,) * 3, part.mean(), np.float32)
    out[tuple(slice(a - c, b - c) for a, b, c in zip(start, stop, low, strict=True))] = part
    return out


def rotate_volume(volume, rotation, shift=(0.0, 0.0, 0.0), order=3):
    """A volume seen from another frame: ``output(r) = volume(rotation @ r + shift)``, r from the box centre.

    Parameters
    ----------
    volume : (n, n, n) float array
    rotation : (3, 3) float array acting on (x, y, z)
    shift : (3,) float, pixels (x, y, z)
    order : int, spline order
    """
    n = volume.shape[0]
    matrix = np.asarray(rotation, float)[::-1, ::-1]
    centre = np.full(3, n // 2, float)
    offset = centre - matrix @ centre + np.asarray(shift, float)[::-1]
    return ndimage.affine_transform(np.asarray(volume, np.float32), matrix, offset, order=order, mode="constant")


def turned_copies(fine, rotations, oversampling):
    """For each rotation the box ``output(r) = fine(oversampling * rotation @ r)``, smaller by `oversampling`.

    The spline coefficients of `fine` are computed once for all rotations.
    """
    coefficients = ndimage.spline_filter(fine, order=3, output=np.float32)
    centre, n = np.full(3, fine.shape[0] // 2, float), fine.shape[0] // oversampling
    for rotation in rotations:
        matrix = oversampling * np.asarray(rotation, float)[::-1, ::-1]
        offset = centre - matrix @ np.full(3, n // 2, float)
        yield ndimage.affine_transform(
            coefficients, matrix, offset, output_shape=(n, n, n), order=3, mode="constant", prefilter=False
        )


def resize_box(volume, box_px, fill=0.0):
    """Crop or pad a box about its centre voxel, index n // 2 staying on index n // 2."""
    n = volume.shape[0]
    if n == box_px:
        return volume
    low = n // 2 - box_px // 2
    if box_px < n:
        return volume[low : low + box_px, low : low + box_px, low : low + box_px]
    out = np.full((box_px,) * 3, fill, volume.dtype)
    out[-low : -low + n, -low : -low + n, -low : -low + n] = volume
    return out


def fourier_resize(volume, box_px):
    """The same box in Å sampled with `box_px` voxels a side: its Fourier transform cropped or padded.

    Values keep their scale; the centre voxel stays the centre voxel.
    """
    n = volume.shape[0]
    if n == box_px:
        return np.asarray(volume, np.float32)
    spectrum = scipy.fft.fftshift(scipy.fft.fftn(scipy.fft.ifftshift(np.asarray(volume, np.float32))))
    keep = min(n, box_px)
    spectrum = resize_box(spectrum, keep)
    if keep % 2 == 0:  # the Nyquist planes have no partner of opposite sign once the box changes
        spectrum = spectrum.copy()
        spectrum[0], spectrum[:, 0], spectrum[:, :, 0] = 0, 0, 0
    spectrum = resize_box(spectrum, box_px)
    out = scipy.fft.fftshift(scipy.fft.ifftn(scipy.fft.ifftshift(spectrum))).real
    return np.ascontiguousarray(out * (box_px / n) ** 3, np.float32)


def rescale_map(volume, pixel_size, target_pixel_size, box_px):
    """A map brought to another pixel size and box, centre on centre."""
    n = volume.shape[0]
    resized = fourier_resize(volume, 2 * round(n * pixel_size / target_pixel_size / 2))
    actual = n * pixel_size / resized.shape[0]
    if abs(actual / target_pixel_size - 1) > 1e-3:  # boxes are whole voxels: the last per mille by interpolation
        resized = rotate_volume(resized, np.eye(3) * (target_pixel_size / actual))
    return np.ascontiguousarray(resize_box(resized, box_px))
