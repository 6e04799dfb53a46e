# SPDX-License-Identifier: GPL-3.0-or-later
"""The job that finds virus-like particles in tomograms, and writes them as dipoles."""

from pathlib import Path

import scipy.fft

from stadyn.core.errors import InputError
from stadyn.core.shells import ShellSearch, find_shells, shell_dipoles
from stadyn.io.dipoles import write_dipoles
from stadyn.io.mrc import open_volume
from stadyn.io.settings import check_keys, read_settings, write_json

from .common import Progress, alone_in_its_folder, tomograms_from_settings

ALLOWED = ("radius_angst", "membrane_angst", "threshold", "most", "threads")


def add_arguments(parser):
    """The command line of the job."""
    parser.add_argument("settings", help="settings file (JSON): tomograms, output, radius_angst, membrane_angst, ...")


def run(args):
    """Run the job from a settings file."""
    run_settings(read_settings(args.settings))


@alone_in_its_folder
def run_settings(settings):
    """Find the shells of every tomogram.

    Writes dipoles.csv (those found, each tomogram's best first), and shells.json with the score, centre (pixels) and
    radius (Å) of each.

    Returns
    -------
    list of Dipole
    """
    check_keys(settings, ALLOWED, ("tomograms", "output"), "the settings of find-shells")
    if len(settings.get("radius_angst") or (0, 0)) != 2:
        raise InputError(f'"radius_angst" is {settings["radius_angst"]}: give the smallest and the largest radius in Å')
    smallest, largest = settings.get("radius_angst", (ShellSearch.smallest_angst, ShellSearch.largest_angst))
    search = ShellSearch(
        float(smallest),
        float(largest),
        float(settings.get("membrane_angst", ShellSearch.membrane_angst)),
        float(settings.get("threshold", ShellSearch.threshold)),
        int(settings.get("most", ShellSearch.most)),
    )
    tomograms = tomograms_from_settings(settings["tomograms"])
    output = Path(settings["output"])
    output.mkdir(parents=True, exist_ok=True)
    progress, dipoles, figures = Progress(), [], {}
    with scipy.fft.set_workers(max(1, int(settings.get("threads") or 1))):
        for name, tomogram in tomograms.items():
            volume = open_volume(tomogram.path)
            try:
                shells = find_shells(
                    volume, tomogram.pixel_size, tomogram.wedge, search, lambda i, n, name=name: progress(name, i, n)
                )
            except InputError as error:
                raise InputError(f"{tomogram.path}: {error}") from error
            dipoles += shell_dipoles(shells, name, volume.shape)
            figures[name] = [
                {"vlp": i, "score": s.score, "center": s.center, "radius_angst": s.radius * tomogram.pixel_size}
                for i, s in enumerate(shells, 1)
            ]
            print(f"{name}: {len(shells)} shells", flush=True)
    write_json(output / "shells.json", figures)
    if not dipoles:
        raise InputError(
            f"no shell of {smallest:g} to {largest:g} Å reaches the score {search.threshold:g}: widen the radii, or "
            "lower the threshold"
        )
    write_dipoles(output / "dipoles.csv", dipoles)
    return dipoles
