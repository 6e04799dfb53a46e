# SPDX-License-Identifier: GPL-3.0-or-later
"""The particle table: rows stay together, and a new reference moves each particle by its own rotation."""

import numpy as np
import pytest

from stadyn.core.particles import UNASSIGNED, ParticleBoxes, ParticleTable

from .planted import random_rotations


def table(count=5, seed=0):
    return ParticleTable(
        np.random.default_rng(seed).uniform(0, 100, (count, 3)),
        random_rotations(count, seed),
        [f"TS_{i}" for i in range(count)],
        surface_ids=np.arange(count) + 10,
        cc=np.linspace(0.1, 0.5, count),
        ids=np.arange(count) + 100,
        half=np.arange(count) % 2 + 1,
        parent=np.arange(count) + 200,
        marker=np.arange(count) + 300,
        classes=np.arange(count) + 400,
    )


COLUMNS = ("positions", "rotations", "tomogram_ids", "surface_ids", "cc", "ids", "half", "parent", "marker", "classes")


def test_rows_stay_together_when_selected_and_joined():
    whole = table()
    joined = ParticleTable.concatenate([whole.select([3, 1]), whole.select(whole.ids == 104)])
    for name in COLUMNS:
        assert np.array_equal(getattr(joined, name), getattr(whole, name)[[3, 1, 4]]), name
    assert np.array_equal(joined.renumbered(7).ids, [7, 8, 9])
    assert len(ParticleTable.concatenate([])) == 0


def test_left_out_columns_say_unknown():
    bare = ParticleTable(np.zeros((2, 3)), np.tile(np.eye(3), (2, 1, 1)), ["a", "b"])
    assert np.isnan(bare.cc).all() and np.array_equal(bare.ids, [1, 2])
    assert (bare.half == UNASSIGNED).all() and not bare.parent.any() and not bare.marker.any()
    assert bare.classes.tolist() == [0, 0]


def test_a_column_of_another_length_is_refused():
    with pytest.raises(ValueError, match="cc has shape"):
        table().replace(cc=np.zeros(3))
    with pytest.raises(ValueError, match="2 boxes, but 3 indices"):
        ParticleBoxes(["a", "b"], [0, 0, 0], np.zeros((2, 3)), 5.0)
    with pytest.raises(ValueError, match="pixel size"):
        ParticleBoxes(["a"], [0], np.zeros((1, 3)), 0.0)


def test_moving_to_a_new_reference_keeps_every_point_of_it_where_it_was():
    whole = table()
    shift, rotation = np.array([3.0, -2.0, 5.0]), random_rotations(1, 9)[0]
    moved = whole.moved(shift, rotation)
    in_new = np.array([1.0, 4.0, -2.0])
    in_old = shift + rotation @ in_new
    assert moved.positions + moved.rotations @ in_new == pytest.approx(whole.positions + whole.rotations @ in_old)
    assert np.array_equal(moved.ids, whole.ids) and np.array_equal(moved.cc, whole.cc)


def test_normals_are_where_the_reference_z_goes():
    whole = table()
    assert whole.normals() == pytest.approx(whole.rotations @ (0.0, 0.0, 1.0))


def test_boxes_follow_their_rows():
    boxes = ParticleBoxes(["a", "b", "c"], [0, 1, 2], np.arange(9).reshape(3, 3), 5)
    chosen = boxes.select([2, 0])
    assert list(chosen.paths) == ["c", "a"] and list(chosen.indices) == [2, 0] and len(chosen) == 2
    assert np.array_equal(chosen.centers, [[6, 7, 8], [0, 1, 2]]) and chosen.pixel_size == 5.0
