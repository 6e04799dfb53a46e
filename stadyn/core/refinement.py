# SPDX-License-Identifier: GPL-3.0-or-later
"""Alignment as a whole: rounds x iterations over one group of particles and its own reference."""

import time
from dataclasses import dataclass
from functools import partial

import numpy as np

from .averaging import SymmetrizedSum
from .crew import LocalCrew
from .fsc import fsc
from .passes import GLOBAL, needs_coarse, round_radii
from .reference_filter import figure_of_merit, filtered, resolved_radius


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
    resolution_angst: float = float("nan")  # FSC 0.143 between the averages of two halves of the group, at its start


@dataclass(frozen=True, eq=False)
class IterationReference:
    """What the particles of a group are compared with in one iteration, small enough to be kept of every iteration."""

    group: str
    round: int
    iteration: int
    planes: np.ndarray  # (3, n, n) float32, the xy [y, x], xz [z, x] and yz [z, y] slices through the centre of the box
    curve: np.ndarray  # (n // 2 + 1,) FSC of the averages of every other particle up to the low-pass; nan beyond
    pixel_size: float  # Å
    resolution_angst: float  # of that curve at 0.143, at most the low-pass; nan, as the curve, of a map that was given

    @classmethod
    def of(cls, volume, group, number, iteration, curve, high, pixel_size, resolution_angst):
        """That of a whole reference (n, n, n); `curve`, which is None for a map that was given, ends at shell `high`.

        Beyond, the averages hold nothing, and what correlates there is the mask.
        """
        n = volume.shape[0]
        planes = np.stack([volume[n // 2], volume[:, n // 2], volume[:, :, n // 2]]).astype(np.float32)
        known = (curve is not None) & (np.arange(n // 2 + 1) <= high)
        curve = np.where(known, np.nan if curve is None else curve, np.nan)
        return cls(group, number, iteration, planes, curve, float(pixel_size), float(resolution_angst))


@dataclass(frozen=True)
class Refinement:
    """Everything one group's alignment needs besides its particles."""

    rounds: tuple  # of AlignmentRound
    box_px: int
    pixel_size: float
    fmin: float = 0.01
    engine: str = "fast"
    threads: int = 1
    score: str = GLOBAL
    filter_by_fsc: bool = False  # weight the reference by its own FSC instead of trusting the low-pass alone

    def run(
        self, source, table, rows, reference=None, mask=None, group="all", resumed=None, save=None, report=None,
        xp=np, crew=None, watch=None,
    ):  # fmt: skip
        """Align `rows` of a table through all rounds; each iteration starts from the average of the last one's poses.

        Parameters
        ----------
        reference : (box, box, box) starting reference, or None: averaged from the given poses
        resumed : (iterations done, table then, table at the start of that round), to continue a broken run
        save : callable (iterations done, table, table at the round's start, IterationRecord), after each iteration
        report : callable (text, done, total) during an iteration
        crew : who works; the threads of this process by default
        watch : callable (reference, IterationReference), before each iteration: what the particles are about to be
            compared with

        Returns
        -------
        ParticleTable
        """
        crew = crew or LocalCrew(source, self.box_px, self.pixel_size, self.engine, self.score, self.threads, xp)
        original, passed = table, 0
        done, table, round_table = resumed or (0, table, None)
        renewed = reference is None or done > 0
        for number, settings in enumerate(self.rounds, 1):
            high, low = round_radii(settings, self.box_px, self.pixel_size)
            coarse = self.engine == "fast" and needs_coarse(settings, self.pixel_size, self.box_px)
            begun = False
            for iteration in range(1, settings.iterations + 1):
                passed += 1
                if passed <= done:
                    continue
                if iteration == 1:
                    round_table = table
                if not begun:  # boxes are cut at the poses of the round's start, also when a broken run goes on
                    crew.begin(round_table, rows, high, low, coarse)
                    begun = True
                started, resolution, curve = time.monotonic(), float("nan"), None
                if renewed:
                    reference, curve = self._reference(crew, table, rows, settings.symmetry, mask)
                    resolution = self.box_px * self.pixel_size / resolved_radius(curve, high)
                renewed = True
                if watch:
                    watch(reference, IterationReference.of(
                        reference, group, number, iteration, curve, high, self.pixel_size, resolution
                    ))  # fmt: skip
                anchors = {1: original, 3: round_table, 4: original}.get(settings.shift_modus, table).positions
                label = f"{group}: round {number}/{len(self.rounds)} iteration {iteration}/{settings.iterations}"
                tell = report and partial(_tell, report, label, crew.steps())
                aligned = crew.align(table, anchors, reference, mask, settings, tell)
                record = _record(table, aligned, rows, group, number, iteration, self.pixel_size, started, resolution)
                table = aligned
                if save:
                    save(passed, table, round_table, record)
        return table

    def _reference(self, crew, table, rows, symmetry, mask):
        """The average at the present poses, and the FSC of the averages of every other particle.

        Only particles of this group take part, so the halves of a gold standard stay apart.
        """
        first = np.zeros(len(table), bool)
        first[rows[::2]] = True
        sums = [SymmetrizedSum.of(part, symmetry) for part in crew.sums(table, first)]
        halves = [part.average(self.fmin).volume for part in sums]
        volume = (sums[0] + sums[1]).average(self.fmin).volume
        soft = 1.0 if mask is None else mask
        curve = fsc(halves[0] * soft, halves[1] * soft)
        if self.filter_by_fsc:
            volume = filtered(volume, figure_of_merit(curve))
        return volume, curve


def _tell(report, label, whole, done):
    report(label, done, whole)


def _record(before, after, rows, group, number, iteration, pixel_size, started, resolution):
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
        resolution,
    )
