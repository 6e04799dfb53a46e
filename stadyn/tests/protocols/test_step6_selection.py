# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 6: empty places are told from particles, and the tomograms brought to one height."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from stadyn.convert.averages import average_paths
from stadyn.convert.coordinates import read_particles
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import rotations_from_normals
from stadyn.protocols import StadynProtAverage, StadynProtCommonHeight, StadynProtSelectCC
from stadyn.protocols.select_cc import parse_thresholds

from .planted import PIXEL_SIZE, own_truth, plant, truth_of
from .project import configured, launch

BOX = 259.2
FALSE_ID, TWIN_ID = 10_000, 20_000


@pytest.fixture(scope="session")
def mixed(simulated):
    """True particles, as many empty places inside the VLPs, and five particles that are there twice."""
    truth = truth_of(simulated)
    rng = np.random.default_rng(5)
    normals = rng.standard_normal((len(truth), 3))
    centres = {name: truth.positions[truth.tomogram_ids == name].mean(axis=0) for name in set(truth.tomogram_ids)}
    inner = np.array([centres[name] for name in truth.tomogram_ids])
    empty = ParticleTable(
        positions=inner + normals / np.linalg.norm(normals, axis=1, keepdims=True) * 110 / PIXEL_SIZE,
        rotations=rotations_from_normals(normals), tomogram_ids=truth.tomogram_ids, ids=truth.ids + FALSE_ID,
    )  # fmt: skip
    twins = truth.select(slice(0, 5)).moved((1.0, 0, 0))
    twins = twins.replace(ids=twins.ids + TWIN_ID)
    return plant(simulated, "mixed", ParticleTable.concatenate([truth, empty, twins]))


@pytest.fixture(scope="session")
def selected(project, mixed):
    """The selection."""
    return launch(
        project, StadynProtSelectCC, inputParticles=mixed, boxSize=BOX, lowpass=30.0, exclusionRadius=45.0,
        numberOfThreads=1,
    )  # fmt: skip


def test_particles_stay_and_empty_places_and_twins_go(simulated, selected):
    kept, excluded = read_particles(selected.particles), read_particles(selected.excludedParticles)
    truth = truth_of(simulated)
    assert np.isin(truth.ids, kept.ids % TWIN_ID).mean() > 0.95
    assert np.mean(kept.ids % TWIN_ID < FALSE_ID) > 0.98
    assert len(kept) + len(excluded) == 2 * len(truth) + 5
    for name in np.unique(kept.tomogram_ids):
        positions = kept.positions[kept.tomogram_ids == name]
        assert cKDTree(positions).query(positions, 2)[0][:, 1].min() * PIXEL_SIZE > 45
    assert np.nanmedian(kept.cc) > np.nanmedian(excluded.cc) + 0.05


def test_thresholds_of_both_tomograms_are_told(selected):
    cuts = selected.loadSummary()["thresholds"]
    assert sorted(cuts) == ["tomo_001", "tomo_002"] == sorted(average_paths(selected.averages))
    assert all(cut["two_populations"] and 0 < cut["threshold"] < 0.5 for cut in cuts.values())
    assert len(selected.summary()) == 3


def test_one_population_is_said_and_kept(project, simulated):
    truth = truth_of(simulated)
    few = plant(simulated, "few", truth.select(slice(0, None, 6)))
    run = launch(
        project, StadynProtSelectCC, inputParticles=few, boxSize=BOX, lowpass=30.0, rebuilds=0, numberOfThreads=1
    )
    assert not hasattr(run, "excludedParticles") and run.particles.getSize() == getattr(*few).getSize()
    assert sum("kept" in line for line in run.summary()) == 3
    assert not any(cut["two_populations"] for cut in run.loadSummary()["thresholds"].values())


@pytest.mark.parametrize(
    ("typed", "thresholds"), [("", {}), (" 0.12 ", {"*": 0.12}), ("ts1=0.1, ts 2 = -2e-1", {"ts1": 0.1, "ts 2": -0.2})]
)
def test_thresholds_that_are_typed(typed, thresholds):
    assert parse_thresholds(typed) == thresholds
    with pytest.raises(InputError, match="'ts1=high'"):
        parse_thresholds("0.1, ts1=high")


def test_tomograms_come_to_one_height(project, simulated):
    truth = truth_of(simulated)
    lifted = truth.moved(np.outer(truth.tomogram_ids == "tomo_002", (0, 0, 14 / PIXEL_SIZE)))
    particles = plant(simulated, "lifted", lifted)
    averages = launch(
        project, StadynProtAverage, inputParticles=particles, groups=1, boxSize=BOX, symmetry="C6", numberOfThreads=1
    )
    run = launch(
        project, StadynProtCommonHeight, inputParticles=particles, inputAverages=(averages, "averages"), boxSize=BOX,
        numberOfThreads=1,
    )  # fmt: skip
    found = read_particles(run.particles)
    own = own_truth(truth, found)
    offset = np.einsum("ni,ni->n", found.positions - own.positions, own.normals()) * PIXEL_SIZE
    heights = [offset[found.tomogram_ids == name] for name in ("tomo_001", "tomo_002")]
    assert all(np.ptp(height) < 0.01 for height in heights)
    assert abs(heights[0][0] - heights[1][0]) < 2
    assert run.averages.getSize() == 2
    assert run.loadSummary()["heights"]["tomo_001"]["shift_angst"] - heights[0][0] == pytest.approx(0, abs=0.01)
    assert run.loadSummary()["warnings"] == []  # neither is upside down or mirrored


def test_an_average_that_is_missing_is_named(project, simulated, mixed):
    alone = launch(
        project, StadynProtAverage, inputParticles=plant(simulated, "first", truth_of(simulated).select(slice(0, 20))),
        groups=1, boxSize=BOX, numberOfThreads=1,
    )  # fmt: skip
    run = configured(project, StadynProtCommonHeight, inputParticles=mixed, inputAverages=(alone, "averages"))
    assert run.validate() == ["tomogram tomo_002 has particles but no average: average its particles first"]
