# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 4, and what later steps ask of the same protocol: halves that share nothing, subtomograms in and out."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from tomo.objects import SetOfAverageSubTomograms, SetOfCoordinates3D, SetOfSubTomograms

from stadyn.convert.averages import average_paths
from stadyn.convert.coordinates import read_particles, write_coordinates
from stadyn.convert.particles import read_particle_input
from stadyn.core.particles import EVEN, ODD
from stadyn.core.rotations import axis_errors_deg, inplane_errors_deg, rotation_vectors_to_matrices
from stadyn.io.mrc import read_volume
from stadyn.protocols import StadynProtAlign, StadynProtExtract

from .conftest import BOX
from .project import launch

ROUND = {
    "boxSize": BOX, "preset": 0, "iterations": "2", "coneRange": "16", "coneSampling": "8", "inplaneRange": "60",
    "inplaneSampling": "10", "refine": "2", "refineFactor": "2", "shiftLimit": "30", "shiftModus": "1", "lowpass": "32",
    "highpass": "0", "symmetry": "C6", "binning": "1",
}  # fmt: skip


@pytest.fixture(scope="session")
def disturbed(simulated):
    """The true particles turned by 5 degrees and moved by 10 Å at random, split by id; an output of the simulation."""
    truth = read_particles(simulated.coordinates)
    rng = np.random.default_rng(11)
    vectors = rng.standard_normal((len(truth), 3))
    vectors *= np.radians(5) / np.linalg.norm(vectors, axis=1, keepdims=True)
    shifts = rng.standard_normal((len(truth), 3))
    shifts *= 10 / 10.8 / np.linalg.norm(shifts, axis=1, keepdims=True)
    table = truth.moved(shifts, rotation_vectors_to_matrices(vectors))
    table = table.replace(half=np.where(truth.ids % 2 == 1, ODD, EVEN), parent=truth.ids + 7)
    output = simulated.createSet(SetOfCoordinates3D, "disturbed")
    output.copyInfo(simulated.coordinates)
    write_coordinates(table, output, simulated.tomograms)
    simulated._defineOutputs(disturbed=output)
    simulated._store()
    return simulated, "disturbed"


def errors(found, truth):
    """Median errors (Å, degrees of the axis, degrees in-plane) of particles with the ids of the truth."""
    own = truth.select(np.searchsorted(truth.ids, found.ids))
    distance = np.linalg.norm(found.positions - own.positions, axis=1) * 10.8
    axis = axis_errors_deg(found.rotations, own.rotations)
    inplane = inplane_errors_deg(found.rotations, own.rotations, 6)
    return np.median(distance), np.median(axis), np.median(np.abs(inplane))


def test_each_tomogram_comes_back_to_the_truth(project, simulated, disturbed, true_average):
    reference = (true_average, "average")
    run = launch(project, StadynProtAlign, inputParticles=disturbed, groups=1, inputReference=reference, **ROUND)
    truth, found = read_particles(simulated.coordinates), read_particles(run.particles)
    before = errors(read_particles(simulated.disturbed), truth)
    after = errors(found, truth)
    assert after[0] < 5 < before[0] and after[1] < 2.5 < before[1] and after[2] < 2.5
    assert isinstance(run.averages, SetOfAverageSubTomograms)
    assert sorted(average_paths(run.averages)) == ["tomo_001", "tomo_002"]
    np.testing.assert_array_equal(found.parent, found.ids + 7)
    assert set(found.half) == {ODD, EVEN}


def test_halves_share_nothing_and_become_half_maps(project, simulated, disturbed):
    run = launch(project, StadynProtAlign, inputParticles=disturbed, groups=2, **ROUND)
    halves = [path.strip() for path in run.average.getHalfMaps().split(",")]
    assert [path.rsplit("_", 1)[1] for path in halves] == ["odd.mrc", "even.mrc"]
    odd, even = (read_volume(path) for path in halves)
    assert 0.3 < np.corrcoef(odd.ravel(), even.ravel())[0, 1] < 0.999
    truth = read_particles(simulated.coordinates)
    found = read_particles(run.particles)
    # Without a common reference each half settles where it likes along z; about it the axis is that of the truth.
    assert errors(found, truth)[1] < 4
    assert np.median(cKDTree(truth.positions).query(found.positions)[0]) * 10.8 < 20


def test_subtomograms_in_subtomograms_out(project, simulated, disturbed, true_average):
    boxes = launch(project, StadynProtExtract, inputParticles=disturbed, boxSize=BOX)
    run = launch(
        project, StadynProtAlign, inputParticles=(boxes, "subtomograms"), inputReference=(true_average, "average"),
        **{**ROUND, "iterations": "1"},
    )
    assert isinstance(run.particles, SetOfSubTomograms)
    before, after = read_particle_input(boxes.subtomograms), read_particle_input(run.particles)
    assert set(after.table.ids) <= set(before.table.ids) and len(after.table) > 0.9 * len(before.table)
    assert set(after.boxes.paths) <= set(before.boxes.paths)
    assert np.isfinite(after.table.cc).all()
    truth = read_particles(simulated.coordinates)
    assert errors(after.table, truth)[0] < 5 < errors(before.table, truth)[0]
