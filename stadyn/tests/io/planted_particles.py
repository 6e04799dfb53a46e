# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand particles at random, with every column filled, and the tomograms that they lie in."""

import numpy as np
from scipy.spatial.transform import Rotation

from stadyn.core.particles import ParticleTable
from stadyn.core.tomograms import MissingWedge
from stadyn.io.particle_files import Context, ListedTomogram, ParticleFile

WEDGES = {"TS_01": MissingWedge(-45.0, 60.0), "TS_07": MissingWedge(-60.5, 57.25)}
TOMOGRAMS = tuple(
    ListedTomogram(name, number, f"/data/{name}.mrc", (401, 928, 960), 5.4)
    for name, number in {"TS_01": 1, "TS_07": 7}.items()
)
CONTEXT = Context(TOMOGRAMS)


def thousand(n=1000, seed=3):
    """A `ParticleFile` of random poses, the first two of them at the poles where Euler angles are not unique."""
    rng = np.random.default_rng(seed)
    rotations = Rotation.random(n, random_state=seed).as_matrix()
    rotations[0], rotations[1] = np.eye(3), np.diag([1.0, -1.0, -1.0])
    table = ParticleTable(
        rng.uniform(1, (959, 927, 400), (n, 3)), rotations, np.repeat(["TS_01", "TS_07"], [n // 2, n - n // 2]),
        surface_ids=rng.integers(1, 9, n), cc=rng.uniform(0, 1, n), ids=rng.permutation(n) + 40,
        half=np.arange(n) % 2 + 1, parent=rng.integers(0, 99, n), marker=rng.integers(0, 7, n),
        classes=rng.integers(1, 4, n),
    )  # fmt: skip
    return ParticleFile(table, {"TS_01": 5.4, "TS_07": 5.4}, WEDGES)


def degrees_apart(rotations, others):
    """(n,) angle of the rotation that is left between two sets of rotations."""
    left = Rotation.from_matrix(np.swapaxes(rotations, 1, 2) @ others)
    return np.degrees(left.magnitude())
