# SPDX-License-Identifier: GPL-3.0-or-later
"""Points on spheres, spheres and smooth shapes fitted to points: planted shapes come back."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import axis_errors_deg, inplane_errors_deg
from stadyn.core.surfaces import (
    fibonacci_directions,
    fit_spheres,
    fit_surfaces,
    oversample,
    resample_surfaces,
)
from stadyn.core.tomograms import Dipole

DIPOLES = [
    Dipole("t1", 1, (200, 150, 80), (200, 150, 170)),
    Dipole("t1", 2, (400, 150, 90), (470, 150, 90)),
    Dipole("t2", 1, (99, 88, 77), (99, 148, 77)),
]


def as_table(points, tomogram="t1", surface=1):
    n = len(points)
    return ParticleTable(points, np.tile(np.eye(3), (n, 1, 1)), [tomogram] * n, surface_ids=np.full(n, surface))


def ellipsoid(n, semi_axes, rng):
    """Points and outward normals about the origin, axes turned."""
    frame = Rotation.random(random_state=2).as_matrix()
    directions = rng.standard_normal((n, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points = directions / np.linalg.norm(directions / semi_axes, axis=1, keepdims=True)
    normals = points / np.square(semi_axes)
    return points @ frame.T, (normals / np.linalg.norm(normals, axis=1, keepdims=True)) @ frame.T


def test_points_lie_on_their_sphere_look_outward_and_know_their_vlp():
    table = oversample(DIPOLES, 12.0, seed=1)
    for dipole in DIPOLES:
        rows = (table.tomogram_ids == dipole.tomogram_id) & (table.surface_ids == dipole.surface_id)
        offset = table.positions[rows] - dipole.center
        np.testing.assert_allclose(np.linalg.norm(offset, axis=1), dipole.radius, atol=1e-9)
        np.testing.assert_allclose(table.normals()[rows], offset / dipole.radius, atol=1e-9)
        assert abs(rows.sum() / (4 * np.pi * dipole.radius**2 / 144) - 1) < 0.01
        nearest = cKDTree(table.positions[rows]).query(table.positions[rows], 2)[0][:, 1]
        assert nearest.min() > 0.75 * 12 and nearest.max() < 1.15 * 12
    np.testing.assert_array_equal(table.ids, np.arange(1, len(table) + 1))


def test_no_place_is_far_from_a_point():
    holes = cKDTree(fibonacci_directions(500)).query(fibonacci_directions(20_011))[0]
    assert holes.max() < 0.8 * np.sqrt(4 * np.pi / 500)


def test_azimuth_is_random_seeded_or_given():
    one, same, other = oversample(DIPOLES, 20, 1), oversample(DIPOLES, 20, 1), oversample(DIPOLES, 20, 2)
    np.testing.assert_allclose(one.rotations, same.rotations, atol=1e-12)
    turned = inplane_errors_deg(one.rotations, other.rotations)
    assert np.std(turned) == pytest.approx(360 / np.sqrt(12), rel=0.15)
    np.testing.assert_allclose(axis_errors_deg(one.rotations, other.rotations), 0, atol=1e-6)
    given = oversample(DIPOLES, 20, azimuth_deg=30.0)
    zero = oversample(DIPOLES, 20, azimuth_deg=0.0)
    np.testing.assert_allclose(np.abs(inplane_errors_deg(given.rotations, zero.rotations)), 30, atol=1e-6)


def test_sphere_is_found_despite_strays_and_a_missing_third():
    rng = np.random.default_rng(0)
    directions = fibonacci_directions(300)
    directions = directions[directions[:, 2] < 0.35]
    points = np.array([210, 180, 95]) + directions * (92 + rng.normal(0, 1.5, (len(directions), 1)))
    strays = rng.choice(len(points), len(points) // 8, replace=False)
    points[strays] += directions[strays] * rng.uniform(15, 40, (len(strays), 1))
    sphere = fit_spheres(as_table(points))["t1", 1]
    assert np.linalg.norm(sphere.center - [210, 180, 95]) < 0.8
    assert abs(sphere.radius - 92) < 0.5
    assert 1.0 < sphere.rms < 2.2 and sphere.n == len(points)


def test_each_vlp_has_its_own_surface_and_tiny_ones_none():
    table = oversample(DIPOLES, 15)
    few = as_table(np.random.default_rng(0).normal(size=(5, 3)), "t9", 3)
    spheres = fit_spheres(ParticleTable.concatenate([table, few]))
    assert set(spheres) == {("t1", 1), ("t1", 2), ("t2", 1)}
    np.testing.assert_allclose(spheres["t2", 1].center, [99, 88, 77], atol=1e-3)
    assert spheres["t1", 2].radius == pytest.approx(70, abs=1e-3)


def test_ellipsoid_is_followed_where_a_sphere_fails():
    rng = np.random.default_rng(4)
    center, axes = np.array([150.0, 140, 60]), np.array([86.0, 92, 99])  # 1 : 1.15
    points, _ = ellipsoid(400, axes, rng)
    points = center + points + rng.normal(0, 1.0, points.shape)
    strays = rng.choice(400, 30, replace=False)
    points[strays] += rng.normal(0, 20, (30, 3))
    surface = fit_surfaces(as_table(points))["t1", 1]
    true_points, true_normals = ellipsoid(1000, axes, rng)
    directions = true_points / np.linalg.norm(true_points, axis=1, keepdims=True)
    offset = true_points + center - surface.center
    fitted = surface.radii(offset / np.linalg.norm(offset, axis=1, keepdims=True))
    assert np.abs(fitted - np.linalg.norm(offset, axis=1)).max() < 1.5
    assert np.abs(fit_spheres(as_table(points))["t1", 1].radius - np.linalg.norm(true_points, axis=1)).max() > 4
    cosine = np.sum(surface.normals(offset / np.linalg.norm(offset, axis=1, keepdims=True)) * true_normals, axis=1)
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 2.5
    of_a_sphere = np.sum(directions * true_normals, axis=1)
    assert np.degrees(np.arccos(np.clip(of_a_sphere, -1, 1))).max() > 7


def test_resampled_points_lie_on_the_ellipsoid_with_its_normals():
    rng = np.random.default_rng(4)
    axes = np.array([86.0, 92, 99])
    points, _ = ellipsoid(500, axes, rng)
    surfaces = fit_surfaces(as_table(points + 150))
    table = resample_surfaces(surfaces, 8.0, seed=3)
    frame = Rotation.random(random_state=2).as_matrix()
    local = (table.positions - 150) @ frame
    assert np.abs(np.linalg.norm(local / axes, axis=1) - 1).max() < 0.012
    normals = local / axes**2
    normals = (normals / np.linalg.norm(normals, axis=1, keepdims=True)) @ frame.T
    assert np.degrees(np.arccos(np.clip(np.sum(normals * table.normals(), 1), -1, 1))).max() < 2
    assert set(table.surface_ids) == {1} and set(table.tomogram_ids) == {"t1"}
    nearest = cKDTree(table.positions).query(table.positions, 2)[0][:, 1]
    assert nearest.min() > 0.65 * 8 and nearest.max() < 1.25 * 8


@pytest.mark.parametrize(
    "dipoles, spacing, message",
    [
        ([Dipole("t7", 4, (1, 2, 3), (1, 2, 3))], 10, "VLP 4 of tomogram t7"),
        ([DIPOLES[0], DIPOLES[0]], 10, "VLP 1 of tomogram t1 is marked twice"),
        (DIPOLES, 0, "spacing 0"),
    ],
)
def test_unusable_input_is_named(dipoles, spacing, message):
    with pytest.raises(InputError, match=message):
        oversample(dipoles, spacing)
