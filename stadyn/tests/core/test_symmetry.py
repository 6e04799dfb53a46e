# SPDX-License-Identifier: GPL-3.0-or-later
"""Cyclic symmetry about z, and nothing else."""

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.symmetry import symmetry_matrices, symmetry_order


def test_c6_turns_x_onto_the_six_corners_counter_clockwise():
    corners = symmetry_matrices("C6") @ (1.0, 0.0, 0.0)
    angles = np.degrees(np.arctan2(corners[:, 1], corners[:, 0])) % 360
    assert angles == pytest.approx([0, 60, 120, 180, 240, 300]) and corners[:, 2] == pytest.approx(0)
    assert symmetry_matrices("c6") @ (0, 0, 1.0) == pytest.approx(np.tile([0, 0, 1.0], (6, 1)))


@pytest.mark.parametrize("text, order", [("C1", 1), ("c3", 3), (" C12 ", 12)])
def test_the_order_is_read(text, order):
    assert symmetry_order(text) == order and len(symmetry_matrices(text)) == order
    assert np.array_equal(symmetry_matrices(text)[0], np.eye(3))


@pytest.mark.parametrize("text", ["C0", "D6", "O", "6", "", "C-2", "C1.5"])
def test_anything_else_is_refused_by_name(text):
    with pytest.raises(InputError, match="symmetry .* C1, C2, C3"):
        symmetry_order(text)
