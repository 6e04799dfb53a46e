# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole workflow through the host: tomograms and clicks to half-maps, against the truth, and twice the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stadyn.core.evaluation import evaluate
from stadyn.core.particles import EVEN, ODD, ParticleTable
from stadyn.io.results import read_result
from stadyn.jobs import simulate

PIXEL = 10.8
REPOSITORY = Path(__file__).parents[2]
REPEATED = "6 Select by CC"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    simulate.run_settings(
        {
            "output": str(folder),
            "n_tomograms": 2,
            "vlps_per_tomogram": 1,
            "pixel_size_angst": PIXEL,
            "extent_angst": [1040, 1040, 1000],
            "radius_angst": [290, 330],
            "noise": 0.5,
            "gold_beads": 1,
            "junk": 4,
            "seed": 5,
        }
    )
    return folder


def replay(folder, data, *options):
    """The project's runs folder after a replay."""
    command = [sys.executable, "-m", "stadyn", "replay", "vlp_nine_steps", f"tomograms={data / 'tomograms.vll'}"]
    command += [f"dipoles={data / 'dipoles.csv'}", f"pixel_size={PIXEL}", "--projects", str(folder), "--project", "one"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SCIPION_")}
    environment["PYTHONPATH"] = str(REPOSITORY)
    done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return next(folder.glob("**/Runs"))


def selected(runs):
    """What step 6 keeps, as saved by its job."""
    return read_result(next(runs.glob("*SelectCC/extra/*/particles.npz")), ParticleTable)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("whole")
    return replay(folder, data, "--export", str(folder / "out")), folder / "out"


def test_picking_and_poses_agree_with_the_truth(whole, data):
    runs, _ = whole
    truth = read_result(data / "truth.npz", ParticleTable)
    picked = evaluate(selected(runs), truth, 20 / PIXEL)
    assert picked.matching.recall >= 0.95 and picked.matching.precision >= 0.98
    assert picked.closest_pair_px * PIXEL >= 40
    table = read_result(next(runs.glob("*HalfMaps/extra/all/particles.npz")), ParticleTable)
    errors = evaluate(table, truth, 20 / PIXEL).errors
    assert np.median(errors.axis_deg) <= 2 and np.median(np.abs(errors.inplane_deg)) <= 2.5
    assert np.median(errors.position_px) * PIXEL <= 5  # half a pixel


def test_halves_are_apart_and_what_a_lab_hands_on_is_there(whole):
    runs, out = whole
    table = read_result(next(runs.glob("*HalfMaps/extra/all/particles.npz")), ParticleTable)
    assert set(table.half) == {ODD, EVEN}
    names = {p.name for p in out.iterdir()}
    assert {"particles_all.tbl", "particles_odd.tbl", "particles_even.tbl", "tomograms.doc", "mask.mrc"} <= names
    assert {"final_map.mrc", "fsc.csv", "summary.json"} <= names and sum("_half" in n for n in names) == 2
    rows = {n: len((out / f"particles_{n}.tbl").read_text().splitlines()) for n in ("all", "odd", "even")}
    assert rows["all"] == len(table) == rows["odd"] + rows["even"]
    assert json.loads((out / "summary.json").read_text())


def test_the_same_seed_gives_the_same_table_to_the_last_bit(whole, data, tmp_path):
    first, again = selected(whole[0]), selected(replay(tmp_path, data, "--until", REPEATED))
    assert np.array_equal(first.positions, again.positions) and np.array_equal(first.rotations, again.rotations)
    assert np.array_equal(first.cc, again.cc) and np.array_equal(first.ids, again.ids)
