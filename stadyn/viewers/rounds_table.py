# SPDX-License-Identifier: GPL-3.0-or-later
"""The rounds of an alignment as a table that can be edited, and what its numbers mean for the work to be done."""

from stadyn.core.alignment import COARSE_RADIUS
from stadyn.core.passes import COARSE_STEP_DEG, needs_coarse, shift_limits
from stadyn.core.search import AlignmentRound, rotation_grid, shift_grid
from stadyn.protocols.cost_warnings import duration, gigabytes
from stadyn.protocols.estimates import alignment_gigabytes, alignment_minutes, kept_gigabytes
from stadyn.protocols.rounds import EXHAUSTIVE_ONLY, ROUND_FIELDS, parse_rounds


class RoundsTable:
    """Cells of text, one row a parameter and one column a round.

    Parameters
    ----------
    values : dict, parameter of `ROUND_FIELDS` -> list as the form has it, such as "3 3"
    pixel_size : float, Å
    box_angst : float
    particles : int
    threads : int
    exhaustive : bool, the engine; what the fast one does not use has no row, and keeps the values that came in
    groups : int, how many align apart
    """

    def __init__(self, values, pixel_size, box_angst, particles, threads=1, exhaustive=False, groups=1):
        self.pixel_size, self.box_angst = pixel_size, box_angst
        self.particles, self.threads = particles, threads
        self.exhaustive, self.groups = exhaustive, groups
        shown = [name for name in ROUND_FIELDS if exhaustive or name not in EXHAUSTIVE_ONLY]
        self.labels = {name: ROUND_FIELDS[name][2] for name in shown}
        lists = {name: str(values[name]).split() for name in ROUND_FIELDS}
        self.count = max(len(items) for items in lists.values())
        self.cells = {name: (items * self.count)[: self.count] for name, items in lists.items()}

    def resize(self, count):
        """Make it `count` rounds, at least one; a new one is like the last."""
        self.count = max(1, count)
        for items in self.cells.values():
            items += [items[-1]] * (self.count - len(items))
            del items[self.count :]

    def values(self):
        """{parameter: list as the form wants it}; one value where all rounds share it."""
        return {
            name: items[0] if len(set(items)) == 1 and name != "iterations" else " ".join(items)
            for name, items in self.cells.items()
        }

    def settings(self):
        """Settings of the rounds, as a job takes them; InputError for what makes no sense."""
        return parse_rounds(self.values(), self.exhaustive)

    def rounds(self):
        """The `AlignmentRound`s; InputError for what makes no sense."""
        return [AlignmentRound(**settings) for settings in self.settings()]

    def derived(self):
        """Lines of text about each round, and what all together cost; InputError for what makes no sense."""
        lines = [self._line(number, r) for number, r in enumerate(self.rounds(), 1)]
        sizes = self.settings(), self.particles, self.box_angst, self.pixel_size
        time = duration(alignment_minutes(*sizes, self.threads, self.exhaustive))
        memory, disk = gigabytes(kept_gigabytes(*sizes)), gigabytes(alignment_gigabytes(*sizes, self.groups))
        of = f"{self.particles} particles, {self.threads} threads"
        total = f"all rounds: about {time} within a factor of two ({of}), {memory} of memory, {disk} of disk"
        return "\n".join([*lines, total])

    def _line(self, number, r):
        pixel = self.pixel_size * r.binning
        angles, shifts = self.scanned(r)
        how = f"{angles} orientations x {shifts} shifts" if angles * shifts > 1 else "poses refined only"
        band = self.box_angst / r.lowpass_angst if r.lowpass_angst else self.box_angst / (2 * pixel)
        alignments = r.iterations * self.particles
        evaluations = alignments * angles * shifts
        return (
            f"round {number}: {how}, {alignments:,} particle alignments, {evaluations:,} evaluations;\n"
            f"         box {self.box_angst / pixel:.0f} px of {pixel:.2f} Å, low-pass {band:.0f} Fourier px"
        )

    def scanned(self, r):
        """(orientations, shifts) that an engine tries first of all in an `AlignmentRound`; (1, 1) for none."""
        step_deg, inplane_deg, size_px, shift_px = r.cone_sampling_deg, r.inplane_sampling_deg, self.pixel_size, 1.0
        if self.exhaustive:
            size_px *= r.binning
        else:
            box_px = round(self.box_angst / self.pixel_size)
            if not needs_coarse(r, self.pixel_size, box_px):
                return 1, 1
            step_deg, inplane_deg, shift_px = COARSE_STEP_DEG, COARSE_STEP_DEG, box_px / (2 * COARSE_RADIUS)
        angles = rotation_grid(r.cone_range_deg, step_deg, r.inplane_extent_deg(), inplane_deg, r.closed_deg())
        limits = shift_limits(r, size_px, self.box_angst / size_px)
        return len(angles), len(shift_grid(limits, shift_px))
