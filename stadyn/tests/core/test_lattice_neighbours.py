# SPDX-License-Identifier: GPL-3.0-or-later
"""The lattice is measured, and every particle knows where its neighbours are."""

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.lattice_neighbours import LatticeFrame, expected_neighbours, fit_lattice, neighbour_pairs
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import rotation_z, rotations_from_normals

from .lattices import PIXEL, disturbed, lattice


def test_spacing_azimuth_and_radius_are_measured():
    frames = fit_lattice(disturbed(lattice(), np.random.default_rng(1)))
    assert sorted(frames) == ["a", "b"] and sorted(frames["a"].radii) == [1, 4]
    for frame in frames.values():
        assert abs(frame.spacing * PIXEL - 74) < 1.5  # the straight line is shorter than the arc of 75 Å
        assert abs((frame.azimuth_deg + 17 + 30) % 60 - 30) < 1  # the frames were turned by 17
        assert abs(frame.radius * PIXEL / 260 - 1) < 0.03


def test_expected_neighbours_lie_on_the_sphere_and_look_outward():
    frame = LatticeFrame(15.0, 20.0, {}, 50.0)
    rotation = rotations_from_normals(np.array([[0.3, -0.5, 0.8]]), 40.0)
    rotation, center = np.repeat(rotation, 6, 0), np.array([3.0, 4.0, 5.0])
    here = center + 50 * rotation[:, :, 2]
    positions, turned = expected_neighbours(here, rotation, np.arange(6), frame, np.full(6, 50.0))
    np.testing.assert_allclose(positions, center + 50 * turned[:, :, 2], atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(positions - here, axis=1), 15, atol=1e-9)
    local = np.einsum("nji,nj->ni", rotation, positions - here)
    np.testing.assert_allclose(np.degrees(np.arctan2(local[:, 1], local[:, 0])) % 360, 20 + 60 * np.arange(6))
    # On a great circle the way back starts where the way there ended.
    back, _ = expected_neighbours(positions, turned, np.arange(6) + 3, frame, np.full(6, 50.0))
    np.testing.assert_allclose(back, here, atol=1e-9)


def test_residuals_of_true_neighbours_are_those_of_strain_and_pose_errors():
    table = disturbed(lattice(), np.random.default_rng(2))
    pairs = neighbour_pairs(table, fit_lattice(table))
    assert np.median(np.linalg.norm(pairs.shift, axis=1)) * PIXEL < 6
    assert np.median(pairs.tilt_deg) < 3 < np.median(pairs.normal_deg) < 20  # most of the angle is curvature
    assert np.median(np.abs(pairs.turn_deg)) < 2.5
    assert np.all(table.tomogram_ids[pairs.first] == table.tomogram_ids[pairs.second])
    swapped = set(zip(pairs.second.tolist(), pairs.first.tolist(), strict=True))
    assert swapped == set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))


def test_a_turned_particle_shows_in_the_pairs_it_belongs_to():
    table = lattice()
    row = int(np.argmax(np.bincount(neighbour_pairs(table, fit_lattice(table)).first)))
    rotations = table.rotations.copy()
    rotations[row] = rotations[row] @ rotation_z(20.0)
    pairs = neighbour_pairs(table.replace(rotations=rotations), fit_lattice(table))
    assert abs(np.median(pairs.turn_deg[pairs.second == row]) - 20) < 3
    assert abs(np.median(pairs.turn_deg[pairs.first == row]) + 20) < 3
    others = (pairs.first != row) & (pairs.second != row)
    assert np.median(np.abs(pairs.turn_deg[others])) < 2.5


def test_scattered_particles_have_no_lattice():
    rng = np.random.default_rng(0)
    few = ParticleTable(rng.uniform(0, 1000, (5, 3)), np.repeat(np.eye(3)[None], 5, 0), np.full(5, "lone"))
    with pytest.raises(InputError, match="lone show no lattice"):
        fit_lattice(few)
