# SPDX-License-Identifier: GPL-3.0-or-later
"""Of two particles of one tomogram closer than a radius, only the one with the higher score stays."""

import numpy as np
from scipy.spatial import cKDTree

from .errors import InputError


def exclude_within(table, radius_px):
    """Which particles stay when no two of a tomogram may be closer than `radius_px`.

    Particles are visited from the highest CC to the lowest (paper, steps 5D and
    6A); each that is still there removes all others closer than the radius. Ties
    go to the lower id, an unknown (nan) CC comes last, so the result does not
    depend on the order of the rows.

    Parameters
    ----------
    table : ParticleTable of n particles
    radius_px : float, pixels of the unbinned tomogram; 0 keeps everything

    Returns
    -------
    kept : (n,) bool array
    """
    if not radius_px >= 0:
        raise InputError(f"exclusion radius {radius_px} pixels: give 0 (off) or a positive length")
    score = np.where(np.isnan(table.cc), -np.inf, table.cc)
    order = np.lexsort((table.ids, -score))
    kept = np.ones(len(table), bool)
    for tomogram_id in np.unique(table.tomogram_ids):
        rows = order[table.tomogram_ids[order] == tomogram_id]
        kept[rows] = _keep_best_first(table.positions[rows], radius_px)
    return kept


def _keep_best_first(positions, radius):
    """(n,) bool: the greedy choice among (n, 3) positions that come best first."""
    pairs = cKDTree(positions).query_pairs(radius, output_type="ndarray")
    near = np.linalg.norm(positions[pairs[:, 0]] - positions[pairs[:, 1]], axis=1) < radius
    pairs = np.sort(pairs[near], axis=1)
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    losers = pairs[:, 1]
    starts = np.searchsorted(pairs[:, 0], np.arange(len(positions) + 1))
    kept = np.ones(len(positions), bool)
    for i in np.unique(pairs[:, 0]):  # ascending, so everything that could remove i has had its turn
        if kept[i]:
            kept[losers[starts[i] : starts[i + 1]]] = False
    return kept
