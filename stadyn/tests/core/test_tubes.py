# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles on planted tubes: on the surface, evenly, outward, along."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from stadyn.core.errors import InputError
from stadyn.core.tubes import oversample_tube, oversample_tubes, tube_axis

ARC = 200.0 * np.stack([np.cos(np.linspace(0, 1.5, 7)), np.sin(np.linspace(0, 1.5, 7)), np.full(7, 0.3)], axis=1)
"""A tube bent along a circle of 200 pixels about z."""


def test_axis_follows_the_circle_evenly():
    points, tangents = tube_axis(ARC, 10.0)
    np.testing.assert_allclose(np.hypot(points[:, 0], points[:, 1]), 200, atol=0.1)
    np.testing.assert_allclose(np.linalg.norm(np.diff(points, axis=0), axis=1), 10, atol=0.15)
    counterclockwise = np.stack([-points[:, 1], points[:, 0], 0 * points[:, 0]], axis=1) / 200
    assert np.sum(tangents * counterclockwise, axis=1).min() > 0.999


def test_points_lie_on_the_tube_and_point_outward_and_along():
    positions, rotations = oversample_tube(ARC, 30.0, 8.0)
    around = 200 * positions[:, :2] / np.linalg.norm(positions[:, :2], axis=1, keepdims=True)
    across = positions - np.column_stack([around, np.full(len(positions), 60.0)])
    np.testing.assert_allclose(np.linalg.norm(across, axis=1), 30, atol=0.2)
    assert np.sum(across / 30 * rotations[:, :, 2], axis=1).min() > 0.999
    counterclockwise = np.stack([-around[:, 1], around[:, 0], 0 * around[:, 0]], axis=1) / 200
    assert np.sum(counterclockwise * rotations[:, :, 0], axis=1).min() > 0.999
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-9)
    nearest = cKDTree(positions).query(positions, 2)[0][:, 1]
    assert 0.75 * 8 < nearest.min() and np.median(nearest) < 1.15 * 8


def test_frames_do_not_turn_about_a_helix():
    t = np.linspace(0, 4 * np.pi, 40)
    _, rotations = oversample_tube(np.stack([30 * np.cos(t), 30 * np.sin(t), 40 * t], axis=1), 0.0, 5.0)
    turn = np.swapaxes(rotations[:-1], 1, 2) @ rotations[1:]
    assert np.degrees(np.abs(turn[:, 1, 0] - turn[:, 0, 1]) / 2).max() < 0.3  # about the axis itself
    assert np.degrees(np.arccos(turn[:, 2, 2])).max() > 1  # while the axis does turn


def test_filaments_lie_on_their_axis_with_z_along_it():
    positions, rotations = oversample_tube([[0, 0, 0], [0, 30, 40]], 0.0, 10.0)
    np.testing.assert_allclose(positions, np.outer(np.arange(6) * 10, [0, 0.6, 0.8]), atol=1e-9)
    np.testing.assert_allclose(rotations[:, :, 2], np.tile([0, 0.6, 0.8], (6, 1)), atol=1e-12)


def test_tubes_keep_their_numbers_and_a_seed_repeats():
    tubes = {("a", 2): (ARC, 20.0), ("b", 1): ([[0, 0, 0], [50, 0, 0]], 0.0)}
    along, random = oversample_tubes(tubes, 10.0), oversample_tubes(tubes, 10.0, seed=3)
    assert np.array_equal(along.ids, np.arange(1, len(along) + 1))
    assert set(zip(along.tomogram_ids.tolist(), along.surface_ids.tolist(), strict=True)) == set(tubes)
    np.testing.assert_allclose(random.normals(), along.normals(), atol=1e-12)
    assert not np.allclose(random.rotations, along.rotations)
    assert np.array_equal(random.rotations, oversample_tubes(tubes, 10.0, seed=3).rotations)


@pytest.mark.parametrize(
    "points, radius, words",
    [([[0, 0, 0]], 5, "no direction"), ([[0, 0, 0], [0, 0, 0]], 5, "coincide"), ([[0, 0, 0], [9, 0, 0]], -1, "radius")],
)
def test_impossible_tubes_are_named(points, radius, words):
    with pytest.raises(InputError, match=words):
        oversample_tube(points, radius, 5.0)
