# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m stadyn plot RESULT``: pictures of results that are already written."""

from stadyn.core.errors import InputError

from .pictures import pictures_of


def add_arguments(parser):
    """The command line of the job."""
    parser.add_argument(
        "result", help="a result file (.npz, .mrc, convergence.json), or the folder of a run to draw all of its results"
    )
    parser.add_argument(
        "--out",
        help="picture to write, its ending chooses the format (.png, .svg, .pdf); a folder where there are several "
        "pictures (default: the folder `pictures` beside the result)",
    )


def run(args):
    """Draw, and print the files written."""
    written = pictures_of(args.result, args.out)
    if written is None:
        raise InputError("no pictures without matplotlib: pip install matplotlib")
    for path in written:
        print(path)
    return 0
