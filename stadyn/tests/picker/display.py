# SPDX-License-Identifier: GPL-3.0-or-later
"""Screens of the tests' own: Xvfb on free numbers."""

import shutil
import subprocess
from functools import cache

import pytest


def start_display(*options):
    """(server process, DISPLAY) of a new Xvfb; skips the test where there is none."""
    if not shutil.which("Xvfb"):
        pytest.skip("no Xvfb")
    pytest.importorskip("tkinter")
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1400x1000x24", "-nolisten", "tcp", *options]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    number = server.stdout.readline().strip()
    if not number:
        pytest.skip("Xvfb does not start")
    return server, f":{number}"


@cache
def own_display():
    """DISPLAY for windows of this very process.

    Tk keeps its connection for the life of the process and would take the process with it
    if the screen went first, so the server is told to end when its last client has left.
    """
    return start_display("-terminate")[1]
