# SPDX-License-Identifier: GPL-3.0-or-later
"""Alignment as a whole: rounds x iterations over one group of particles and its own reference."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from .alignment import COARSE_RADIUS, Dictionary, Reference, coarse_search, phases, refine_poses, score_poses
from .averaging import AverageSum, finish
from .errors import InputError
from .exhaustive import exhaustive_search
from .fourier import lowpass_radius
from .particle_data import ParticleData
from .search import rotation_grid, shift_grid
from .transfer import Transfer

COARSE_STEP_DEG = 8.0
"""Coarse angular step: at 8 Fourier pixels of the box the edge of a mask of three eighths
of the box moves by less than half a period; 15 degrees still found the same poses."""
COARSE_ABOVE_DEG = 4.0
"""Gauss-Newton alone converges from starts within about 5 degrees and half a coarse shift step."""


@dataclass(frozen=True)
class IterationRecord:
    """How one iteration went: the convergence a person looks at."""

    group: str
    round: int
    iteration: int
    particles: int
    mean_cc: float
    median_turn_deg: float
    median_shift_angst: float
    seconds: float


def _map_batches(function, count, threads, report=None):
    """[function(0), ..., function(count - 1)] by `threads` threads, in order; `report(done)` after each."""
    results = []
    with threadpool_limits(1), ThreadPoolExecutor(max(1, threads)) as pool:
        for result in pool.map(function, range(count)):
            results.append(result)
            if report:
                report(len(results))
    return results


def average_group(
    source, table, rows, box_px, high, symmetry="C1", fmin=0.01, threads=1, xp=np, data=None, report=None
):
    """The wedge-compensated `Average` of some rows of a table at their poses, up to `high` Fourier pixels."""
    data = data or ParticleData(source, table, rows, box_px, high, 0.0, False, keep_bytes=0, xp=xp)

    def add(index):
        batch = data.batch(index)
        shifts = table.positions[batch.rows] - batch.centers
        centred = batch.data * xp.conj(phases(batch.frequencies, shifts, box_px))
        part = AverageSum(box_px, high)
        part.add(centred, batch.weight, table.rotations[batch.rows], batch.frequencies)
        return part

    total = AverageSum(box_px, high)
    # Threads add into sums of their own; merged in batch order, the result does not depend on their number.
    step = max(1, threads) * 4
    done = 0
    for start in range(0, len(data), step):
        parts = _map_batches(lambda i, s=start: add(s + i), min(step, len(data) - start), threads)
        for part in parts:
            total.merge(part)
            done += part.n
        if report:
            report(done)
    return finish(total, symmetry, fmin)


def score_group(source, table, rows, box_px, reference, mask, high, low=0.0, threads=1, xp=np, report=None):
    """(len(rows),) cc of particles with a reference at their poses, neither moved nor turned."""
    prepared = Reference.from_volume(reference, high, mask, xp)
    data = ParticleData(source, table, rows, box_px, high, low, False, keep_bytes=0, xp=xp)

    def one(index):
        batch = data.batch(index)
        shifts = table.positions[batch.rows] - batch.centers
        return batch.rows, score_poses(
            prepared, batch.data, batch.weight, batch.frequencies, table.rotations[batch.rows], shifts
        )

    cc = np.full(len(table), np.nan)
    for own, values in _map_batches(one, len(data), threads, report):
        cc[own] = values
    return cc[rows]


def align_iteration(
    data, table, anchors, reference, mask, settings, pixel_size, engine="fast", threads=1, xp=np, report=None
):
    """One pass of one group: new poses and cc for every particle of `data`.

    Parameters
    ----------
    data : ParticleData of the group
    table : ParticleTable, present poses
    anchors : (n, 3) positions the shift limits are measured from, one per row of the table
    reference, mask : (box, box, box) arrays; mask may be None
    settings : AlignmentRound

    Returns
    -------
    ParticleTable with the group's rows renewed
    """
    box_px, high = data.box_px, data.high
    limits = shift_limits(settings, pixel_size, box_px)
    coarse_high = min(COARSE_RADIUS, high)
    step_px = box_px / (2 * coarse_high)
    prepared = Reference.from_volume(reference, max(high, coarse_high), mask, xp)
    dictionary = (
        coarse_dictionary(prepared, settings, limits, coarse_high, step_px, data.low) if data.with_cubes else None
    )

    def one(index):
        batch = data.batch(index)
        rotations = table.rotations[batch.rows]
        shifts = table.positions[batch.rows] - batch.centers
        anchor = anchors[batch.rows] - batch.centers
        if engine == "exhaustive":
            found = exhaustive_search(prepared, batch, rotations, shifts, anchor, limits, settings)
            return batch.rows, batch.centers, *found
        if dictionary is not None:
            allowed = _allowed(rotations, shifts - anchor, dictionary.shifts, limits + 0.5 * step_px)
            weight_of = Transfer(data.source.tomograms[table.tomogram_ids[batch.rows[0]]], box_px)
            rotations, shifts, _ = coarse_search(
                batch.cubes, batch.cube_shape, rotations, shifts, weight_of, dictionary, allowed
            )
        found = refine_poses(
            prepared,
            batch.data,
            batch.weight,
            batch.frequencies,
            rotations,
            shifts,
            anchor,
            limits,
            max_turn_deg=COARSE_STEP_DEG / 2,
            max_shift_px=step_px / 2,
        )
        return batch.rows, batch.centers, *found

    positions, rotations, cc = table.positions.copy(), table.rotations.copy(), table.cc.copy()
    for rows, centers, turned, moved, score in _map_batches(one, len(data), threads, report):
        positions[rows], rotations[rows], cc[rows] = centers + moved, turned, score
    return table.replace(positions=positions, rotations=rotations, cc=cc)


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


@dataclass(frozen=True)
class Refinement:
    """Everything one group's alignment needs besides its particles."""

    rounds: tuple  # of AlignmentRound
    box_px: int
    pixel_size: float
    fmin: float = 0.01
    engine: str = "fast"
    threads: int = 1

    def run(
        self, source, table, rows, reference=None, mask=None, group="all", resumed=None, save=None, report=None, xp=np
    ):
        """Align `rows` of a table through all rounds; each iteration starts from the average of the last one's poses.

        Parameters
        ----------
        reference : (box, box, box) starting reference, or None: averaged from the given poses
        resumed : (iterations done, table then, table at the start of that round), to continue a broken run
        save : callable (iterations done, table, table at the round's start, IterationRecord), after each iteration
        report : callable (text, done, total) during an iteration

        Returns
        -------
        ParticleTable
        """
        original, passed = table, 0
        done, table, round_table = resumed or (0, table, None)
        renewed = reference is None or done > 0
        for number, settings in enumerate(self.rounds, 1):
            high, low = round_radii(settings, self.box_px, self.pixel_size)
            coarse = self.engine == "fast" and needs_coarse(settings, self.pixel_size, self.box_px)
            data = None
            for iteration in range(1, settings.iterations + 1):
                passed += 1
                if passed <= done:
                    continue
                if iteration == 1:
                    round_table = table
                if data is None:  # boxes are cut at the poses of the round's start, also when a broken run goes on
                    data = ParticleData(source, round_table, rows, self.box_px, high, low, coarse, xp=xp)
                if renewed:
                    reference = self._average(data, source, table, rows, settings.symmetry, high, low, xp)
                renewed = True
                anchors = {1: original, 3: round_table, 4: original}.get(settings.shift_modus, table).positions
                started = time.monotonic()
                label = f"{group}: round {number}/{len(self.rounds)} iteration {iteration}/{settings.iterations}"
                aligned = align_iteration(
                    data,
                    table,
                    anchors,
                    reference,
                    mask,
                    settings,
                    self.pixel_size,
                    self.engine,
                    self.threads,
                    xp,
                    report and (lambda n, text=label, whole=len(data): report(text, n, whole)),
                )
                record = _record(table, aligned, rows, group, number, iteration, self.pixel_size, started)
                table = aligned
                if save:
                    save(passed, table, round_table, record)
        return table

    def _average(self, data, source, table, rows, symmetry, high, low, xp):
        shared = data if low == 0 else None  # a high-passed band lacks what an average needs
        return average_group(
            source, table, rows, self.box_px, high, symmetry, self.fmin, self.threads, xp, shared
        ).volume


def _record(before, after, rows, group, number, iteration, pixel_size, started):
    relative = np.einsum("nji,njk->nik", before.rotations[rows], after.rotations[rows])
    cosine = (np.trace(relative, axis1=1, axis2=2) - 1) / 2
    turn = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    shift = np.linalg.norm(after.positions[rows] - before.positions[rows], axis=1) * pixel_size
    return IterationRecord(
        group,
        number,
        iteration,
        len(rows),
        float(np.nanmean(after.cc[rows])) if len(rows) else 0.0,
        float(np.median(turn)) if len(rows) else 0.0,
        float(np.median(shift)) if len(rows) else 0.0,
        time.monotonic() - started,
    )
