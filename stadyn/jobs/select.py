# SPDX-License-Identifier: GPL-3.0-or-later
"""The job that tells particles from empty places by their cross-correlation, rebuilding the reference as it learns."""

import numpy as np

from stadyn.core.averaging import finish
from stadyn.core.errors import InputError
from stadyn.core.exclusion import exclude_within
from stadyn.core.fourier import lowpass_radius
from stadyn.core.particle_data import BATCH, ParticleData
from stadyn.core.passes import average_group, score_group, sum_particles
from stadyn.core.selection import fit_cc_threshold, select_by_cc, with_threshold
from stadyn.core.symmetry import symmetry_order
from stadyn.io.results import write_result
from stadyn.io.settings import check_keys, read_settings

from .common import COMMON_ALLOWED, COMMON_REQUIRED, Work, alone_in_its_folder

ALLOWED = ("reference", "symmetry", "lowpass_angst", "margin", "rebuilds", "exclusion_radius_angst", "thresholds")


def add_arguments(parser):
    """The command line of the job."""
    parser.add_argument("settings", help="settings file (JSON)")


def run(args):
    """Run the job from a settings file."""
    run_settings(read_settings(args.settings))


@alone_in_its_folder
def run_settings(settings):
    """Select as the settings say, each tomogram by itself (paper, step 6A).

    "thresholds" {tomogram id or "*": CC} takes the place of the fitted thresholds at the last cut.

    Writes particles.npz (who stays, with the new cc), excluded.npz (who does not, for
    a low cc or for being near a better one), and per tomogram threshold_<id>.npz and
    average_<id>.mrc of those who stay.

    Returns
    -------
    kept, excluded : ParticleTables
    """
    check_keys(settings, (*COMMON_ALLOWED, *ALLOWED), COMMON_REQUIRED, "the settings of select")
    symmetry_order(settings.get("symmetry", "C1"))
    rebuilds = int(settings.get("rebuilds", 2))
    if rebuilds < 0:
        raise InputError(f"{rebuilds} rebuilds of the reference: give 0 or more")
    work = Work(settings)
    typed = _typed_thresholds(settings, work.table)
    mask = work.mask()
    kept = np.zeros(len(work.table), bool)
    table = work.table
    for tomogram_id in np.unique(table.tomogram_ids):
        selection = TomogramSelection(work, str(tomogram_id), mask)
        table, threshold = selection.run(table, rebuilds)
        if str(tomogram_id) in typed:
            threshold = with_threshold(threshold, typed[str(tomogram_id)])
        stay = selection.best(table, threshold.threshold)
        kept[stay] = True
        write_result(work.output / f"threshold_{tomogram_id}.npz", threshold)
        if len(stay):
            work.write_average(tomogram_id, selection.average(table, stay, work.box_px // 2 - 1))
        print(f"{tomogram_id}: {threshold.message}; {len(stay)} of {len(selection.rows)} particles stay", flush=True)
    write_result(work.output / "particles.npz", table.select(kept))
    write_result(work.output / "excluded.npz", table.select(~kept))
    return table.select(kept), table.select(~kept)


def _typed_thresholds(settings, table):
    """{tomogram id: CC} of the settings' "thresholds"."""
    given, names = dict(settings.get("thresholds") or {}), [str(name) for name in np.unique(table.tomogram_ids)]
    unknown = sorted(set(given) - {*names, "*"})
    if unknown:
        raise InputError(f"a threshold is given for {unknown[0]}, but the tomograms are {', '.join(names)}")
    try:
        return {name: float(given.get(name, given.get("*"))) for name in names if name in given or "*" in given}
    except (TypeError, ValueError) as error:
        raise InputError(f'"thresholds" in the settings of select are {given}: give a number for each') from error


class TomogramSelection:
    """The particles of one tomogram, scored against a reference made of the best of them."""

    def __init__(self, work, tomogram_id, mask):
        settings = work.settings
        self.work, self.tomogram_id, self.mask = work, tomogram_id, mask
        self.rows = np.flatnonzero(work.table.tomogram_ids == tomogram_id)
        self.symmetry = settings.get("symmetry", "C1")
        self.high = lowpass_radius(work.box_px, work.pixel_size, float(settings.get("lowpass_angst", 30.0)))
        self.margin = float(settings.get("margin", 0.01))
        self.radius_px = float(settings.get("exclusion_radius_angst", 0.0)) / work.pixel_size
        # Poses do not change here, so that every pass can use the same prepared particles.
        self.data = ParticleData(work.source, work.table, self.rows, work.box_px, self.high, 0.0, False, xp=work.xp)

    def run(self, table, rebuilds):
        """The table with new cc in this tomogram's rows, and the CCThreshold of the last round.

        False picks spoil the reference: sites where the lattice would go on but does
        not. Each rebuild averages the upper mode alone, and scores everything again.
        While the scores do not part into two modes, the better half takes its place.
        """
        reference = self.work.reference(self.tomogram_id)
        if reference is None:
            reference = self._reference(table, self.rows)
        table, threshold = self._scored(table, reference)
        before = None
        for _ in range(rebuilds):
            cut = threshold.threshold if threshold.two_populations else np.median(table.cc[self.rows])
            best = self.best(table, cut)
            if np.array_equal(best, before):
                break  # the same particles would make the same reference
            table, threshold = self._scored(table, self._reference(table, best))
            before = best
        return table, threshold

    def best(self, table, cut):
        """Rows of this tomogram that reach the cut, the best of each group of duplicates only."""
        rows = self.rows[select_by_cc(table.select(self.rows), {self.tomogram_id: cut})]
        return rows[exclude_within(table.select(rows), self.radius_px)]

    def average(self, table, rows, high):
        """The Average of some rows at their poses, up to `high` Fourier pixels."""
        work = self.work
        return average_group(
            work.source, table, rows, work.box_px, high, self.symmetry, work.fmin, work.threads, work.xp,
            report=self._report("averaging", len(rows)),
        )  # fmt: skip

    def _reference(self, table, rows):
        """The averaged volume of some rows up to the low-pass, from the prepared particles."""
        chosen = np.zeros(len(table), bool)
        chosen[rows] = True
        total = sum_particles(self.data, table, self.work.threads, self._report("averaging", len(self.rows)), chosen)
        return finish(total, self.symmetry, self.work.fmin).volume

    def _scored(self, table, reference):
        work, cc = self.work, table.cc.copy()
        cc[self.rows] = score_group(
            work.source, table, self.rows, work.box_px, reference, self.mask, self.high, 0.0, work.threads, work.xp,
            report=self._report("scoring", len(self.rows), BATCH), data=self.data,
        )  # fmt: skip
        table = table.replace(cc=cc)
        return table, fit_cc_threshold(cc[self.rows], self.margin, work.seed)

    def _report(self, verb, whole, step=1):
        return lambda done: self.work.progress(f"{self.tomogram_id}: {verb}", min(done * step, whole), whole)
