# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated unit and its maps: symmetry, hand, orientation, detail."""

import numpy as np
import pytest
import scipy.fft
from scipy import ndimage

from stadyn.core.errors import InputError
from stadyn.core.resample import rotate_volume
from stadyn.core.rotations import rotation_z
from stadyn.core.simulation_lattice import Ellipsoid
from stadyn.core.simulation_model import (
    PointCloud,
    bilayer,
    lattice_map,
    procedural_unit,
    render_map,
    unit_from_points,
)


def correlation(a, b):
    return np.corrcoef(a.ravel(), b.ravel())[0, 1]


@pytest.fixture(scope="module")
def unit_map():
    return render_map(procedural_unit(), 32, 5.4)


def test_a_point_lands_on_its_voxel():
    volume = render_map(PointCloud(np.array([[10.0, -5.0, 15.0]]), np.array([2.0]), 5.0), 16, 5.0)
    assert np.unravel_index(volume.argmax(), volume.shape) == (8 + 3, 8 - 1, 8 + 2)  # z, y, x
    assert volume.sum() == pytest.approx(2.0, rel=1e-3)


def test_the_unit_is_centred_on_its_six_fold_axis(unit_map):
    centroid = np.array(ndimage.center_of_mass(np.where(unit_map > 0.05 * unit_map.max(), unit_map, 0)))
    assert centroid == pytest.approx([16, 16, 16], abs=0.2)
    assert correlation(unit_map, rotate_volume(unit_map, rotation_z(60.0))) > 0.95
    assert correlation(unit_map, rotate_volume(unit_map, rotation_z(30.0))) < 0.85


def test_hand_and_direction_show_even_at_20_angstrom(unit_map):
    low = ndimage.gaussian_filter(unit_map, 20 / 5.4 / np.pi / 2**0.5)
    turns = [rotation_z(a) for a in range(0, 60, 5)]
    mirrored = max(correlation(low, rotate_volume(low[:, ::-1], t)) for t in turns)
    upside_down = max(correlation(low, rotate_volume(low, t @ np.diag([1.0, -1.0, -1.0]))) for t in turns)
    assert mirrored < 0.97 and upside_down < 0.8


def test_detail_reaches_down_to_the_pixel(unit_map):
    power = np.abs(scipy.fft.rfftn(unit_map)) ** 2
    axis = scipy.fft.fftfreq(32)
    radius = np.linalg.norm(np.stack(np.meshgrid(axis, axis, axis[:17], indexing="ij")), axis=0)
    assert power[(radius > 0.42) & (radius < 0.48)].mean() > 1e-2 * power[(radius > 0.15) & (radius < 0.25)].mean()


def test_copies_are_turned_and_moved():
    cloud = PointCloud(np.array([[1.0, 0.0, 0.0]]), np.array([1.0]), 1.0)
    placed = cloud.placed(np.array([[10.0, 20.0, 30.0]]), rotation_z(np.array([90.0])))
    assert placed.points[0] == pytest.approx([10, 21, 30])


def test_the_true_map_holds_the_unit_and_its_neighbours(unit_map):
    unit = procedural_unit()
    angles = np.radians(60 * np.arange(6))
    points = np.concatenate([[[0, 0, 0]], 75 * np.stack([np.cos(angles), np.sin(angles), 0 * angles], -1)])
    volume = lattice_map(unit, [(points, np.tile(np.eye(3), (7, 1, 1)))], 48, 5.4, np.random.default_rng(0))
    axis = np.arange(48) - 24
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    inner = np.hypot(x, y) * 5.4 < 30
    bare = render_map(unit, 48, 5.4)
    assert correlation(volume[inner], bare[inner]) > 0.99
    neighbour = np.roll(bare, 14, axis=2)  # 75.6 Å along x: a real neighbour in one of seven sites' six directions
    around = np.hypot(x - 14, y) * 5.4 < 25
    assert correlation(volume[around], neighbour[around]) > 0.95


def test_a_bilayer_has_two_leaflets_40_angstrom_apart():
    points = bilayer(Ellipsoid(np.full(3, 300.0), np.eye(3)), 400.0, np.random.default_rng(0)).points
    radius = np.linalg.norm(points, axis=1)
    assert radius[radius > 300].mean() - radius[radius < 300].mean() == pytest.approx(40, abs=1)
    assert np.abs(points.mean(0)).max() < 5


def test_one_chain_and_the_whole_hexamer_give_the_same_unit():
    whole = procedural_unit()
    n = len(whole.points) // 6
    from_chain = unit_from_points(whole.points[:n] + [0, 0, 40.0], whole.weights[:n], 2.5, 75.0)
    from_whole = unit_from_points(whole.points, whole.weights, 2.5, 75.0)
    maps = [render_map(u, 24, 6.0) for u in (from_chain, from_whole)]
    assert correlation(*maps) > 0.999
    assert from_chain.weights.sum() == pytest.approx(whole.weights.sum())


def test_a_model_off_its_axis_is_refused():
    with pytest.raises(InputError, match="six-fold axis"):
        unit_from_points(np.array([[500.0, 0, 0]]), np.ones(1), 2.5, 75.0)
