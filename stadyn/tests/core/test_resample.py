# SPDX-License-Identifier: GPL-3.0-or-later
"""Boxes cut, turned and resized: every operation against blobs whose place is known."""

import numpy as np
import pytest
from scipy import ndimage

from stadyn.core.resample import (
    box_coordinates,
    box_fits,
    crop,
    fourier_resize,
    inside,
    rescale_map,
    resize_box,
    rotate_volume,
    turned_copies,
)

from .planted import BLOBS, SIGMAS, blob_map, random_rotations

VOLUME = np.arange(12 * 14 * 16, dtype=np.int16).reshape(12, 14, 16)  # z, y, x


def blob(box_px, at, sigma=1.5):
    """A box with one bright Gaussian at `at`, px x, y, z from the centre."""
    return blob_map(box_px, shift=at, sigmas=sigma, points=np.zeros((1, 3)), weights=[1.0])


def place_of(volume):
    """Centre of mass in px x, y, z from the box centre, of the voxels above a tenth of the peak."""
    kept = np.where(volume > 0.1 * volume.max(), volume, 0)
    return np.array(ndimage.center_of_mass(kept))[::-1] - volume.shape[0] // 2


def test_box_coordinates_are_x_y_z_about_the_centre_voxel():
    x, y, z = box_coordinates(5)
    assert (x[0, 0, 4], y[0, 4, 0], z[4, 0, 0]) == (2, 2, 2) and x[2, 2, 2] == y[2, 2, 2] == z[2, 2, 2] == 0
    assert (x[0, 0, 0], box_coordinates(6)[0][0, 0, 0]) == (-2, -3) and x.dtype == np.float32


@pytest.mark.parametrize("box_px", [4, 5])
def test_crop_puts_the_named_voxel_on_the_centre_and_changes_no_value(box_px):
    box = crop(VOLUME, (9, 5, 7), box_px)
    assert box.dtype == np.float32 and box[(box_px // 2,) * 3] == VOLUME[7, 5, 9]
    low = np.array([7, 5, 9]) - box_px // 2
    assert np.array_equal(box, VOLUME[tuple(slice(a, a + box_px) for a in low)])


def test_crop_over_the_border_is_filled_with_the_mean_of_what_is_there():
    box = crop(VOLUME, (0, 13, 5), 6)
    part = VOLUME[2:8, 10:14, 0:3]
    assert np.array_equal(box[:, 0:4, 3:6], part)
    assert box[:, 4:].std() == 0 and box[0, 5, 0] == pytest.approx(part.mean())
    assert not crop(VOLUME, (40, 5, 5), 6).any()


def test_inside_and_box_fits_know_which_axis_is_which():
    positions = np.array([[15, 13, 11], [15.4, 0, 0], [0, 13.4, 0], [0, 0, 11.4], [-0.1, 3, 3]])
    assert inside(VOLUME.shape, positions).tolist() == [True, False, False, False, False]
    assert inside(VOLUME.shape, [[2, 2, 2], [14, 2, 2]], margin_px=2).tolist() == [True, False]
    centers = np.array([[3, 3, 3], [13, 11, 9], [14, 11, 9], [13, 12, 9], [13, 11, 10], [2.4, 3, 3]])
    assert box_fits(VOLUME.shape, centers, 6).tolist() == [True, True, False, False, False, False]


@pytest.mark.parametrize("box_px", [24, 25])
def test_rotate_volume_reads_at_the_rotated_place(box_px):
    rotation, shift = random_rotations(1, 4)[0], np.array([1.0, -0.5, 2.0])
    expected = blob_map(box_px, rotation.T, -rotation.T @ shift)
    turned = rotate_volume(blob_map(box_px), rotation, shift)
    assert turned.dtype == np.float32
    assert np.corrcoef(turned.ravel(), expected.ravel())[0, 1] > 0.998
    assert np.corrcoef(rotate_volume(blob_map(box_px), rotation.T, shift).ravel(), expected.ravel())[0, 1] < 0.7


def test_turned_copies_are_rotations_of_a_finer_map():
    fine = blob_map(48, sigmas=2 * SIGMAS, points=2 * BLOBS)
    rotations = random_rotations(2, 6)
    for rotation, copy in zip(rotations, turned_copies(fine, rotations, 2), strict=True):
        assert copy.dtype == np.float32 and copy.shape == (24, 24, 24)
        assert np.abs(copy - blob_map(24, rotation.T)).max() < 0.01


@pytest.mark.parametrize("n, m", [(6, 10), (6, 9), (7, 10), (7, 11), (10, 6), (9, 6), (10, 7), (11, 7)])
def test_resize_box_keeps_the_centre_voxel(n, m):
    volume = np.zeros((n, n, n), np.float32)
    volume[n // 2, n // 2, n // 2 + 1] = 1
    resized = resize_box(volume, m, fill=0.25)
    assert resized[m // 2, m // 2, m // 2 + 1] == 1 and (resized == 1).sum() == 1
    assert resized.shape == (m, m, m) and (m < n or (resized == 0.25).sum() == m**3 - n**3)


@pytest.mark.parametrize("n, m", [(24, 36), (24, 37), (25, 36), (25, 37), (36, 24), (37, 24), (36, 25)])
def test_fourier_resize_keeps_place_and_value(n, m):
    at = np.array([3.0, -2.0, 4.0]) * n / 24
    volume = blob(n, at, sigma=1.8 * n / 24) + np.float32(0.5)
    resized = fourier_resize(volume, m)
    assert resized.dtype == np.float32 and resized.shape == (m, m, m)
    assert np.abs(resized - blob(m, at * m / n, sigma=1.8 * m / 24) - 0.5).max() < 0.02


def test_rescale_map_goes_to_another_pixel_size_and_box():
    at = np.array([20.0, -15.0, 25.0])  # Å
    for pixel_size, target, box_px in ((5.0, 3.3, 40), (3.3, 5.0, 28), (5.0, 4.99, 24), (4.0, 8.0, 20)):
        n = int(round(130 / pixel_size))
        rescaled = rescale_map(blob(n, at / pixel_size, 10 / pixel_size), pixel_size, target, box_px)
        assert rescaled.shape == (box_px,) * 3 and rescaled.dtype == np.float32
        assert place_of(rescaled) * target == pytest.approx(at, abs=0.15)
        assert np.abs(rescaled - blob(box_px, at / target, 10 / target)).max() < 0.03


def test_the_planted_map_has_no_symmetry_of_its_own():
    own = blob_map(24)
    for turned in (own[:, :, ::-1], own.transpose(2, 1, 0), own[::-1, ::-1]):
        assert np.corrcoef(own.ravel(), turned.ravel())[0, 1] < 0.6
