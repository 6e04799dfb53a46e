# SPDX-License-Identifier: GPL-3.0-or-later
"""The job that averages particles at their poses, one average per group."""

from functools import partial

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.passes import average_group
from stadyn.core.rotations import randomize_azimuth
from stadyn.core.symmetry import symmetry_order
from stadyn.io.results import write_result
from stadyn.io.settings import check_keys, read_settings

from .common import COMMON_ALLOWED, COMMON_REQUIRED, Work, alone_in_its_folder, peak_memory


def add_arguments(parser):
    """The command line of the job."""
    parser.add_argument("settings", help="settings file (JSON)")


def run(args):
    """Run the job from a settings file."""
    run_settings(read_settings(args.settings))


@alone_in_its_folder
def run_settings(settings):
    """Average as the settings say; writes average_<group>.mrc and particles.npz (the poses used).

    Returns
    -------
    dict, group -> Average
    """
    check_keys(settings, (*COMMON_ALLOWED, "symmetry", "weight_by_cc"), COMMON_REQUIRED, "the settings of average")
    symmetry = settings.get("symmetry", "C1")
    symmetry_order(symmetry)
    work = Work(settings)
    table = work.table
    if settings.get("randomize_azimuth"):
        table = table.replace(rotations=randomize_azimuth(table.rotations, np.random.default_rng(work.seed)))
    amounts = _amounts(table) if settings.get("weight_by_cc") else None
    averages = {}
    for group, rows in work.groups():
        averages[group] = average_group(
            work.source,
            table,
            rows,
            work.box_px,
            work.box_px // 2 - 1,
            symmetry,
            work.fmin,
            work.threads,
            work.xp,
            amounts=amounts,
            report=partial(_tell, work, group, len(rows)),
        )
        work.write_average(group, averages[group])
    print(peak_memory(work.xp), flush=True)
    write_result(work.output / "particles.npz", table)
    return averages


def _tell(work, group, whole, done):
    work.progress(f"{group}: averaging", done, whole)


def _amounts(table):
    """(n,) the cc of each particle, 1 on average; nothing for a negative one."""
    if np.isnan(table.cc).any():
        missing = int(np.isnan(table.cc).sum())
        raise InputError(f"{missing} particles have no cc to weight them by: align or score them first")
    positive = np.maximum(table.cc, 0)
    if not positive.any():
        raise InputError("no particle has a positive cc: weighting by it would leave nothing; align them first")
    return positive / positive.mean()
