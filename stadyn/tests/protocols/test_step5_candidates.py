# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 5: the average of averages says how each average was moved, and its unit cells are found in the tomograms."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from stadyn.convert.averages import average_paths
from stadyn.convert.coordinates import read_particles
from stadyn.convert.subtomograms import read_subtomograms
from stadyn.core.particles import ParticleTable
from stadyn.core.resample import rotate_volume
from stadyn.core.rotations import axis_errors_deg, inplane_errors_deg, rotation_z
from stadyn.io.markers import read_cmm, write_cmm
from stadyn.io.mrc import read_volume, write_volume
from stadyn.protocols import StadynProtAverage, StadynProtAverageOfAverages, StadynProtSubboxing
from stadyn.protocols.unit_cells import expected_particles

from .conftest import BOX
from .planted import PIXEL_SIZE, plant, plant_averages, truth_of
from .project import configured, launch

TURN = rotation_z(8.0) @ Rotation.from_rotvec(np.radians([0, 4, 0])).as_matrix()
SHIFT = np.array([0.6, -0.4, 1.5])
SMALL = {
    "preset": 0, "iterations": "2", "coneRange": "16", "coneSampling": "8", "inplaneRange": "60",
    "inplaneSampling": "8",
    "refine": "2", "refineFactor": "2", "shiftLimit": "40", "shiftModus": "1", "lowpass": "25", "highpass": "0",
    "symmetry": "C6", "binning": "1", "numberOfThreads": 1,
}  # fmt: skip


@pytest.fixture(scope="session")
def moved_averages(project, simulated):
    """One average per tomogram at the true poses; that of the second turned and shifted in its box."""
    run = launch(
        project, StadynProtAverage, inputParticles=(simulated, "coordinates"), groups=1, boxSize=BOX, symmetry="C6",
        numberOfThreads=1,
    )  # fmt: skip
    paths = average_paths(run.averages)
    moved = run.resultPath("moved.mrc")
    write_volume(moved, rotate_volume(read_volume(paths["tomo_002"]), TURN, SHIFT), PIXEL_SIZE)
    return plant_averages(simulated, "movedAverages", {**paths, "tomo_002": moved})


@pytest.fixture(scope="session")
def average_of_averages(project, moved_averages):
    """The averages brought together."""
    return launch(project, StadynProtAverageOfAverages, inputAverages=moved_averages, **SMALL)


def test_how_an_average_was_moved_is_found(average_of_averages):
    poses, _ = read_subtomograms(average_of_averages.averages)
    assert list(poses.tomogram_ids) == ["tomo_001", "tomo_002"]
    # A feature at x of the average as it was lies at TURN.T (x - SHIFT) of the moved one.
    expected = TURN.T @ poses.rotations[0]
    assert np.linalg.norm(poses.positions[1] - TURN.T @ (poses.positions[0] - SHIFT)) < 0.3
    assert axis_errors_deg(poses.rotations[1:], expected[None])[0] < 1.5
    assert abs(inplane_errors_deg(poses.rotations[1:], expected[None], 6)[0]) < 1.5
    assert np.degrees(np.arccos(poses.rotations[1][2, 2])) > 2


def test_unit_cells_are_marked_where_chimera_looks_for_them(average_of_averages):
    marks = read_cmm(average_of_averages.resultPath("unit_cells.cmm"))
    box = read_volume(average_of_averages.average.getFileName()).shape[0]
    from_centre = marks - box // 2 * PIXEL_SIZE
    assert len(marks) >= 7 and np.linalg.norm(from_centre[0, :2]) < 8
    ring = np.sort(np.linalg.norm(from_centre[:, :2], axis=1))[1:7]
    np.testing.assert_allclose(ring, 75, atol=9)
    assert abs(average_of_averages.loadSummary()["spacing_angst"] - 75) < 5


def test_viewing_copy_is_inverted(average_of_averages):
    dark = read_volume(average_of_averages.average.getFileName())
    bright = read_volume(average_of_averages.viewingCopy.getFileName())
    assert np.corrcoef(dark.ravel(), bright.ravel())[0, 1] < -0.7


@pytest.fixture(scope="session")
def parents(simulated):
    """Every fourth true particle, of rising CC, in the frame of its average: in tomogram 2 the moved one."""
    truth = truth_of(simulated)
    moved = truth.moved(SHIFT, TURN)
    second = truth.tomogram_ids == "tomo_002"
    table = ParticleTable.concatenate([truth.select(~second), moved.select(second)])
    table = table.select(slice(0, None, 4))
    return plant(simulated, "parents", table.replace(cc=np.linspace(0.2, 0.9, len(table))))


def neighbours_found(coordinates, simulated, parents):
    """(share of the true neighbours of parents that were found within 15 Å, their median axis error)."""
    found, truth = read_particles(coordinates), truth_of(simulated)
    given = read_particles(getattr(*parents))
    missed, axis = [], []
    for name in np.unique(truth.tomogram_ids):
        here, there, near = (t.select(t.tomogram_ids == name) for t in (truth, found, given))
        # Parents of tomogram 2 stand a few Å beside their true places.
        from_parent = cKDTree(near.positions).query(here.positions)[0] * PIXEL_SIZE
        wanted = here.select((from_parent > 40) & (from_parent < 90))
        distance, row = cKDTree(there.positions).query(wanted.positions)
        hit = distance * PIXEL_SIZE < 15
        missed.append(~hit)
        axis.append(axis_errors_deg(there.rotations[row[hit]], wanted.rotations[hit]))
    return 1 - np.mean(np.concatenate(missed)), np.median(np.concatenate(axis))


def subbox(project, average_of_averages, parents, **values):
    return launch(
        project, StadynProtSubboxing, inputParticles=parents, inputAverages=(average_of_averages, "averages"),
        inputAverage=(average_of_averages, "average"), **values,
    )  # fmt: skip


def test_neighbours_of_particles_are_found_in_two_steps(project, simulated, average_of_averages, parents):
    run = subbox(project, average_of_averages, parents, maxDistance=95.0)  # the first ring
    share, axis = neighbours_found(run.coordinates, simulated, parents)
    assert share > 0.85 and axis < 4, (share, axis)
    found, given = read_particles(run.coordinates), read_particles(getattr(*parents))
    assert set(found.parent) <= set(given.ids) and set(found.marker) >= set(range(1, 8))
    np.testing.assert_array_equal(np.sort(found.ids), np.arange(1, len(found) + 1))
    assert 0.5 < expected_particles(run) / len(found) < 2  # what the form warns with before it runs
    for name in np.unique(found.tomogram_ids):
        closest = cKDTree(found.positions[found.tomogram_ids == name]).query(
            found.positions[found.tomogram_ids == name], 2
        )[0][:, 1]
        assert closest.min() * PIXEL_SIZE >= 0.99 * run.loadSummary()["exclusion_radius_angst"]


def test_markers_of_a_file_and_typed_ones_are_the_same(project, average_of_averages, parents, tmp_path):
    marks = read_cmm(average_of_averages.resultPath("unit_cells.cmm"))[:4]
    write_cmm(tmp_path / "four.cmm", marks)
    by_file = subbox(project, average_of_averages, parents, markerFile=str(tmp_path / "four.cmm"))
    typed = "; ".join(",".join(f"{v:.6f}" for v in mark) for mark in marks)
    by_hand = subbox(project, average_of_averages, parents, markers=typed)
    one, other = read_particles(by_file.coordinates), read_particles(by_hand.coordinates)
    assert set(one.marker) == {1, 2, 3, 4}
    np.testing.assert_allclose(one.positions, other.positions, atol=1e-4)


@pytest.mark.parametrize(
    "values, sentence",
    [
        ({"markers": "1,2"}, "'1,2' is not x,y,z"),
        ({"markers": "170,170,170"}, "type the radius"),
        ({"markerFile": "/nowhere.cmm"}, "/nowhere.cmm"),
        ({"cellSymmetry": "D3"}, "'D3'"),
    ],
)
def test_wrong_markers_are_named(project, average_of_averages, parents, values, sentence):
    run = configured(
        project, StadynProtSubboxing, inputParticles=parents, inputAverages=(average_of_averages, "averages"),
        inputAverage=(average_of_averages, "average"), **values,
    )  # fmt: skip
    assert any(sentence in error for error in run.validate())


def test_an_average_that_is_missing_is_named(project, simulated, average_of_averages, parents, moved_averages):
    first = average_paths(getattr(*moved_averages))
    alone = plant_averages(simulated, "firstAverage", {"tomo_001": first["tomo_001"]})
    run = configured(
        project, StadynProtSubboxing, inputParticles=parents, inputAverages=alone,
        inputAverage=(average_of_averages, "average"),
    )  # fmt: skip
    assert run.validate() == [
        "tomogram tomo_002 has particles but no average among the aligned ones: average it first"
    ]
