# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted shells are found where they are, and nothing else is, beads, wedge and noise notwithstanding."""

import numpy as np
import pytest
import scipy.fft

from stadyn.core.errors import InputError
from stadyn.core.shells import Shell, ShellSearch, bin_volume, find_shells, shell_dipoles
from stadyn.core.tomograms import MissingWedge
from stadyn.core.wedge import wedge_weights

VOXEL = 15.0
WEDGE = MissingWedge(-50.0, 60.0)
SHAPE = (64, 84, 104)
PLANTED = {"inside": ((33.3, 40.6, 30.0), 330.0), "cut": ((83.0, 48.0, 35.2), 270.0)}
"""Centre (x, y, z) in voxels, radius in Å; the second loses its membrane at the border."""


def tomogram(shells, noise=1.0, beads=3, membrane=140.0):
    """Ellipsoidal layers and leaflets, dark, in noise, with beads, seen through a missing wedge."""
    z, y, x = np.indices(SHAPE, dtype=np.float32)
    rng = np.random.default_rng(5)
    volume = noise * rng.standard_normal(SHAPE).astype(np.float32)
    for center, radius in shells:
        offset = np.stack([x - center[0], y - center[1], z - center[2]])
        offset *= np.array([1.05, 1 / 1.05, 1.0])[:, None, None, None]
        stretched = np.sqrt(np.sum(offset**2, axis=0)) * VOXEL
        for distance, depth in ((0, 0.5), (membrane - 20, 0.7), (membrane + 20, 0.7)):
            volume -= depth * np.exp(-0.5 * ((stretched - radius - distance) / 12) ** 2)
    for bead in rng.uniform(0.1, 0.9, (beads, 3)) * SHAPE:
        volume -= 25 * ((z - bead[0]) ** 2 + (y - bead[1]) ** 2 + (x - bead[2]) ** 2 < 9)
    axes = np.meshgrid(*(scipy.fft.fftfreq(n) for n in SHAPE[:2]), scipy.fft.rfftfreq(SHAPE[2]), indexing="ij")
    seen = wedge_weights(WEDGE, np.stack(axes[::-1], axis=-1))
    return scipy.fft.irfftn(scipy.fft.rfftn(volume) * seen, SHAPE)


SEARCH = ShellSearch(220.0, 400.0)


def test_planted_shells_are_found_and_nothing_else():
    found = find_shells(tomogram(PLANTED.values()), VOXEL, WEDGE, SEARCH)
    assert len(found) == 2 and found[0].score >= found[1].score > 10
    for center, radius in PLANTED.values():
        errors = [np.linalg.norm(np.subtract(s.center, center)) * VOXEL for s in found]
        nearest = found[int(np.argmin(errors))]
        assert min(errors) < 12, "Angstrom"
        assert abs(nearest.radius * VOXEL / radius - 1) < 0.03


def test_beads_and_noise_are_no_shells():
    assert find_shells(tomogram([], beads=8), VOXEL, WEDGE, SEARCH) == []


def test_only_the_best_are_taken():
    (best,) = find_shells(tomogram(PLANTED.values()), VOXEL, WEDGE, ShellSearch(220.0, 400.0, most=1))
    assert np.linalg.norm(np.subtract(best.center, PLANTED["inside"][0])) < 1


def test_single_layers_are_found_without_a_membrane():
    volume = tomogram([PLANTED["inside"]], membrane=20.0)  # both leaflets beside the layer: one thick one
    (found,) = find_shells(volume, VOXEL, WEDGE, ShellSearch(220.0, 400.0, membrane_angst=0.0))
    assert np.linalg.norm(np.subtract(found.center, PLANTED["inside"][0])) * VOXEL < 15
    assert 315 < found.radius * VOXEL < 375


def test_binned_tomograms_give_the_same_place():
    (center, radius) = PLANTED["inside"]
    fine = np.repeat(np.repeat(np.repeat(tomogram([PLANTED["inside"]]), 2, 0), 2, 1), 2, 2)
    (found,) = find_shells(fine, VOXEL / 2, WEDGE, SEARCH)
    np.testing.assert_allclose(found.center, 2 * np.array(center) + 0.5, atol=1.5)
    assert abs(found.radius * VOXEL / 2 / radius - 1) < 0.03


def test_bins_are_means_of_cubes():
    volume = np.arange(5 * 4 * 6, dtype=float).reshape(5, 4, 6)
    binned = bin_volume(volume, 2)
    assert binned.shape == (2, 2, 3)
    assert binned[1, 0, 2] == volume[2:4, 0:2, 4:6].mean()


def test_dipoles_point_to_where_there_is_room():
    near_right, near_top = shell_dipoles([Shell((90, 40, 20), 15.0, 9.0), Shell((50, 8, 21), 12.0, 8.0)], "t", SHAPE)
    assert (near_right.surface_id, near_top.surface_id) == (1, 2)
    assert near_right.north == (75, 40, 20) and near_top.north == (50, 20, 21)
    assert near_right.radius == 15


@pytest.mark.parametrize("radii, words", [((300, 200), "300 to 200"), ((0, 200), "0 to 200")])
def test_wrong_radii_are_named(radii, words):
    with pytest.raises(InputError, match=words):
        ShellSearch(*radii)


def test_tiny_volumes_are_refused():
    with pytest.raises(InputError, match="pixel size"):
        find_shells(np.zeros((20, 20, 20), np.float32), 1.0, WEDGE)
