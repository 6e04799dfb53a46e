# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles on a membrane around the lattice are told from those on the lattice, also where they are nearly as many."""

import numpy as np
import pytest

from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import rotations_from_normals
from stadyn.core.surface_strays import on_their_surface
from stadyn.core.surfaces import fibonacci_directions


def layers(lattice_cc, membrane_cc, side=None, seed=0):
    """200 points on an ellipsoid of radius 60 px and 160 on a membrane 26 px outside, the latter on one side only."""
    rng = np.random.default_rng(seed)
    parts = []
    for count, out, cc in ((200, 0.0, lattice_cc), (160, 26.0, membrane_cc)):
        normals = fibonacci_directions(count)
        if out and side is not None:
            normals = normals[normals @ np.asarray(side, float) > 0]
        count = len(normals)
        positions = 100 + normals * (np.array([64.0, 60.0, 56.0]) + out) + rng.normal(0, 1.0, (count, 3))
        tilted = normals + rng.normal(0, 0.03, (count, 3))
        rotations = rotations_from_normals(tilted, rng.uniform(0, 360, count))
        table = ParticleTable(positions, rotations, ["a"] * count, np.ones(count), cc + rng.normal(0, 0.05, count))
        parts.append(table)
    return ParticleTable.concatenate(parts), np.arange(200 + len(parts[1])) < 200


@pytest.mark.parametrize("side", [None, (0, 0, 1), (1, 1, 0)])
def test_the_membrane_goes_and_the_lattice_stays(side):
    table, lattice = layers(0.45, 0.36, side)
    kept = on_their_surface(table, 9.0)
    assert kept[lattice].mean() > 0.98 and not kept[~lattice].any()


def test_correlation_decides_which_layer_is_the_lattice():
    table, lattice = layers(0.1, 0.4)
    kept = on_their_surface(table, 9.0)
    assert not kept[lattice].any() and kept[~lattice].mean() > 0.9


def test_vlps_are_judged_apart_and_unknown_ones_left_alone():
    table, lattice = layers(0.45, 0.36)
    other = table.replace(surface_ids=np.full(len(table), 2), positions=table.positions + 300)
    unknown = table.replace(surface_ids=np.zeros(len(table)))
    kept = on_their_surface(ParticleTable.concatenate([table, other, unknown]), 9.0)
    n = len(table)
    assert kept[:n][lattice].mean() > 0.98 and kept[n : 2 * n][lattice].mean() > 0.98
    assert not kept[:n][~lattice].any() and not kept[n : 2 * n][~lattice].any() and kept[2 * n :].all()


def test_few_particles_all_stay():
    table, _ = layers(0.45, 0.36)
    assert on_their_surface(table.select(np.arange(198, 203)), 9.0).all()
