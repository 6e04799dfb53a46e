# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in one simulated tomogram: VLPs with lattice and membrane, gold beads, junk; and their true poses."""

from dataclasses import dataclass

import numpy as np

from .errors import InputError
from .simulation_lattice import Ellipsoid, grow_lattice, random_ellipsoid
from .simulation_model import GOLD_CONTRAST, PointCloud, ball, bilayer, globule

MEMBRANE_ANGST = 140.0
"""From the lattice out to the middle of the bilayer, in immature HIV-1."""
CLEARANCE_ANGST = 25.0
"""From the middle of the bilayer to anything outside the VLP."""


@dataclass(frozen=True, eq=False)
class SimulatedVLP:
    """One virus-like particle and the true sites of its lattice."""

    center: np.ndarray  # (3,) Å from the centre of the field
    surface: Ellipsoid  # the lattice's, about `center`
    points: np.ndarray  # (n, 3) Å from the centre of the field
    rotations: np.ndarray  # (n, 3, 3) unit -> tomogram

    @property
    def outer_radius(self):
        """Largest distance from the centre to the outside of the membrane, Å."""
        return float(self.surface.semi_axes.max()) + MEMBRANE_ANGST + CLEARANCE_ANGST


@dataclass(frozen=True, eq=False)
class Scene:
    """The content of one field of view."""

    vlps: tuple  # of SimulatedVLP
    clouds: tuple  # of PointCloud, all of the density


def _place_centers(reaches, extent, rng):
    """Centres of spheres of radius `reaches` (n,) in a box `extent` (x, y, z) Å, pushed apart, or None.

    Along x and y a membrane may leave the field by a fifth of its radius, as in
    real images; along z it may not where the field is thick enough.
    """
    reaches = np.asarray(reaches)
    room = np.maximum(extent / 2 - reaches[:, None] * np.array([0.8, 0.8, 1.0]), 0)
    wanted = reaches[:, None] + reaches[None, :]
    np.fill_diagonal(wanted, 0)
    for _ in range(8):
        centers = rng.uniform(-room, room)
        for _ in range(60):
            apart = centers[:, None] - centers[None, :]
            distance = np.maximum(np.linalg.norm(apart, axis=-1), 1e-6)
            overlap = np.maximum(wanted - distance, 0)
            if not overlap.any():
                return centers
            push = np.sum(apart / distance[..., None] * (0.5 * overlap + (overlap > 0))[..., None], axis=1)
            centers = np.clip(centers + push, -room, room)
    return None


def _place_vlps(n, radius_range, ellipticity, extent, rng):
    """Surfaces and centres of `n` VLPs; smaller ones are drawn while they do not fit."""
    low, high = radius_range
    for attempt in range(15):
        top = low + (high - low) * (1 - attempt / 15)
        radii = np.sort(rng.uniform(low, top, n))[::-1]
        surfaces = [random_ellipsoid(radius, ellipticity, rng) for radius in radii]
        reaches = [s.semi_axes.max() + MEMBRANE_ANGST + CLEARANCE_ANGST for s in surfaces]
        if min(extent) < 2 * (reaches[0] - CLEARANCE_ANGST - MEMBRANE_ANGST):
            continue
        centers = _place_centers(reaches, extent, rng)
        if centers is not None:
            return surfaces, centers
    raise InputError(
        f"{n} VLPs of radius {low:g} to {high:g} Å do not fit into {extent[0]:g} x {extent[1]:g} x {extent[2]:g} Å: "
        "ask for fewer or smaller ones, or a larger extent"
    )


def _outside(points, vlps, margin):
    """Which of `points` (n, 3) lie `margin` Å clear of every VLP."""
    clear = np.ones(len(points), bool)
    for vlp in vlps:
        clear &= np.linalg.norm(points - vlp.center, axis=1) > vlp.outer_radius + margin
    return clear


def _free_points(n, vlps, extent, margin, rng):
    """Up to `n` random places clear of the VLPs."""
    trial = rng.uniform(-extent / 2, extent / 2, (200 * max(n, 1), 3))
    return trial[_outside(trial, vlps, margin)][:n]


def _merged(clouds):
    """One PointCloud for each width, so that each is filtered once."""
    merged = []
    for sigma in sorted({c.sigma for c in clouds}):
        same = [c for c in clouds if c.sigma == sigma]
        points, weights = np.concatenate([c.points for c in same]), np.concatenate([c.weights for c in same])
        merged.append(PointCloud(points.astype(np.float32), weights.astype(np.float32), sigma))
    return tuple(merged)


def _moved(cloud, place):
    return PointCloud(cloud.points + place, cloud.weights, cloud.sigma)


def _interior(vlp, rng):
    """Random material inside the lattice, as the nucleic acid and protein of a VLP."""
    n = int(20 * (vlp.surface.semi_axes.mean() / 300) ** 3)
    directions = rng.standard_normal((n, 3))
    depth = rng.uniform(0.0, 1.0, (n, 1)) ** (1 / 3)
    places = vlp.center + vlp.surface.grown(-110.0).radial_points(directions) * depth
    return [_moved(globule(rng.uniform(20, 45), rng), place) for place in places]


def _junk(n, vlps, extent, rng):
    """Loose globules and a few clumps of them, outside the VLPs."""
    places = _free_points(n, vlps, extent, 20.0, rng)
    clumps = [place + rng.normal(0, 45.0, (rng.integers(1, 9), 3)) for place in places]
    return [_moved(globule(rng.uniform(15, 40), rng), place) for clump in clumps for place in clump]


def build_scene(unit, settings, rng):
    """Draw the content of one tomogram.

    Parameters
    ----------
    unit : PointCloud, the lattice's unit
    settings : SimulationSettings
    rng : numpy.random.Generator

    Returns
    -------
    Scene

    Raises
    ------
    InputError
        when the VLPs do not fit into the field
    """
    extent = np.asarray(settings.extent_angst, float)
    n, radii = settings.vlps_per_tomogram, settings.radius_angst
    surfaces, centers = _place_vlps(n, radii, settings.ellipticity, extent, rng)
    vlps, clouds = [], []
    for surface, center in zip(surfaces, centers, strict=True):
        points, rotations = grow_lattice(surface, settings.spacing_angst, settings.coverage, settings.defects, rng)
        vlp = SimulatedVLP(center, surface, points + center, rotations)
        vlps.append(vlp)
        membrane = bilayer(surface.grown(MEMBRANE_ANGST), 120.0, rng)
        clouds.append(unit.placed(vlp.points, rotations))
        clouds.append(_moved(membrane, center))
        clouds.extend(_interior(vlp, rng))
    clouds.extend(_junk(settings.junk, vlps, extent, rng))
    bead_radius = settings.gold_radius_angst
    bead = ball(bead_radius, GOLD_CONTRAST, 4.0)
    clouds.extend(_moved(bead, p) for p in _free_points(settings.gold_beads, vlps, extent, bead_radius, rng))
    return Scene(tuple(vlps), _merged(clouds))
