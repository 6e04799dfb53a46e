# SPDX-License-Identifier: GPL-3.0-or-later
"""How well each particle fits the lattice about it: neighbours, spacing, angles, and the odds that it belongs there."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .errors import InputError
from .lattice_neighbours import LEAST, SPOKES, fit_lattice, neighbour_pairs

IN_PLANE = (0.048, 0.08, 2.0)
"""Residuals of true neighbours within the surface, per axis, in spacings: sd, share of the wide tail, its width in sds.

These four are what true neighbours of the simulated lattices show (strain, cracks and all) at the pose errors of an
aligned set (2 Å, 1.3 degrees of axis, 0.5 degrees in plane); the spread of the spacing is that measured in immature
HIV-1, 2 Å in 75.
"""
ACROSS = (0.025, 0.1, 2.5)
"""The same across the surface, spacings."""
TILT = (1.4, 0.1, 2.0)
"""The same of the normal, per axis, degrees."""
TURN = (1.8, 0.25, 2.5)
"""The same of the azimuth, degrees."""
STRAY_ACROSS, STRAY_TILT = 0.06, 5.0
"""Sd of particles that belong to no lattice, which yet lie on the surface: spacings, degrees per axis."""
CRACK = 0.12
"""Share of true neighbours that do not fit each other, for the lattice has cracks and domains."""
PRIOR = 0.05
"""Odds that a particle without any neighbour belongs to a lattice."""
OVERLAP = 0.002
"""Likelihood ratio of a particle that overlaps one which belongs to the lattice."""
START, ITERATIONS = 0.8, 10


@dataclass(frozen=True, eq=False)
class LatticeQuality:
    """One row a particle; nan where there is no neighbour."""

    ids: np.ndarray  # (n,) int, of the particles
    tomogram_ids: np.ndarray  # (n,) str
    surface_ids: np.ndarray  # (n,) int
    neighbours: np.ndarray  # (n,) int, within 0.6 to 1.4 spacings; 6 are expected inside a hexagonal lattice
    spacing: np.ndarray  # (n,) pixels, mean distance to the neighbours
    normal_deg: np.ndarray  # (n,) mean angle to their normals, which curvature makes about spacing / radius
    tilt_deg: np.ndarray  # (n,) mean angle to the normals that the curvature of the surface lets expect
    turn_deg: np.ndarray  # (n,) mean in-plane disagreement with the neighbours, modulo the symmetry
    bond_order: np.ndarray  # (n,) -1 to 1: mean cos 6 (direction of a neighbour - the particle's own lattice azimuth)
    order: np.ndarray  # (n,) 0 to 1, probability that the particle belongs to the lattice
    lattice_spacing: dict  # tomogram id -> pixels


def lattice_quality(table, symmetry=SPOKES):
    """Measure every particle against its neighbours.

    `bond_order` is the bond-orientational order of Nelson and Halperin (1979,
    doi:10.1103/PhysRevB.19.2457) with the particle's own azimuth as its phase, so
    that a single neighbour can already disagree. Lattice maps of immature HIV were
    cleaned by distance and angle to the neighbours before (Briggs et al. 2009,
    doi:10.1073/pnas.0903535106); `order` puts these criteria into one number:

    each neighbour multiplies the odds that the particle belongs to the lattice by
    the likelihood of their residuals (position, normal, azimuth; both ways) among
    true neighbours over that among strays on the same surface, as far as the
    neighbour itself belongs to the lattice. Overlap with a particle that does
    belong divides them. Iterated, since all of this depends on all the others.

    Parameters
    ----------
    table : ParticleTable of aligned particles, duplicates allowed
    symmetry : int, of the particles about their axis

    Returns
    -------
    LatticeQuality
    """
    frames = fit_lattice(table, symmetry)
    pairs = neighbour_pairs(table, frames, symmetry)
    n = len(table)
    count = np.bincount(pairs.first, minlength=n)

    def mean(values):
        with np.errstate(invalid="ignore"):
            return np.bincount(pairs.first, values, n) / count

    local = _directions_deg(table, pairs, frames)
    spacing = np.array([frames[name].spacing for name in table.tomogram_ids])
    return LatticeQuality(
        table.ids, table.tomogram_ids, table.surface_ids, count,
        mean(pairs.distance), mean(pairs.normal_deg), mean(pairs.tilt_deg), mean(np.abs(pairs.turn_deg)),
        mean(np.cos(np.radians(SPOKES * local))),
        _order(table, pairs, spacing, symmetry),
        {name: frame.spacing for name, frame in frames.items()},
    )  # fmt: skip


def select_by_order(quality, least=0.1):
    """(n,) bool: which particles reach the order score `least`."""
    if not 0 <= least <= 1:
        raise InputError(f"least order score {least}: it must lie within 0 and 1")
    return quality.order >= least


def _directions_deg(table, pairs, frames):
    """(p,) direction of each neighbour, in the frame of the particle, from the azimuth of the lattice."""
    between = table.positions[pairs.second] - table.positions[pairs.first]
    local = np.einsum("nji,nj->ni", table.rotations[pairs.first], between)
    azimuth = np.array([frames[name].azimuth_deg for name in table.tomogram_ids])
    return np.degrees(np.arctan2(local[:, 1].copy(), local[:, 0].copy())) - azimuth[pairs.first]


def _order(table, pairs, spacing, symmetry):
    """(n,) probability of belonging to the lattice."""
    n = len(table)
    ratio = _likelihood_ratio(pairs, spacing[pairs.first], symmetry)
    ratio = np.sqrt(ratio * ratio[_reversed(pairs, n)])
    one, other = _overlaps(table, spacing)
    prior = np.log(PRIOR / (1 - PRIOR))
    order = np.full(n, START)
    for _ in range(ITERATIONS):
        belongs = order[pairs.second]
        odds = prior + np.bincount(pairs.first, np.log(belongs * ratio + 1 - belongs), n)
        odds += np.bincount(one, np.log(order[other] * OVERLAP + 1 - order[other]), n)
        order = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
    return order


def _likelihood_ratio(pairs, spacing, symmetry):
    """(p,) density of each pair's residuals among true neighbours over that among strays on the surface."""
    along = np.sum(pairs.shift[:, :2] ** 2, axis=1) / spacing**2
    across = (pairs.shift[:, 2] / spacing) ** 2
    tilt, turn = pairs.tilt_deg**2, pairs.turn_deg**2
    true = (
        _tailed(along, 2, *IN_PLANE) * _tailed(across, 1, *ACROSS) * _tailed(tilt, 2, *TILT) * _tailed(turn, 1, *TURN)
    )
    # Anywhere in the sixth of the ring that belongs to one spoke, at any azimuth.
    sector = np.pi * (1.4**2 - LEAST**2) / SPOKES
    stray = _gauss(across, 1, STRAY_ACROSS) * _gauss(tilt, 2, STRAY_TILT) / (sector * 360.0 / symmetry)
    return (1 - CRACK) * true / np.maximum(stray, 1e-30) + CRACK


def _gauss(squared, dimensions, sd):
    return np.exp(-0.5 * squared / sd**2) / (np.sqrt(2 * np.pi) * sd) ** dimensions


def _tailed(squared, dimensions, sd, share, width):
    """A Gaussian with a share of a wider one."""
    return (1 - share) * _gauss(squared, dimensions, sd) + share * _gauss(squared, dimensions, width * sd)


def _reversed(pairs, n):
    """(p,) for each ordered pair (i, j) the row of (j, i)."""
    key, back = pairs.first * n + pairs.second, pairs.second * n + pairs.first
    order = np.argsort(key)
    return order[np.searchsorted(key[order], back)]


def _overlaps(table, spacing):
    """Both rows of all ordered pairs that are nearer than any neighbours can be."""
    parts = [np.empty((0, 2), int)]
    for name in np.unique(table.tomogram_ids):
        rows = np.flatnonzero(table.tomogram_ids == name)
        parts.append(rows[cKDTree(table.positions[rows]).query_pairs(LEAST * spacing[rows[0]], output_type="ndarray")])
    pairs = np.concatenate(parts)
    return np.concatenate([pairs, pairs[:, ::-1]]).T
