# SPDX-License-Identifier: GPL-3.0-or-later
"""The exhaustive search with Dynamo's meaning of every parameter: what the fast engine is held against.

Level 0 scans the whole cone and in-plane range at the given sampling; each of
`refine` further levels scans ``refine_factor`` times the previous sampling with
half of it about the best so far. At every orientation the cc is evaluated at all
shifts of a 1 px grid inside the ellipsoid (as SUSAN does, only where a shift is
allowed), and the best orientation's shift is then refined to a quarter of a pixel.
"""

import numpy as np

from .arrays import array_module, to_host
from .reference import phases
from .search import rotation_grid, shift_grid

ROTATIONS_AT_ONCE = 64
SUBPIXEL_STEP = 0.25


def exhaustive_search(reference, batch, rotations, shifts, anchors, limits_px, settings):
    """Best pose of each particle of a `Batch`; arguments as `alignment.refine_poses`, `settings` an AlignmentRound.

    Returns
    -------
    rotations : (b, 3, 3); shifts : (b, 3) px, tomogram frame; cc : (b,)
    """
    rotations, shifts = np.array(rotations, float), np.array(shifts, float)
    cc = np.zeros(len(rotations))
    for i in range(len(rotations)):
        rotations[i], shifts[i], cc[i] = _one(
            reference, batch, i, rotations[i], shifts[i], anchors[i], limits_px, settings
        )
    return rotations, shifts, cc


def _one(reference, batch, i, rotation, shift, anchor, limits_px, settings):
    inplane, closed = settings.inplane_extent_deg(), settings.closed_deg()
    cone = (settings.cone_range_deg, settings.cone_sampling_deg)
    turn = (inplane, settings.inplane_sampling_deg)
    grid = shift_grid(limits_px, 1.0)
    best = (-np.inf, rotation, shift)
    for _ in range(settings.refine + 1):
        candidates = best[1] @ rotation_grid(*cone, *turn, closed)
        best = max(best, _scan(reference, batch, i, candidates, anchor, grid), key=lambda item: item[0])
        cone = (settings.refine_factor * cone[1], cone[1] / 2)
        turn = (min(inplane, settings.refine_factor * turn[1]), turn[1] / 2)
        closed = 360.0 if turn[0] < inplane else closed
    if len(grid) > 1:
        fine = shift_grid(np.where(np.asarray(limits_px) > 0, 1.0, 0.0), SUBPIXEL_STEP)
        about = best[1].T @ (best[2] - anchor)
        allowed = fine[np.sum(((about + fine) / np.maximum(limits_px, 1e-9)) ** 2, axis=1) <= 1]
        best = max(best, _scan(reference, batch, i, best[1][None], best[2], allowed), key=lambda item: item[0])
    return best[1], best[2], best[0]


def _scan(reference, batch, i, candidates, origin, grid):
    """(cc, rotation, shift) of the best of all candidate rotations and shifts `origin + rotation @ grid`."""
    xp = array_module(batch.data)
    if len(grid) == 0:
        return -np.inf, candidates[0], origin
    data = xp.conj(batch.data[i])
    energy = xp.sqrt(xp.sum(xp.abs(data) ** 2))
    best = (-np.inf, candidates[0], origin)
    for start in range(0, len(candidates), ROTATIONS_AT_ONCE):
        turned = candidates[start : start + ROTATIONS_AT_ONCE]
        q = xp.matmul(batch.frequencies, xp.asarray(turned, dtype=np.float32))
        model = reference.sample(q) * batch.weight
        norm = xp.sqrt(xp.sum(xp.abs(model) ** 2, axis=1)) * energy
        # A shift of `rotation @ s` in the tomogram frame is a shift s in the reference's, where q lives.
        model = model * (data * phases(batch.frequencies, np.asarray(origin)[None], reference.box_px))
        score = xp.stack(
            [xp.matmul(m, phases(f, grid, reference.box_px).T).real for m, f in zip(model, q, strict=True)]
        )
        score = score / xp.maximum(norm[:, None], 1e-20)
        a, s = divmod(int(to_host(xp.argmax(score))), len(grid))
        value = float(to_host(score[a, s]))
        if value > best[0]:
            best = (value, turned[a], origin + turned[a] @ grid[s])
    return best
