# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run will cost, as far as its form tells: minutes and disk, so that nobody starts a week by mistake."""

from stadyn.core.search import AlignmentRound

LONG_MINUTES = 30.0
LARGE_GIGABYTES = 10.0
PREPARE_MS = 1.2
"""Per particle and iteration on one core: to crop and transform a box of 64 px. Grows with the volume of the box."""
SEARCH_MS, SEARCH_POWER = 0.08, 1.4
"""Per particle and iteration on one core: ``SEARCH_MS * k**SEARCH_POWER`` for a low-pass of k Fourier pixels, measured
for k of 10 to 23 on boxes of 48 and 64 px. Good to a factor of two."""
EXHAUSTIVE_FACTOR = 100.0
"""How much slower every angle with a full correlation map is (186 ms against 1.3 to 2.0 ms on the same particles)."""


def alignment_minutes(rounds, particles, box_angst, pixel_size, threads, exhaustive=False):
    """Minutes that an alignment takes on the processor.

    Parameters
    ----------
    rounds : list of dict, settings of an AlignmentRound each
    particles : int
    box_angst, pixel_size : float, Å
    threads : int
    exhaustive : bool, the engine that scans every angle
    """
    milliseconds = 0.0
    for settings in rounds:
        r = AlignmentRound(**settings)
        box_px = box_angst / (pixel_size * r.binning)
        band = box_angst / max(r.lowpass_angst, 2 * pixel_size * r.binning)
        search = SEARCH_MS * band**SEARCH_POWER * (EXHAUSTIVE_FACTOR if exhaustive else 1.0)
        milliseconds += r.iterations * (PREPARE_MS * (box_px / 64) ** 3 + search)
    return particles * milliseconds / max(threads, 1) / 60000.0


def subtomogram_gigabytes(particles, box_angst, pixel_size):
    """Disk that subtomograms of 4 bytes a voxel take."""
    return particles * (box_angst / pixel_size) ** 3 * 4 / 1e9


def duration(minutes):
    """A length of time as one says it."""
    if minutes < 90:
        return f"{max(1, round(minutes))} minutes"
    return f"{minutes / 60:.0f} hours" if minutes < 60 * 48 else f"{minutes / 60 / 24:.0f} days"


def time_warnings(minutes, threads):
    """A warning where an alignment takes long, as a list for `_warnings`."""
    if minutes < LONG_MINUTES:
        return []
    return [
        f"This will take about {duration(minutes)} on {threads} threads, within a factor of two. More threads, a GPU, "
        "fewer iterations or a coarser low-pass make it faster."
    ]


def disk_warnings(gigabytes):
    """A warning where subtomograms fill the disk, as a list for `_warnings`."""
    if gigabytes < LARGE_GIGABYTES:
        return []
    return [
        f"The subtomograms will take {gigabytes:.0f} GB of disk. Alignments do not need them: they cut their particles "
        "from the tomograms."
    ]
