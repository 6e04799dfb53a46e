# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks for the pictures of results already written, where matplotlib is installed.

Jobs may not import plots: a job writes numbers, and runs where matplotlib is not. Only its command line ends
with pictures, so the module that draws them is looked up by name, then.
"""

import importlib
import sys


def draw_pictures(name, folder):
    """Call ``stadyn.plots.command.<name>(folder)``; say so and go on where matplotlib is missing."""
    drawing = _drawing()
    if drawing is None:
        print("no pictures: matplotlib is not installed", file=sys.stderr)
    else:
        getattr(drawing, name)(folder)


def pictures_of(result, out=None):
    """The picture files that were drawn of a result file or folder; None where matplotlib is missing."""
    drawing = _drawing()
    return None if drawing is None else drawing.save_result_pictures(result, out)


def _drawing():
    try:
        return importlib.import_module("stadyn.plots.command")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "matplotlib":
            raise
        return None
