# SPDX-License-Identifier: GPL-3.0-or-later
"""Small maps of a hexameric lattice on a sphere, with a known axis, for the tests of what finds it."""

import numpy as np
from scipy.ndimage import gaussian_filter

from stadyn.core.flattening import surface_frame
from stadyn.core.rotations import rotation_z
from stadyn.core.subboxing import tilts_to_normals

# One sixth of a chiral unit cell: radius, azimuth (degrees), height, width (Å), weight.
BLOBS = ((20, 0, 12, 8, 1.0), (29, 22, -10, 8, 0.8), (12, 40, -25, 7, 0.5))
CELL_CENTROID_ANGST = sum(b[2] * b[4] * b[3] ** 3 for b in BLOBS) / sum(b[4] * b[3] ** 3 for b in BLOBS)
MEMBRANE_ANGST = 140.0


def hexagonal_sites(spacing, rings):
    """(m, 2) arcs u, v of a hexagonal lattice about one of its sites, that one first."""
    i, j = np.meshgrid(np.arange(-rings, rings + 1), np.arange(-rings, rings + 1))
    sites = np.stack([i + 0.5 * j, np.sqrt(0.75) * j], -1).reshape(-1, 2) * spacing
    distance = np.hypot(*sites.T)
    return sites[np.argsort(distance, kind="stable")][: np.sum(distance <= rings * spacing * 1.001)]


def lattice_map(box_px, pixel_size, origin_arc=(0, 0), azimuth_deg=0, spacing=75.0, radius=500.0, apex=0.0,
                occupancy=None, fade=150.0, noise=0.0, seed=0):  # fmt: skip
    """Dark protein on a sphere, the lattice's central site at `origin_arc` (Å along the surface) from the z axis.

    Returns the map, and the pose (shift in px, rotation) of that site in the box.
    """
    point, normal = surface_frame(*origin_arc, 1 / radius)
    point = point + np.array([0, 0, apex])
    frame = tilts_to_normals(normal)[0] @ rotation_z(azimuth_deg)
    arcs = hexagonal_sites(spacing, 3)
    occupancy = np.ones(len(arcs)) if occupancy is None else np.append(occupancy, np.ones(len(arcs) - len(occupancy)))
    points, normals = surface_frame(*arcs.T, 1 / radius)
    volume = np.zeros((box_px,) * 3)
    axis = (np.arange(box_px) - box_px // 2) * pixel_size
    for position, turn, full in zip(points, tilts_to_normals(normals), occupancy, strict=True):
        center = point + frame @ position
        weight = full * np.exp(-((np.hypot(*center[:2]) / fade) ** 2))
        for r, phi, z, width, mass in BLOBS:
            for k in range(6):
                a = np.radians(phi + 60 * k)
                x, y, z_ = center + frame @ turn @ np.array([r * np.cos(a), r * np.sin(a), z])
                gx, gy, gz = (np.exp(-0.5 * ((axis - c) / width) ** 2) for c in (x, y, z_))
                volume -= weight * mass * gz[:, None, None] * gy[:, None] * gx
    distance = np.sqrt(axis**2 + axis[:, None] ** 2 + (axis[:, None, None] + radius - apex) ** 2)
    volume -= 1.5 * np.exp(-0.5 * ((distance - radius - MEMBRANE_ANGST) / 15) ** 2)
    if noise:
        grain = gaussian_filter(np.random.default_rng(seed).standard_normal(volume.shape), 10 / pixel_size)
        volume += noise * grain / grain.std()
    return volume.astype(np.float32), point / pixel_size, frame
