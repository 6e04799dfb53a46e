# SPDX-License-Identifier: GPL-3.0-or-later
"""Lattices wrapped on ellipsoids: spacing, angles, outward normals."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from stadyn.core.rotations import inplane_errors_deg
from stadyn.core.simulation_lattice import Ellipsoid, grow_lattice, random_ellipsoid

SPACING = 75.0


@pytest.fixture(scope="module")
def lattice():
    rng = np.random.default_rng(4)
    surface = random_ellipsoid(300.0, 0.08, rng)
    return surface, *grow_lattice(surface, SPACING, 0.65, 0.03, rng)


def neighbours(points):
    return cKDTree(points).query_pairs(1.3 * SPACING, output_type="ndarray")


def test_sites_lie_on_the_ellipsoid_with_outward_normals(lattice):
    surface, points, rotations = lattice
    local = points @ surface.axes_frame / surface.semi_axes
    assert np.abs(np.linalg.norm(local, axis=1) - 1).max() < 1e-3
    assert np.linalg.det(rotations) == pytest.approx(np.ones(len(points)))
    # The numerical gradient of the implicit surface, not the formula under test.
    steps = np.eye(3) * 1e-3
    values = [np.sum(((points + s) @ surface.axes_frame / surface.semi_axes) ** 2, 1) for s in (*steps, *-steps)]
    gradient = np.stack([values[i] - values[i + 3] for i in range(3)], -1)
    gradient /= np.linalg.norm(gradient, axis=1, keepdims=True)
    assert np.degrees(np.arccos(np.clip(np.sum(gradient * rotations[:, :, 2], 1), -1, 1))).max() < 0.1


def test_spacing_and_angles_are_those_of_a_hexagonal_lattice(lattice):
    _, points, rotations = lattice
    pairs = neighbours(points)
    distances = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    assert 72 < distances.mean() < 76 and distances.std() < 3.5 and distances.min() > 62
    assert np.median(np.abs(inplane_errors_deg(rotations[pairs[:, 0]], rotations[pairs[:, 1]], 6))) < 3
    # Neighbours lie along x and every 60 degrees from it, not between.
    local = np.einsum("nji,nj->ni", rotations[pairs[:, 0]], points[pairs[:, 1]] - points[pairs[:, 0]])
    angle = np.degrees(np.arctan2(local[:, 1], local[:, 0]))
    assert np.median(np.abs((angle + 30) % 60 - 30)) < 4


def test_the_lattice_is_contiguous_with_gaps(lattice):
    surface, points, _ = lattice
    covered = len(points) * np.sqrt(0.75) * SPACING**2 / surface.area()
    assert 0.5 < covered <= 0.66
    coordination = np.bincount(neighbours(points).ravel(), minlength=len(points))
    assert coordination.min() >= 1 and coordination.max() <= 6 and np.mean(coordination) > 3.5


def test_area_and_growth_of_an_ellipsoid():
    sphere = Ellipsoid(np.full(3, 100.0), np.eye(3))
    assert sphere.area() == pytest.approx(4 * np.pi * 1e4, rel=1e-6)
    assert sphere.grown(40.0).radial_points(np.array([[0, 0, 2.0]]))[0] == pytest.approx([0, 0, 140])


def test_random_ellipsoids_keep_their_mean_radius_and_are_not_spheres():
    surface = random_ellipsoid(300.0, 0.1, np.random.default_rng(0))
    assert np.prod(surface.semi_axes) ** (1 / 3) == pytest.approx(300.0)
    assert np.ptp(surface.semi_axes) > 3
