# SPDX-License-Identifier: GPL-3.0-or-later
"""The picker opened by its protocol, driven by mouse and keyboard on a screen of its own."""

import shutil
import subprocess
import time

import numpy as np
import pytest

from stadyn.convert.meshes import read_dipoles
from stadyn.io.dipoles import read_dipoles as read_dipole_file
from stadyn.protocols import StadynProtPickDipoles
from stadyn.tests.picker.display import start_display

from .project import configured


@pytest.fixture
def display():
    """A screen that outlives the windows on it."""
    if not shutil.which("xdotool"):
        pytest.skip("no xdotool")
    server, name = start_display()
    yield name
    server.terminate()
    server.wait()


def drive(display, *words, tries=1):
    """xdotool; tried again while the window is not there yet."""
    for _ in range(tries):
        done = subprocess.run(
            ["xdotool", *map(str, words)], env={"DISPLAY": display}, capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return done.stdout.split()
        time.sleep(0.3)
    raise AssertionError(f"xdotool {words}: {done.stderr}")


def run_picker(project, protocol, display, clicks, expected, monkeypatch):
    """Launch, click at (x, y) of the window, close it with q, and wait for as many dipoles as are expected."""
    monkeypatch.setenv("DISPLAY", display)
    project.launchProtocol(protocol, wait=False)
    (window,) = drive(display, "search", "--sync", "--onlyvisible", "--name", "stadyn picker", tries=60)
    time.sleep(0.5)
    for x, y in clicks:
        drive(display, "mousemove", "--window", window, x, y, "click", 1)
        time.sleep(0.3)
    drive(display, "windowfocus", window, "key", "q")
    picked = []
    for _ in range(100):
        project._updateProtocol(protocol, checkPid=False)
        if protocol.hasAttribute("dipoles"):
            picked = read_dipole_file(protocol.resultPath("dipoles.csv"))
        if len(picked) == expected or protocol.isFailed():
            break
        time.sleep(0.3)
    assert not protocol.isFailed(), protocol.getErrorMessage()
    assert len(picked) == expected
    return picked


def test_clicks_become_meshes_and_reopening_goes_on(project, tomograms, dipoles, display, monkeypatch):
    found = read_dipoles(dipoles.dipoles)
    protocol = configured(
        project, StadynProtPickDipoles, inputTomograms=(tomograms, "tomograms"), inputDipoles=(dipoles, "dipoles")
    )
    assert protocol.validate() == []
    picked = run_picker(project, protocol, display, [(30, 70), (50, 70)], len(found) + 1, monkeypatch)
    new = next(d for d in picked if (d.tomogram_id, d.surface_id) == ("tomo_001", 2))
    magnification = 20 / new.radius  # of a tomogram smaller than the screen
    assert 1 < magnification < 10 and abs(new.center[2] - 35) < 1
    assert np.allclose(np.subtract(new.north, new.center), (new.radius, 0, 0), atol=0.01)
    assert protocol.loadSummary()["vlps"] == 3 and len(read_dipoles(protocol.dipoles)) == 3
    # A run waits for its user after the window was closed, and can be opened again.
    again = run_picker(project, protocol, display, [(60, 120), (60, 150)], len(found) + 2, monkeypatch)
    assert set(picked) <= set(again)
    (other,) = set(again) - set(picked)
    assert np.allclose(np.subtract(other.north, other.center), (0, 30 / magnification, 0), atol=0.3)
    apart = np.subtract(other.center, new.center) * magnification
    assert np.allclose(apart, (30, 50, 0), atol=2)
