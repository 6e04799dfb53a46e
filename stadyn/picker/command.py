# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m stadyn pick``: opens the picker on some tomograms and a CSV of dipoles."""

import os

from stadyn.core.errors import InputError
from stadyn.io.settings import check_keys, read_settings
from stadyn.jobs.common import tomograms_from_settings


def add_arguments(parser):
    """The command line."""
    parser.add_argument("settings", help="settings file (JSON): tomograms, output (the .csv that picks are kept in)")


def run(args):
    """Open the window; returns when it is closed. Picks are saved as one goes."""
    settings = check_keys(read_settings(args.settings), (), ("tomograms", "output"), "the settings of pick")
    open_picker(list(tomograms_from_settings(settings["tomograms"]).values()), settings["output"])


def open_picker(tomograms, path):
    """Show the picker until it is closed.

    Raises InputError where no window can be opened.
    """
    try:
        import tkinter
    except ImportError as error:
        raise InputError("this Python has no Tk: install python3-tk, or import dipoles from a file") from error
    from .session import PickSession
    from .window import PickerWindow

    try:
        root = tkinter.Tk()
    except tkinter.TclError as error:
        where = os.environ.get("DISPLAY") or "none"
        raise InputError(
            f"no window can be opened (DISPLAY is {where}): run this on a machine with a screen and not in a queue, or "
            "import dipoles from a file"
        ) from error
    session = PickSession(tomograms, path)
    PickerWindow(root, session)
    root.mainloop()
