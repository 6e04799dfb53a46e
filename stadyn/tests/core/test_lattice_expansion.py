# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites taken out of a list are found again, in the pose that they had."""

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.evaluation import evaluate
from stadyn.core.lattice_expansion import expand_lattice

from .lattices import PIXEL, disturbed, lattice


@pytest.fixture(scope="module")
def removed():
    """(left with pose errors, taken out) of a planted lattice, 15 % of it."""
    rng = np.random.default_rng(7)
    keep = rng.random(len(lattice())) > 0.15
    return disturbed(lattice().select(keep), rng), lattice().select(~keep)


def test_removed_sites_come_back_in_their_pose(removed):
    left, gone = removed
    found = evaluate(expand_lattice(left), gone, 12 / PIXEL)
    assert found.matching.recall >= 0.9
    assert np.median(found.errors.raw_position_px) * PIXEL < 5
    assert np.median(found.errors.axis_deg) < 2
    assert np.median(np.abs(found.errors.raw_inplane_deg)) < 1.5


def test_new_particles_know_where_they_come_from(removed):
    left, _ = removed
    new = expand_lattice(left)
    assert np.all(np.isnan(new.cc)) and new.ids.min() == left.ids.max() + 1
    parents = np.searchsorted(left.ids, new.parent)
    assert np.array_equal(left.ids[parents], new.parent) and np.all((new.marker >= 1) & (new.marker <= 6))
    assert np.array_equal(left.surface_ids[parents], new.surface_ids)
    assert np.array_equal(left.tomogram_ids[parents], new.tomogram_ids)
    distance = np.linalg.norm(new.positions - left.positions[parents], axis=1)
    assert np.all(np.abs(distance * PIXEL - 74) < 25)


def test_no_site_is_nearer_than_neighbours_can_be(removed):
    left, _ = removed
    new = expand_lattice(left, support=1)
    for name in ("a", "b"):
        points = np.concatenate([t.positions[t.tomogram_ids == name] for t in (left, new)])
        apart = np.linalg.norm(points[:, None] - points[None], axis=-1)[np.triu_indices(len(points), 1)]
        assert apart.min() * PIXEL > 0.55 * 74


def test_more_support_is_more_certain(removed):
    left, gone = removed
    precision = [evaluate(expand_lattice(left, s), gone, 12 / PIXEL).matching.precision for s in (2, 4, 5)]
    assert precision[0] < precision[1] < precision[2]


def test_a_second_round_reaches_further(removed):
    left, _ = removed
    assert len(expand_lattice(left, 3, rounds=2)) > len(expand_lattice(left, 3)) > 0


@pytest.mark.parametrize("support, rounds, words", [(0, 1, "support of 0"), (7, 1, "support of 7"), (2, 0, "0 rounds")])
def test_impossible_settings_are_named(removed, support, rounds, words):
    with pytest.raises(InputError, match=words):
        expand_lattice(removed[0], support, rounds)
