# SPDX-License-Identifier: GPL-3.0-or-later
"""Boxes in files: the pose in the box and the place in the tomogram are two accounts of one particle."""

from dataclasses import fields

import mrcfile
import numpy as np
import pytest
from pwem.objects import Transform
from tomo.objects import (
    AverageSubTomogram,
    SetOfAverageSubTomograms,
    SetOfClassesSubTomograms,
    SetOfSubTomograms,
    SubTomogram,
    TomoAcquisition,
)

from stadyn.convert.coordinates import matrix_from_pose, write_coordinates
from stadyn.convert.particles import read_particle_input, write_particles_like
from stadyn.convert.subtomograms import read_subtomograms, stand_in_tomograms, write_subtomograms
from stadyn.convert.tomograms import FULL_RANGE
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleBoxes
from stadyn.core.tomograms import MissingWedge
from stadyn.io.mrc import write_volume

from .sets import by_id, make_tomograms, new_coordinates, random_table, reopened

BINNED = 10.8


@pytest.fixture
def written(tmp_path):
    """(table, boxes, SetOfSubTomograms as reopened) of 12 particles in boxes of half the resolution."""
    tomograms = make_tomograms(tmp_path)
    table = random_table(12)
    coordinates = new_coordinates(tmp_path, tomograms)
    write_coordinates(table, coordinates, tomograms)
    paths = [str(tmp_path / f"particle_{i}.mrc") for i in table.ids]
    for path in paths:
        write_volume(path, np.ones((8, 8, 8), np.float32), BINNED)
    boxes = ParticleBoxes(paths, np.zeros(12, int), np.round(table.positions), BINNED)
    output = SetOfSubTomograms.create(str(tmp_path))
    output.setSamplingRate(BINNED)
    output.setCoordinates3D(coordinates)
    write_subtomograms(table, boxes, output, tomograms)
    again = reopened(output)
    again.setCoordinates3D(coordinates)
    return table, boxes, again


def assert_same(found, expected):
    for field in fields(expected):
        value, wanted = getattr(found, field.name), getattr(expected, field.name)
        if value.dtype.kind == "f":
            np.testing.assert_allclose(value, wanted, atol=1e-6, err_msg=field.name)
        else:
            np.testing.assert_array_equal(value, wanted, err_msg=field.name)


def test_round_trip(written):
    table, boxes, subtomograms = written
    found, found_boxes = read_subtomograms(subtomograms)
    order = np.argsort(table.ids)
    assert_same(found, by_id(table))
    np.testing.assert_allclose(found_boxes.centers, boxes.centers[order], atol=1e-9)
    assert found_boxes.paths.tolist() == boxes.paths[order].tolist()
    assert found_boxes.pixel_size == BINNED and set(found_boxes.indices) == {0}


def test_matrix_places_the_particle_in_binned_pixels(written):
    table, boxes, subtomograms = written
    order = np.argsort(table.ids)
    for item, row in zip(subtomograms.iterItems(), order, strict=True):
        in_box = (table.positions[row] - boxes.centers[row]) * 5.4 / BINNED
        matrix = item.getTransform().getMatrix()
        np.testing.assert_allclose(matrix @ [*in_box, 1.0], [0, 0, 0, 1], atol=1e-9)
        np.testing.assert_allclose(matrix[:3, :3], table.rotations[row].T, atol=1e-12)
        assert item.getVolName() == table.tomogram_ids[row] == item.getCoordinate3D().getTomoId()
        assert (item.getAcquisition().getAngleMin(), item.getAcquisition().getAngleMax()) == (-45.0, 60.0)


def test_input_knows_tomograms_and_wedge(written):
    particles = read_particle_input(written[2])
    assert {t.id for t in particles.tomograms} == set(written[0].tomogram_ids)
    tomogram = particles.tomograms[0]
    assert tomogram.shape == (48, 64, 72) and tomogram.pixel_size == 5.4
    assert (tomogram.wedge.min_deg, tomogram.wedge.max_deg) == (-45.0, 60.0)


def test_refined_set_keeps_files_and_boxes_and_takes_the_new_poses(written, tmp_path):
    _, _, subtomograms = written
    table, boxes = read_subtomograms(subtomograms)
    kept = table.select([1, 4, 7]).moved((0.7, -1.2, 2.0))
    kept = kept.replace(cc=[0.31, 0.32, 0.33], half=[2, 1, 2], classes=[0, 3, 1])
    output = SetOfSubTomograms.create(str(tmp_path), suffix="refined")
    write_particles_like(subtomograms, kept, output)
    again = reopened(output)
    again.setCoordinates3D(subtomograms.getCoordinates3D())
    found, found_boxes = read_subtomograms(again)
    assert_same(found, kept)
    assert found_boxes.paths.tolist() == boxes.paths[[1, 4, 7]].tolist()
    np.testing.assert_allclose(found_boxes.centers, boxes.centers[[1, 4, 7]], atol=1e-9)
    assert again.hasAlignment3D() and again.getSamplingRate() == BINNED
    assert [item.getClassId() for item in again.iterItems()] == [None, 3, 1]


def test_a_subset_of_the_hosts_classes_keeps_their_ids_before_those_of_the_coordinates(written, tmp_path):
    _, _, subtomograms = written
    assert 4 not in read_subtomograms(subtomograms)[0].classes[:3]
    classes = SetOfClassesSubTomograms.create(str(tmp_path))
    classes.setImages(subtomograms)
    numbers = [4] * 3 + [2] * 9
    classes.classifyItems(lambda item, number: item.setClassId(number), itemDataIterator=iter(numbers))
    classes.write()
    chosen = SetOfSubTomograms.create(str(tmp_path), suffix="chosen")
    chosen.copyInfo(subtomograms)
    for group in classes.iterItems():
        for item in group.iterItems():
            chosen.append(item.clone())
    again = reopened(chosen)
    again.setCoordinates3D(subtomograms.getCoordinates3D())
    found = read_subtomograms(again)[0]
    assert by_id(found).classes.tolist() == numbers


def test_an_item_without_a_class_has_that_of_its_coordinate(written, tmp_path):
    table, _, subtomograms = written
    output = SetOfSubTomograms.create(str(tmp_path), suffix="extracted")
    output.copyInfo(subtomograms)
    for item in subtomograms.iterItems():
        item.setClassId(None)
        output.append(item.clone())
    again = reopened(output)
    again.setCoordinates3D(subtomograms.getCoordinates3D())
    assert not any(item.hasClassId() for item in again.iterItems())
    assert read_subtomograms(again)[0].classes.tolist() == by_id(table).classes.tolist()


def test_averages_are_boxes_without_tomogram_or_wedge(tmp_path):
    averages = SetOfAverageSubTomograms.create(str(tmp_path))
    averages.setSamplingRate(5.4)
    matrix = matrix_from_pose(np.eye(3), (0.0, 0.0, 3.0))
    for name in ("ts_01", "ts_02"):
        write_volume(tmp_path / f"{name}.mrc", np.ones((8, 8, 8), np.float32), 5.4)
        item = AverageSubTomogram()
        item.setFileName(str(tmp_path / f"{name}.mrc"))
        item.setVolName(name)
        item.setTransform(Transform(matrix))
        averages.append(item)
    particles = read_particle_input(reopened(averages))
    assert [t.id for t in particles.tomograms] == ["ts_01", "ts_02"]
    assert all(t.path == "" and t.wedge.min_deg == -90 and t.wedge.max_deg == 90 for t in particles.tomograms)
    np.testing.assert_allclose(particles.table.positions, [[0, 0, 3.0]] * 2, atol=1e-12)
    np.testing.assert_allclose(particles.boxes.centers, 0)


def test_volumes_of_a_stack_are_counted_from_zero(tmp_path):
    tomograms = make_tomograms(tmp_path)
    table = random_table(3)
    coordinates = new_coordinates(tmp_path, tomograms)
    write_coordinates(table, coordinates, tomograms)
    stack = str(tmp_path / "stack.mrc")
    with mrcfile.new(stack) as mrc:
        mrc.set_data(np.ones((3, 8, 8, 8), np.float32))
    output = SetOfSubTomograms.create(str(tmp_path), suffix="stack")
    output.setSamplingRate(5.4)
    output.setCoordinates3D(coordinates)
    boxes = ParticleBoxes([stack] * 3, [0, 1, 2], np.round(table.positions), 5.4)
    write_subtomograms(table, boxes, output, tomograms)
    assert [item.getIndex() for item in sorted_items(output)] == (1 + np.argsort(table.ids)).tolist()
    assert read_subtomograms(output)[1].indices.tolist() == np.argsort(table.ids).tolist()


def other_subtomograms(folder, tomograms, change=None, linked=True, pixel_size=10.8, boxes=(8, 8, 8)):
    """Three subtomograms as another package leaves them, each altered by `change(item, number)`."""
    table = random_table(3)
    coordinates = new_coordinates(folder, tomograms)
    write_coordinates(table, coordinates, tomograms)
    output = SetOfSubTomograms.create(str(folder), suffix="other")
    output.setSamplingRate(pixel_size)
    for number, coordinate in enumerate(sorted_items(coordinates)):
        item = SubTomogram()
        path = folder / f"box_{number}.mrc"
        write_volume(path, np.ones(boxes, np.float32), 10.8)
        item.setLocation(0, str(path))
        item.setCoordinate3D(coordinate)
        item.setTransform(Transform())
        if change is not None:
            change(item, number)
        output.append(item)
    if linked:
        output.setCoordinates3D(coordinates)
    return output


def test_files_of_one_volume_may_be_numbered(tmp_path):
    numbered = other_subtomograms(tmp_path, make_tomograms(tmp_path), lambda item, i: item.setIndex(37 + i))
    assert read_subtomograms(numbered)[1].indices.tolist() == [0, 0, 0]


SCALED, MIRRORED = np.diag([2.0, 2.0, 2.0, 1.0]), np.diag([1.0, 1.0, -1.0, 1.0])
UNUSABLE = {
    "stretched": (lambda item, i: item.getTransform().setMatrix(SCALED), "no rotations.*determinant 8: write them"),
    "mirrored": (lambda item, i: item.getTransform().setMatrix(MIRRORED), "no rotations.*determinant -1"),
    "nan": (lambda item, i: item.getTransform().setMatrix(np.full((4, 4), np.nan)), "no rotations"),
    "file gone": (lambda item, i: item.setFileName(f"/gone_{i}.mrc"), "/gone_0.mrc cannot be found"),
    "last file gone": (lambda item, i: item.setFileName("/gone.mrc") if i == 2 else None, "/gone.mrc cannot be found"),
    "nowhere": (lambda item, i: item.getCoordinate3D()._x.set(None), "coordinate .* has no position"),
    "other tomogram": (lambda item, i: item.getCoordinate3D().setTomoId("ts_99"), "ts_99, which is not among"),
}


@pytest.mark.parametrize("fault", UNUSABLE)
def test_what_another_package_left_unusable_is_named(tmp_path, fault):
    change, said = UNUSABLE[fault]
    with pytest.raises(InputError, match=said):
        read_particle_input(other_subtomograms(tmp_path, make_tomograms(tmp_path), change))


def test_links_and_numbers_that_are_lost_are_named(tmp_path, monkeypatch):
    tomograms = make_tomograms(tmp_path)
    with pytest.raises(InputError, match="pixel size None: import them with one"):
        read_particle_input(other_subtomograms(tmp_path, tomograms, pixel_size=None))
    with pytest.raises(InputError, match=r"box_0.mrc has \(12, 12, 41\) voxels, no cube"):
        read_particle_input(other_subtomograms(tmp_path / "stacks", make_tomograms(tmp_path / "stacks"),
                                               boxes=(41, 12, 12)))  # fmt: skip
    (tmp_path / "lost").mkdir()
    lost = other_subtomograms(tmp_path / "lost", tomograms)
    lost.getCoordinates3D()._precedentsPointer.set(None)
    with pytest.raises(InputError, match="lost their tomograms"):
        read_particle_input(lost)
    monkeypatch.setattr(lost, "getCoordinates3D", lambda: None)
    with pytest.raises(InputError, match="subtomograms have lost their coordinates"):
        read_particle_input(lost)


def test_one_subtomogram_without_coordinate_is_named(tmp_path):
    items = other_subtomograms(tmp_path, make_tomograms(tmp_path))
    without = sorted_items(items)
    without[1]._coordinate = None
    items.iterItems = lambda: iter(without)
    with pytest.raises(InputError, match="subtomogram 2 has no coordinate, unlike its set"):
        read_subtomograms(items)


def test_tilt_range_of_the_set_serves_items_that_have_none(tmp_path):
    items = other_subtomograms(tmp_path, make_tomograms(tmp_path), linked=False)
    assert {t.wedge for t in stand_in_tomograms(items)} == {FULL_RANGE}
    items.setAcquisition(TomoAcquisition(angleMin=-45.0, angleMax=60.0))
    assert {t.wedge for t in stand_in_tomograms(items)} == {MissingWedge(-45.0, 60.0)}


def sorted_items(items):
    return [item.clone() for item in items.iterItems()]


def test_an_empty_set_is_refused(tmp_path):
    with pytest.raises(InputError, match="empty"):
        read_particle_input(SetOfSubTomograms.create(str(tmp_path)))


def test_boxes_named_by_the_file_of_their_tomogram_have_its_name(tmp_path):
    output = SetOfSubTomograms.create(str(tmp_path))
    output.setSamplingRate(BINNED)
    for number in range(4):  # as the extraction of scipion-em-dynamo and -emantomo writes them
        write_volume(tmp_path / f"{number}.mrc", np.ones((8, 8, 8), np.float32), BINNED)
        item = SubTomogram(location=str(tmp_path / f"{number}.mrc"))
        item.setVolName(f"Runs/000123_Import/extra/ts_{number % 2}.mrc")
        output.append(item)
    found = read_particle_input(reopened(output))
    assert found.table.tomogram_ids.tolist() == ["ts_0", "ts_1", "ts_0", "ts_1"]
    assert [tomogram.id for tomogram in found.tomograms] == ["ts_0", "ts_1"]
