# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated density as clouds of Gaussian points: the hexamer, membranes, gold, junk, and maps of them.

Points make projections exact: they are turned, not resampled. Coordinates are Å
(x, y, z); a weight of 1 is the scattering contrast of one protein residue.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.spatial import cKDTree

from .errors import InputError
from .rotations import rotation_z

RESIDUES_PER_ANGST3 = 1 / 135.0
"""Protein at 1.35 g/cm3 and 110 Da a residue."""
GOLD_CONTRAST = 9.0
"""Contrast of gold to ice over that of protein to ice, from mean inner potentials of about 27, 7.5 and 5 V."""
UNIT_SEED = 18
"""The procedural hexamer is always the same molecule, whatever the seed of the simulation."""


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Gaussian points of one width."""

    points: np.ndarray  # (n, 3) Å
    weights: np.ndarray  # (n,) residues
    sigma: float  # Å

    def placed(self, positions, rotations):
        """Copies of the cloud at `positions` (m, 3) Å, turned by `rotations` (m, 3, 3)."""
        points = np.einsum("mij,nj->mni", rotations, self.points) + positions[:, None]
        return PointCloud(points.reshape(-1, 3), np.tile(self.weights, len(positions)), self.sigma)


def _fold(center, semi_axes, turn_deg, n, rng):
    """`n` compact pseudo-residues in an ellipsoid turned about z, no two closer than real ones pack."""
    spacing = 0.8 * (4 / 3 * np.pi * np.prod(semi_axes) / n) ** (1 / 3)
    chosen = np.empty((0, 3))
    while len(chosen) < n:
        trial = rng.uniform(-1, 1, 3)
        if trial @ trial > 1:
            continue
        trial = trial * semi_axes
        if not len(chosen) or np.min(np.linalg.norm(chosen - trial, axis=1)) > spacing:
            chosen = np.concatenate([chosen, trial[None]])
        spacing *= 0.9995  # ends however unlucky the draw
    return chosen @ rotation_z(turn_deg).T + center


def procedural_unit():
    """A hexamer like that of CA-SP1: chiral, different above and below, with detail down to a few Å.

    Six copies of 92 pseudo-residues: an outer domain (the N-terminal one) on a
    ring of radius 24 Å turned like a pinwheel, an inner domain 30 degrees further
    round at radius 16 Å, and a stem of helices that points inward. Outward is +z;
    the neighbours lie along x and every 60 degrees from it, and touch at 75 Å.

    Returns
    -------
    PointCloud about the origin: on the axis, at the height of the centroid
    """
    rng = np.random.default_rng(UNIT_SEED)
    outer = _fold((23.0, 4.0, 21.0), (15.0, 9.5, 14.0), 35.0, 46, rng)
    inner = _fold((15.0, 9.5, -8.0), (14.5, 8.0, 11.0), -20.0, 32, rng)
    turn = np.radians(100.0) * np.arange(14) / 2  # an alpha helix, two residues a point
    stem = np.stack([8.5 + 2.3 * np.cos(turn), 1.5 + 2.3 * np.sin(turn), -21.0 - 1.6 * np.arange(14)], -1)
    chain = np.concatenate([outer, inner, stem])
    weights = rng.uniform(0.6, 1.4, len(chain)) * 2.5
    points = np.concatenate([chain @ rotation_z(60.0 * k).T for k in range(6)])
    weights = np.tile(weights, 6)
    points[:, 2] -= np.average(points[:, 2], weights=weights)
    return PointCloud(points, weights, 2.5)


def unit_from_points(points, weights, sigma, spacing):
    """A unit from a user's model: C6 about z, limited softly to one cell, centroid at height 0.

    One asymmetric unit becomes a hexamer; a whole hexamer stays what it is, averaged over C6.

    Parameters
    ----------
    points : (n, 3) float array, Å from the six-fold axis
    weights : (n,) float array, in any unit: the sum is brought to that of `procedural_unit`, to which noise refers
    sigma : float, Å
    spacing : float, Å between neighbours; neighbours in the model are cut away
    """
    radius = np.hypot(points[:, 0], points[:, 1])
    weights = weights * np.clip((0.56 * spacing - radius) / (0.12 * spacing), 0, 1)
    inside = weights > 0
    if not inside.any():
        raise InputError("the model has no density near its z axis: move its six-fold axis to x = y = 0")
    points, weights = points[inside], np.tile(weights[inside], 6)
    points = np.concatenate([points @ rotation_z(60.0 * k).T for k in range(6)])
    points[:, 2] -= np.average(points[:, 2], weights=weights)
    return PointCloud(points, weights * (procedural_unit().weights.sum() / weights.sum()), sigma)


def bilayer(surface, area_per_point, rng):
    """Head groups of a bilayer about `surface` (an Ellipsoid), two leaflets 40 Å apart."""
    leaflets = []
    for offset in (-20.0, 20.0):
        leaflet = surface.grown(offset)
        n = int(leaflet.area() / area_per_point)
        # A Fibonacci spiral is nearly even; the jitter stands for lipids and what is bound to them.
        height = 1 - (2 * np.arange(n) + 1) / n
        angle = np.pi * (1 + 5**0.5) * np.arange(n)
        side = np.sqrt(1 - height**2)
        points = leaflet.radial_points(np.stack([side * np.cos(angle), side * np.sin(angle), height], -1))
        leaflets.append(points + rng.normal(0, 2.5, points.shape))
    points = np.concatenate(leaflets)
    return PointCloud(points, np.full(len(points), area_per_point * 9.0 * RESIDUES_PER_ANGST3), 4.0)


def ball(radius, contrast, spacing):
    """A solid ball of points on a cubic grid; `contrast` in units of protein."""
    steps = np.arange(-radius, radius + spacing, spacing)
    grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3)
    points = grid[np.linalg.norm(grid, axis=1) <= radius]
    return PointCloud(points, np.full(len(points), contrast * RESIDUES_PER_ANGST3 * spacing**3), spacing / 2)


def globule(radius, rng):
    """A random compact blob of protein-like points."""
    n = max(int(0.25 * 4 / 3 * np.pi * radius**3 * RESIDUES_PER_ANGST3), 1)
    directions = rng.standard_normal((n, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points = directions * (radius * rng.random((n, 1)) ** (1 / 3))
    return PointCloud(points, np.full(n, 4.0), 4.0)


def render_map(cloud, box_size, pixel_size):
    """The cloud as a (n, n, n) map, band-limited exactly at the Nyquist frequency, origin at index n // 2.

    Each Fourier coefficient is the sum over points, ``sum w exp(-2 pi i k r) G(k)``.
    """
    frequency = scipy.fft.fftfreq(box_size)
    position = cloud.points / pixel_size
    gauss = np.exp(-2 * (np.pi * cloud.sigma / pixel_size * frequency) ** 2) * (np.abs(frequency) < 0.5)
    shift = np.exp(-2j * np.pi * frequency * (box_size // 2))
    x, y, z = (np.exp(-2j * np.pi * np.outer(position[:, i], frequency)) * gauss * shift for i in range(3))
    half = box_size // 2 + 1
    plane = np.einsum("pz,py->pzy", z * cloud.weights[:, None], y).reshape(len(position), -1)
    spectrum = (plane.T @ x[:, :half]).reshape(box_size, box_size, half)
    return scipy.fft.irfftn(spectrum, s=(box_size,) * 3).astype(np.float32)


def lattice_map(unit, sites, box_size, pixel_size, rng, max_sites=60):
    """The true map: what a perfect average over `sites` shows, the unit and its neighbours as the lattice places them.

    The unit itself is exact; neighbours are averaged over the sites and over C6.

    Parameters
    ----------
    unit : PointCloud
    sites : list of (points (n, 3) Å, rotations (n, 3, 3)), one for each surface
    box_size, pixel_size : int and float (Å) of the map
    rng : numpy.random.Generator, draws `max_sites` where there are more
    max_sites : int

    Returns
    -------
    (n, n, n) float32 array, protein positive, origin at index n // 2
    """
    reach = box_size * pixel_size * 0.5 * 3**0.5 + 50.0
    points, turns, count = [], [], 0
    for centers, rotations in sites:
        tree = cKDTree(centers)
        chosen = rng.permutation(len(centers))[: max(1, max_sites // len(sites))]
        for i in chosen:
            near = np.array([j for j in tree.query_ball_point(centers[i], reach) if j != i], int)
            points.append((centers[near] - centers[i]) @ rotations[i])
            turns.append(rotations[i].T @ rotations[near])
            count += 1
    neighbours = unit.placed(np.concatenate(points), np.concatenate(turns))
    density = _spread_map(neighbours, box_size, pixel_size) / count
    # Six-fold in Fourier-free real space: the points are turned, not the map.
    for k in range(1, 6):
        turned = PointCloud(neighbours.points @ rotation_z(60.0 * k).T, neighbours.weights, neighbours.sigma)
        density += _spread_map(turned, box_size, pixel_size) / count
    return render_map(unit, box_size, pixel_size) + density / 6


def _spread_map(cloud, box_size, pixel_size):
    """Like `render_map` for very many points: spread linearly on a twice finer grid, then filtered."""
    fine = 2 * box_size
    place = cloud.points / pixel_size * 2 + 2 * (box_size // 2)
    low = np.floor(place).astype(np.int64)
    inside = np.all((low >= 0) & (low < fine - 1), axis=1)
    fraction, low, weights = (place - low)[inside], low[inside], cloud.weights[inside]
    grid = np.zeros(fine**3)
    for corner in np.ndindex(2, 2, 2):
        share = weights * np.prod(np.where(corner, fraction, 1 - fraction), axis=1)
        index = ((low[:, 2] + corner[2]) * fine + low[:, 1] + corner[1]) * fine + low[:, 0] + corner[0]
        grid += np.bincount(index, share, len(grid))
    spectrum = scipy.fft.rfftn(grid.reshape(fine, fine, fine))
    frequency = scipy.fft.fftfreq(box_size)
    rows = np.r_[0 : (box_size + 1) // 2, fine - box_size // 2 : fine]
    gauss = np.exp(-2 * (np.pi * cloud.sigma / pixel_size * frequency) ** 2) * (np.abs(frequency) < 0.5)
    gauss = gauss / np.sinc(frequency / 2) ** 2
    spectrum = spectrum[np.ix_(rows, rows, np.arange(box_size // 2 + 1))]
    spectrum *= gauss[:, None, None] * gauss[:, None] * gauss[: box_size // 2 + 1]
    return scipy.fft.irfftn(spectrum, s=(box_size,) * 3).astype(np.float32)
