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
PHASES_AT_ONCE = 2**22
"""Phases of the shift grid computed at once (32 MB)."""
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
    # A ball is the same in every frame: its grid lies in the tomogram's, where its phases serve all rotations.
    scan = _scan_turning if np.ptp(limits_px) > 0 else _scan
    best = (-np.inf, rotation, shift)
    for _ in range(settings.refine + 1):
        candidates = best[1] @ rotation_grid(*cone, *turn, closed)
        best = max(best, scan(reference, batch, i, candidates, anchor, grid), key=lambda item: item[0])
        cone = (settings.refine_factor * cone[1], cone[1] / 2)
        turn = (min(inplane, settings.refine_factor * turn[1]), turn[1] / 2)
        closed = 360.0 if turn[0] < inplane else closed
    if len(grid) > 1:
        fine = shift_grid(np.where(np.asarray(limits_px) > 0, 1.0, 0.0), SUBPIXEL_STEP)
        about = best[2] - anchor if scan is _scan else best[1].T @ (best[2] - anchor)
        allowed = fine[np.sum(((about + fine) / np.maximum(limits_px, 1e-9)) ** 2, axis=1) <= 1]
        best = max(best, scan(reference, batch, i, best[1][None], best[2], allowed), key=lambda item: item[0])
    return best[1], best[2], best[0]


def _scan(reference, batch, i, candidates, origin, grid):
    """(cc, rotation, shift) of the best of all candidate rotations and shifts `origin + grid`: one matrix product."""
    xp = array_module(batch.data)
    best = (-np.inf, candidates[0], origin)
    if len(grid) == 0:
        return best
    parts = np.array_split(grid, -(-len(grid) * len(batch.frequencies) // PHASES_AT_ONCE))
    moved = None
    for turned, model, _ in _turned(reference, batch, i, candidates, origin):
        model = xp.concatenate([model.real, -model.imag], axis=1)
        for part in parts:
            if moved is None or len(parts) > 1:
                moved = phases(batch.frequencies, part, reference.box_px)
                moved = xp.concatenate([moved.real, moved.imag], axis=1).T
            a, s, value = _highest(model @ moved)
            if value > best[0]:
                best = (value, turned[a], origin + part[s])
    return best


def _scan_turning(reference, batch, i, candidates, origin, grid):
    """(cc, rotation, shift) of the best of all candidate rotations and shifts `origin + rotation @ grid`."""
    xp = array_module(batch.data)
    best = (-np.inf, candidates[0], origin)
    if len(grid) == 0:
        return best
    for turned, model, q in _turned(reference, batch, i, candidates, origin):
        # A shift of `rotation @ s` in the tomogram frame is a shift s in the reference's, where q lives.
        pairs = zip(model, q, strict=True)
        score = xp.stack([xp.matmul(m, phases(f, grid, reference.box_px).T).real for m, f in pairs])
        a, s, value = _highest(score)
        if value > best[0]:
            best = (value, turned[a], origin + turned[a] @ grid[s])
    return best


def _turned(reference, batch, i, candidates, origin):
    """Some candidates at a time: rotations, normed products of particle and reference (a, m), turned frequencies."""
    xp = array_module(batch.data)
    data = xp.conj(batch.data[i])
    energy = xp.sqrt(xp.sum(xp.abs(data) ** 2))
    data = data * phases(batch.frequencies, np.asarray(origin)[None], reference.box_px)
    for start in range(0, len(candidates), ROTATIONS_AT_ONCE):
        turned = candidates[start : start + ROTATIONS_AT_ONCE]
        q = xp.matmul(batch.frequencies, xp.asarray(turned, dtype=np.float32))
        model = reference.sample(q) * batch.weight
        norm = xp.sqrt(xp.sum(xp.abs(model) ** 2, axis=1)) * energy
        yield turned, model * (data / xp.maximum(norm, 1e-20)[:, None]), q


def _highest(score):
    """(row, column, value) of the largest entry."""
    row, column = divmod(int(to_host(score.argmax())), score.shape[1])
    return row, column, float(to_host(score[row, column]))
