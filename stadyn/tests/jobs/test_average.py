# SPDX-License-Identifier: GPL-3.0-or-later
"""The average job: one map per group, of its particles alone, at the poses that are written beside it."""

import json

import numpy as np
import pytest

from stadyn.__main__ import main
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import axis_errors_deg, inplane_errors_deg
from stadyn.io.mrc import read_volume
from stadyn.io.results import read_result
from stadyn.jobs import average
from stadyn.tests.core.planted import plant

from .planted_files import written

BOX = 24


@pytest.fixture(scope="module")
def planted():
    return plant(8, BOX, seed=3, tomogram_ids=("a", "b"))


def correlation(a, b):
    return np.corrcoef(a.ravel(), b.ravel())[0, 1]


def test_each_group_gives_the_planted_map(tmp_path, planted):
    settings = written(tmp_path, planted, group_by=["tomogram", "half"])
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    assert main(["average", str(tmp_path / "settings.json")]) == 0
    names = sorted(p.name for p in (tmp_path / "out").glob("*.mrc"))
    assert names == [f"average_{t}_{h}.mrc" for t in ("a", "b") for h in ("even", "odd")]
    for name in names:  # of the data's own contrast: protein stays dark
        assert correlation(read_volume(tmp_path / "out" / name), planted.reference) > 0.98
    used = read_result(tmp_path / "out" / "particles.npz", ParticleTable)
    assert np.array_equal(used.rotations, planted.truth.rotations)


def test_a_random_azimuth_leaves_the_axis_and_is_written(tmp_path, planted):
    settings = written(tmp_path, planted, randomize_azimuth=True, seed=4)
    averages = average.run_settings(settings)
    used = read_result(tmp_path / "out" / "particles.npz", ParticleTable)
    assert axis_errors_deg(used.rotations, planted.truth.rotations).max() < 1e-4
    assert np.abs(inplane_errors_deg(used.rotations, planted.truth.rotations)).max() > 20
    assert correlation(averages["all"].volume, planted.reference) < 0.9
    again = average.run_settings({**settings, "output": str(tmp_path / "again")})
    assert np.array_equal(again["all"].volume, averages["all"].volume)
    other = average.run_settings({**settings, "seed": 5})
    assert not np.array_equal(other["all"].volume, averages["all"].volume)


def test_symmetry_is_applied_and_a_wrong_one_refused_before_any_work(tmp_path, planted):
    settings = written(tmp_path, planted, symmetry="C2")
    volume = average.run_settings(settings)["all"].volume
    half_turn = volume[:, ::-1, ::-1]
    assert correlation(volume[:, 1:, 1:], half_turn[:, :-1, :-1]) > 0.99
    with pytest.raises(InputError, match="symmetry 'D2'"):
        average.run_settings({**settings, "symmetry": "D2", "particles": "nowhere"})


def test_the_groups_are_counted(tmp_path, planted):
    averages = average.run_settings(written(tmp_path, planted, group_by=["half"]))
    assert {name: a.n for name, a in averages.items()} == {"odd": 4, "even": 4}


def test_particles_weigh_by_their_cc_and_must_have_one(tmp_path, planted):
    cc = np.linspace(0.1, 0.4, len(planted.truth))
    upper = planted.truth.replace(cc=np.where(cc > 0.25, 0.3, -0.2))
    weighted = average.run_settings(written(tmp_path, planted, upper, weight_by_cc=True))["all"]
    kept = upper.select(upper.cc > 0)
    plain = average.run_settings(written(tmp_path, planted, kept, output=str(tmp_path / "plain")))["all"]
    assert correlation(weighted.volume, plain.volume) > 0.9999
    with pytest.raises(InputError, match="no cc to weight"):
        average.run_settings(written(tmp_path, planted, planted.truth, weight_by_cc=True))
