# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that hold planted results, without anything being computed, and the viewers that the host opens on them."""

import os
from pathlib import Path

import pwem
import pytest
from pyworkflow.viewer import DESKTOP_TKINTER

from stadyn.tests.protocols.project import new_project


@pytest.fixture(scope="session")
def project():
    """An empty project."""
    return new_project("stadyn-viewers")


@pytest.fixture
def make_run(project):
    """Makes a run of a protocol class with a folder for results."""

    def make(protocol_class):
        os.chdir(project.path)
        run = project.newProtocol(protocol_class)
        project.saveProtocol(run)
        run.makePathsAndClean()
        folder = Path(run._getExtraPath()).absolute()

        def place(*names):
            path = folder.joinpath(*names)
            path.parent.mkdir(parents=True, exist_ok=True)
            return str(path)

        run.resultPath = place  # wherever other tests have changed to by then
        return run

    return make


@pytest.fixture
def open_viewer(project):
    """Opens the viewer that "Analyze results" would open, its form filled from `values`."""

    def open_on(run, **values):
        viewer_class = pwem.Domain.findViewers(run, DESKTOP_TKINTER)[0]
        viewer = viewer_class(project=project, protocol=run)
        viewer.setProtocol(run)
        for name, value in values.items():
            getattr(viewer, name).set(value)
        return viewer

    return open_on


@pytest.fixture
def draw(open_viewer):
    """The axes of the one figure that a button of a run's viewer opens."""

    def press(run, button, **values):
        viewer = open_viewer(run, **values)
        (view,) = viewer._getVisualizeDict()[button](button)
        assert hasattr(view, "getFigure"), view.getMessage()
        return view.getFigure().axes

    return press
