# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers that docs/conventions.md prints, computed."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import dynamo_from_matrices, matrices_from_dynamo, matrices_from_relion
from stadyn.core.tomograms import MissingWedge
from stadyn.core.wedge import wedge_weights

PRINTED = {
    (30.0, 60.0, 75.0): [[-0.0173, -0.5477, 0.8365], [0.9012, -0.3709, -0.2241], [0.4330, 0.7500, 0.5000]],
    (-155.55, 63.924, 197.81): [[0.8110, -0.5165, -0.2747], [0.4516, 0.2544, 0.8552], [-0.3718, -0.8177, 0.4396]],
}


@pytest.mark.parametrize("angles", PRINTED)
def test_dynamo_matrices(angles):
    e = matrices_from_dynamo(*angles).T
    np.testing.assert_allclose(e, PRINTED[angles], atol=6e-5)
    np.testing.assert_allclose(e, Rotation.from_euler("zxz", angles, degrees=True).as_matrix(), atol=1e-12)


def test_normal_is_the_third_row_of_e():
    np.testing.assert_allclose(matrices_from_dynamo(90, 90, 0)[:, 2], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(matrices_from_dynamo(0, 90, 0)[:, 2], [0, 1, 0], atol=1e-12)


def test_inverse_angles():
    inverse = np.swapaxes(matrices_from_dynamo(30, 60, 75), -1, -2)
    np.testing.assert_allclose(inverse, matrices_from_dynamo(-75, -60, -30), atol=1e-12)


def test_relion_angles():
    relion = matrices_from_relion(137.7, 1.1777, 42.727)
    np.testing.assert_allclose(relion, matrices_from_dynamo(-47.273, 1.1777, -132.3), atol=1e-12)
    np.testing.assert_allclose(matrices_from_relion(75 - 90, 60, 30 + 90), matrices_from_dynamo(30, 60, 75), atol=1e-12)


def test_poles_put_the_rest_into_narot():
    for tilt in (0.0, 180.0):
        tdrot, found, narot = dynamo_from_matrices(matrices_from_dynamo(40, tilt, 25))
        assert abs(tdrot) < 1e-6 and abs(found - tilt) < 1e-6
        np.testing.assert_allclose(
            matrices_from_dynamo(tdrot, found, narot), matrices_from_dynamo(40, tilt, 25), atol=1e-9
        )


def test_points_of_the_reference_in_the_tomogram():
    table = ParticleTable([[100, 110, 120]], matrices_from_dynamo([30], [60], [75]), ["t"])
    np.testing.assert_allclose(table.moved([10, 0, 0]).positions[0], [99.827, 104.523, 128.365], atol=1e-3)
    np.testing.assert_allclose(table.moved([0, 0, 10]).positions[0], [104.330, 117.5, 125.0], atol=1e-3)


def test_scipion_translation():
    e = matrices_from_dynamo(30, 60, 75).T
    np.testing.assert_allclose(-e @ [1, 2, 3], [-1.397, 0.513, -3.433], atol=1e-3)


def test_wedge_keeps_the_sign_of_an_asymmetric_range():
    c, s = np.cos(np.radians(50)), np.sin(np.radians(50))
    weights = wedge_weights(MissingWedge(-45, 60), np.array([[c, 0, s], [c, 0, -s], [-c, 0, -s], [0, 1, 0]]))
    np.testing.assert_array_equal(weights, [1, 0, 1, 1])
