# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles that settled on another layer than the lattice of their VLP: the membrane draws what starts near it."""

import numpy as np

from .surfaces import MIN_POINTS, fit_surfaces

TRIALS = 400
FEWEST_DEGREES = 10.0
"""Two normals that differ by less tell nothing of where they meet."""


def on_their_surface(table, tolerance_px, seed=0):
    """(n,) bool: which particles lie within a distance of the surface that most of their VLP's correlation is on.

    Normals of particles on concentric layers, the lattice and the membrane, meet at
    the same centre, so the layers differ by radius alone. Of the spheres through
    pairs of particles (centre where their normals come closest) the one with the most
    positive CC within the tolerance is taken; a smooth surface is fitted to what
    lies near it, and everything is held against that (random sample consensus,
    Fischler & Bolles 1981, doi:10.1145/358669.358692).

    Parameters
    ----------
    table : ParticleTable, aligned, with surface ids; those of VLPs with few particles all stay
    tolerance_px : float
    seed : int
    """
    kept = np.ones(len(table), bool)
    rng = np.random.default_rng(seed)
    for tomogram_id in np.unique(table.tomogram_ids):
        in_tomogram = table.tomogram_ids == tomogram_id
        for surface_id in np.unique(table.surface_ids[in_tomogram]):
            rows = np.flatnonzero(in_tomogram & (table.surface_ids == surface_id))
            if surface_id != 0 and len(rows) >= MIN_POINTS:
                kept[rows] = _consensus(table.select(rows), tolerance_px, rng)
    return kept


def _consensus(table, tolerance_px, rng):
    """(n,) bool for the particles of one VLP."""
    points, normals = table.positions, table.normals()
    weight = np.where(np.isnan(table.cc), 1.0, np.maximum(table.cc, 0)) + 1e-6
    first, second = rng.integers(0, len(points), (2, TRIALS))
    # Where the two lines p - r n come closest to each other, with one r for both: the sphere through both points.
    apart, turned = points[first] - points[second], normals[first] - normals[second]
    square = np.sum(turned**2, axis=1)
    radius = np.sum(apart * turned, axis=1) / np.maximum(square, 1e-12)
    usable = (square > (2 * np.sin(np.radians(FEWEST_DEGREES) / 2)) ** 2) & (radius > tolerance_px)
    if not usable.any():
        return np.ones(len(points), bool)
    centers = 0.5 * (points[first] + points[second] - radius[:, None] * (normals[first] + normals[second]))[usable]
    distance = np.linalg.norm(points[None] - centers[:, None], axis=2) - radius[usable][:, None]
    score = (np.abs(distance) <= tolerance_px) @ weight
    near = np.abs(distance[np.argmax(score)]) <= tolerance_px
    if near.sum() < MIN_POINTS:
        return near
    ((_, surface),) = fit_surfaces(table.select(near)).items()
    offset = points - surface.center
    length = np.linalg.norm(offset, axis=1)
    return np.abs(length - surface.radii(offset / length[:, None])) <= tolerance_px
