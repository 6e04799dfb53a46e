# SPDX-License-Identifier: GPL-3.0-or-later
"""Viewers of particles: everyone at their place, coloured by what the form says, the excluded in red."""

import time

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import rotation_z, rotations_from_normals
from stadyn.io.results import write_result
from stadyn.plots.colors import CYCLE, EXCLUDED
from stadyn.plots.figures import particles_figure
from stadyn.plots.particles import COLORINGS, HALVES
from stadyn.protocols import StadynProtAlign, StadynProtSelectCC, StadynProtSplitHalves

PIXEL = 5.0


def table_of(positions, tomogram="a", **columns):
    """Particles with their axes along z."""
    n = len(positions)
    return ParticleTable(np.asarray(positions, float), np.tile(np.eye(3), (n, 1, 1)), np.full(n, tomogram), **columns)


@pytest.fixture
def with_pixel_size(monkeypatch):
    """Runs without inputs take this pixel size."""
    monkeypatch.setattr("stadyn.viewers.particles.pixel_size_of", lambda protocol: PIXEL)


@pytest.fixture
def selected(make_run, with_pixel_size):
    """Three particles of one tomogram, one of another, and one that was excluded."""
    run = make_run(StadynProtSelectCC)
    a = table_of([(1, 2, 3), (4, 5, 6), (7, 8, 90)], cc=np.array([0.1, 0.2, 0.3]), surface_ids=np.array([1, 1, 2]))
    write_result(run.resultPath("select", "particles.npz"), ParticleTable.concatenate([a, table_of([(9, 9, 9)], "b")]))
    write_result(run.resultPath("select", "excluded.npz"), table_of([(11, 12, 13)]))
    return run


def in_space(collection):
    """(n, 3) positions of the points of a 3D scatter."""
    return np.array(collection._offsets3d).T


def test_particles_of_one_tomogram_coloured_by_cc_with_the_excluded_in_red(selected, draw):
    ax, bar = draw(selected, "showParticles", tomogram=0, colorBy=COLORINGS.index("cc"))
    points, crosses = ax.collections
    np.testing.assert_allclose(in_space(points), [(1, 2, 3), (4, 5, 6), (7, 8, 90)])
    np.testing.assert_allclose(points.get_array(), [0.1, 0.2, 0.3])
    np.testing.assert_allclose(in_space(crosses), [(11, 12, 13)])
    assert to_hex(crosses.get_edgecolor()[0]) == EXCLUDED.lower()
    assert ax.get_title() == "a: 3 particles, 1 excluded" and bar.get_ylabel() == "CC"


def test_without_the_excluded_and_by_vlp(selected, draw):
    (ax,) = draw(selected, "showParticles", showExcluded=False, colorBy=COLORINGS.index("surface"))
    assert [len(in_space(c)) for c in ax.collections] == [2, 1]
    assert len({to_hex(c.get_facecolor()[0]) for c in ax.collections}) == 2


def test_all_tomograms_side_by_side(selected, draw):
    axes = [ax for ax in draw(selected, "showParticles", tomogram=2) if ax.get_title()]
    assert [ax.get_title() for ax in axes] == ["a: 3 particles, 1 excluded", "b: 1 particles, 0 excluded"]


def test_halves_have_their_colours(make_run, draw, with_pixel_size):
    run = make_run(StadynProtSplitHalves)
    table = table_of([(0, 0, 0), (5, 0, 0), (0, 5, 0)], half=np.array([1, 2, 2]))
    write_result(run.resultPath("particles.npz"), table)
    (ax,) = draw(run, "showParticles")
    odd, even = ax.collections
    assert (len(in_space(odd)), len(in_space(even))) == (1, 2)
    assert to_hex(even.get_facecolor()[0]) == HALVES[2][0].lower()


def test_markers_are_offered_where_particles_were_subboxed_at_some(make_run, draw, open_viewer, with_pixel_size):
    run = make_run(StadynProtSplitHalves)
    table = table_of([(0, 0, 0), (5, 0, 0), (0, 5, 0)], marker=np.array([7, 2, 7]))
    write_result(run.resultPath("particles.npz"), table)
    choices = open_viewer(run)._definition.getParam("colorBy").choices
    assert "order score" not in choices  # never measured
    (ax,) = draw(run, "showParticles", colorBy=choices.index("marker it was subboxed at"))
    assert ax.get_legend_handles_labels()[1] == ["marker 2", "marker 7"]
    np.testing.assert_allclose(in_space(ax.collections[1]), [(0, 0, 0), (0, 5, 0)])
    write_result(run.resultPath("particles.npz"), table.replace(marker=np.zeros(3, int)))
    assert open_viewer(run)._definition.getParam("colorBy").choices == choices[:-1]


def test_classes_have_the_same_colour_in_every_tomogram_and_their_count_in_the_legend(
    make_run, draw, open_viewer, with_pixel_size
):
    run = make_run(StadynProtSplitHalves)
    a = table_of([(0, 0, 0), (5, 0, 0), (0, 5, 0), (5, 5, 0)], classes=np.array([3, 0, 3, 1]))
    b = table_of([(1, 1, 1), (2, 2, 2)], "b", classes=np.array([3, 10]))
    write_result(run.resultPath("particles.npz"), ParticleTable.concatenate([a, b]))
    param = open_viewer(run)._definition.getParam("colorBy")
    chosen = param.choices.index("class")
    assert param.help.get().endswith("no particle here has one: order score, marker it was subboxed at.")
    left, right = draw(run, "showParticles", colorBy=chosen, tomogram=2)
    assert left.get_legend_handles_labels()[1] == ["no class: 1", "class 1: 1", "class 3: 2"]
    assert right.get_legend_handles_labels()[1] == ["class 3: 1", "class 10: 1"]
    np.testing.assert_allclose(in_space(left.collections[2]), [(0, 0, 0), (0, 5, 0)])
    colors = [to_hex(c.get_facecolor()[0]) for c in (*left.collections, *right.collections)]
    assert colors[1:] == [c.lower() for c in (CYCLE[0], CYCLE[2], CYCLE[2], CYCLE[2])] and colors[0] == "#999999"
    symbols = [c.get_paths()[0].vertices.shape for c in right.collections]
    assert symbols[0] != symbols[1]  # the same colour again, another symbol
    write_result(run.resultPath("particles.npz"), table_of([(0, 0, 0)]))
    param = open_viewer(run)._definition.getParam("colorBy")
    assert "class" not in param.choices and param.help.get().endswith("marker it was subboxed at, class.")


def test_discs_and_axes_follow_the_particles(make_run, draw, with_pixel_size):
    run = make_run(StadynProtSplitHalves)
    table = table_of([(10, 20, 30)]).replace(rotations=rotations_from_normals(np.array([[1.0, 0, 0]])))
    write_result(run.resultPath("particles.npz"), table)
    (ax,) = draw(run, "showParticles", discRadius=10 * PIXEL, axisLength=4 * PIXEL)
    np.testing.assert_allclose(np.array(ax.lines[0].get_data_3d())[:, :2].T, [(10, 20, 30), (14, 20, 30)])
    corners = ax.collections[-1]._vec[:3].T
    np.testing.assert_allclose(corners[:, 0], 10, atol=1e-6)  # across the axis
    np.testing.assert_allclose(np.linalg.norm(corners - (10, 20, 30), axis=1), 10)


def test_so_many_discs_that_they_hide_each_other_are_thinned_and_said_so(make_run, draw, with_pixel_size):
    run = make_run(StadynProtSplitHalves)
    positions = np.random.default_rng(0).random((2500, 3)) * 100
    write_result(run.resultPath("particles.npz"), table_of(positions))
    (ax,) = draw(run, "showParticles", discRadius=2 * PIXEL)
    discs = ax.collections[-1]
    centers = discs._vec[:3].T.reshape(-1, 12, 3).mean(axis=1)
    np.testing.assert_allclose(centers, positions[::3], atol=1e-6)
    assert "discs: one in 3 particles" in ax.get_legend_handles_labels()[1]


def test_orientations_count_where_the_axes_point(make_run, draw, with_pixel_size):
    run = make_run(StadynProtSplitHalves)
    normals = np.array([[1.0, 0.05, 0.05]] * 7 + [[0.3, -0.3, -0.9]] * 2)
    table = table_of(np.zeros((9, 3))).replace(rotations=rotations_from_normals(normals))
    write_result(run.resultPath("particles.npz"), table)
    mesh = draw(run, "showOrientations")[0].collections[0]
    counts, corners = mesh.get_array(), mesh.get_coordinates()
    row, column = np.unravel_index(np.argmax(counts.filled(0)), counts.shape)
    assert counts[row, column] == 7 and counts.sum() == 9
    (left, low), (right, high) = corners[row, column], corners[row + 1, column + 1]
    assert left <= 2.9 <= right and low <= 0.05 <= high


def test_neighbours_lie_in_the_frame_of_the_particle(make_run, draw, with_pixel_size):
    run = make_run(StadynProtSplitHalves)
    # Both are turned by 90 degrees: what lies along x in the tomogram lies along -y and y for them.
    turned = np.tile(rotation_z(90.0), (2, 1, 1))
    write_result(run.resultPath("particles.npz"), table_of([(0, 0, 0), (10, 0, 0)]).replace(rotations=turned))
    above = draw(run, "showNeighbours", neighbourRadius=100.0)[0]
    mesh = above.collections[0]
    counts, corners = mesh.get_array(), mesh.get_coordinates()
    filled = corners[:-1, :-1][counts.reshape(corners.shape[0] - 1, -1) > 0]
    assert np.abs(np.abs(filled[:, 1]) - 10 * PIXEL).max() <= 2.5
    assert np.abs(filled[:, 0]).max() <= 2.5
    assert above.get_title().startswith("1.0 neighbours")


def test_changes_are_matched_by_id_and_in_angstroms(make_run, draw, with_pixel_size):
    run = make_run(StadynProtAlign)
    before = table_of([(0, 0, 0), (50, 0, 0), (90, 0, 0)], ids=np.array([1, 2, 3]))
    after = before.moved((0, 3, 0), rotation_z(20.0)).select([2, 0])
    write_result(run.resultPath("input_particles.npz"), before)
    write_result(run.resultPath("align", "particles.npz"), after)
    shift, axis, inplane = draw(run, "showChanges")
    medians = [ax.lines[0].get_xdata()[0] for ax in (shift, axis, inplane)]
    np.testing.assert_allclose(medians, (3 * PIXEL, 0, 20), atol=1e-6)
    assert sum(p.get_height() for p in shift.patches) == 2


def test_twenty_thousand_particles_open_within_five_seconds(tmp_path):
    rng = np.random.default_rng(0)
    normals = rng.standard_normal((20000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    names = np.repeat(list("abcde"), 4000)
    table = ParticleTable(400 * normals + 500, rotations_from_normals(normals), names, cc=rng.random(20000))
    began = time.monotonic()
    figure = particles_figure({name: table.select(table.tomogram_ids == name) for name in "abcde"})
    FigureCanvasAgg(figure).draw()
    assert time.monotonic() - began <= 5
