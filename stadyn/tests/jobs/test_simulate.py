# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that simulates, what it leaves in its folder, and the command that evaluates."""

import json

import numpy as np
import pytest

from stadyn.__main__ import main
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import axis_errors_deg
from stadyn.io.dipoles import read_dipoles
from stadyn.io.dynamo import read_table
from stadyn.io.mrc import read_header, read_volume
from stadyn.io.results import read_result, write_result
from stadyn.io.volume_lists import read_doc, read_vll
from stadyn.jobs.simulate import run_settings

SMALL = {
    "n_tomograms": 2,
    "pixel_size_angst": 12.0,
    "extent_angst": [760, 740, 780],
    "vlps_per_tomogram": 1,
    "radius_angst": [200, 210],
    "tilt_min_deg": -45,
    "tilt_step_deg": 15,
    "gold_beads": 1,
    "junk": 2,
    "box_angst": 240,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("simulated")
    settings = path / "settings.json"
    settings.write_text(json.dumps(SMALL))
    assert main(["simulate", str(settings), "--out", str(path / "out"), "--seed", "5"]) == 0
    return path / "out"


def test_tomograms_are_written_with_their_pixel_size(folder):
    for name in ("tomo_001.mrc", "tomo_002.mrc"):
        header = read_header(folder / name)
        assert header.pixel_size == pytest.approx(12.0) and header.shape == (64, 62, 64)
    assert [v.path for v in read_vll(folder / "tomograms.vll")] == [str(folder / f"tomo_00{i}.mrc") for i in (1, 2)]
    assert len(read_doc(folder / "tomograms.doc")) == 2


def test_truth_and_its_dynamo_table_agree(folder):
    truth = read_result(folder / "truth.npz", ParticleTable)
    assert set(truth.tomogram_ids) == {"tomo_001", "tomo_002"} and len(truth) > 40
    assert np.array_equal(truth.ids, np.arange(1, len(truth) + 1))
    table = read_table(folder / "truth.tbl", {1: "tomo_001", 2: "tomo_002"})
    assert np.abs(table.particles.positions - truth.positions).max() < 0.01
    assert axis_errors_deg(table.particles.rotations, truth.rotations).max() < 0.1
    assert table.wedges["tomo_001"].min_deg == -45


def test_dipoles_fit_the_tomograms(folder):
    dipoles = read_dipoles(folder / "dipoles.csv")
    assert [(d.tomogram_id, d.surface_id) for d in dipoles] == [("tomo_001", 1), ("tomo_002", 1)]
    assert all(abs(d.radius * 12 - 205) < 120 for d in dipoles)
    truth = read_result(folder / "truth.npz", ParticleTable)
    for dipole in dipoles:
        rows = truth.tomogram_ids == dipole.tomogram_id
        distance = np.linalg.norm(truth.positions[rows] - dipole.center, axis=1) * 12
        assert 120 < np.median(distance) < 290


def test_the_record_names_what_was_simulated(folder):
    record = json.loads((folder / "simulation.json").read_text())
    assert record["settings"]["seed"] == 5 and record["settings"]["tilt_min_deg"] == -45
    first = record["tomograms"][0]
    assert first["id"] == "tomo_001" and first["tilt_max_deg"] == 60 and first["shape"] == [64, 62, 64]
    assert 2.2 < record["defocus_um"]["tomo_001"] < record["defocus_um"]["tomo_002"] < 3.4


def test_the_true_map_is_bright_at_its_centre(folder):
    volume = read_volume(folder / "true_map.mrc")
    assert volume.shape == (20, 20, 20)
    assert volume[8:12, 8:12, 8:12].mean() > 5 * abs(volume[:2].mean())


def test_a_model_file_replaces_the_procedural_unit(folder, tmp_path):
    # The written unit, read back as a model, is the same density: the same tomogram up to sampling.
    settings = {**SMALL, "n_tomograms": 1, "noise": 0.0, "seed": 5}
    run_settings({**settings, "output": str(tmp_path / "procedural")})
    run_settings({**settings, "output": str(tmp_path / "map"), "model": str(folder / "true_unit.mrc")})
    a, b = (read_volume(tmp_path / name / "tomo_001.mrc") for name in ("procedural", "map"))
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    "change, named",
    [
        ({"pixelsize": 5}, "pixelsize"),
        ({"model": "/nowhere/unit.pdb"}, "/nowhere/unit.pdb"),
        ({"vlps_per_tomogram": 9}, "9 VLPs"),
        ({"noise": "loud"}, "noise|str"),
    ],
)
def test_wrong_settings_end_in_one_sentence(tmp_path, capsys, change, named):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({**SMALL, **change, "output": str(tmp_path / "out")}))
    assert main(["simulate", str(path)]) == 1
    message = capsys.readouterr().err
    assert any(word in message for word in named.split("|")) and message.count("\n") == 1


def test_evaluate_reports_recall_and_errors(folder, tmp_path, capsys):
    truth = read_result(folder / "truth.npz", ParticleTable)
    found = truth.select(np.arange(10, len(truth)))
    found = found.replace(positions=found.positions + 0.25 * found.rotations[:, :, 2])
    write_result(tmp_path / "found.npz", found)
    arguments = [str(tmp_path / "found.npz"), str(folder / "truth.npz"), "--pixel-size", "12"]
    assert main(["evaluate", *arguments]) == 0
    figures = json.loads((tmp_path / "evaluation.json").read_text())
    assert figures["recall"] == pytest.approx(1 - 10 / len(truth), abs=1e-4) and figures["precision"] == 1
    assert figures["frame_shift_angst"] == pytest.approx([0, 0, -3], abs=1e-3)
    assert figures["median_raw_position_error_angst"] == pytest.approx(3) and figures["p90_position_error_angst"] == 0
    assert "recall" in capsys.readouterr().out


def test_evaluate_reads_dynamo_tables(folder, tmp_path):
    output = tmp_path / "figures.json"
    arguments = [str(folder / "truth.tbl"), str(folder / "truth.npz"), "--pixel-size", "12", "--json", str(output)]
    assert main(["evaluate", *arguments]) == 0
    assert json.loads(output.read_text())["recall"] == 1
