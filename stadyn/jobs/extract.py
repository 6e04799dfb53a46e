# SPDX-License-Identifier: GPL-3.0-or-later
"""The job that writes subtomograms to files that other packages open, one folder per tomogram."""

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.resample import box_fits, crop, fourier_resize
from stadyn.io.mrc import open_volume, write_volume
from stadyn.io.results import write_result
from stadyn.io.settings import check_keys, read_settings, write_json

from .common import COMMON_ALLOWED, COMMON_REQUIRED, Work, alone_in_its_folder, warn


def add_arguments(parser):
    """The command line of the job."""
    parser.add_argument("settings", help="settings file (JSON)")


def run(args):
    """Run the job from a settings file."""
    run_settings(read_settings(args.settings))


@alone_in_its_folder
def run_settings(settings):
    """Write the subtomograms; returns the table of those written.

    Boxes are centred on the voxel nearest to each particle and never turned; the
    remainder stays in the table, whose poses are unchanged. Particles whose box
    leaves the tomogram are left out, counted, and listed in extract.json.
    """
    check_keys(settings, (*COMMON_ALLOWED, "binning", "invert"), COMMON_REQUIRED, "the settings of extract")
    work = Work(settings)
    binning = int(settings.get("binning", 1))
    small = 2 * round(work.box_px / max(binning, 1) / 2)
    if binning < 1 or small < 8:
        raise InputError(f"binning {binning} leaves a box of {small} px: give 1 to {max(1, work.box_px // 8)}")
    pixel_size = work.pixel_size * work.box_px / small
    sign = -1.0 if settings.get("invert") else 1.0
    kept, dropped = [], []
    for tomogram_id in sorted(set(work.table.tomogram_ids)):
        volume = open_volume(work.tomograms[tomogram_id].path)
        folder = work.output / tomogram_id
        folder.mkdir(exist_ok=True)
        rows = np.flatnonzero(work.table.tomogram_ids == tomogram_id)
        if len(set(work.table.ids[rows])) < len(rows):
            raise InputError(
                f"particles of tomogram {tomogram_id} in {settings['particles']} share ids, which name"
                " their files: renumber the particles"
            )
        fits = box_fits(volume.shape, work.table.positions[rows], work.box_px)
        for count, (row, whole) in enumerate(zip(rows, fits, strict=True), 1):
            number = int(work.table.ids[row])
            if not whole:
                dropped.append({"id": number, "reason": f"box of {work.box_px} px leaves tomogram {tomogram_id}"})
                continue
            box = crop(volume, np.rint(work.table.positions[row]).astype(int), work.box_px)
            if not np.isfinite(box).all():
                raise InputError(
                    f"the box of particle {number} holds voxels that are NaN or infinite: write"
                    f" {work.tomograms[tomogram_id].path} again without them"
                )
            write_volume(folder / f"particle_{number:06d}.mrc", sign * fourier_resize(box, small), pixel_size)
            kept.append(row)
            work.progress(f"{tomogram_id}: writing subtomograms", count, len(rows))
    table = work.table.select(np.array(sorted(kept), int))
    if dropped:
        warn(f"{len(dropped)} of {len(work.table)} particles left out: their box leaves the tomogram")
    write_result(work.output / "particles.npz", table)
    report = {"written": len(kept), "dropped": dropped, "pixel_size": pixel_size, "box_px": small}
    write_json(work.output / "extract.json", report)
    return table
