# SPDX-License-Identifier: GPL-3.0-or-later
"""Euler angles against the numbers of Dynamo and RELION, and the errors between poses."""

import numpy as np
import pytest

from stadyn.core.rotations import (
    axis_errors_deg,
    dynamo_from_matrices,
    inplane_errors_deg,
    matrices_from_dynamo,
    matrices_from_relion,
    randomize_azimuth,
    rotation_vectors_to_matrices,
    rotation_z,
    rotations_from_normals,
)

from .planted import random_rotations, rotation_errors_deg

DYNAMO = [
    ((30, 60, 75), [[-0.0173, -0.5477, 0.8365], [0.9012, -0.3709, -0.2241], [0.4330, 0.7500, 0.5000]]),
    ((-155.55, 63.924, 197.81), [[0.8110, -0.5165, -0.2747], [0.4516, 0.2544, 0.8552], [-0.3718, -0.8177, 0.4396]]),
]


@pytest.mark.parametrize("angles, particle_to_reference", DYNAMO)
def test_dynamo_angles_are_the_inverse_of_our_rotation(angles, particle_to_reference):
    rotation = matrices_from_dynamo(*angles)
    assert rotation.T == pytest.approx(np.array(particle_to_reference), abs=6e-5)
    assert np.abs(rotation - particle_to_reference).max() > 0.5  # the transpose is another rotation altogether


def test_relion_and_dynamo_name_the_same_pose():
    dynamo = matrices_from_dynamo(-47.273, 1.1777, -132.3)
    relion = matrices_from_relion(137.7, 1.1777, 42.727)
    assert rotation_errors_deg(dynamo[None], relion[None])[0] < 2e-3


def test_angles_come_back_from_matrices_also_at_the_poles():
    rotations = random_rotations(200)
    back = matrices_from_dynamo(*dynamo_from_matrices(rotations))
    assert np.abs(back - rotations).max() < 1e-12
    poles = matrices_from_dynamo([20.0, 20.0, 0.0], [0.0, 180.0, 1e-5], [40.0, 40.0, 40.0])
    tdrot, tilt, narot = dynamo_from_matrices(poles)
    assert tdrot[:2] == pytest.approx(0) and tilt == pytest.approx([0, 180, 1e-5], abs=1e-9)
    assert narot == pytest.approx([60, 20, 40], abs=1e-6)
    assert np.abs(matrices_from_dynamo(tdrot, tilt, narot) - poles).max() < 1e-12


def test_a_normal_becomes_the_reference_z_axis_and_the_angles_of_dynamo():
    normals = np.array([[1.0, 2.0, 3.0], [-3.0, 1.0, -0.5], [0.0, 0.0, 1.0], [0.0, 0.0, -2.0]])
    rotations = rotations_from_normals(normals, 25.0)
    unit = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    assert rotations[:, :, 2] == pytest.approx(unit, abs=1e-12)
    tdrot, tilt, narot = dynamo_from_matrices(rotations[:2])
    assert tdrot == pytest.approx(np.degrees(np.arctan2(normals[:2, 0], normals[:2, 1])))
    assert tilt == pytest.approx(np.degrees(np.arccos(unit[:2, 2])))
    assert narot == pytest.approx(25.0)


def test_randomizing_the_azimuth_changes_narot_and_nothing_else():
    rotations = random_rotations(300, 1)
    turned = randomize_azimuth(rotations, np.random.default_rng(3))
    before, after = dynamo_from_matrices(rotations), dynamo_from_matrices(turned)
    assert after[0] == pytest.approx(before[0]) and after[1] == pytest.approx(before[1])
    change = (after[2] - before[2]) % 360
    assert np.histogram(change, 6, (0, 360))[0].min() > 30  # all around, not a small jitter
    assert np.array_equal(turned, randomize_azimuth(rotations, np.random.default_rng(3)))


def test_rotations_are_right_handed():
    assert rotation_z(90.0) @ (1, 0, 0) == pytest.approx([0, 1, 0], abs=1e-12)
    assert rotation_vectors_to_matrices([[np.pi / 2, 0, 0]])[0] @ (0, 1, 0) == pytest.approx([0, 0, 1], abs=1e-12)


def test_errors_of_axis_and_azimuth_are_told_apart():
    start = random_rotations(20, 2)
    tilted = start @ rotation_vectors_to_matrices([[0, np.radians(12), 0]])
    assert axis_errors_deg(tilted, start) == pytest.approx(12.0)
    assert inplane_errors_deg(tilted, start) == pytest.approx(0.0, abs=1e-9)
    turned = start @ rotation_z(np.full(20, 70.0))
    assert axis_errors_deg(turned, start) == pytest.approx(0.0, abs=1e-5)
    assert inplane_errors_deg(turned, start) == pytest.approx(70.0)
    assert inplane_errors_deg(turned, start, order=6) == pytest.approx(10.0)
    assert inplane_errors_deg(start, turned, order=6) == pytest.approx(-10.0)
