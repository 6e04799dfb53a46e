# SPDX-License-Identifier: GPL-3.0-or-later
"""One pass over the particles of a group: their average, their scores, or their next poses."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from .alignment import COARSE_RADIUS, Dictionary, coarse_search, refine_poses, score_poses
from .arrays import out_of_memory_errors, thread_start
from .averaging import AverageSum, finish
from .errors import InputError
from .exhaustive import exhaustive_search
from .fourier import OVERSAMPLING, lowpass_radius
from .local_score import local_scores
from .particle_data import ParticleData
from .reference import Reference, phases
from .search import rotation_grid, shift_grid
from .transfer import Transfer

COARSE_STEP_DEG = 10.0
"""Coarse angular step: at 8 Fourier pixels of the box the edge of a mask of three eighths
of the box moves by less than half a period; 15 degrees still found the same poses."""
COARSE_ABOVE_DEG = 4.0
"""Gauss-Newton alone converges from starts within about 5 degrees and half a coarse shift step."""


STRANDS = 4
"""Partial sums of an average: a fixed number, so that the sum does not depend on how many threads made it."""
GLOBAL, LOCAL = "global", "local"
SCORES = (GLOBAL, LOCAL)


def map_in_order(function, count, threads, report=None, xp=np):
    """[function(0), ..., function(count - 1)] by `threads` threads, in order; `report(done)` after each."""
    results = []
    with threadpool_limits(1), ThreadPoolExecutor(max(1, threads), initializer=thread_start(xp)) as pool:
        for result in pool.map(function, range(count)):
            results.append(result)
            if report:
                report(len(results))
    return results


def in_smaller_batches(function, batch):
    """(results of `function`) for a batch, halved and tried again for as long as memory does not suffice.

    `function` takes a Batch and returns a tuple of arrays with one row per particle.
    """
    try:
        return function(batch)
    except out_of_memory_errors():
        if len(batch.rows) == 1:
            raise
        middle = len(batch.rows) // 2
        halves = [in_smaller_batches(function, batch.part(p)) for p in (slice(0, middle), slice(middle, None))]
        return tuple(np.concatenate(parts) for parts in zip(*halves, strict=True))


def sum_particles(data, table, threads=1, report=None, chosen=None, amounts=None):
    """The `AverageSum` of the particles of a ParticleData at the poses of a table; see `strand_sums`."""
    return merged(strand_sums(data, table, threads, report, chosen, amounts))


def merged(parts):
    """One `AverageSum` of several, added up in their order."""
    total = AverageSum(parts[0].box_px, (parts[0].k - 1) / OVERSAMPLING)
    for part in parts:
        total.merge(part)
    return total


def strand_sums(data, table, threads=1, report=None, chosen=None, amounts=None, strands=STRANDS):
    """The partial sums of the particles of a ParticleData at the poses of a table: every so many-th batch each.

    Parameters
    ----------
    chosen : (n,) bool over the table's rows, particles that take part; all by default
    report : callable (particles done)
    amounts : (n,) how much each row of the table counts, 1 by default

    Returns
    -------
    list of `strands` AverageSum
    """
    xp, high = data.xp, data.high
    done = [0] * strands

    def strand(first):
        part = AverageSum(data.box_px, high)
        for index in range(first, len(data), strands):
            batch = data.batch(index)
            batch = batch if chosen is None else batch.part(np.flatnonzero(chosen[batch.rows]))
            if len(batch.rows):
                shifts = table.positions[batch.rows] - batch.centers
                centred = batch.data * xp.conj(phases(batch.frequencies, shifts, data.box_px))
                count = None if amounts is None else amounts[batch.rows]
                part.add(centred, batch.weight, table.rotations[batch.rows], batch.frequencies, count)
            done[first] += len(data.chunks[index])
            if report:
                report(sum(done))
        return part

    return map_in_order(strand, strands, threads, xp=xp)


def average_group(
    source, table, rows, box_px, high, symmetry="C1", fmin=0.01, threads=1, xp=np, data=None, report=None,
    amounts=None,
):  # fmt: skip
    """The wedge-compensated `Average` of some rows of a table at their poses, up to `high` Fourier pixels.

    `data`, if given, is the ParticleData of these rows in the band from 0 to `high`, prepared before; `amounts` (n,)
    is how much each row of the table counts.
    """
    data = data or ParticleData(source, table, rows, box_px, high, 0.0, False, keep_bytes=0, xp=xp)
    return finish(sum_particles(data, table, threads, report, amounts=amounts), symmetry, fmin)


def score_group(
    source, table, rows, box_px, reference, mask, high, low=0.0, threads=1, xp=np, report=None, data=None, score=GLOBAL
):
    """(len(rows),) cc of particles with a reference at their poses, neither moved nor turned.

    Parameters
    ----------
    data : ParticleData of these rows and band, if prepared before
    score : GLOBAL normalises over the box, LOCAL under the mask at the particle's pose (Roseman 2003)
    """
    prepared = Reference.from_volume(reference, high, mask, xp)
    data = data or ParticleData(source, table, rows, box_px, high, low, False, keep_bytes=0, xp=xp)

    def one(index):
        batch = data.batch(index)
        return batch.rows, *in_smaller_batches(lambda part: (_scores(prepared, part, table, mask, score),), batch)

    cc = np.full(len(table), np.nan)
    for own, values in map_in_order(one, len(data), threads, report, data.xp):
        cc[own] = values
    return cc[rows]


def _scores(prepared, batch, table, mask, score):
    rotations, shifts = table.rotations[batch.rows], table.positions[batch.rows] - batch.centers
    if score == LOCAL:
        return local_scores(prepared, batch, rotations, shifts, mask)
    return score_poses(prepared, batch.data, batch.weight, batch.frequencies, rotations, shifts)


def align_iteration(
    data, table, anchors, reference, mask, settings, pixel_size, engine="fast", threads=1, report=None, score=GLOBAL
):
    """One pass of one group: new poses and cc for every particle of `data`.

    Parameters
    ----------
    data : ParticleData of the group
    table : ParticleTable, present poses
    anchors : (n, 3) positions the shift limits are measured from, one per row of the table
    reference, mask : (box, box, box) arrays; mask may be None
    settings : AlignmentRound
    score : how the cc of the result is normalised, see `score_group`; the search itself is ruled by GLOBAL,
        which found the same poses in trials with soft masks

    Returns
    -------
    ParticleTable with the group's rows renewed
    """
    box_px, high = data.box_px, data.high
    limits, xp = shift_limits(settings, pixel_size, box_px), data.xp
    coarse_high = min(COARSE_RADIUS, high)
    step_px = box_px / (2 * coarse_high)
    prepared = Reference.from_volume(reference, max(high, coarse_high), mask, xp)
    dictionary = (
        coarse_dictionary(prepared, settings, limits, coarse_high, step_px, data.low) if data.with_cubes else None
    )

    def search(batch):
        rotations, shifts = table.rotations[batch.rows], table.positions[batch.rows] - batch.centers
        anchor = anchors[batch.rows] - batch.centers
        if engine == "exhaustive":
            return exhaustive_search(prepared, batch, rotations, shifts, anchor, limits, settings)
        if dictionary is not None:
            allowed = _allowed(rotations, shifts - anchor, dictionary.shifts, limits + 0.5 * step_px)
            weight_of = Transfer(data.source.tomograms[table.tomogram_ids[batch.rows[0]]], box_px)
            rotations, shifts, _ = coarse_search(
                batch.cubes, batch.cube_lines, rotations, shifts, weight_of, dictionary, allowed
            )
        trust = {"max_turn_deg": COARSE_STEP_DEG / 2, "max_shift_px": step_px / 2}
        band_data = (batch.data, batch.weight, batch.frequencies)
        return refine_poses(prepared, *band_data, rotations, shifts, anchor, limits, **trust)

    def one(index):
        batch = data.batch(index)
        return batch.rows, batch.centers, *in_smaller_batches(search, batch)

    positions, rotations, cc = table.positions.copy(), table.rotations.copy(), table.cc.copy()
    for rows, centers, turned, moved, values in map_in_order(one, len(data), threads, report, xp):
        positions[rows], rotations[rows], cc[rows] = centers + moved, turned, values
    aligned = table.replace(positions=positions, rotations=rotations, cc=cc)
    if score == LOCAL:
        cc[data.rows] = score_group(
            data.source, aligned, data.rows, box_px, reference, mask, high, data.low, threads, xp, None, data, LOCAL
        )
        aligned = aligned.replace(cc=cc)
    return aligned


def _allowed(rotations, offsets, candidates, limits):
    """(b, s) bool: which candidate shifts keep each particle inside its ellipsoid about the anchor."""
    here = np.einsum("bji,bj->bi", rotations, offsets)
    scaled = (here[:, None] + candidates[None]) / np.maximum(limits, 1e-9)
    inside = np.sum(scaled**2, axis=-1) <= 1
    inside[:, np.all(candidates == 0, axis=-1)] = True  # staying is always allowed
    return inside


def coarse_dictionary(prepared, settings, limits, coarse_high, step_px, low):
    """The candidates of the coarse stage of a round, sampled from the reference."""
    inplane = settings.inplane_extent_deg()
    rotations = rotation_grid(settings.cone_range_deg, COARSE_STEP_DEG, inplane, COARSE_STEP_DEG, settings.closed_deg())
    return Dictionary.build(prepared, rotations, shift_grid(limits, step_px), coarse_high, min(low, coarse_high - 1))


def shift_limits(settings, pixel_size, box_px):
    """(3,) semi-axes in pixels within which a particle may move; half the box where no limit is set."""
    if settings.shift_modus == 0:
        return np.full(3, box_px / 2)
    return np.asarray(settings.shift_limit_angst) / pixel_size


def needs_coarse(settings, pixel_size, box_px):
    """Does a round search further than Gauss-Newton converges from?"""
    far_turn = max(settings.cone_range_deg / 2, settings.inplane_extent_deg() / 2) > COARSE_ABOVE_DEG
    return far_turn or max(shift_limits(settings, pixel_size, box_px)) > 0.5 * box_px / (2 * COARSE_RADIUS)


def round_radii(settings, box_px, pixel_size):
    """(high, low) Fourier pixels of a round: its low-pass or the Nyquist of its binning, and its high-pass.

    Raises InputError when fewer than two Fourier pixels lie below the low-pass, or less than one above the high-pass.
    """
    high = min(lowpass_radius(box_px, pixel_size, settings.lowpass_angst), box_px / (2 * settings.binning) - 1)
    low = box_px * pixel_size / settings.highpass_angst if settings.highpass_angst > 0 else 0.0
    if high < max(2.0, low + 1):
        raise InputError(
            f"low-pass {settings.lowpass_angst} Å, high-pass {settings.highpass_angst} Å and binning {settings.binning}"
            f" leave nothing to align of a box of {box_px * pixel_size:.0f} Å: take a finer low-pass or a larger box"
        )
    return high, low
