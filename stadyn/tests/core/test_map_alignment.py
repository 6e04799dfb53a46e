# SPDX-License-Identifier: GPL-3.0-or-later
"""The last polish of half-maps: planted turns and shifts come back to hundredths."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from stadyn.core.halves import half_map_round
from stadyn.core.map_alignment import polish_pose
from stadyn.core.masks import sphere
from stadyn.tests.core.planted import blob_map, rotation_errors_deg

BOX, PIXEL = 32, 5.0


@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize("masked", [False, True])
def test_planted_pose_to_a_tenth_of_a_degree(noise, masked):
    rng = np.random.default_rng(4)
    rotation = Rotation.from_euler("zxz", [12, 65, -30], degrees=True).as_matrix()
    shift = np.array([1.3, -0.7, 0.45])
    odd, even = blob_map(BOX), blob_map(BOX, rotation, shift)
    odd, even = (m + noise * odd.std() * rng.standard_normal(odd.shape) for m in (odd, even))
    start = rotation @ Rotation.from_rotvec([0.02, -0.01, 0.015]).as_matrix()
    mask = sphere(BOX, 11, 3) if masked else None
    found, moved = polish_pose(odd, even, start, shift + [0.3, -0.2, 0.2], PIXEL, 15.0, mask)
    assert rotation_errors_deg(found[None], rotation[None])[0] < (0.1 if noise else 0.01)
    assert np.linalg.norm(moved - shift) < (0.05 if noise else 0.005)
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-9)


def test_a_large_box_is_binned_to_the_low_pass():
    rotation = Rotation.from_rotvec([0.01, 0.02, -0.015]).as_matrix()
    coarse = {"points": 2.0 * np.array([(6, 1, 2), (-3, 5, -2), (1, -6, 4), (-5, -3, -5)], float), "sigmas": 3.0}
    coarse["weights"] = (1, 0.8, 1.2, 0.9)
    odd, even = blob_map(64, **coarse), blob_map(64, rotation, (1.0, 0.5, 2.0), **coarse)
    found, moved = polish_pose(odd, even, np.eye(3), (0.5, 0.5, 1.5), PIXEL, 30.0)
    assert rotation_errors_deg(found[None], rotation[None])[0] < 0.02
    np.testing.assert_allclose(moved, (1.0, 0.5, 2.0), atol=0.01)


@pytest.mark.parametrize(("symmetry", "period"), [("C1", 360), ("C6", 60)])
def test_the_search_covers_what_the_symmetry_leaves_free(symmetry, period):
    search = half_map_round(symmetry, 27.0, 20.0)
    assert search.inplane_range_deg == period and search.shift_limit_angst == (27.0, 27.0, 27.0)
    assert search.iterations == 1  # a second one would compare the map with itself
