# SPDX-License-Identifier: GPL-3.0-or-later
"""The job that scores particles against a reference at their poses, without moving them."""

from stadyn.core.errors import InputError
from stadyn.core.fourier import lowpass_radius
from stadyn.core.passes import score_group
from stadyn.io.results import write_result
from stadyn.io.settings import check_keys, read_settings

from .common import COMMON_ALLOWED, COMMON_REQUIRED, Work, alone_in_its_folder


def add_arguments(parser):
    """The command line of the job."""
    parser.add_argument("settings", help="settings file (JSON)")


def run(args):
    """Run the job from a settings file."""
    run_settings(read_settings(args.settings))


@alone_in_its_folder
def run_settings(settings):
    """Score as the settings say; writes particles.npz with the new cc, and returns that table."""
    check_keys(settings, (*COMMON_ALLOWED, "lowpass_angst"), (*COMMON_REQUIRED, "reference"), "the settings of score")
    if not settings["reference"]:
        raise InputError("no reference is given: a score needs one, name its map")
    work = Work(settings)
    high = lowpass_radius(work.box_px, work.pixel_size, float(settings.get("lowpass_angst", 30.0)))
    cc, mask = work.table.cc.copy(), work.mask()
    for group, rows in work.groups():
        cc[rows] = score_group(
            work.source,
            work.table,
            rows,
            work.box_px,
            work.reference(group),
            mask,
            high,
            0.0,
            work.threads,
            work.xp,
            report=lambda done, name=group: None,
        )
    scored = work.table.replace(cc=cc)
    write_result(work.output / "particles.npz", scored)
    return scored
