# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted lattices on virus-like particles, with pose errors and strays, for the tests of neighbours."""

from functools import cache

import numpy as np

from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import randomize_azimuth, rotation_vectors_to_matrices, rotation_z, rotations_from_normals
from stadyn.core.simulation_lattice import grow_lattice, random_ellipsoid

PIXEL = 5.0
"""Å; positions below are in pixels of it, the lattice has 75 Å."""


@cache
def lattice(seed=0, coverage=0.7):
    """Two VLPs in tomogram "a", one in "b", some sites missing, in-plane angles in one of six ways."""
    rng, parts = np.random.default_rng(seed), []
    for name, surface_id in (("a", 1), ("a", 4), ("b", 1)):
        surface = random_ellipsoid(260.0, 0.06, rng)
        points, rotations = grow_lattice(surface, 75.0, coverage, 0.02, rng)
        n = len(points)
        center = np.array([100.0, 110.0 + 160 * (surface_id == 4), 95.0])
        sixth = rotation_z(60.0 * rng.integers(0, 6, n) + 17.0)  # the reference's azimuth is free
        parts.append(
            ParticleTable(points / PIXEL + center, rotations @ sixth, np.full(n, name), np.full(n, surface_id))
        )
    return ParticleTable.concatenate(parts).renumbered(11)


def disturbed(table, rng, times=1.0):
    """The same with `times` the errors of an alignment: 2 Å, 1.3 and 0.5 degrees."""
    vectors = times * np.radians(rng.normal(0, [1.1, 1.1, 0.7], (len(table), 3)))
    return table.replace(
        positions=table.positions + rng.normal(0, times * 1.3 / PIXEL, (len(table), 3)),
        rotations=table.rotations @ rotation_vectors_to_matrices(vectors),
    )


def strays(table, n, rng):
    """Particles anywhere on the first VLP's sphere, as alignments at empty places end: 10 Å and 8 degrees off it."""
    own = table.select((table.tomogram_ids == "a") & (table.surface_ids == 1))
    center = 0.5 * (own.positions.min(0) + own.positions.max(0))
    directions = rng.standard_normal((n, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    radius = np.median(np.linalg.norm(own.positions - center, axis=1)) + rng.normal(0, 10 / PIXEL, (n, 1))
    rotations = randomize_azimuth(rotations_from_normals(directions), rng)
    tilts = np.radians(np.column_stack([rng.normal(0, 8, (n, 2)), np.zeros(n)]))
    return ParticleTable(
        center + directions * radius, rotations @ rotation_vectors_to_matrices(tilts), np.full(n, "a"), np.ones(n)
    ).renumbered(5000)
