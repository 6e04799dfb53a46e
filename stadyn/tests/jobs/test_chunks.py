# SPDX-License-Identifier: GPL-3.0-or-later
"""An alignment in chunks gives what one process gives, whatever happens to those that work on the chunks."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.io.results import read_result
from stadyn.jobs import align
from stadyn.tests.core.planted import misaligned, plant

from .planted_files import ROUND, written

BOX = 24
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def planted():
    return plant(150, BOX, snr=1.0, seed=3, tomogram_ids=("a", "b"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, planted):
    """Settings of two rounds with a given symmetry, and the folder of their result by one process."""
    folder = tmp_path_factory.mktemp("chunks")
    start = misaligned(planted.truth, 5.0, 1.0)
    wide = {**ROUND, "iterations": 2, "cone_range_deg": 12, "inplane_range_deg": 12, "symmetry": "C2"}
    settings = written(folder, planted, start, rounds=[wide, ROUND], group_by=["tomogram"], reference_filter="fsc")
    settings["output"] = str(folder / "whole")
    align.run_settings(settings)
    return settings


def same_results(one, other):
    first, second = (read_result(Path(folder) / "particles.npz", ParticleTable) for folder in (one, other))
    assert np.array_equal(first.rotations, second.rotations) and np.array_equal(first.positions, second.positions)
    assert np.array_equal(first.cc, second.cc)
    for group in ("a", "b"):
        names = [Path(folder) / f"average_{group}.mrc" for folder in (one, other)]
        assert names[0].read_bytes() == names[1].read_bytes()


@pytest.mark.parametrize("chunks", [1, 4])
def test_chunks_give_the_bits_of_one_process(tmp_path, whole, chunks):
    align.run_settings({**whole, "output": str(tmp_path), "chunks": chunks})
    same_results(whole["output"], tmp_path)
    assert not (tmp_path / "chunks").exists()
