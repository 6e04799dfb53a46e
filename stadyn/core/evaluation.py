# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles against a known truth: what was found, and how far its poses are off."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from .rotations import axis_errors_deg, inplane_errors_deg, rotation_z

FRAME_ITERATIONS = 10
"""The frame's turn and shift settle in two or three."""


@dataclass(frozen=True, eq=False)
class Matching:
    """Particles paired one to one with true sites; a duplicate is a false positive."""

    rows: np.ndarray  # (m,) int, of the particle table
    truth_rows: np.ndarray  # (m,) int, of the truth
    recall: float  # pairs over true sites
    precision: float  # pairs over particles; nan without particles


@dataclass(frozen=True, eq=False)
class PoseErrors:
    """Errors of matched particles, before and after the reference's own frame is taken out.

    Where a reference stands in its box and what azimuth it has is free. One turn
    about z and one shift, common to all particles, are therefore estimated and removed.
    """

    axis_deg: np.ndarray  # (m,) between the z axes
    inplane_deg: np.ndarray  # (m,) about z, modulo the symmetry, signed
    position_px: np.ndarray  # (m,)
    raw_inplane_deg: np.ndarray  # (m,) the same without removal of the frame
    raw_position_px: np.ndarray  # (m,)
    frame_turn_deg: float  # azimuth of the reference, modulo the symmetry
    frame_shift_px: np.ndarray  # (3,) the true origin in the frame of the particles


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What is reported of a table against its truth."""

    n_particles: int
    n_truth: int
    matching: Matching
    errors: PoseErrors
    closest_pair_px: float  # smallest distance of two particles in one tomogram; inf for fewer than two


def match_to_truth(table, truth, tolerance_px):
    """Pair particles with true sites of the same tomogram, one to one, nearest overall.

    Of all pairings with the most pairs within the tolerance the one of the
    smallest summed distance is taken.

    Parameters
    ----------
    table, truth : ParticleTable
    tolerance_px : float

    Returns
    -------
    Matching
    """
    rows, truth_rows = [], []
    for name in np.unique(truth.tomogram_ids):
        mine, true = np.flatnonzero(table.tomogram_ids == name), np.flatnonzero(truth.tomogram_ids == name)
        if len(mine):
            i, j = _assign(table.positions[mine], truth.positions[true], tolerance_px)
            rows.append(mine[i])
            truth_rows.append(true[j])
    rows = np.concatenate([np.empty(0, int), *rows])
    truth_rows = np.concatenate([np.empty(0, int), *truth_rows])
    precision = len(rows) / len(table) if len(table) else np.nan
    return Matching(rows, truth_rows, len(rows) / len(truth) if len(truth) else np.nan, precision)


def _assign(points, others, tolerance):
    """Indices of the best one-to-one pairing within `tolerance`, cluster by cluster: each is tiny."""
    near = cKDTree(points).sparse_distance_matrix(cKDTree(others), tolerance, output_type="coo_matrix")
    n = len(points)
    links = coo_matrix((np.ones(near.nnz), (near.row, n + near.col)), shape=(n + len(others),) * 2)
    labels = connected_components(links, directed=False)[1]
    pairs = [np.empty((0, 2), int)]
    order = np.argsort(labels[near.row], kind="stable")
    for edges in np.split(order, np.flatnonzero(np.diff(labels[near.row][order])) + 1):
        left, i = np.unique(near.row[edges], return_inverse=True)
        right, j = np.unique(near.col[edges], return_inverse=True)
        # A pair out of reach costs more than any number of pairs within it: first most pairs, then least distance.
        cost = np.full((len(left), len(right)), tolerance * (len(left) + len(right) + 1))
        cost[i, j] = near.data[edges]
        a, b = linear_sum_assignment(cost)
        within = cost[a, b] <= tolerance
        pairs.append(np.stack([left[a[within]], right[b[within]]], -1))
    pairs = np.concatenate(pairs)
    return pairs[:, 0], pairs[:, 1]


def pose_errors(table, truth, order=6):
    """Errors of the rows of `table` against those of `truth`, pair by pair.

    Parameters
    ----------
    table, truth : ParticleTable of equal length, already matched
    order : int, n-fold symmetry about z

    Returns
    -------
    PoseErrors
    """
    raw_inplane = inplane_errors_deg(table.rotations, truth.rotations, order)
    turn = _common_turn(raw_inplane, order)
    inplane = inplane_errors_deg(table.rotations @ rotation_z(-turn), truth.rotations, order)
    offset = truth.positions - table.positions
    # In the particles' own frame the shift is one vector, whichever of the equivalent turns each has settled on.
    within = np.einsum("nji,nj->ni", table.rotations, offset)
    shift = np.median(within, axis=0) if len(within) else np.zeros(3)
    left = offset - table.rotations @ shift
    axis = axis_errors_deg(table.rotations, truth.rotations)
    position, raw_position = np.linalg.norm(left, axis=1), np.linalg.norm(offset, axis=1)
    return PoseErrors(axis, inplane, position, raw_inplane, raw_position, turn, shift)


def _common_turn(angles_deg, order):
    """The angle, modulo 360 / order, that most of `angles_deg` agree on: circular mean, then medians about it."""
    if not len(angles_deg):
        return 0.0
    period = 360.0 / order
    turn = np.degrees(np.angle(np.mean(np.exp(1j * np.radians(order * angles_deg))))) / order
    for _ in range(FRAME_ITERATIONS):
        turn += np.median((angles_deg - turn + period / 2) % period - period / 2)
    return float((turn + period / 2) % period - period / 2)


def evaluate(table, truth, tolerance_px, order=6):
    """Match and measure: an `Evaluation` of `table` against `truth`."""
    matching = match_to_truth(table, truth, tolerance_px)
    errors = pose_errors(table.select(matching.rows), truth.select(matching.truth_rows), order)
    return Evaluation(len(table), len(truth), matching, errors, closest_pair(table))


def closest_pair(table):
    """Smallest distance, in pixels, of two particles of one tomogram; inf where no tomogram holds two."""
    closest = np.inf
    for name in np.unique(table.tomogram_ids):
        points = table.positions[table.tomogram_ids == name]
        if len(points) > 1:
            closest = min(closest, float(cKDTree(points).query(points, k=2)[0][:, 1].min()))
    return closest
