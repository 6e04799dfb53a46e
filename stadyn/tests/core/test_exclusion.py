# SPDX-License-Identifier: GPL-3.0-or-later
"""The exclusion radius against brute force, its ties, and its time."""

import time

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.exclusion import exclude_within
from stadyn.core.particles import ParticleTable


def random_table(n, side, rng, tomograms=("a", "b")):
    return ParticleTable(
        rng.uniform(0, side, (n, 3)), np.tile(np.eye(3), (n, 1, 1)), rng.choice(tomograms, n),
        cc=rng.choice([0.1, 0.2, 0.3, np.nan], n), ids=rng.permutation(n) + 1,
    )  # fmt: skip


def brute_force(table, radius):
    score = np.where(np.isnan(table.cc), -np.inf, table.cc)
    kept = np.zeros(len(table), bool)
    for i in sorted(range(len(table)), key=lambda i: (-score[i], table.ids[i])):
        others = kept & (table.tomogram_ids == table.tomogram_ids[i])
        kept[i] = not np.any(np.linalg.norm(table.positions[others] - table.positions[i], axis=1) < radius)
    return kept


@pytest.mark.parametrize("seed", range(5))
def test_equals_brute_force(seed):
    table = random_table(400, 60, np.random.default_rng(seed))
    kept = exclude_within(table, 8.0)
    assert 20 < kept.sum() < 380
    np.testing.assert_array_equal(kept, brute_force(table, 8.0))


def test_does_not_depend_on_row_order():
    rng = np.random.default_rng(7)
    table = random_table(500, 50, rng)
    shuffled = table.select(rng.permutation(len(table)))
    first, second = table.select(exclude_within(table, 6)), shuffled.select(exclude_within(shuffled, 6))
    np.testing.assert_array_equal(np.sort(first.ids), np.sort(second.ids))


def test_keeps_higher_cc_then_lower_id_and_other_tomograms():
    positions = [[0, 0, 0], [3, 0, 0], [50, 0, 0], [50, 3, 0], [0, 0, 1], [90, 0, 0], [94, 0, 0]]
    table = ParticleTable(
        positions, np.tile(np.eye(3), (7, 1, 1)), ["a", "a", "a", "a", "b", "a", "a"],
        cc=[0.2, 0.4, 0.3, 0.3, 0.1, np.nan, -0.5], ids=[1, 2, 9, 4, 5, 6, 7],
    )  # fmt: skip
    assert exclude_within(table, 4.0).tolist() == [False, True, False, True, True, True, True]
    assert exclude_within(table, 4.1).tolist() == [False, True, False, True, True, False, True]


def test_chain_is_cut_greedily():
    """The middle one falls to the best, so the third, near only to the middle one, stays."""
    table = ParticleTable(
        [[0, 0, 0], [3, 0, 0], [6, 0, 0]], np.tile(np.eye(3), (3, 1, 1)), ["a"] * 3, cc=[0.9, 0.5, 0.1]
    )
    assert exclude_within(table, 4).tolist() == [True, False, True]


def test_a_hundred_thousand_candidates_take_about_a_second():
    table = random_table(100_000, 400, np.random.default_rng(0), ("a",))
    start = time.process_time()
    kept = exclude_within(table, 8.0)
    assert time.process_time() - start < 5
    best = table.select(kept)
    assert np.isin(np.nanmax(table.cc), best.cc)


def test_zero_keeps_all_and_negative_is_refused():
    table = random_table(50, 5, np.random.default_rng(1))
    assert exclude_within(table, 0).all()
    assert len(exclude_within(ParticleTable.empty(), 5)) == 0
    with pytest.raises(InputError, match="-1"):
        exclude_within(table, -1)
