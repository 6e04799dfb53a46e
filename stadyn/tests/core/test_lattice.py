# SPDX-License-Identifier: GPL-3.0-or-later
"""The symmetry axis and the unit cells of planted lattices, on curved surfaces, with a membrane and noise."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from stadyn.core.errors import InputError
from stadyn.core.flattening import Sampler, fit_curvature, layer_height, surface_frame
from stadyn.core.lattice import find_symmetry_axis, find_unit_cells
from stadyn.tests.core.lattice_maps import CELL_CENTROID_ANGST, hexagonal_sites, lattice_map

PIXEL = 5.4


def axis_error(site, shift, rotation):
    """Offset (Å) of a found axis in the frame of the planted one, and the angle between them (degrees)."""
    offset = rotation.T @ (site.shift - shift) * PIXEL - [0, 0, CELL_CENTROID_ANGST]
    return offset, np.degrees(np.arccos(np.clip(site.rotation[:, 2] @ rotation[:, 2], -1, 1)))


@pytest.mark.parametrize("arc, azimuth, radius, apex", [((26, -12), 17, 500, -14), ((-8, 30), 50, 420, 10)])
def test_axis_is_found_with_its_tilt(arc, azimuth, radius, apex):
    volume, shift, rotation = lattice_map(64, PIXEL, arc, azimuth, radius=radius, apex=apex, noise=0.1, fade=100)
    site = find_symmetry_axis(volume, PIXEL)
    offset, tilt = axis_error(site, shift, rotation)
    assert np.hypot(*offset[:2]) < 1.0
    assert abs(offset[2]) < 4.0
    assert tilt < 0.6
    assert np.degrees(np.arccos(rotation[2, 2])) > 3  # what was planted is a real tilt
    assert site.symmetry_cc > 0.25
    np.testing.assert_allclose(site.rotation @ site.rotation.T, np.eye(3), atol=1e-9)


def test_full_cell_is_preferred_to_a_nearer_hole():
    """The nearest axis lies at a lattice edge: its own hexamer is mostly missing."""
    occupancy = np.array([0.15] + [1.0] * 6)
    volume, shift, rotation = lattice_map(64, PIXEL, (25, 0), 0, occupancy=occupancy, noise=0.05)
    site = find_symmetry_axis(volume, PIXEL)
    offset, _ = axis_error(site, shift, rotation)
    assert np.hypot(*offset[:2]) == pytest.approx(75, abs=3)
    azimuth = np.degrees(np.arctan2(offset[1], offset[0]))
    assert abs((azimuth + 30) % 60 - 30) < 3


def test_three_and_two_fold_axes_are_no_rivals():
    """On a 3-fold or 2-fold point of the lattice, with no 6-fold axis in reach, the symmetry found is poor."""
    centred, _, _ = lattice_map(64, PIXEL)
    full = find_symmetry_axis(centred, PIXEL, max_shift_angst=8)
    three_fold, _, _ = lattice_map(64, PIXEL, (0, 75 / np.sqrt(3)))
    two_fold, _, _ = lattice_map(64, PIXEL, (37.5, 0))
    assert full.symmetry_cc > 0.95
    for volume in (three_fold, two_fold):
        assert find_symmetry_axis(volume, PIXEL, max_shift_angst=8).symmetry_cc < 0.3


def test_given_radius_and_finer_pixels_give_the_same_axis():
    volume, shift, rotation = lattice_map(128, 2.7, (20, 10), 30, noise=0.1)
    site = find_symmetry_axis(volume, 2.7, surface_radius_angst=500)
    offset = rotation.T @ (site.shift - shift) * 2.7
    assert np.hypot(*offset[:2]) < 1.0
    assert np.degrees(np.arccos(np.clip(site.rotation[:, 2] @ rotation[:, 2], -1, 1))) < 0.6


def test_curvature_and_layer_ignore_the_membrane():
    volume, _, _ = lattice_map(64, PIXEL, (10, 20), radius=450, apex=12, noise=0.1)
    sampler = Sampler(volume, PIXEL)
    curvature = fit_curvature(sampler)
    assert PIXEL / curvature == pytest.approx(450, rel=0.15)
    assert abs(layer_height(sampler, curvature) * PIXEL - 12) < 8  # the membrane is 140 Å further out


@pytest.mark.parametrize("spacing, cells, radius, azimuth", [(75.0, 19, 500, 10), (90.0, 7, 420, 44)])
def test_unit_cells_and_lattice_constant(spacing, cells, radius, azimuth):
    volume, _, rotation = lattice_map(64, PIXEL, (0, 0), azimuth, spacing=spacing, radius=radius, noise=0.04)
    found = find_unit_cells(volume, PIXEL)
    assert len(found.markers) == cells
    np.testing.assert_allclose(found.markers[0], 0, atol=1e-9)
    assert abs(found.spacing_angst - spacing) < 1.0
    points, normals = surface_frame(*hexagonal_sites(spacing, 3).T, 1 / radius)
    points, normals = points @ rotation.T, normals @ rotation.T
    distance, row = cKDTree(points).query(found.markers * PIXEL)
    assert len(set(row)) == cells
    assert distance.max() < 5 and np.median(distance) < 2
    cosine = np.sum(found.normals * normals[row], axis=1)
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 2
    assert found.surface_radius_angst == pytest.approx(radius, rel=0.15)


def test_markers_stay_within_the_given_radius():
    volume, _, _ = lattice_map(64, PIXEL)
    assert len(find_unit_cells(volume, PIXEL, max_radius_angst=90).markers) == 7


def test_boxes_that_cannot_show_a_lattice_are_refused():
    volume, _, _ = lattice_map(28, PIXEL)
    with pytest.raises(InputError, match="box of"):
        find_symmetry_axis(volume, PIXEL)
    with pytest.raises(InputError, match="unit cells"):
        find_unit_cells(volume[6:-6, 6:-6, 6:-6], PIXEL)
