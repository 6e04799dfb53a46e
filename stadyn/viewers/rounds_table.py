# SPDX-License-Identifier: GPL-3.0-or-later
"""The rounds of an alignment as a table that can be edited, and what its numbers mean for the work to be done."""

from stadyn.core.search import AlignmentRound, rotation_grid, shift_grid
from stadyn.protocols.cost_warnings import duration
from stadyn.protocols.estimates import alignment_minutes
from stadyn.protocols.rounds import ROUND_FIELDS, parse_rounds


class RoundsTable:
    """Cells of text, one row a parameter and one column a round.

    Parameters
    ----------
    values : dict, parameter of `ROUND_FIELDS` -> list as the form has it, such as "3 3"
    pixel_size : float, Å
    box_angst : float
    particles : int
    threads : int
    """

    def __init__(self, values, pixel_size, box_angst, particles, threads=1):
        self.pixel_size, self.box_angst = pixel_size, box_angst
        self.particles, self.threads = particles, threads
        self.labels = {name: field[2] for name, field in ROUND_FIELDS.items()}
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

    def rounds(self):
        """The `AlignmentRound`s; InputError for what makes no sense."""
        return [AlignmentRound(**settings) for settings in parse_rounds(self.values())]

    def derived(self):
        """Lines of text about each round; InputError for what makes no sense."""
        lines = [self._line(number, r) for number, r in enumerate(self.rounds(), 1)]
        settings = parse_rounds(self.values())
        minutes = alignment_minutes(settings, self.particles, self.box_angst, self.pixel_size, self.threads)
        of = f"{self.particles} particles, {self.threads} threads, within a factor of two, not exhaustive"
        return "\n".join([*lines, f"all rounds: about {duration(minutes)} ({of})"])

    def _line(self, number, r):
        pixel = self.pixel_size * r.binning
        angles, shifts = scanned(r, pixel)
        band = self.box_angst / r.lowpass_angst if r.lowpass_angst else self.box_angst / (2 * pixel)
        return (
            f"round {number}: {angles} orientations x {shifts} shifts at first; box {self.box_angst / pixel:.0f} px of "
            f"{pixel:.2f} Å, low-pass {band:.0f} Fourier px; {r.iterations * self.particles} particle alignments"
        )


def scanned(r, pixel_size):
    """(orientations, shifts) of the first level of an `AlignmentRound`, shifts in steps of a pixel."""
    angles = rotation_grid(
        r.cone_range_deg, r.cone_sampling_deg, r.inplane_extent_deg(), r.inplane_sampling_deg, r.closed_deg()
    )
    limits = [limit / pixel_size for limit in r.shift_limit_angst]
    return len(angles), len(shift_grid(limits, 1.0))
