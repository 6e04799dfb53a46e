# SPDX-License-Identifier: GPL-3.0-or-later
"""Slices of tomograms with their VLPs, and the windows of single outputs."""

import numpy as np
import pwem
import pytest
from matplotlib.figure import Figure
from pyworkflow.viewer import DESKTOP_TKINTER
from tomo.objects import SetOfMeshes

from stadyn.convert.averages import volume_from_file
from stadyn.convert.coordinates import write_coordinates
from stadyn.convert.meshes import write_dipoles
from stadyn.core.tomograms import Dipole
from stadyn.io.mrc import write_volume
from stadyn.plots.tomograms import plot_tomogram_slice
from stadyn.protocols import StadynProtImportDipoles
from stadyn.tests.convert.sets import SHAPE, make_tomograms, new_coordinates, random_table, reopened
from stadyn.viewers.outputs import StadynMapOutputViewer, StadynParticlesOutputViewer


def test_a_circle_is_the_section_of_the_sphere():
    dipole = Dipole("t", 3, (30.0, 20.0, 24.0), (30.0, 20.0, 34.0))
    ax = plot_tomogram_slice(Figure().subplots(), np.zeros(SHAPE[1:]), 30, [dipole])
    x, y = ax.lines[0].get_data()
    np.testing.assert_allclose(np.hypot(x - 30, y - 20), 8.0)  # 10 px, 6 px above the centre
    assert ax.lines[0].get_label() == "VLP 3"
    assert not plot_tomogram_slice(Figure().subplots(), np.zeros(SHAPE[1:]), 40, [dipole]).lines


@pytest.fixture
def marked(make_run, project, tmp_path):
    """A run that gave out one VLP in the second of two tomograms, whose slices are numbered by their grey."""
    run = make_run(StadynProtImportDipoles)
    tomograms = make_tomograms(tmp_path / "tomograms")
    values = np.broadcast_to(np.arange(SHAPE[0], dtype=np.float32)[:, None, None], SHAPE)
    write_volume(tmp_path / "tomograms" / "ts_02.mrc", values, 5.4)
    meshes = new_coordinates(tmp_path, tomograms, set_class=SetOfMeshes)
    write_dipoles([Dipole("ts_02", 1, (30.0, 20.0, 24.0), (30.0, 20.0, 34.0))], meshes, tomograms)
    meshes = reopened(meshes)
    meshes.setPrecedents(tomograms)
    run.iterOutputAttributes = lambda *_: [("dipoles", meshes)]
    return run


def test_slice_goes_through_the_first_vlp_of_its_tomogram(marked, draw):
    (ax,) = draw(marked, "showTomogram", tomogramOfSlice=1)
    assert ax.images[0].get_array()[0, 0] == 24 and "z = 24" in ax.get_title()
    x, y = ax.lines[0].get_data()
    np.testing.assert_allclose(np.hypot(x - 30, y - 20), 10.0)


def test_slice_goes_where_it_is_sent(marked, draw, open_viewer):
    (ax,) = draw(marked, "showTomogram", tomogramOfSlice=1, heightOfSlice="7")
    assert ax.images[0].get_array()[0, 0] == 7
    viewer = open_viewer(marked, heightOfSlice="99")
    (view,) = viewer._getVisualizeDict()["showTomogram"]("showTomogram")
    assert "0 to 47" in view.getMessage()


def test_outputs_of_our_runs_alone_have_windows_of_their_own(tmp_path, project):
    folder = tmp_path / "Runs" / "000007_StadynProtAlign" / "extra"
    folder.mkdir(parents=True)
    volume = np.zeros((16, 16, 16), np.float32)
    volume[8, 6, 9] = 1
    write_volume(folder / "average_all.mrc", volume, 2.0)
    ours = volume_from_file(str(folder / "average_all.mrc"), 2.0)
    assert StadynMapOutputViewer in pwem.Domain.findViewers(ours, DESKTOP_TKINTER)
    (view,) = StadynMapOutputViewer(project=project)._visualize(ours)
    assert view.getFigure().axes[0].images[0].get_array()[6, 9] == 1
    assert view.folder == str(folder / "pictures")
    write_volume(tmp_path / "other.mrc", volume, 2.0)
    other = volume_from_file(str(tmp_path / "other.mrc"), 2.0)
    assert StadynMapOutputViewer not in pwem.Domain.findViewers(other, DESKTOP_TKINTER)


def test_coordinates_of_our_runs_are_shown_in_space(tmp_path, project):
    tomograms, folder = make_tomograms(tmp_path / "tomograms"), tmp_path / "Runs" / "000007_StadynProtAlign"
    folder.mkdir(parents=True)
    output, table = new_coordinates(folder, tomograms), random_table(12)
    write_coordinates(table, output, tomograms)
    output = reopened(output)
    output.setPrecedents(tomograms)
    assert StadynParticlesOutputViewer in pwem.Domain.findViewers(output, DESKTOP_TKINTER)
    (view,) = StadynParticlesOutputViewer(project=project)._visualize(output)
    shown = sum(len(ax.collections[0]._offsets3d[0]) for ax in view.getFigure().axes if hasattr(ax, "get_zlim"))
    assert shown == 12
