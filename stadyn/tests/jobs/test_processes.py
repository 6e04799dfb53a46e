# SPDX-License-Identifier: GPL-3.0-or-later
"""Several processes give what one gives, and say so when one of them fails."""

import numpy as np
import pytest

from stadyn.core.passes import GLOBAL
from stadyn.jobs import align
from stadyn.jobs.processes import ProcessCrew
from stadyn.tests.core.planted import misaligned, plant

from .planted_files import ROUND, written

BOX = 24


@pytest.fixture(scope="module")
def planted():
    return plant(8, BOX, snr=1.0, seed=3, tomogram_ids=("a", "b"))


def test_two_processes_give_the_poses_of_one(tmp_path, planted):
    start = misaligned(planted.truth, 5.0, 1.0)
    found = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        rounds = [{**ROUND, "iterations": 2, "cone_range_deg": 12, "inplane_range_deg": 12}]
        found.append(align.run_settings(written(folder, planted, start, rounds=rounds, processes=processes)))
    one, two = found
    assert np.abs(one.rotations - start.rotations).max() > 0.02
    assert np.abs(one.rotations - two.rotations).max() < 1e-4
    assert np.abs(one.positions - two.positions).max() < 1e-3 and np.abs(one.cc - two.cc).max() < 1e-4


def test_a_failing_process_ends_the_run_with_its_message(tmp_path, planted):
    settings = written(tmp_path, planted, planted.truth, rounds=[ROUND])
    with ProcessCrew(settings, BOX, 5.0, "fast", GLOBAL, [None]) as crew:
        with pytest.raises(RuntimeError, match="process 1 of the alignment failed"):
            crew.sums(planted.truth, np.ones(8, bool))  # before any round began
        crew._processes[0].terminate()
        crew._processes[0].join()
        with pytest.raises(RuntimeError, match="process 1 of the alignment"):
            crew.begin(planted.truth, np.array([0]), 8.0, 0.0, False)
