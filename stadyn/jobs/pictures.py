# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks for the pictures of results already written, where matplotlib is installed.

Jobs may not import plots: a job writes numbers, and runs where matplotlib is not. Only its command line ends
with pictures, so the module that draws them is looked up by name, then.
"""

import importlib
import sys


def draw_pictures(name, folder):
    """Call ``stadyn.plots.command.<name>(folder)``; say so and go on where matplotlib is missing."""
    try:
        drawing = importlib.import_module("stadyn.plots.command")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "matplotlib":
            raise
        print("no pictures: matplotlib is not installed", file=sys.stderr)
        return
    getattr(drawing, name)(folder)
