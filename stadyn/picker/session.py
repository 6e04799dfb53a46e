# SPDX-License-Identifier: GPL-3.0-or-later
"""What is picked: dipoles of several tomograms, every change undone or saved at once; knows no window."""

import os
from dataclasses import replace

import numpy as np

from stadyn.core.tomograms import Dipole
from stadyn.io.dipoles import read_dipoles, write_dipoles

LEAST_RADIUS = 2.0
"""Pixels; a second click nearer than this to the first is a slip of the hand."""


class PickSession:
    """Dipoles in the making, kept in a CSV that is written after every change and read again on reopening.

    Parameters
    ----------
    tomograms : list of Tomogram
    path : of the CSV
    """

    def __init__(self, tomograms, path):
        self.tomograms, self.path = list(tomograms), str(path)
        self.current = 0
        self.dipoles = self._saved()
        self.pending = None  # (3,) the centre that waits for its surface point
        self.selected = None  # surface id in the current tomogram
        self._before = []

    @property
    def tomogram(self):
        """The Tomogram that is shown."""
        return self.tomograms[self.current]

    def own(self):
        """Dipoles of the tomogram that is shown."""
        return [d for d in self.dipoles if d.tomogram_id == self.tomogram.id]

    def click(self, point):
        """A click at `point` (3,), pixels: the centre of a new VLP, or the surface point of the one begun."""
        point = tuple(float(v) for v in point)
        if self.pending is None:
            self._remember()
            self.pending = point
            return
        if np.linalg.norm(np.subtract(point, self.pending)) < LEAST_RADIUS:
            return
        self._remember()
        number = max((d.surface_id for d in self.own()), default=0) + 1
        self.dipoles.append(Dipole(self.tomogram.id, number, self.pending, point))
        self.pending, self.selected = None, number
        self.save()

    def nearest(self, point):
        """The dipole of this tomogram whose centre is nearest to `point` and holds it within its sphere, or None."""
        inside = [(np.linalg.norm(np.subtract(point, d.center)), d) for d in self.own()]
        inside = [(distance, d) for distance, d in inside if distance <= d.radius]
        return min(inside, key=lambda pair: pair[0])[1] if inside else None

    def select(self, surface_id):
        """Make one dipole, or None, the one that edits are about."""
        self.selected = surface_id

    def move(self, center=None, north=None):
        """Give the selected dipole another centre (its radius stays) or another surface point."""
        if self.selected is None:
            return
        self._remember()
        for i, dipole in enumerate(self.dipoles):
            if (dipole.tomogram_id, dipole.surface_id) == (self.tomogram.id, self.selected):
                if center is not None:
                    shift = np.subtract(center, dipole.center)
                    dipole = replace(dipole, center=_point(center), north=_point(np.add(dipole.north, shift)))
                if north is not None and np.linalg.norm(np.subtract(north, dipole.center)) >= LEAST_RADIUS:
                    dipole = replace(dipole, north=_point(north))
                self.dipoles[i] = dipole
        self.save()

    def delete(self):
        """Take out the selected dipole, or the centre that waits."""
        if self.pending is None and self.selected is None:
            return
        self._remember()
        if self.pending is not None:
            self.pending = None
            return
        gone = (self.tomogram.id, self.selected)
        self.dipoles = [d for d in self.dipoles if (d.tomogram_id, d.surface_id) != gone]
        self.selected = None
        self.save()

    def undo(self):
        """Take back the last change, whichever tomogram it was in."""
        if self._before:
            self.current, self.dipoles, self.pending, self.selected = self._before.pop()
            self.save()

    def go(self, step):
        """Show the tomogram `step` further; a centre without surface point is dropped."""
        self.current = (self.current + step) % len(self.tomograms)
        self.pending, self.selected = None, None

    def save(self):
        """Write the CSV."""
        write_dipoles(self.path, self.dipoles)

    def _remember(self):
        self._before.append((self.current, list(self.dipoles), self.pending, self.selected))

    def _saved(self):
        """Dipoles of an earlier session, of tomograms that are still here."""
        if not os.path.exists(self.path):
            return []
        with open(self.path, encoding="utf-8") as file:
            if sum(1 for line in file if line.strip()) < 2:
                return []  # all were deleted
        known = {tomogram.id for tomogram in self.tomograms}
        return [d for d in read_dipoles(self.path) if d.tomogram_id in known]


def _point(values):
    return tuple(float(v) for v in values)
