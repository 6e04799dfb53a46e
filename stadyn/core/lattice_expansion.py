# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites where a lattice would go on: places that neighbours expect and no particle holds."""

import numpy as np
from scipy.spatial import cKDTree

from .errors import InputError
from .lattice_neighbours import LEAST, SPOKES, expected_neighbours, fit_lattice
from .particles import ParticleTable
from .rotations import axis_errors_deg, inplane_errors_deg, rotation_z

SAME_SITE = 0.35
"""Spacings; neighbours that expect a particle nearer than this to each other mean the same site."""
SAME_TILT_DEG, SAME_TURN_DEG = 15.0, 15.0
"""Neighbours on two sides of a crack expect different things; they do not support one another."""


def expand_lattice(table, support=2, rounds=1, symmetry=SPOKES):
    """Particles at the sites that at least `support` neighbours expect, each at the mean of the poses they expect.

    The pose of a neighbour is expected on the sphere through the particles of the
    same VLP, along each of six directions by parallel transport. The lattice of each
    tomogram, its spacing and azimuth, is measured. A site near the edge of the
    lattice may be empty: align and score the new particles, and select.

    Parameters
    ----------
    table : ParticleTable of aligned particles, without strays
    support : int, 1 to 6
    rounds : int, how often; each goes on from what the last found
    symmetry : int, of the particles about their axis

    Returns
    -------
    ParticleTable
        of the new particles alone, without CC, numbered after those of `table`; `parent` is the neighbour nearest to
        the site it expects, `marker` the number of its spoke, from 1
    """
    if not 1 <= support <= SPOKES:
        raise InputError(f"support of {support} neighbours: a site of a hexagonal lattice has 1 to {SPOKES}")
    if not rounds >= 1:
        raise InputError(f"{rounds} rounds of expansion: give 1 or more")
    frames = fit_lattice(table, symmetry)
    known, start = table, len(table)
    for _ in range(rounds):
        found = []
        for name in np.unique(known.tomogram_ids):
            own = known.select(known.tomogram_ids == name)
            found.append(_expand_tomogram(own, frames[str(name)], support, symmetry))
        new = ParticleTable.concatenate(found)
        if not len(new):
            break
        known = ParticleTable.concatenate([known, new.renumbered(int(known.ids.max()) + 1)])
    return known.select(np.arange(start, len(known)))


def _expand_tomogram(own, frame, support, symmetry):
    """New particles of one tomogram."""
    n = len(own)
    rows, spokes = np.repeat(np.arange(n), SPOKES), np.tile(np.arange(SPOKES), n)
    radii = frame.radius_of(own.surface_ids)[rows]
    positions, rotations = expected_neighbours(own.positions[rows], own.rotations[rows], spokes, frame, radii)
    free = cKDTree(own.positions).query(positions)[0] > LEAST * frame.spacing
    rows, spokes, positions, rotations = rows[free], spokes[free], positions[free], rotations[free]
    sites = _sites(positions, rotations, own.surface_ids[rows], frame.spacing, support, symmetry)
    if not sites:
        return ParticleTable.empty()
    centers, turned, parents = [], [], []
    for members in sites:
        center, rotation = _mean_pose(positions[members], rotations[members], symmetry)
        centers.append(center)
        turned.append(rotation)
        parents.append(members[np.argmin(np.linalg.norm(positions[members] - center, axis=1))])
    return ParticleTable(
        np.array(centers), np.array(turned), own.tomogram_ids[rows[parents]], own.surface_ids[rows[parents]],
        half=own.half[rows[parents]], parent=own.ids[rows[parents]], marker=spokes[parents] + 1,
    )  # fmt: skip


def _sites(positions, rotations, surface_ids, spacing, support, symmetry):
    """Groups of rows that expect the same pose, the best supported first, no two nearer than neighbours can be."""
    if not len(positions):
        return []
    groups = []
    for i, near in enumerate(cKDTree(positions).query_ball_point(positions, SAME_SITE * spacing)):
        near = np.array(near)
        here = np.repeat(rotations[i][None], len(near), 0)
        agree = axis_errors_deg(rotations[near], here) < SAME_TILT_DEG
        agree &= np.abs(inplane_errors_deg(rotations[near], here, symmetry)) < SAME_TURN_DEG
        groups.append(near[agree & (surface_ids[near] == surface_ids[i])])
    spread = [np.sum((positions[g] - positions[g].mean(0)) ** 2) / len(g) ** 2 for g in groups]
    taken, centers = [], []
    for i in sorted(range(len(groups)), key=lambda i: (-len(groups[i]), spread[i], i)):
        if len(groups[i]) < support:
            break
        center = positions[groups[i]].mean(0)
        if not centers or np.min(np.linalg.norm(np.array(centers) - center, axis=1)) > LEAST * spacing:
            taken.append(groups[i])
            centers.append(center)
    return taken


def _mean_pose(positions, rotations, symmetry):
    """Mean of poses that agree but for turns of the symmetry; the rotation nearest to the mean of the matrices."""
    here = np.repeat(rotations[:1], len(rotations), 0)
    full, reduced = inplane_errors_deg(rotations, here, 1), inplane_errors_deg(rotations, here, symmetry)
    alike = rotations @ rotation_z(reduced - full)
    u, _, vt = np.linalg.svd(alike.mean(0))
    return positions.mean(0), u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
