# SPDX-License-Identifier: GPL-3.0-or-later
"""Surfaces of virus-like particles: spheres clicked or fitted, smooth shapes fitted, and particles laid out on them."""

from dataclasses import dataclass
from math import factorial

import numpy as np
from scipy.optimize import least_squares
from scipy.special import lpmv

from .errors import InputError
from .particles import ParticleTable
from .rotations import rotations_from_normals

MIN_POINTS = 8
"""Fewer aligned particles than this do not determine a surface (a sphere has 4 unknowns)."""


@dataclass(frozen=True, eq=False)
class Sphere:
    """A sphere; `rms` and `n` say how well it fits how many positions (0 where it was not fitted)."""

    center: np.ndarray  # (3,) pixels of the unbinned tomogram
    radius: float  # pixels
    rms: float = 0.0  # robust (1.48 MAD) distance of the positions from it, pixels
    n: int = 0

    def radii(self, directions):
        """(n,) distance from the centre along (n, 3) unit vectors."""
        return np.full(len(directions), self.radius)

    def normals(self, directions):
        """(n, 3) outward unit normals where (n, 3) unit vectors from the centre meet the surface."""
        return np.array(directions, float)


@dataclass(frozen=True, eq=False)
class RadialSurface:
    """A smooth closed surface ``r(u)`` about a centre, in real spherical harmonics up to `degree`."""

    center: np.ndarray  # (3,) pixels of the unbinned tomogram
    coefficients: np.ndarray  # ((degree + 1)^2,) pixels
    degree: int
    rms: float  # robust (1.48 MAD) distance of the positions from it, pixels
    n: int

    def radii(self, directions):
        """(n,) distance from the centre along (n, 3) unit vectors."""
        return _harmonics(directions, self.degree) @ self.coefficients

    def normals(self, directions):
        """(n, 3) outward unit normals where (n, 3) unit vectors from the centre meet the surface.

        The gradient of ``|p| - r(p / |p|)``, by central differences.
        """
        points = directions * self.radii(directions)[:, None]
        step = 1e-4 * np.abs(self.radii(directions)).mean()
        gradient = np.empty_like(points)
        for axis, unit in enumerate(np.eye(3)):
            gradient[:, axis] = self._height(points + step * unit) - self._height(points - step * unit)
        return gradient / np.linalg.norm(gradient, axis=1, keepdims=True)

    def _height(self, points):
        distance = np.linalg.norm(points, axis=1)
        return distance - self.radii(points / distance[:, None])


def oversample(dipoles, spacing_px, seed=0, azimuth_deg=None):
    """Particles all over the sphere of each dipole, their z axes pointing outward (paper, step 2B).

    Points near the border of the tomogram are kept: cropping decides about them.

    Parameters
    ----------
    dipoles : sequence of Dipole
    spacing_px : float, one particle per ``spacing_px**2`` of surface; neighbours are then about 0.9 times it apart
    seed : int, of the random azimuth
    azimuth_deg : float or (n,) array, the azimuth of every particle; random by default

    Returns
    -------
    ParticleTable, numbered from 1, in the order of the dipoles
    """
    surfaces = {}
    for dipole in dipoles:
        name = f"VLP {dipole.surface_id} of tomogram {dipole.tomogram_id}"
        if not dipole.radius > 0:
            raise InputError(f"{name} has radius 0: its centre and north point must differ")
        if (dipole.tomogram_id, dipole.surface_id) in surfaces:
            raise InputError(f"{name} is marked twice: give each VLP its own number")
        surfaces[dipole.tomogram_id, dipole.surface_id] = Sphere(np.asarray(dipole.center, float), dipole.radius)
    return resample_surfaces(surfaces, spacing_px, seed, azimuth_deg)


def resample_surfaces(surfaces, spacing_px, seed=0, azimuth_deg=None):
    """Particles all over fitted surfaces; parameters and result as of `oversample`.

    Parameters
    ----------
    surfaces : dict (tomogram id, surface id) -> Sphere or RadialSurface
    """
    if not spacing_px > 0:
        raise InputError(f"spacing {spacing_px} pixels between points on the surface: it must be positive")
    parts = []
    for (tomogram_id, surface_id), surface in surfaces.items():
        # The area is 4 pi <r^2> but for the slope of the surface, which is small on VLPs.
        area = 4 * np.pi * np.mean(surface.radii(fibonacci_directions(256)) ** 2)
        directions = fibonacci_directions(max(1, round(area / spacing_px**2)))
        n = len(directions)
        positions = surface.center + directions * surface.radii(directions)[:, None]
        rotations = rotations_from_normals(surface.normals(directions))
        parts.append(ParticleTable(positions, rotations, np.full(n, tomogram_id), surface_ids=np.full(n, surface_id)))
    table = ParticleTable.concatenate(parts).renumbered()
    azimuth = np.random.default_rng(seed).uniform(0, 360, len(table)) if azimuth_deg is None else azimuth_deg
    return table.replace(rotations=rotations_from_normals(table.normals(), azimuth)) if len(table) else table


def fibonacci_directions(n):
    """(n, 3) unit vectors spread evenly over the sphere: a Fibonacci spiral of equal areas.

    Gonzalez 2010, doi:10.1007/s11004-009-9257-x.
    """
    i = np.arange(n) + 0.5
    z = 1 - 2 * i / n
    longitude = np.pi * (1 + np.sqrt(5)) * i
    across = np.sqrt(1 - z**2)
    return np.stack([across * np.cos(longitude), across * np.sin(longitude), z], axis=1)


def fit_spheres(table):
    """The sphere of each VLP, by robust least squares on the positions of its particles.

    Returns
    -------
    dict (tomogram id, surface id) -> Sphere; VLPs with fewer than `MIN_POINTS` particles are left out
    """
    return {key: _fit_sphere(table.positions[rows]) for key, rows in _groups(table)}


def fit_surfaces(table, degree=4, smoothness=3e-4):
    """The smooth shape of each VLP: VLPs are no spheres, and clicks are off by tens of Å.

    Parameters
    ----------
    table : ParticleTable of aligned particles
    degree : int, highest spherical harmonic; an ellipsoid needs 2, and a little of 4
    smoothness : float, weight of ``(l (l + 1))^2`` (the squared surface Laplacian) against the positions

    Returns
    -------
    dict (tomogram id, surface id) -> RadialSurface; VLPs with fewer than `MIN_POINTS` particles are left out
    """
    return {key: _fit_radial(table.positions[rows], degree, smoothness) for key, rows in _groups(table)}


def _groups(table):
    """((tomogram id, surface id), rows) of every VLP with enough particles."""
    for tomogram_id in np.unique(table.tomogram_ids):
        in_tomogram = table.tomogram_ids == tomogram_id
        for surface_id in np.unique(table.surface_ids[in_tomogram]):
            rows = np.flatnonzero(in_tomogram & (table.surface_ids == surface_id))
            if len(rows) >= MIN_POINTS:
                yield (str(tomogram_id), int(surface_id)), rows


def _spread(residuals):
    """Standard deviation of the undisturbed part of the residuals (1.48 MAD), never 0."""
    return max(1.4826 * np.median(np.abs(residuals)), 1e-6)


def _fit_sphere(points):
    origin = points.mean(0)
    local = points - origin
    design = np.column_stack([2 * local, np.ones(len(local))])  # |p|^2 = 2 p.c + (r^2 - |c|^2)
    solution = np.linalg.lstsq(design, np.sum(local**2, 1), rcond=None)[0]
    start = np.append(solution[:3], np.sqrt(max(solution[3] + solution[:3] @ solution[:3], 1e-6)))

    def residuals(parameters):
        return np.linalg.norm(local - parameters[:3], axis=1) - parameters[3]

    # Two passes: the first finds the scale of good residuals, the second ignores what lies far beyond it.
    for loss in ("soft_l1", "cauchy"):
        start = least_squares(residuals, start, loss=loss, f_scale=2 * _spread(residuals(start))).x
    return Sphere(origin + start[:3], float(start[3]), float(_spread(residuals(start))), len(points))


def _fit_radial(points, degree, smoothness):
    sphere = _fit_sphere(points)
    offset = points - sphere.center
    distance = np.linalg.norm(offset, axis=1)
    basis = _harmonics(offset / distance[:, None], degree)
    order = np.repeat(np.arange(degree + 1), 2 * np.arange(degree + 1) + 1)
    penalty = smoothness * len(points) * np.diag((order * (order + 1.0)) ** 2) / (4 * np.pi)
    weight = np.ones(len(points))
    for step in range(12):
        weighted = basis * weight[:, None]
        # The penalty keeps its share of the positions that still count.
        normal = weighted.T @ basis + penalty * weight.mean()
        coefficients = np.linalg.solve(normal, weighted.T @ (distance - sphere.radius))
        residuals = distance - sphere.radius - basis @ coefficients
        # The scale has a floor, or on noiseless positions the little that smoothness costs would count as stray.
        scaled = np.abs(residuals) / max(_spread(residuals), 0.01 * sphere.radius)
        # Huber's weights first, which find the shape from anywhere; then Tukey's, which give strays none.
        weight = 1 / np.maximum(scaled / 1.345, 1) if step < 6 else np.clip(1 - (scaled / 4.685) ** 2, 0, None) ** 2
    coefficients[0] += sphere.radius * np.sqrt(4 * np.pi)
    return RadialSurface(sphere.center, coefficients, degree, float(_spread(residuals)), len(points))


def _harmonics(directions, degree):
    """(n, (degree + 1)^2) orthonormal real spherical harmonics of (n, 3) unit vectors, by rising degree."""
    x, y, z = np.ascontiguousarray(
        np.asarray(directions, float).T
    )  # strided arctan2 is not reproducible to the last bit
    longitude = np.arctan2(y, x)
    columns = []
    for l in range(degree + 1):  # noqa: E741
        for m in range(-l, l + 1):
            k = abs(m)
            norm = np.sqrt((2 * l + 1) / (4 * np.pi) * factorial(l - k) / factorial(l + k) * (2 if m else 1))
            turn = np.cos(k * longitude) if m >= 0 else np.sin(k * longitude)
            columns.append(norm * lpmv(k, l, np.clip(z, -1, 1)) * turn)
    return np.stack(columns, axis=1)
