# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted strays are told from the lattice by their neighbours, and true particles stay."""

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.lattice_quality import lattice_quality, select_by_order
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import rotation_z

from .lattices import PIXEL, disturbed, lattice, strays


def planted(seed, times=1.0):
    rng = np.random.default_rng(seed)
    true = disturbed(lattice(), rng, times)
    table = ParticleTable.concatenate([true, strays(true, len(true) // 4, rng)])
    return table, np.arange(len(table)) < len(true)


def test_strays_go_and_true_particles_stay():
    out, lost = [], []
    for seed in range(3):
        table, true = planted(seed)
        kept = select_by_order(lattice_quality(table))
        out.append(np.mean(~kept[~true]))
        lost.append(np.mean(~kept[true]))
    assert np.mean(out) >= 0.99 and np.mean(lost) <= 0.015


def test_how_far_neighbours_scatter_is_measured():
    table, true = planted(5, times=3.0)  # 6 Å, 4 and 1.5 degrees: a lattice whose widths nobody wrote down
    kept = select_by_order(lattice_quality(table))
    assert np.mean(kept[true]) > 0.95 and np.mean(~kept[~true]) > 0.95


def test_the_result_does_not_depend_on_the_order_of_rows():
    table, _ = planted(4)
    shuffled = np.random.default_rng(0).permutation(len(table))
    a, b = lattice_quality(table), lattice_quality(table.select(shuffled))
    np.testing.assert_allclose(a.order[shuffled], b.order, atol=1e-6)
    assert np.array_equal(a.ids[shuffled], b.ids)


def test_measures_are_in_the_units_they_say():
    table = lattice()
    quality = lattice_quality(table)
    inside = quality.neighbours == 6
    assert inside.sum() > 20 and quality.neighbours.max() == 6
    assert abs(np.nanmedian(quality.spacing[inside]) * PIXEL - 74) < 1.5
    expected = np.degrees(2 * np.arcsin(74 / 2 / 260))
    assert abs(np.nanmedian(quality.normal_deg[inside]) - expected) < 1.5
    assert np.nanmedian(quality.tilt_deg[inside]) < 3 and np.nanmedian(quality.turn_deg[inside]) < 3
    assert np.nanmedian(quality.bond_order[inside]) > 0.95
    assert set(quality.lattice_spacing) == {"a", "b"}


def test_a_particle_turned_between_its_neighbours_loses_its_place():
    table = lattice()
    row = int(np.argmax(lattice_quality(table).neighbours))
    rotations = table.rotations.copy()
    rotations[row] = rotations[row] @ rotation_z(30.0)
    quality = lattice_quality(table.replace(rotations=rotations))
    assert quality.order[row] < 0.01 and quality.bond_order[row] < -0.9
    assert abs(quality.turn_deg[row] - 28) < 3


def test_of_two_that_overlap_the_one_on_the_lattice_stays():
    table = lattice()
    row = int(np.argmax(lattice_quality(table).neighbours))
    twin = table.select([row])
    twin = twin.replace(positions=twin.positions + 4.0, ids=[9999])
    quality = lattice_quality(ParticleTable.concatenate([table, twin]))
    assert quality.order[row] > 0.9 > 0.1 > quality.order[-1]


def test_a_lone_particle_belongs_nowhere():
    table = lattice()
    lone = table.select([0]).replace(positions=np.array([[400.0, 400.0, 20.0]]), ids=[9999])
    quality = lattice_quality(ParticleTable.concatenate([table, lone]))
    assert quality.neighbours[-1] == 0 and np.isnan(quality.spacing[-1]) and quality.order[-1] < 0.1


def test_threshold_out_of_range_is_named():
    with pytest.raises(InputError, match="1.5"):
        select_by_order(lattice_quality(lattice()), 1.5)
