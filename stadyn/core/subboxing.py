# SPDX-License-Identifier: GPL-3.0-or-later
"""Subboxing: what is marked once in an average becomes one particle at every place the average came from."""

import numpy as np
from scipy.spatial.transform import Rotation

from .errors import InputError
from .particles import ParticleTable


def subbox(table, markers, rotations=None):
    """One particle per particle and marker (Dynamo's subboxing).

    The new particle remembers the number of its parent and of its marker, and
    inherits everything else, the parent's CC too: where candidates from several
    parents coincide, the one from the best-aligned parent should survive the
    exclusion radius.

    Parameters
    ----------
    table : ParticleTable of n particles that were averaged
    markers : (m, 3) float array, pixels from the box centre of their average
    rotations : (m, 3, 3) float array, frame of the new particle -> average; the parent's frame by default

    Returns
    -------
    ParticleTable of n * m particles, the m markers of the first parent first, numbered from 1
    """
    markers = np.asarray(markers, float).reshape(-1, 3)
    n, m = len(table), len(markers)
    children = table.select(np.repeat(np.arange(n), m))
    turned = None if rotations is None else np.tile(np.asarray(rotations, float).reshape(m, 3, 3), (n, 1, 1))
    children = children.moved(np.tile(markers, (n, 1)), turned)
    return children.replace(parent=children.ids, marker=np.tile(np.arange(1, m + 1), n)).renumbered()


def two_step_subbox(table, average_poses, markers, normals=None, tilt=True):
    """Unit cells marked in the average of averages, mapped to the averages and on to the tomograms.

    Paper, steps 5C and 5D. There the new particle inherits the z axis of the
    average; here it is by default tilted to the surface at its marker, which
    leaves less for the next alignment to find.

    Parameters
    ----------
    table : ParticleTable, particles whose averages (one per tomogram) made the average of averages
    average_poses : ParticleTable, one row per tomogram: how the average of averages sits in the average
        of that tomogram; positions are pixels from that average's box centre
    markers : (m, 3) float array, pixels from the box centre of the average of averages
    normals : (m, 3) float array, surface normals at the markers; from the markers' own curvature by default
    tilt : bool, False inherits the z axis as the paper does

    Raises
    ------
    InputError
        When particles come from a tomogram whose average was not aligned.
    """
    markers = np.asarray(markers, float).reshape(-1, 3)
    frames = np.tile(np.eye(3), (len(markers), 1, 1))
    if tilt:
        frames = tilts_to_normals(marker_normals(markers) if normals is None else normals)
    pose_of = {tomogram_id: row for row, tomogram_id in enumerate(average_poses.tomogram_ids)}
    missing = sorted(set(table.tomogram_ids) - set(pose_of))
    if missing:
        raise InputError(
            f"tomogram {missing[0]} has particles but no average among the aligned averages: average and align it first"
        )
    parts = []
    for tomogram_id in np.unique(table.tomogram_ids):
        row = pose_of[tomogram_id]
        in_average = average_poses.positions[row] + markers @ average_poses.rotations[row].T
        rotations = average_poses.rotations[row] @ frames
        parts.append(subbox(table.select(table.tomogram_ids == tomogram_id), in_average, rotations))
    return ParticleTable.concatenate(parts).renumbered()


def tilts_to_normals(normals):
    """(m, 3, 3) smallest rotations that take z to each of (m, 3) normals; the azimuth stays as untouched as it can."""
    normals = np.asarray(normals, float).reshape(-1, 3)
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    axis = np.stack([-normals[:, 1], normals[:, 0], np.zeros(len(normals))], axis=1)  # z x normal
    sine = np.linalg.norm(axis, axis=1)
    angle = np.arctan2(sine, normals[:, 2].copy())  # strided arctan2 is not reproducible to the last bit
    direction = np.where(sine[:, None] > 1e-12, axis / np.maximum(sine, 1e-12)[:, None], [1.0, 0.0, 0.0])
    return Rotation.from_rotvec(direction * angle[:, None]).as_matrix()


def marker_normals(markers):
    """(m, 3) surface normals at (m, 3) markers, from the curvature that the markers themselves show.

    A paraboloid ``z = z0 - (x^2 + y^2) / 2R`` about the average's own axis is
    fitted to them; fewer than four markers show no curvature and get z.
    """
    markers = np.asarray(markers, float).reshape(-1, 3)
    curvature = 0.0
    squared = np.sum(markers[:, :2] ** 2, axis=1)
    if len(markers) >= 4 and np.ptp(squared) > 0:
        slope, _ = np.polyfit(squared, markers[:, 2], 1)
        curvature = -2 * slope
    normals = np.column_stack([curvature * markers[:, :2], np.ones(len(markers))])
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)
