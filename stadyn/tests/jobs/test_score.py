# SPDX-License-Identifier: GPL-3.0-or-later
"""The score job: the right poses score above wrong ones, nothing moves, masks and references are read as maps."""

import json

import numpy as np
import pytest

from stadyn.__main__ import main
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.resample import fourier_resize
from stadyn.io.mrc import write_volume
from stadyn.io.results import read_result
from stadyn.jobs import score
from stadyn.tests.core.planted import misaligned, plant

from .planted_files import written

BOX = 24


@pytest.fixture(scope="module")
def planted():
    return plant(6, BOX, seed=3, tomogram_ids=("a", "b"))


def test_the_truth_scores_one_and_wrong_poses_less(tmp_path, planted):
    wrong = misaligned(planted.truth, 30.0, 2.0)
    mixed = np.arange(6) % 3 == 0
    table = planted.truth.replace(
        rotations=np.where(mixed[:, None, None], wrong.rotations, planted.truth.rotations), ids=np.arange(6) + 9
    )
    settings = written(tmp_path, planted, table, reference={"*": str(tmp_path / "map.mrc")}, lowpass_angst=13)
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    assert main(["score", str(tmp_path / "settings.json")]) == 0
    scored = read_result(tmp_path / "out" / "particles.npz", ParticleTable)
    assert scored.cc[~mixed].min() > 0.98 and scored.cc[mixed].max() < 0.85
    assert np.array_equal(scored.positions, table.positions) and np.array_equal(scored.ids, table.ids)


def test_a_reference_of_another_box_and_pixel_size_is_brought_to_that_of_the_particles(tmp_path, planted):
    reference = {"*": str(tmp_path / "fine.mrc")}
    settings = written(tmp_path, planted, reference=reference, lowpass_angst=13)
    write_volume(tmp_path / "fine.mrc", fourier_resize(planted.reference, 36), 5.0 * BOX / 36)
    assert score.run_settings(settings).cc.min() > 0.98


def test_each_group_is_held_against_its_own_reference(tmp_path, planted):
    write_volume(tmp_path / "mirrored.mrc", planted.reference[::-1], 5.0)
    settings = written(tmp_path, planted, group_by=["tomogram"], lowpass_angst=13)
    settings["reference"] = {"a": str(tmp_path / "map.mrc"), "b": str(tmp_path / "mirrored.mrc")}
    scored = score.run_settings(settings)
    assert scored.cc[scored.tomogram_ids == "a"].min() > 0.98
    assert scored.cc[scored.tomogram_ids == "b"].max() < 0.8


def test_a_score_needs_a_reference_with_a_pixel_size(tmp_path, planted):
    settings = written(tmp_path, planted, reference=None)
    with pytest.raises(InputError, match="no reference is given"):
        score.run_settings(settings)
    with pytest.raises(InputError, match="nowhere.mrc"):
        score.run_settings({**settings, "reference": {"*": str(tmp_path / "nowhere.mrc")}})
