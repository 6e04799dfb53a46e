# SPDX-License-Identifier: GPL-3.0-or-later
"""Odd and even: by parity, by whole VLPs, by whole tomograms."""

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.halves import split_halves
from stadyn.core.particles import EVEN, ODD, ParticleTable


@pytest.fixture
def table():
    rng = np.random.default_rng(3)
    n = 600
    tomograms = rng.choice(["t1", "t2", "t3"], n, p=[0.5, 0.3, 0.2])
    return ParticleTable(
        rng.normal(size=(n, 3)),
        np.tile(np.eye(3), (n, 1, 1)),
        tomograms,
        surface_ids=rng.integers(1, 6, n),
        ids=np.arange(7, 7 + n),
    )


def test_parity_of_the_particle_number(table):
    split = split_halves(table)
    np.testing.assert_array_equal(split.half == ODD, table.ids % 2 == 1)
    assert np.sum(split.half == ODD) == np.sum(split.half == EVEN)


@pytest.mark.parametrize("by, columns", [("surface", ("tomogram_ids", "surface_ids")), ("tomogram", ("tomogram_ids",))])
def test_groups_stay_whole_and_halves_balanced(table, by, columns):
    split = split_halves(table, by)
    keys = list(zip(*(getattr(table, c).tolist() for c in columns), strict=True))
    halves_of = {key: {h for k, h in zip(keys, split.half.tolist(), strict=True) if k == key} for key in set(keys)}
    assert all(len(h) == 1 for h in halves_of.values())
    assert len(halves_of) == {"surface": 15, "tomogram": 3}[by]
    share = np.mean(split.half == ODD)
    assert abs(share - 0.5) < (0.02 if by == "surface" else 0.1)
    assert set(split.half) == {ODD, EVEN}


def test_seeded(table):
    first, again = split_halves(table, "surface", seed=4), split_halves(table, "surface", seed=4)
    np.testing.assert_array_equal(first.half, again.half)


def test_what_cannot_be_split_is_named(table):
    one = table.select(table.tomogram_ids == "t1")
    with pytest.raises(InputError, match="1 tomogram"):
        split_halves(one, "tomogram")
    with pytest.raises(InputError, match="do not know their VLP"):
        split_halves(table.replace(surface_ids=np.zeros(len(table), int)), "surface")
    with pytest.raises(InputError, match="'colour'"):
        split_halves(table, "colour")
