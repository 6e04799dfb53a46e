# SPDX-License-Identifier: GPL-3.0-or-later
"""A hexagonal lattice wrapped on an ellipsoid, with the cracks, gaps and point defects that curvature asks for."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

GEODESIC_STEPS = 5
SAME_SITE = 0.33
"""Two predictions of a site closer than this fraction of the spacing are the same site."""
EXCLUSION = 0.9
"""No site grows nearer to another than this fraction of the spacing."""
AGREEMENT_DEG = 9.0
"""Neighbours that predict in-plane angles further apart than this leave a crack instead of a site."""

LARGEST_STRAIN = 0.12
"""Relative; leaves a spread of the spacing of about 2 Å in 75, as measured in real immature HIV-1."""


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """An ellipsoid about the origin: ``|(axes_frame.T @ p) / semi_axes| = 1``."""

    semi_axes: np.ndarray  # (3,) Å
    axes_frame: np.ndarray  # (3, 3) columns: directions of the semi-axes

    def normals(self, points):
        """(n, 3) outward unit normals at `points` (n, 3) on (or near) the surface."""
        gradient = (points @ self.axes_frame / self.semi_axes**2) @ self.axes_frame.T
        return gradient / np.linalg.norm(gradient, axis=-1, keepdims=True)

    def project(self, points):
        """(n, 3) points of the surface near `points` (n, 3): Newton steps along the gradient."""
        for _ in range(3):
            local = points @ self.axes_frame
            gradient = local / self.semi_axes**2
            value = np.sum(local * gradient, axis=-1, keepdims=True) - 1
            points = points - (0.5 * value / np.sum(gradient**2, axis=-1, keepdims=True) * gradient) @ self.axes_frame.T
        return points

    def radial_points(self, directions):
        """(n, 3) points of the surface in `directions` (n, 3) from the centre."""
        scale = np.linalg.norm((directions @ self.axes_frame) / self.semi_axes, axis=-1, keepdims=True)
        return directions / scale

    def area(self):
        """Surface in square Å, by Thomsen's formula (error below 1.1 %)."""
        a, b, c = self.semi_axes**1.6075
        return float(4 * np.pi * ((a * b + a * c + b * c) / 3) ** (1 / 1.6075))

    def grown(self, distance):
        """The ellipsoid whose semi-axes are `distance` Å longer."""
        return Ellipsoid(self.semi_axes + distance, self.axes_frame)


def random_ellipsoid(radius, ellipticity, rng):
    """An Ellipsoid of geometric mean radius `radius` Å, semi-axes within ``1 +- ellipticity``, turned at random."""
    ratios = 1 + ellipticity * rng.uniform(-1, 1, 3)
    ratios /= np.prod(ratios) ** (1 / 3)
    frame, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    return Ellipsoid(radius * ratios, frame)


def _unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _tangent(vectors, normals):
    """Unit vectors of the tangent plane nearest to `vectors`."""
    return _unit(vectors - np.sum(vectors * normals, -1, keepdims=True) * normals)


def _walk(surface, points, x_axes, angles, length):
    """Geodesic steps of `length` at `angles` (radians from x_axes): end points and transported x axes."""
    normals = surface.normals(points)
    y_axes = np.cross(normals, x_axes)
    heading = np.cos(angles)[:, None] * x_axes + np.sin(angles)[:, None] * y_axes
    for _ in range(GEODESIC_STEPS):
        points = surface.project(points + heading * (length / GEODESIC_STEPS))
        normals = surface.normals(points)
        heading = _tangent(heading, normals)
    # Parallel transport keeps the angle between the geodesic and the frame.
    side = np.cross(normals, heading)
    return points, np.cos(angles)[:, None] * heading - np.sin(angles)[:, None] * side


def _predictions(surface, points, x_axes, spacing):
    """Where each site expects its six neighbours, (6 n, 3), and their x axes."""
    angles = np.tile(np.arange(6) * np.pi / 3, len(points))
    return _walk(surface, np.repeat(points, 6, 0), np.repeat(x_axes, 6, 0), angles, spacing)


def _hexagonal_phase(surface, points, x_axes, others):
    """Complex ``exp(6 i a)``, a the angle of `others` from x_axes in the tangent plane at `points`."""
    y_axes = np.cross(surface.normals(points), x_axes)
    return np.exp(6j * np.arctan2(np.sum(others * y_axes, -1), np.sum(others * x_axes, -1)))


def _relax(surface, points, x_axes, spacing, rounds):
    """Move every site to where its neighbours expect it, in place and in angle modulo 60 degrees."""
    n = len(points)
    for _ in range(rounds):
        predicted, axes = _predictions(surface, points, x_axes, spacing)
        distance, site = cKDTree(points).query(predicted)
        near = distance < SAME_SITE * spacing
        site, predicted, axes = site[near], predicted[near], axes[near]
        count = np.bincount(site, minlength=n)
        known = count > 0
        moved = np.stack([np.bincount(site, predicted[:, i], n) for i in range(3)], -1)
        phase = _hexagonal_phase(surface, points[site], x_axes[site], axes)
        turn = np.angle(np.bincount(site, phase.real, n) + 1j * np.bincount(site, phase.imag, n)) / 6
        y_axes = np.cross(surface.normals(points), x_axes)
        x_axes = np.cos(turn)[:, None] * x_axes + np.sin(turn)[:, None] * y_axes
        points = np.where(known[:, None], 0.5 * points + 0.5 * moved / np.maximum(count, 1)[:, None], points)
        points = surface.project(points)
        x_axes = _tangent(x_axes, surface.normals(points))
    return points, x_axes


def _candidates(surface, points, x_axes, spacing):
    """New sites that all their neighbours agree on, the best supported first, none closer than the exclusion."""
    predicted, axes = _predictions(surface, points, x_axes, spacing)
    free = cKDTree(points).query(predicted)[0] > EXCLUSION * spacing
    predicted, axes = predicted[free], axes[free]
    if not len(predicted):
        return predicted, axes
    groups = cKDTree(predicted).query_ball_point(predicted, SAME_SITE * spacing)
    agreement = np.cos(6 * np.radians(AGREEMENT_DEG))
    new, new_axes = [], []
    for i in sorted(range(len(predicted)), key=lambda i: -len(groups[i])):
        members = groups[i]
        center = surface.project(predicted[members].mean(0)[None])[0]
        if new and np.min(np.linalg.norm(np.array(new) - center, axis=1)) < EXCLUSION * spacing:
            continue
        if np.min(np.linalg.norm(points - center, axis=1)) < EXCLUSION * spacing:
            continue
        k = len(members)
        here, axis = np.repeat(center[None], k, 0), np.repeat(axes[i][None], k, 0)
        phase = _hexagonal_phase(surface, here, axis, axes[members])
        if np.min((phase * np.conj(phase.mean())).real) < agreement * abs(phase.mean()):
            continue
        new.append(center)
        new_axes.append(axes[i])
    new = np.reshape(new, (-1, 3))
    new_axes = np.reshape(new_axes, (-1, 3))
    return new, _tangent(new_axes, surface.normals(new))


def _grow_patch(surface, points, x_axes, spacing):
    while True:
        new, new_axes = _candidates(surface, points, x_axes, spacing)
        if not len(new):
            return points, x_axes
        points, x_axes = np.concatenate([points, new]), np.concatenate([x_axes, new_axes])
        points, x_axes = _relax(surface, points, x_axes, spacing, 4)


def _crack(surface, points, x_axes, spacing):
    """Take out sites until every bond is within `LARGEST_STRAIN`: what curvature does not allow becomes a crack."""
    while True:
        points, x_axes = _relax(surface, points, x_axes, spacing, 4)
        pairs = cKDTree(points).query_pairs(1.3 * spacing, output_type="ndarray")
        strain = np.abs(np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1) / spacing - 1)
        strained = strain > LARGEST_STRAIN
        if not strained.any():
            return points, x_axes
        load = np.bincount(pairs[strained].ravel(), np.repeat(strain[strained], 2), len(points))
        keep = np.ones(len(points), bool)
        keep[np.argsort(load)[::-1][: max(1, int(strained.sum()) // 15)]] = False
        points, x_axes = points[keep], x_axes[keep]


def _random_directions(n, rng):
    return _unit(rng.standard_normal((n, 3)))


def _remove_gaps(points, area, spacing, coverage, rng):
    """Indices that stay when random caps are cut until the lattice covers `coverage` of the surface."""
    keep = np.ones(len(points), bool)
    wanted = coverage * area / (np.sqrt(0.75) * spacing**2)
    while keep.sum() > wanted:
        center = points[rng.integers(len(points))]
        radius = spacing * rng.uniform(0.6, 2.2)
        keep &= np.linalg.norm(points - center, axis=1) > radius
    return np.flatnonzero(keep)


def grow_lattice(surface, spacing, coverage, defects, rng):
    """Sites of a hexagonal lattice on `surface`, with consistent in-plane angles between neighbours.

    Patches grow from random seeds: each site predicts six neighbours by geodesic
    steps along which its frame is parallel-transported; predictions that agree
    become sites, and the whole relaxes. Where curvature makes neighbours disagree
    no site grows: a crack. Caps are then cut out, and single sites removed, until
    the coverage of immature HIV-1 (60 to 70 %) is left.

    Parameters
    ----------
    surface : Ellipsoid
    spacing : float, Å between neighbours
    coverage : float, fraction of the surface under the lattice
    defects : float, fraction of single sites missing
    rng : numpy.random.Generator

    Returns
    -------
    points : (n, 3) float array, Å from the centre of the ellipsoid
    rotations : (n, 3, 3) float array, unit -> tomogram; x towards a neighbour, z outward
    """
    points, x_axes = np.empty((0, 3)), np.empty((0, 3))
    for seed in surface.radial_points(_random_directions(300, rng)):
        if len(points) and np.min(np.linalg.norm(points - seed, axis=1)) < 1.05 * spacing:
            continue
        axis = _tangent(_random_directions(1, rng), surface.normals(seed[None]))
        points, x_axes = np.concatenate([points, seed[None]]), np.concatenate([x_axes, axis])
        points, x_axes = _grow_patch(surface, points, x_axes, spacing)
    points, x_axes = _crack(surface, *_relax(surface, points, x_axes, spacing, 20), spacing)
    rows = _remove_gaps(points, surface.area(), spacing, coverage, rng)
    rows = rows[rng.random(len(rows)) >= defects]
    neighbours = cKDTree(points[rows]).query_ball_point(points[rows], 1.2 * spacing, return_length=True) - 1
    rows = rows[neighbours > 0]
    points, x_axes = points[rows], x_axes[rows]
    normals = surface.normals(points)
    return points, np.stack([x_axes, np.cross(normals, x_axes), normals], axis=-1)
