# SPDX-License-Identifier: GPL-3.0-or-later
"""Who does the work of an iteration: here, the threads of this process on one device."""

import numpy as np

from .particle_data import ParticleData
from .passes import GLOBAL, align_iteration, strand_sums, sum_particles


class LocalCrew:
    """The particles of one group in this process, for one round after another.

    Other crews (processes, one a device) offer the same four methods.

    Parameters
    ----------
    source : where boxes come from (`TomogramSource` and the like)
    xp : NumPy, or CuPy with its device made current
    """

    def __init__(self, source, box_px, pixel_size, engine="fast", score=GLOBAL, threads=1, xp=np):
        self.source, self.box_px, self.pixel_size = source, box_px, pixel_size
        self.engine, self.score, self.threads, self.xp = engine, score, threads, xp
        self.data = self._whole_band = None

    def begin(self, table, rows, high, low, coarse):
        """Prepare the particles of a round, cut at the poses of `table`, in a band of Fourier pixels."""
        self.data = ParticleData(self.source, table, rows, self.box_px, high, low, coarse, xp=self.xp)
        self._whole_band = self.data
        if low > 0:  # a high-passed band lacks what an average needs
            self._whole_band = ParticleData(
                self.source, table, rows, self.box_px, high, 0.0, False, keep_bytes=0, xp=self.xp
            )

    def steps(self):
        """How many steps `align` reports."""
        return len(self.data)

    def sums(self, table, first):
        """The `AverageSum` of the particles with `first` (n,) bool, and that of the others."""
        return tuple(sum_particles(self._whole_band, table, self.threads, chosen=chosen) for chosen in (first, ~first))

    def parts(self, table, first, strands):
        """[(`AverageSum`, `AverageSum`)] like `sums`, but of each of `strands` shares of the batches, unmerged."""
        sums = [
            strand_sums(self._whole_band, table, self.threads, chosen=chosen, strands=strands)
            for chosen in (first, ~first)
        ]
        return list(zip(*sums, strict=True))

    def align(self, table, anchors, reference, mask, settings, report=None):
        """The table with the group's particles one iteration further; see `passes.align_iteration`."""
        return align_iteration(
            self.data, table, anchors, reference, mask, settings, self.pixel_size, self.engine, self.threads, report,
            self.score,
        )  # fmt: skip
