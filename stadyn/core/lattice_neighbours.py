# SPDX-License-Identifier: GPL-3.0-or-later
"""Neighbours on a curved hexagonal lattice: where each particle expects them, and how far those it has are off."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from .errors import InputError
from .rotations import axis_errors_deg, inplane_errors_deg
from .surfaces import fit_spheres

SPOKES = 6
"""Neighbours of a site of a hexagonal lattice."""
REACH = 1.4
"""Pairs further apart than this times the spacing are no neighbours; the second shell of the lattice is at 1.73."""
LEAST = 0.6
"""Nor are pairs nearer than this: they are duplicates, or one of them is a stray."""
MIN_PAIRS = 10


@dataclass(frozen=True, eq=False)
class LatticeFrame:
    """The lattice of one tomogram, as its own particles show it."""

    spacing: float  # pixels between neighbours, along the straight line
    azimuth_deg: float  # from a particle's x axis to a neighbour, modulo 60: the reference's own azimuth is free
    radii: dict  # surface id -> pixels, of the sphere through its particles
    radius: float  # pixels, median over the VLPs; for those too sparse to have a sphere

    def radius_of(self, surface_ids):
        """(n,) radius of the VLP of each particle."""
        return np.array([self.radii.get(int(i), self.radius) for i in surface_ids])


@dataclass(frozen=True, eq=False)
class Pairs:
    """Ordered pairs of neighbours: what particle `first` expects where it finds particle `second`.

    The residuals are zero on a perfect lattice on a sphere.
    """

    first: np.ndarray  # (p,) int, rows of the table
    second: np.ndarray  # (p,) int
    spoke: np.ndarray  # (p,) int, 0 to 5, which of the neighbours of `first`
    distance: np.ndarray  # (p,) pixels
    normal_deg: np.ndarray  # (p,) angle between the two normals
    shift: np.ndarray  # (p, 3) from the expected position to the found one, in the expected frame, pixels
    tilt_deg: np.ndarray  # (p,) angle between the expected normal and the found one
    turn_deg: np.ndarray  # (p,) in-plane angle from the expected to the found, modulo the symmetry, signed


def fit_lattice(table, order=SPOKES):
    """Spacing, azimuth and curvature of the lattice in each tomogram, measured on its particles.

    Parameters
    ----------
    table : ParticleTable of aligned particles
    order : int, symmetry of the particles about their axis

    Returns
    -------
    dict tomogram id -> LatticeFrame

    Raises
    ------
    InputError
        for a tomogram whose particles show no lattice
    """
    spheres, frames = fit_spheres(table), {}
    for name in np.unique(table.tomogram_ids):
        own = table.select(table.tomogram_ids == name)
        radii = {surface: sphere.radius for (tomogram, surface), sphere in spheres.items() if tomogram == name}
        spacing = _spacing(own)
        radius = float(np.median(list(radii.values()))) if radii else 1e6 * spacing
        azimuth = _azimuth(own, spacing)
        frames[str(name)] = LatticeFrame(spacing, azimuth, radii, radius)
    return frames


def _spacing(own):
    """The distance, in pixels, that pairs of particles most often have, for the room there is at it."""
    if len(own) < MIN_PAIRS:
        raise _no_lattice(own)
    tree = cKDTree(own.positions)
    nearest = tree.query(own.positions, 2)[0][:, 1]
    limit = 2.2 * np.median(nearest)
    pairs = tree.query_pairs(limit, output_type="ndarray")
    # Strays are at any distance, neighbours at one.
    alike = axis_errors_deg(own.rotations[pairs[:, 0]], own.rotations[pairs[:, 1]]) < 30
    distance = np.linalg.norm(own.positions[pairs[:, 0]] - own.positions[pairs[:, 1]], axis=1)[alike]
    if len(distance) < MIN_PAIRS:
        raise _no_lattice(own)
    count, edges = np.histogram(distance, 400, (0, limit))
    middle = 0.5 * (edges[1:] + edges[:-1])
    density = gaussian_filter1d(count / middle, 8.0)
    peak = middle[np.argmax(np.where(middle > 0.25 * limit, density, 0))]
    return float(np.median(distance[np.abs(distance - peak) < 0.12 * peak]))


def _azimuth(own, spacing):
    """Most frequent direction of neighbours in the particles' own frames, degrees modulo 60."""
    pairs = cKDTree(own.positions).query_pairs(1.15 * spacing, output_type="ndarray")
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    local = np.einsum("nji,nj->ni", own.rotations[pairs[:, 0]], own.positions[pairs[:, 1]] - own.positions[pairs[:, 0]])
    local = local[np.hypot(local[:, 0], local[:, 1]) > 0.7 * spacing]
    if len(local) < MIN_PAIRS:
        raise _no_lattice(own)
    phase = SPOKES * np.arctan2(local[:, 1].copy(), local[:, 0].copy())
    return float(np.degrees(np.angle(np.mean(np.exp(1j * phase)))) / SPOKES)


def _no_lattice(own):
    return InputError(
        f"the {len(own)} particles of tomogram {own.tomogram_ids[0]} show no lattice: too few have neighbours; align "
        "them first, or leave this tomogram out"
    )


def expected_neighbours(positions, rotations, spokes, frame, radii):
    """Poses that particles on a sphere expect of their neighbours: along one spoke, by parallel transport.

    Parameters
    ----------
    positions, rotations : (n, 3), (n, 3, 3) of the particles
    spokes : (n,) int, which neighbour of each
    frame : LatticeFrame
    radii : (n,) pixels, of the sphere under each

    Returns
    -------
    positions : (n, 3); rotations : (n, 3, 3)
    """
    angle = np.radians(frame.azimuth_deg + 360.0 / SPOKES * np.asarray(spokes))
    heading = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=1)
    sideways = np.stack([-np.sin(angle), np.cos(angle), np.zeros_like(angle)], axis=1)
    arc = 2 * np.arcsin(np.minimum(frame.spacing / (2 * radii), 1))
    # Down the sphere towards `heading`: a right-handed turn about the direction to its left.
    turn = Rotation.from_rotvec(sideways * arc[:, None]).as_matrix()
    step = (radii * np.sin(arc))[:, None] * heading
    step[:, 2] -= radii * (1 - np.cos(arc))
    return positions + np.einsum("nij,nj->ni", rotations, step), rotations @ turn


def neighbour_pairs(table, frames, order=SPOKES):
    """All ordered pairs of neighbours in `table`, with their residuals.

    Parameters
    ----------
    table : ParticleTable
    frames : dict tomogram id -> LatticeFrame
    order : int, symmetry of the particles about their axis

    Returns
    -------
    Pairs
    """
    parts = []
    for name in np.unique(table.tomogram_ids):
        rows = np.flatnonzero(table.tomogram_ids == name)
        parts.append(_pairs_of(table, rows, frames[str(name)], order))
    return Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _pairs_of(table, rows, frame, order):
    """The columns of `Pairs` for one tomogram."""
    pairs = cKDTree(table.positions[rows]).query_pairs(REACH * frame.spacing, output_type="ndarray")
    pairs = rows[np.concatenate([pairs, pairs[:, ::-1]])]
    first, second = pairs.T
    between = table.positions[second] - table.positions[first]
    distance = np.linalg.norm(between, axis=1)
    keep = distance > LEAST * frame.spacing
    first, second, between, distance = first[keep], second[keep], between[keep], distance[keep]
    local = np.einsum("nji,nj->ni", table.rotations[first], between)
    direction = np.degrees(np.arctan2(local[:, 1].copy(), local[:, 0].copy())) - frame.azimuth_deg
    spoke = np.rint(direction / (360.0 / SPOKES)).astype(int) % SPOKES
    radii = frame.radius_of(table.surface_ids[first])
    expected, turned = expected_neighbours(table.positions[first], table.rotations[first], spoke, frame, radii)
    shift = np.einsum("nji,nj->ni", turned, table.positions[second] - expected)
    found = table.rotations[second]
    return (
        first, second, spoke, distance, axis_errors_deg(table.rotations[first], found), shift,
        axis_errors_deg(turned, found), inplane_errors_deg(found, turned, order),
    )  # fmt: skip
