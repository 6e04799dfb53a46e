# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m stadyn plot``: the right pictures of a file or a folder, in the format that is asked for."""

import numpy as np
import pytest
from PIL import Image

from stadyn.__main__ import main
from stadyn.core.particles import ParticleTable
from stadyn.core.refinement import IterationReference
from stadyn.core.selection import fit_cc_threshold, fit_latitude
from stadyn.io.convergence import write_iteration
from stadyn.io.mrc import write_volume
from stadyn.io.results import read_result, write_result
from stadyn.io.settings import write_json
from stadyn.plots.results import figures_of


@pytest.fixture
def run_folder(tmp_path):
    """A run's folder with a selection, an alignment, and what jobs keep for themselves."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "000001_Run" / "extra"
    for name in ("select", "align"):
        (folder / name).mkdir(parents=True)
    scores = np.concatenate([rng.normal(0.1, 0.02, 300), rng.normal(0.3, 0.03, 300)])
    write_result(folder / "select" / "threshold_a.npz", fit_cc_threshold(scores))
    table = ParticleTable(rng.random((5, 3)), np.tile(np.eye(3), (5, 1, 1)), np.full(5, "a"), cc=np.arange(5.0))
    write_result(folder / "select" / "particles.npz", table)
    write_result(folder / "select" / "excluded.npz", table.select(slice(2)))
    write_result(folder / "input_particles.npz", table)
    write_volume(folder / "align" / "average_all.mrc", rng.standard_normal((16, 16, 16)), 2.0)
    record = {"group": "all", "round": 1, "iteration": 1, "particles": 5, "mean_cc": 0.2, "median_turn_deg": 1.0,
              "median_shift_angst": 2.0, "seconds": 1.0}  # fmt: skip
    write_json(folder / "align" / "convergence.json", [record])
    return folder.parent


def test_folder_gives_every_result_and_nothing_that_was_only_handed_to_a_job(run_folder):
    names = set(figures_of(run_folder))
    assert {"select_threshold_a", "select_particles", "align_average_all", "align_convergence"} <= names
    assert not any("input" in name for name in names)


def test_iterations_of_an_alignment_are_one_figure_a_group_and_a_file_its_own(run_folder):
    folder = run_folder / "extra" / "align"
    for group, number in (("odd", 1), ("odd", 2), ("odd", 10), ("even", 1)):
        volume, curve = np.random.default_rng(number).standard_normal((16, 16, 16)), np.linspace(1, 0, 9)
        write_iteration(folder, IterationReference.of(volume, group, 1, number, curve, 8, 2.0, 8.0))
    figures = figures_of(run_folder)
    assert {name for name in figures if "iteration" in name} == {"align_iterations_odd", "align_iterations_even"}
    assert set(figures_of(folder / "iterations")) == {"iterations_odd", "iterations_even"}
    (alone,) = figures_of(folder / "iterations" / "odd_round1_002.npz").values()
    titles = [figure.subfigs[0]._suptitle.get_text() for figure in (figures["align_iterations_odd"](), alone())]
    assert "iteration 10 (the newest of 3)" in titles[0] and "iteration 2 (the newest of 2)" in titles[1]


def test_a_run_shows_what_it_changed_and_its_neighbours_in_the_angstroms_of_its_averages(run_folder):
    extra = run_folder / "extra"
    table = read_result(extra / "input_particles.npz", ParticleTable)
    write_result(extra / "align" / "particles.npz", table.replace(positions=table.positions + (0, 3, 4)))
    figures = figures_of(run_folder)
    shift = figures["align_particles_changes"]().axes[0]
    assert shift.lines[0].get_xdata()[0] == pytest.approx(5 * 2.0)
    assert figures["align_particles_neighbours"]().axes[0].get_title().startswith("4.0 neighbours")
    assert "select_particles_neighbours" not in figures  # nothing there tells the pixel size


def test_averages_of_all_tomograms_stand_side_by_side(run_folder):
    folder = run_folder / "extra" / "align"
    assert not [name for name in figures_of(run_folder) if "side_by_side" in name]
    for name, value in (("b", 2.0), ("b_inverted", -2.0)):
        write_volume(folder / f"average_{name}.mrc", np.full((16, 16, 16), value, np.float32), 2.0)
    axes = figures_of(run_folder)["align_averages_side_by_side"]().axes
    assert [ax.get_title() for ax in axes[:2]] == ["all", "b"] and len(axes) == 6
    assert axes[1].images[0].get_array().max() == 2


def test_particles_are_drawn_with_the_excluded_beside_them(run_folder):
    figure = figures_of(run_folder / "extra" / "select" / "particles.npz")["particles"]()
    ax = figure.axes[0]
    assert ax.get_title() == "a: 5 particles, 2 excluded"


def test_command_writes_the_format_of_the_ending(run_folder, tmp_path, capsys):
    result = str(run_folder / "extra" / "select" / "threshold_a.npz")
    assert main(["plot", result, "--out", str(tmp_path / "cc.svg")]) == 0
    assert (tmp_path / "cc.svg").read_text(encoding="utf-8").lstrip().startswith("<?xml")
    assert capsys.readouterr().out.strip() == str(tmp_path / "cc.svg")


def test_command_draws_a_whole_run_beside_it(run_folder):
    assert main(["plot", str(run_folder)]) == 0
    with Image.open(run_folder / "pictures" / "align_average_all.png") as image:
        assert image.width > 1000


def test_latitude_of_one_group(tmp_path):
    normals = np.eye(3)[[0, 1, 2] * 10]
    write_result(tmp_path / "latitude_t_odd.npz", fit_latitude(np.linspace(0.1, 0.2, 30), normals))
    (draw,) = figures_of(tmp_path / "latitude_t_odd.npz").values()
    assert draw().axes[0].get_title().startswith("t_odd")


@pytest.mark.parametrize(
    ("name", "sentence"), [("none.npz", "is not there"), ("text.txt", "no result"), ("", "holds no")]
)
def test_what_cannot_be_drawn_is_said(tmp_path, capsys, name, sentence):
    (tmp_path / "text.txt").write_text("")
    assert main(["plot", str(tmp_path / name)]) == 1
    assert sentence in capsys.readouterr().err
