# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses and columns survive Scipion's coordinates; its conventions are those of docs/conventions.md."""

from dataclasses import fields

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tomo.constants import BOTTOM_LEFT_CORNER, SCIPION
from tomo.objects import Coordinate3D, SetOfTiltSeries

from stadyn.convert.coordinates import matrix_from_pose, pose_from_matrix, read_particles, write_coordinates
from stadyn.core.errors import InputError
from stadyn.core.rotations import matrices_from_dynamo

from .sets import by_id, make_tomograms, new_coordinates, random_table, reopened


def round_trip(table, folder, tomograms, pixel_size=5.4):
    output = new_coordinates(folder, tomograms, pixel_size)
    write_coordinates(table, output, tomograms)
    again = reopened(output)
    again.setPrecedents(tomograms)
    return again


def test_500_random_particles_survive_with_all_columns(tmp_path):
    tomograms = make_tomograms(tmp_path)
    table = random_table(500)
    found = read_particles(round_trip(table, tmp_path, tomograms))
    expected = by_id(table)
    for field in fields(table):
        value, wanted = getattr(found, field.name), getattr(expected, field.name)
        if value.dtype.kind == "f":
            np.testing.assert_allclose(value, wanted, atol=1e-6, err_msg=field.name)
        else:
            np.testing.assert_array_equal(value, wanted, err_msg=field.name)


def test_columns_that_start_at_zero_are_not_lost(tmp_path):
    tomograms = make_tomograms(tmp_path)
    table = by_id(random_table(3))
    table = table.replace(half=[0, 1, 2], parent=[0, 7, 0], marker=[0, 0, 3], classes=[0, 5, 2])
    found = read_particles(round_trip(table, tmp_path, tomograms))
    columns = [found.half.tolist(), found.parent.tolist(), found.marker.tolist(), found.classes.tolist()]
    assert columns == [[0, 1, 2], [0, 7, 0], [0, 0, 3], [0, 5, 2]]


def test_no_score_stays_no_score(tmp_path):
    tomograms = make_tomograms(tmp_path)
    table = by_id(random_table(2)).replace(cc=[np.nan, -0.25])
    found = read_particles(round_trip(table, tmp_path, tomograms))
    assert np.isnan(found.cc[0]) and found.cc[1] == -0.25


def test_stored_position_is_relative_to_the_centre(tmp_path):
    tomograms = make_tomograms(tmp_path, shape=(48, 64, 64))
    table = by_id(random_table(1, names=("ts_01",))).replace(positions=[[10.0, 20.0, 30.0]])
    coordinates = round_trip(table, tmp_path, tomograms)
    item = next(iter(coordinates.iterCoordinates()))
    np.testing.assert_allclose(item.getPosition(SCIPION), (-22.0, -12.0, 6.0), atol=1e-9)


def test_matrix_is_dynamos_e_with_the_shift_moved_to_the_reference():
    rotation = matrices_from_dynamo(30.0, 60.0, 75.0)
    matrix = matrix_from_pose(rotation, (1.0, 2.0, 3.0))
    expected = [[-0.0173, -0.5477, 0.8365], [0.9012, -0.3709, -0.2241], [0.4330, 0.7500, 0.5000]]
    np.testing.assert_allclose(matrix[:3, :3], expected, atol=1e-4)
    # A point of the box at the particle's own place is the origin of the reference.
    np.testing.assert_allclose(matrix @ [1.0, 2.0, 3.0, 1.0], [0, 0, 0, 1], atol=1e-12)
    back, shift = pose_from_matrix(matrix)
    np.testing.assert_allclose(back, rotation, atol=1e-14)
    np.testing.assert_allclose(shift, [1, 2, 3], atol=1e-14)


def test_normal_of_a_tilted_coordinate_is_the_host_s(tmp_path):
    tomograms = make_tomograms(tmp_path)
    rotation = matrices_from_dynamo(20.0, 70.0, 110.0)
    table = by_id(random_table(1)).replace(rotations=[rotation])
    coordinates = round_trip(table, tmp_path, tomograms)
    item = next(iter(coordinates.iterItems()))
    normal = np.linalg.inv(item.getMatrix()[:3, :3]) @ [0, 0, 1]
    tilt, tdrot = np.radians(70.0), np.radians(20.0)
    expected = [np.sin(tilt) * np.sin(tdrot), np.sin(tilt) * np.cos(tdrot), np.cos(tilt)]
    np.testing.assert_allclose(normal, expected, atol=1e-12)
    np.testing.assert_allclose(table.normals()[0], expected, atol=1e-12)


def test_refined_shift_of_another_package_is_folded_into_the_position(tmp_path):
    tomograms = make_tomograms(tmp_path)
    rotation = matrices_from_dynamo(30.0, 60.0, 75.0)
    output = new_coordinates(tmp_path, tomograms)
    item = Coordinate3D()
    item.setVolume(tomograms.getFirstItem())
    item.setPosition(10.0, 20.0, 30.0, BOTTOM_LEFT_CORNER)
    item.setMatrix(matrix_from_pose(rotation, (1.5, -2.0, 0.5)))
    output.append(item)
    found = read_particles(output)
    np.testing.assert_allclose(found.positions, [[11.5, 18.0, 30.5]], atol=1e-9)
    np.testing.assert_allclose(found.rotations[0], rotation, atol=1e-12)
    assert np.isnan(found.cc[0]) and found.half[0] == 0


def test_coordinates_picked_at_another_binning_are_scaled(tmp_path):
    tomograms = make_tomograms(tmp_path)
    table = random_table(20)
    picked = round_trip(table, tmp_path, tomograms, pixel_size=10.8)
    first = next(iter(picked.iterItems())).clone()
    first.setVolume(tomograms[{"_tsId": first.getTomoId()}])
    expected = by_id(table).positions
    np.testing.assert_allclose(first.getPosition(SCIPION), (expected[0] - [36, 32, 24]) / 2, atol=1e-9)
    np.testing.assert_allclose(read_particles(picked).positions, expected, atol=1e-6)


def test_particles_of_an_unknown_tomogram_are_named(tmp_path):
    tomograms = make_tomograms(tmp_path)
    table = random_table(2, names=("elsewhere",))
    with pytest.raises(InputError, match="elsewhere.*ts_01, ts_02"):
        write_coordinates(table, new_coordinates(tmp_path, tomograms), tomograms)


def test_two_particles_of_one_id_are_refused(tmp_path):
    tomograms = make_tomograms(tmp_path)
    table = random_table(2).replace(ids=[7, 7])
    with pytest.raises(InputError, match="id 7"):
        write_coordinates(table, new_coordinates(tmp_path, tomograms), tomograms)


@pytest.mark.parametrize(("matrix", "determinant"), [
    (np.diag([2.0, 2.0, 2.0, 1.0]), "8"), (np.diag([1.0, -1.0, 1.0, 1.0]), "-1"), (np.zeros((4, 4)), "0"),
    (np.full((4, 4), np.nan), "0"), (np.eye(4) + 0.1 * np.eye(4)[[1, 2, 0, 3]], "1"),
])  # fmt: skip
def test_matrices_that_do_more_than_turn_are_refused(tmp_path, matrix, determinant):
    coordinates = other_coordinates(tmp_path, lambda item, i: item.setMatrix(matrix) if i == 1 else None)
    with pytest.raises(InputError, match=rf"of 1 particles are no rotations, .* particle 2 in ts_01 .* {determinant}"):
        read_particles(coordinates)


def test_rounded_matrices_are_taken(tmp_path):
    matrix = np.eye(4)
    matrix[:3, :3] = np.round(Rotation.random(random_state=3).as_matrix(), 3)
    assert len(read_particles(other_coordinates(tmp_path, lambda item, i: item.setMatrix(matrix)))) == 3


def test_a_coordinate_without_position_is_named(tmp_path):
    coordinates = other_coordinates(tmp_path, lambda item, i: item._y.set(float("nan")) if i == 2 else None)
    with pytest.raises(InputError, match="coordinate 3 of tomogram ts_01 has no position: import it again"):
        read_particles(coordinates)


def test_coordinates_of_tilt_series_are_refused(tmp_path):
    coordinates = other_coordinates(tmp_path)
    series = SetOfTiltSeries.create(str(tmp_path))
    coordinates.setPrecedents(series)
    with pytest.raises(InputError, match="lie in tilt series: give 3D coordinates in tomograms"):
        read_particles(coordinates)


def other_coordinates(folder, change=None):
    """Three coordinates as another package leaves them, read back from their file."""
    tomograms = make_tomograms(folder, names=("ts_01",))
    output, tomogram = new_coordinates(folder, tomograms), tomograms.getFirstItem()
    for number in range(3):
        item = Coordinate3D()
        item.setVolume(tomogram)
        item.setPosition(10.0, 12.0 + number, 14.0, BOTTOM_LEFT_CORNER)
        if change is not None:
            change(item, number)
        output.append(item)
    again = reopened(output)
    again.setPrecedents(tomograms)
    return again
