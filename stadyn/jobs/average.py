# SPDX-License-Identifier: GPL-3.0-or-later
"""The job that averages particles at their poses, one average per group."""

import numpy as np

from stadyn.core.passes import average_group
from stadyn.core.rotations import randomize_azimuth
from stadyn.core.symmetry import symmetry_order
from stadyn.io.results import write_result
from stadyn.io.settings import check_keys, read_settings

from .common import COMMON_ALLOWED, COMMON_REQUIRED, Work


def add_arguments(parser):
    """The command line of the job."""
    parser.add_argument("settings", help="settings file (JSON)")


def run(args):
    """Run the job from a settings file."""
    run_settings(read_settings(args.settings))


def run_settings(settings):
    """Average as the settings say; writes average_<group>.mrc and particles.npz (the poses used).

    Returns
    -------
    dict, group -> Average
    """
    check_keys(settings, (*COMMON_ALLOWED, "symmetry"), COMMON_REQUIRED, "the settings of average")
    symmetry = settings.get("symmetry", "C1")
    symmetry_order(symmetry)
    work = Work(settings)
    table = work.table
    if settings.get("randomize_azimuth"):
        table = table.replace(rotations=randomize_azimuth(table.rotations, np.random.default_rng(work.seed)))
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
            report=lambda done, name=group, whole=len(rows): work.progress(f"{name}: averaging", done, whole),
        )
        work.write_average(group, averages[group])
    write_result(work.output / "particles.npz", table)
    return averages
