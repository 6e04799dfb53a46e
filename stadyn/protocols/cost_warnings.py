# SPDX-License-Identifier: GPL-3.0-or-later
"""Warnings before a run that is long, large or makes very many particles, as lists for `_warnings`."""

from stadyn.core.errors import InputError

from . import estimates
from .forms import EXHAUSTIVE
from .ranges import has_wrong_numbers

LONG_MINUTES = 30.0
LARGE_GIGABYTES = 10.0
MANY_PARTICLES = 50000
"""Three times those of the paper's whole data set."""


def duration(minutes):
    """A length of time as one says it."""
    if minutes < 1.5:
        return "1 minute"
    if minutes < 90:
        return f"{round(minutes)} minutes"
    return f"{minutes / 60:.0f} hours" if minutes < 60 * 48 else f"{minutes / 60 / 24:.0f} days"


def gigabytes(amount):
    """An amount of memory or disk as one says it."""
    if amount < 1:
        return f"{max(1, round(1000 * amount))} MB"
    return f"{amount:.1f} GB" if amount < 10 else f"{amount:.0f} GB"


def time_warnings(minutes, threads):
    """Where a run takes long."""
    if minutes < LONG_MINUTES:
        return []
    return [
        f"This will take about {duration(minutes)} on {threads} threads, within a factor of two. More threads, a GPU, "
        "fewer iterations or a coarser low-pass make it faster."
    ]


def memory_warnings(kept, free=None):
    """Where not all particles of an alignment, `kept` GB as Fourier data, can stay in memory."""
    free = estimates.free_memory_gigabytes() if free is None else free
    if kept <= free:
        return []
    return [
        f"The particles take {gigabytes(kept)} of memory, of which {gigabytes(free)}, half of what is free here, may "
        "be used: the others are cut from their tomograms anew in each iteration, which takes up to twice as long. A "
        "machine with more memory, a coarser low-pass, or chunks in a queue keep them all."
    ]


def disk_warnings(needed, what, remedy, free=None):
    """Where files fill the disk: `needed` GB of `what`, as in "the subtomograms"."""
    free = estimates.free_disk_gigabytes() if free is None else free
    if needed > free:
        return [
            f"{what.capitalize()} will take {gigabytes(needed)} of disk, but {gigabytes(free)} are free where the "
            f"project lies: the run would fail. {remedy}"
        ]
    if needed < LARGE_GIGABYTES:
        return []
    return [f"{what.capitalize()} will take {gigabytes(needed)} of disk, of {gigabytes(free)} that are free. {remedy}"]


def particle_warnings(count, remedy):
    """Where very many particles are made, which all that follows will have to align."""
    if count < MANY_PARTICLES:
        return []
    return [f"This will make about {count:,.0f} particles (the paper's whole data set has 17,000). {remedy}"]


def when_known(protocol, pointers, warnings):
    """What `warnings` returns, or nothing while the form is incomplete or wrong, which its checks say better."""
    if has_wrong_numbers(protocol) or any(protocol.given(name) is None for name in pointers):
        return []
    try:
        return warnings()
    except InputError:
        return []


def alignment_warnings(protocol, rounds, particles, box_angst, pixel_size, groups):
    """Time and memory on processors, and disk, of an alignment of `particles` in `groups` groups."""
    sizes, threads = (particles, box_angst, pixel_size), protocol.numberOfThreads.get()
    disk = estimates.alignment_gigabytes(rounds, *sizes, groups)
    said = disk_warnings(disk, "the averages of the groups", "Align fewer tomograms at a time, or take a smaller box.")
    if protocol.usesGpu():
        return said
    minutes = estimates.alignment_minutes(rounds, *sizes, threads, exhaustive=protocol.engine == EXHAUSTIVE)
    return [*time_warnings(minutes, threads), *memory_warnings(estimates.kept_gigabytes(rounds, *sizes)), *said]


def averaging_warnings(protocol, particles, box_angst, pixel_size, times=1):
    """Time of averaging on processors."""
    threads = protocol.numberOfThreads.get()
    minutes = estimates.averaging_minutes(particles, box_angst, pixel_size, threads, times)
    return [] if protocol.usesGpu() else time_warnings(minutes, threads)
