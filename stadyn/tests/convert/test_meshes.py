# SPDX-License-Identifier: GPL-3.0-or-later
"""Dipoles survive Scipion's meshes, and spheres are found from points of their surface."""

import numpy as np
import pytest
from tomo.objects import MeshPoint, SetOfMeshes

from stadyn.convert.coordinates import CoordinateFrame
from stadyn.convert.meshes import read_dipoles, write_dipoles
from stadyn.core.errors import InputError
from stadyn.core.tomograms import Dipole

from .sets import make_tomograms, new_coordinates, reopened


def surface_mesh(folder, tomograms, points, group=3):
    output = new_coordinates(folder, tomograms, set_class=SetOfMeshes)
    frame = CoordinateFrame(tomograms, 5.4)
    for point in points:
        item = MeshPoint()
        frame.place(item, "ts_02", point)
        item.setGroupId(group)
        output.append(item)
    return output


def test_round_trip(tmp_path):
    tomograms = make_tomograms(tmp_path)
    dipoles = [
        Dipole("ts_01", 1, (10.0, 20.5, 30.0), (10.0, 35.0, 30.0)),
        Dipole("ts_01", 2, (40.0, 20.0, 12.0), (52.0, 20.0, 12.0)),
        Dipole("ts_02", 1, (36.0, 32.0, 24.0), (36.0, 32.0, 45.25)),
    ]
    output = new_coordinates(tmp_path, tomograms, set_class=SetOfMeshes)
    write_dipoles(dipoles, output, tomograms)
    again = reopened(output)
    again.setPrecedents(tomograms)
    assert read_dipoles(again) == dipoles
    assert again.getNumberOfMeshes() == 3


def test_centre_of_many_surface_points(tmp_path):
    tomograms = make_tomograms(tmp_path)
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((40, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points = np.array([30.0, 28.0, 22.0]) + 18.0 * directions + rng.normal(0, 0.1, (40, 3))
    (dipole,) = read_dipoles(surface_mesh(tmp_path, tomograms, points))
    np.testing.assert_allclose(dipole.center, [30, 28, 22], atol=0.1)
    assert abs(dipole.radius - 18.0) < 0.4 and (dipole.tomogram_id, dipole.surface_id) == ("ts_02", 3)


@pytest.mark.parametrize("count", [1, 3])
def test_too_few_points_are_named(tmp_path, count):
    tomograms = make_tomograms(tmp_path)
    with pytest.raises(InputError, match=f"group 3 of tomogram ts_02 has {count} points"):
        read_dipoles(surface_mesh(tmp_path, tomograms, np.random.default_rng(1).uniform(0, 40, (count, 3))))


def test_points_in_one_plane_show_no_sphere(tmp_path):
    tomograms = make_tomograms(tmp_path)
    points = [(10, 10, 24), (30, 10, 24), (10, 30, 24), (30, 30, 24), (20, 5, 24)]
    with pytest.raises(InputError, match="one plane"):
        read_dipoles(surface_mesh(tmp_path, tomograms, points))
