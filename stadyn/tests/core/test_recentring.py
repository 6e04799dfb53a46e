# SPDX-License-Identifier: GPL-3.0-or-later
"""A marked point becomes a centre whose axis is the normal of the curved surface there."""

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.recentring import frame_at_point

RADIUS = 60.0  # px


def shell(n=64, thickness=4.0):
    """A dark spherical layer through the box centre, z outward, with bumps that tell it from a smooth membrane."""
    z, y, x = np.indices((n, n, n)) - n // 2
    distance = np.sqrt(x**2 + y**2 + (z + RADIUS) ** 2) - RADIUS
    bumps = 1 + 0.5 * np.cos(x / 2.2) * np.cos(y / 2.2)
    return -np.exp(-0.5 * (distance / (thickness / 2)) ** 2) * bumps


@pytest.mark.parametrize("point", [(12.0, 0.0), (0.0, -9.0), (-8.0, 8.0)])
def test_axis_is_the_normal_at_the_point(point):
    place = np.array([*point, np.sqrt(RADIUS**2 - np.sum(np.square(point))) - RADIUS])
    shift, rotation = frame_at_point(shell(), 5.4, place)
    np.testing.assert_array_equal(shift, place)
    normal = (place + [0, 0, RADIUS]) / RADIUS
    error = np.degrees(np.arccos(np.clip(rotation[:, 2] @ normal, -1, 1)))
    assert error < 1.5 < np.degrees(np.arccos(normal[2])) - 1.5


def test_the_paper_s_way_keeps_the_axis():
    shift, rotation = frame_at_point(shell(), 5.4, (12.0, 3.0, 1.0), tilt=False)
    np.testing.assert_array_equal(rotation, np.eye(3))
    np.testing.assert_array_equal(shift, [12.0, 3.0, 1.0])


def test_a_point_outside_the_box_is_refused():
    with pytest.raises(InputError, match="outside the box"):
        frame_at_point(shell(), 5.4, (40.0, 0.0, 0.0))
