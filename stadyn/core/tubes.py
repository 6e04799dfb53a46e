# SPDX-License-Identifier: GPL-3.0-or-later
"""Tubes and filaments: an axis through clicked points, and particles on the surface around it."""

import numpy as np
from scipy.interpolate import CubicSpline, make_interp_spline

from .errors import InputError
from .particles import ParticleTable
from .rotations import rotation_z

FINE_STEPS = 50
"""Samples of the axis between two clicked points, for its length."""


def tube_axis(points, spacing_px):
    """Points `spacing_px` apart along a smooth curve through clicked ones.

    Parameters
    ----------
    points : (m, 3) float array, m >= 2, pixels, in order along the axis
    spacing_px : float

    Returns
    -------
    points : (k, 3); tangents : (k, 3) unit vectors along the axis, from its first point to its last
    """
    points = np.asarray(points, float)
    if len(points) < 2:
        raise InputError(f"a tube of {len(points)} point has no direction: mark its axis by at least two points")
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    if np.any(steps < 1e-6):
        raise InputError("two points of a tube's axis coincide: mark each place once")
    along = np.concatenate([[0], np.cumsum(steps)])
    curve = make_interp_spline(along, points, k=1) if len(points) == 2 else CubicSpline(along, points)
    fine = np.linspace(0, along[-1], FINE_STEPS * (len(points) - 1) + 1)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve(fine), axis=0), axis=1))])
    n = max(2, int(round(length[-1] / spacing_px)) + 1)
    at = np.interp(np.linspace(0, length[-1], n), length, fine)
    tangents = curve.derivative()(at)
    return curve(at), tangents / np.linalg.norm(tangents, axis=1, keepdims=True)


def oversample_tube(points, radius_px, spacing_px):
    """Positions and rotations all over a tube, z axes outward, x axes along the tube.

    Neighbouring rings are half a spacing out of step, so that the points are as even
    as on a hexagonal net. The start of each ring is carried along the axis without
    turning (a rotation-minimising frame, double reflection: Wang et al. 2008,
    doi:10.1145/1330511.1330513).

    Parameters
    ----------
    points : (m, 3) float array, along the axis
    radius_px : float; 0 is a filament, whose particles lie on the axis with z along it
    spacing_px : float

    Returns
    -------
    positions : (n, 3); rotations : (n, 3, 3) reference -> tomogram
    """
    if not spacing_px > 0 or not radius_px >= 0:
        raise InputError(
            f"radius {radius_px} and spacing {spacing_px} pixels of a tube: the radius must be 0 or more, the spacing "
            "positive"
        )
    centers, tangents = tube_axis(points, spacing_px if radius_px == 0 else spacing_px * np.sqrt(0.75))
    sides = _carried_along(centers, tangents)
    if radius_px == 0:
        return centers, np.stack([sides, np.cross(tangents, sides), tangents], axis=-1)
    n = max(3, round(2 * np.pi * radius_px / spacing_px))
    around = 2 * np.pi / n * (np.arange(n)[None] + 0.5 * (np.arange(len(centers)) % 2)[:, None])
    normals = (
        np.cos(around)[..., None] * sides[:, None] + np.sin(around)[..., None] * np.cross(tangents, sides)[:, None]
    )
    x_axes = np.broadcast_to(tangents[:, None], normals.shape)
    rotations = np.stack([x_axes, np.cross(normals, x_axes), normals], axis=-1)
    return (centers[:, None] + radius_px * normals).reshape(-1, 3), rotations.reshape(-1, 3, 3)


def oversample_tubes(tubes, spacing_px, seed=None):
    """Particles on several tubes.

    Parameters
    ----------
    tubes : dict (tomogram id, tube number) -> (points, radius_px)
    spacing_px : float
    seed : int, of a random azimuth; None keeps the x axes along the tubes

    Returns
    -------
    ParticleTable, numbered from 1
    """
    parts = []
    for (tomogram_id, number), (points, radius_px) in tubes.items():
        positions, rotations = oversample_tube(points, radius_px, spacing_px)
        n = len(positions)
        parts.append(ParticleTable(positions, rotations, np.full(n, tomogram_id), surface_ids=np.full(n, number)))
    table = ParticleTable.concatenate(parts).renumbered()
    if seed is None or not len(table):
        return table
    turns = np.random.default_rng(seed).uniform(0, 360, len(table))
    return table.replace(rotations=table.rotations @ rotation_z(turns))


def _carried_along(centers, tangents):
    """(k, 3) unit vectors across the axis that turn about it as little as they can."""
    side = np.cross(tangents[0], np.eye(3)[np.argmin(np.abs(tangents[0]))])
    sides = [side / np.linalg.norm(side)]
    for i in range(len(centers) - 1):
        step = centers[i + 1] - centers[i]
        reflected, turned = (v - 2 * step * (step @ v) / (step @ step) for v in (sides[-1], tangents[i]))
        again = tangents[i + 1] - turned
        if again @ again > 1e-18:
            reflected = reflected - 2 * again * (again @ reflected) / (again @ again)
        reflected = reflected - tangents[i + 1] * (tangents[i + 1] @ reflected)
        sides.append(reflected / np.linalg.norm(reflected))
    return np.array(sides)
