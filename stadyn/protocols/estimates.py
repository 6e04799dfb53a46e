# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run will cost, as far as its form tells: minutes, memory, disk and particles, before anything is started."""

import shutil
from math import pi, sqrt

from stadyn.core.arrays import free_memory
from stadyn.core.particle_data import KEPT_FRACTION, coarse_lines
from stadyn.core.passes import needs_coarse
from stadyn.core.search import AlignmentRound

PREPARE_MS = 1.2
"""Per particle and iteration on one core: to crop and transform a box of 64 px. Grows with the volume of the box."""
SEARCH_MS, SEARCH_POWER = 0.08, 1.4
"""Per particle and iteration on one core: ``SEARCH_MS * k**SEARCH_POWER`` for a low-pass of k Fourier pixels, measured
for k of 10 to 23 on boxes of 48 and 64 px. Good to a factor of two."""
EXHAUSTIVE_FACTOR = 100.0
"""How much slower every angle with a full correlation map is (186 ms against 1.3 to 2.0 ms on the same particles)."""
SAMPLED = 2 / 3
"""Of the Fourier coefficients: what tilts of +-60 degrees leave."""
COEFFICIENT_BYTES, VOXEL_BYTES = 8, 4
ROW_BYTES = 178
"""Of a particle in a table that a job saves."""
MAPS_OF_A_GROUP = 3
"""That an alignment leaves: the average, its viewing copy, the last reference."""
HEXAGONAL = sqrt(3) / 2
"""Area of a unit cell of the hexagonal lattice, in squares of its spacing."""
PIXELS_AT_64 = 64.0


def _box_px(box_angst, pixel_size):
    return 2 * round(box_angst / pixel_size / 2)


def averaging_minutes(particles, box_angst, pixel_size, threads, times=1):
    """Minutes in which particles are averaged or scored `times` times; parameters as of `alignment_minutes`."""
    milliseconds = PREPARE_MS * (box_angst / pixel_size / PIXELS_AT_64) ** 3
    return times * particles * milliseconds / max(threads, 1) / 60000.0


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
        milliseconds += r.iterations * (PREPARE_MS * (box_px / PIXELS_AT_64) ** 3 + search)
    return particles * milliseconds / max(threads, 1) / 60000.0


def kept_gigabytes(rounds, particles, box_angst, pixel_size):
    """Memory in which an alignment would keep all particles of its largest round as Fourier coefficients.

    Half a sphere of those below the low-pass, as far as the tilts sampled them; and the coarse grid of a wide search.
    """
    largest = 0.0
    for settings in rounds:
        r = AlignmentRound(**settings)
        radius = box_angst / max(r.lowpass_angst, 2 * pixel_size * r.binning)
        count = SAMPLED * 2 / 3 * pi * radius**3
        if needs_coarse(r, pixel_size, _box_px(box_angst, pixel_size)):
            count += len(coarse_lines())
        largest = max(largest, count)
    return particles * largest * COEFFICIENT_BYTES / 1e9


def alignment_gigabytes(rounds, particles, box_angst, pixel_size, groups):
    """Disk that an alignment of `groups` groups leaves: maps, and tables after each round of each group."""
    maps = groups * MAPS_OF_A_GROUP * _box_px(box_angst, pixel_size) ** 3 * VOXEL_BYTES
    return (maps + particles * ROW_BYTES * (2 + groups * (1 + len(rounds)))) / 1e9


def subtomogram_gigabytes(particles, box_angst, pixel_size):
    """Disk that subtomograms of 4 bytes a voxel take."""
    return particles * _box_px(box_angst, pixel_size) ** 3 * VOXEL_BYTES / 1e9


def points_on_spheres(radii_angst, spacing_angst):
    """How many points as far apart as `spacing_angst` cover spheres."""
    return sum(max(1, round(4 * pi * (radius / spacing_angst) ** 2)) for radius in radii_angst)


def cells_in_box(box_angst, spacing_angst):
    """How many unit cells of a hexagonal lattice lie in the disc that a box holds."""
    return max(1, round(pi * (box_angst / 2) ** 2 / (HEXAGONAL * spacing_angst**2)))


def sites_on_spheres(radii_angst, exclusion_angst):
    """How many candidates stay on spheres at least: those of a hexagonal lattice with twice the exclusion radius."""
    return sum(4 * pi * radius**2 / (HEXAGONAL * (2 * exclusion_angst) ** 2) for radius in radii_angst)


def free_disk_gigabytes(folder="."):
    """What is free where `folder` lies; the host works inside its project."""
    return shutil.disk_usage(folder).free / 1e9


def free_memory_gigabytes():
    """What an alignment may keep particles in."""
    return KEPT_FRACTION * free_memory() / 1e9
