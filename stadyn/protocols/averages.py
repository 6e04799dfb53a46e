# SPDX-License-Identifier: GPL-3.0-or-later
"""Averages that jobs wrote, as the outputs of a protocol: one, one per tomogram, or one of two halves."""

import os
import shutil

import numpy as np
from tomo.objects import SetOfAverageSubTomograms

from stadyn.convert.averages import append_averages, average_from_file, volume_from_file
from stadyn.core.errors import InputError
from stadyn.core.particles import UNASSIGNED

from .base import grouped_paths
from .forms import GROUP_KEYS, PER_HALF, PER_TOMOGRAM
from .viewing import write_inverted

HALVES = ("odd", "even")


def group_names(table, groups):
    """Names of a job's groups for a choice of the form, in the order the job has them."""
    if groups == PER_TOMOGRAM:
        return sorted(set(table.tomogram_ids.tolist()))
    return list(HALVES) if groups == PER_HALF else ["all"]


def check_halves(table):
    """InputError unless every particle is odd or even, and there are some of both."""
    if np.any(table.half == UNASSIGNED) or len(np.unique(table.half)) < 2:
        raise InputError("the particles are not split into odd and even: split them first")


def average_halves_together(protocol, particles, table, folder, **settings):
    """Average the particles of both halves at their poses, for an output that shows both; returns the path.

    Only to look at and to carry the half-maps: step 9 aligns them to each other first.
    """
    both = type(particles)(table, particles.tomograms, particles.boxes)
    common = protocol.jobSettings(both, os.path.join(folder, "together"), group_by=GROUP_KEYS[0], **settings)
    protocol.runStadynJob("average", common)
    path = protocol.resultPath(folder, "average_all.mrc")
    shutil.move(protocol.resultPath(folder, "together", "average_all.mrc"), path)
    return path


def define_averages(protocol, names, folder, pixel_size, sources):
    """Define the outputs `average`, or `averages` for one per tomogram, and the `viewingCopy` of a pooled average.

    Parameters
    ----------
    names : list of str, the groups that ``average_<name>.mrc`` in the result folder `folder` were written for
    sources : names of the pointer parameters they came from
    """
    paths = grouped_paths(protocol.resultPath(folder), names)
    lowpass = protocol.viewingLowpass.get()
    if protocol.groups == PER_TOMOGRAM:
        output = protocol.createSet(SetOfAverageSubTomograms)
        append_averages(output, paths, pixel_size)
        protocol.defineOutput("averages", output, *sources)
        for path in paths.values():
            write_inverted(path, _viewing_path(path), lowpass)
        return
    main = protocol.resultPath(folder, "average_all.mrc")
    halves = [paths[name] for name in HALVES] if protocol.groups == PER_HALF else None
    protocol.defineOutput("average", average_from_file(main, pixel_size, halves), *sources)
    write_inverted(main, _viewing_path(main), lowpass)
    protocol.defineOutput("viewingCopy", volume_from_file(_viewing_path(main), pixel_size), *sources)


def _viewing_path(path):
    return path.replace(".mrc", "_inverted.mrc")
