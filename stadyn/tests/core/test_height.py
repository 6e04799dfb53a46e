# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted heights of averages come back, to a fraction of a pixel, whatever their azimuth."""

import numpy as np
import pytest

from stadyn.core.height import azimuthal_mean, fit_height, synthetic_reference
from stadyn.core.particles import ParticleTable
from stadyn.core.resample import rotate_volume
from stadyn.core.rotations import rotation_z
from stadyn.tests.core.lattice_maps import CELL_CENTROID_ANGST, lattice_map

PIXEL = 7.2
BOX = 48


@pytest.fixture(scope="module")
def cell():
    volume, _, _ = lattice_map(BOX, PIXEL)
    return volume


@pytest.mark.parametrize("shift", [0.0, 1.37, -2.6])
def test_planted_shift(cell, shift):
    moved = rotate_volume(cell, np.eye(3), (0, 0, -shift))  # what was at 0 is now at `shift`
    noise = np.random.default_rng(1).normal(0, 0.3 * cell.std(), cell.shape)
    fit = fit_height(moved + noise, cell, max_shift_px=5, radius_px=10)
    assert fit.shift_px == pytest.approx(shift, abs=0.06)
    assert 0.8 < fit.cc < 1


def test_particles_follow_their_average(cell):
    """The pose of what the reference shows is the old pose moved by the fitted shift."""
    table = ParticleTable(np.zeros((1, 3)), np.diag([1.0, -1, -1])[None], ["t"])
    fit = fit_height(rotate_volume(cell, np.eye(3), (0, 0, -2)), cell, 5, 10)
    np.testing.assert_allclose(table.moved((0, 0, fit.shift_px)).positions, [[0, 0, -2]], atol=0.05)


def test_averages_reach_one_height_and_the_cell_its_centre(cell):
    planted = np.array([0.0, 2.3, -1.8, 0.9])
    averages = []
    for i, shift in enumerate(planted):
        turned = rotate_volume(cell, rotation_z(17.0 * i), (0, 0, -shift))
        averages.append(5 * turned + np.random.default_rng(i).normal(0, 1.0 * cell.std(), cell.shape))
    reference = synthetic_reference(averages, PIXEL, max_shift_px=6, radius_px=12)
    shifts = np.array([fit_height(a, reference, 6, 12).shift_px for a in averages])
    np.testing.assert_allclose(shifts - shifts.mean(), planted - planted.mean(), atol=0.1)
    # The centroid of the cell's density is at the origin of the reference.
    assert abs(np.mean(shifts - planted) * PIXEL - CELL_CENTROID_ANGST) < 4
    again = synthetic_reference([rotate_volume(averages[0], np.eye(3), (0, 0, 3))] + averages[1:], PIXEL, 6, 12)
    moved = fit_height(again, reference, 6, 12)
    assert abs(moved.shift_px) < 0.3  # the height is that of the cell, not of the box


def test_azimuthal_mean_keeps_what_is_round_and_erases_the_rest():
    x, y, z = np.meshgrid(*[np.arange(24.0) - 12] * 3, indexing="ij")[::-1]
    r = np.hypot(x, y)
    round_part = np.exp(-((r - 5) ** 2) / 8) * np.exp(-((z - 2) ** 2) / 6)
    wave = np.where(r > 2, np.cos(6 * np.arctan2(y, x)), 0)
    out = azimuthal_mean(round_part + 0.3 * wave)
    inside = (r < 11) & (r > 1)
    assert np.abs(out - round_part)[inside].max() < 0.08
    assert np.abs(azimuthal_mean(wave))[inside].max() < 0.03
