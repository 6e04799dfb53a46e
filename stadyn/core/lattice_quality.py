# SPDX-License-Identifier: GPL-3.0-or-later
"""How well each particle fits the lattice about it: neighbours, spacing, angles, and the odds that it belongs there."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .errors import InputError
from .lattice_neighbours import LEAST, SPOKES, fit_lattice, neighbour_pairs

IN_PLANE = (1.0, 0.08, 2.0)
"""Residuals of true neighbours within the surface: a Gaussian as wide as is measured, times this; share of a wider
one, and how much wider. So are the next three: across the surface, of the normal, of the azimuth.

The shapes are those that true neighbours of simulated lattices show (strain, cracks and all) at the pose errors of an
aligned set (2 Å, 1.3 degrees of axis, 0.5 degrees in plane). Widths differ from lattice to lattice, mostly with the
radius of the VLPs, and are measured in each tomogram.
"""
ACROSS = (0.9, 0.1, 2.5)
TILT = (0.9, 0.1, 2.0)
TURN = (0.8, 0.25, 2.5)
SHAPES = (IN_PLANE, ACROSS, TILT, TURN)
WIDTHS = (0.048, 0.028, 1.55, 2.2)
"""Of the four, the least that is taken for them: spacings, spacings, degrees, degrees. The
first is what immature HIV-1 shows: 2 Å in 75 to each side."""
MEDIANS = (1.1774, 0.6745, 1.1774, 0.6745)
"""Of the length of a Gaussian vector of two, and of one, dimensions, in standard deviations."""
FEWEST_PAIRS, MEASUREMENTS = 60, 2
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
    neighbour itself belongs to the lattice. How far true neighbours scatter is
    measured in each tomogram, on the pairs that belong. Overlap with a particle that does
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


def select_by_order(quality, least=0.3):
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
    n, order = len(table), np.full(len(table), START)
    lengths, back, overlaps = _lengths(pairs, spacing[pairs.first]), _reversed(pairs, n), _overlaps(table, spacing)
    tomograms = table.tomogram_ids[pairs.first]
    widths = np.broadcast_to(np.reshape(WIDTHS, (4, 1)), lengths.shape)
    for measurement in range(MEASUREMENTS + 1):
        fits = _likelihood_ratio(lengths, widths, symmetry)
        ratio = fits + CRACK
        order = _settled(order, pairs, np.sqrt(ratio * ratio[back]), overlaps)
        if measurement < MEASUREMENTS:
            widths = _measured(lengths, order[pairs.first] * order[pairs.second] * fits / ratio, tomograms)
    return order


def _settled(order, pairs, ratio, overlaps):
    """(n,) the probabilities that all agree with each other, from those to begin with."""
    n, (one, other) = len(order), overlaps
    prior = np.log(PRIOR / (1 - PRIOR))
    for _ in range(ITERATIONS):
        belongs = order[pairs.second]
        odds = prior + np.bincount(pairs.first, np.log(belongs * ratio + 1 - belongs), n)
        odds += np.bincount(one, np.log(order[other] * OVERLAP + 1 - order[other]), n)
        order = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
    return order


def _lengths(pairs, spacing):
    """(4, p) residuals of each pair: within and across the surface, spacings; of normal and azimuth, degrees."""
    within = np.hypot(pairs.shift[:, 0], pairs.shift[:, 1]) / spacing
    return np.stack([within, np.abs(pairs.shift[:, 2]) / spacing, pairs.tilt_deg, np.abs(pairs.turn_deg)])


def _measured(lengths, weight, tomograms):
    """(4, p) standard deviations, per axis, of the residuals in the tomogram of each pair: weighted medians."""
    widths = np.tile(np.reshape(WIDTHS, (4, 1)), lengths.shape[1])
    for name in np.unique(tomograms):
        rows = np.flatnonzero(tomograms == name)
        if weight[rows].sum() < FEWEST_PAIRS:
            continue
        for kind, median in enumerate(MEDIANS):
            order = rows[np.argsort(lengths[kind, rows])]
            total = np.cumsum(weight[order])
            measured = lengths[kind, order[np.searchsorted(total, total[-1] / 2)]] / median
            # Never less than usual: where most pairs fit very well, the few at cracks would seem strays.
            widths[kind, rows] = max(measured, WIDTHS[kind])
    return widths


def _likelihood_ratio(lengths, widths, symmetry):
    """(p,) density of each pair's residuals among true neighbours over that among strays on the surface.

    Less the share of cracks, in which true neighbours are as strays are.
    """
    true = 1.0
    for length, width, (scale, share, wider), dimensions in zip(lengths, widths, SHAPES, (2, 1, 2, 1), strict=True):
        true = true * _tailed(length**2, dimensions, scale * width, share, wider)
    # Anywhere in the sixth of the ring that belongs to one spoke, at any azimuth.
    sector = np.pi * (1.4**2 - LEAST**2) / SPOKES
    # What expects them has errors too.
    across, tilt = np.hypot(STRAY_ACROSS, widths[1]), np.hypot(STRAY_TILT, widths[2])
    stray = _gauss(lengths[1] ** 2, 1, across) * _gauss(lengths[2] ** 2, 2, tilt)
    return (1 - CRACK) * true / np.maximum(stray / (sector * 360.0 / symmetry), 1e-30)


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
