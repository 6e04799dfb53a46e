# SPDX-License-Identifier: GPL-3.0-or-later
"""Dipoles as Scipion's meshes: two points of one group, the centre first, then the north point."""

import numpy as np
from tomo.objects import MeshPoint

from stadyn.core.errors import InputError
from stadyn.core.tomograms import Dipole

from .coordinates import CoordinateFrame

CENTRE, NORTH = "centre", "north"
LARGEST_SPREAD = 0.15
"""Standard deviation of the distances from the centre, over their mean: clicks are off by 54 Å, VLPs by 8 %."""


def read_dipoles(points):
    """Dipoles of a SetOfMeshes or SetOfCoordinates3D whose groups, in each tomogram, are the virus-like particles.

    Two points of a group are its centre and its north point, in the order they were
    picked. Groups of four or more are points of one surface: the centre is that of
    the sphere that fits them best, north the first of them.

    Raises InputError for a group of one or three points, or one whose points coincide or lie in a plane.
    """
    return [_dipole(*key, group) for key, group in read_point_groups(points).items()]


def read_point_groups(points):
    """{(tomogram id, group): (m, 3) pixels of the tomogram} of a SetOfMeshes or SetOfCoordinates3D, in their order."""
    tomograms = points.getPrecedents()
    if tomograms is None:
        raise InputError("the points have lost their tomograms: import them again")
    frame = CoordinateFrame(tomograms, points.getSamplingRate())
    groups = {}
    for point in points.iterItems():
        groups.setdefault((point.getTomoId(), point.getGroupId() or 0), []).append(frame.position(point))
    return {key: np.array(group) for key, group in groups.items()}


def _dipole(tomogram_id, surface_id, points):
    where = f"group {surface_id} of tomogram {tomogram_id}"
    if len(points) in (1, 3):
        raise InputError(
            f"{where} has {len(points)} points: mark a centre and a surface point, or four and more of the surface"
        )
    centre, north = points[:2] if len(points) == 2 else (_sphere_centre(points, where), points[0])
    if np.linalg.norm(north - centre) < 1:
        raise InputError(f"{where} has its centre on its surface: mark the particle again")
    return Dipole(tomogram_id, int(surface_id), tuple(map(float, centre)), tuple(map(float, north)))


def _sphere_centre(points, where):
    """Least-squares centre (3,) of a sphere through (n, 3) points: |p|^2 = 2 c.p + (r^2 - |c|^2) is linear in c."""
    design = np.column_stack([2 * points, np.ones(len(points))])
    solution, _, rank, _ = np.linalg.lstsq(design, np.sum(points**2, axis=1), rcond=None)
    if rank < 4:
        raise InputError(f"{where} has all its points in one plane: mark some elsewhere on the surface")
    distances = np.linalg.norm(points - solution[:3], axis=1)
    if distances.std() > LARGEST_SPREAD * distances.mean():
        raise InputError(
            f"{where} has {len(points)} points on no sphere, {distances.min():.0f} to {distances.max():.0f} px from "
            "the centre of the one that fits best: say by their group which VLP each point belongs to"
        )
    return solution[:3]


def write_dipoles(dipoles, output, tomograms):
    """Append dipoles to a SetOfMeshes with a sampling rate: centre and north point of each, the VLP as group."""
    frame = CoordinateFrame(tomograms, output.getSamplingRate())
    for dipole in dipoles:
        for role, position in ((CENTRE, dipole.center), (NORTH, dipole.north)):
            point = MeshPoint()
            frame.place(point, dipole.tomogram_id, position)
            point.setGroupId(int(dipole.surface_id))
            point.setVolumeName(dipole.tomogram_id)
            point.setObjLabel(role)
            output.append(point)
    output.setNumberOfMeshes(len({(d.tomogram_id, d.surface_id) for d in dipoles}))
