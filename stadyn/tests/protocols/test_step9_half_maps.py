# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 9: half-maps that lie on each other, their FSC, the final map and its local resolution."""

import filecmp
import json
import os

import numpy as np
import pytest
from pwem.objects import SetOfFSCs, VolumeMask

from stadyn.convert.coordinates import read_particles
from stadyn.core.particles import EVEN, ODD
from stadyn.core.rotations import axis_errors_deg, inplane_errors_deg, rotation_z
from stadyn.export import TABLES, export_results
from stadyn.io.dynamo import read_table
from stadyn.io.mrc import read_header, read_volume
from stadyn.io.volume_lists import read_doc
from stadyn.protocols import (
    StadynProtHalfMaps,
    StadynProtLocalResolution,
    StadynProtPostprocess,
)
from stadyn.records import read_records
from stadyn.sheet import write_sheet

from .planted import PIXEL_SIZE, own_truth, plant, truth_of
from .project import configured, launch

BOX = 259.2
TURN, SHIFT = rotation_z(11.0), np.array([0.0, 0.0, -1.4])
"""What C6 leaves free between two halves: the azimuth and the height."""


@pytest.fixture(scope="session")
def apart(simulated):
    """True particles in two halves; the even ones refined to a reference that was turned and shifted."""
    truth = truth_of(simulated)
    even = truth.ids % 2 == 0
    moved = truth.moved(SHIFT, TURN)
    table = truth.replace(
        positions=np.where(even[:, None], moved.positions, truth.positions),
        rotations=np.where(even[:, None, None], moved.rotations, truth.rotations),
        half=np.where(even, EVEN, ODD),
    )
    return plant(simulated, "apart", table)


@pytest.fixture(scope="session")
def half_maps(project, apart):
    """The half-maps."""
    return launch(project, StadynProtHalfMaps, inputParticles=apart, boxSize=BOX, lowpass=25.0, numberOfThreads=1)


def test_even_particles_follow_their_map_back(simulated, half_maps):
    found = read_particles(half_maps.particles)
    own = own_truth(truth_of(simulated), found)
    odd, even = found.half == ODD, found.half == EVEN
    np.testing.assert_allclose(found.positions[odd], own.positions[odd], atol=1e-3)
    local = np.einsum("nji,nj->ni", own.rotations[even], found.positions[even] - own.positions[even])
    assert np.linalg.norm(local.mean(axis=0)) * PIXEL_SIZE < 2.5
    assert np.median(axis_errors_deg(found.rotations[even], own.rotations[even])) < 1
    assert np.median(np.abs(inplane_errors_deg(found.rotations[even], own.rotations[even], 6))) < 1.5


def test_maps_are_bright_and_named_as_relion_does(half_maps, true_average):
    average = half_maps.average
    halves = [path.strip() for path in average.getHalfMaps().split(",")]
    assert [os.path.basename(path) for path in halves] == [
        "stadyn_half1_class001_unfil.mrc", "stadyn_half2_class001_unfil.mrc",
    ]  # fmt: skip
    assert all(read_header(path).pixel_size == pytest.approx(PIXEL_SIZE) for path in halves)
    whole, odd, even = (read_volume(path) for path in [average.getFileName(), *halves])
    dark = read_volume(true_average.average.getFileName())
    cut = (len(dark) - len(whole)) // 2
    dark = dark[cut : cut + len(whole), cut : cut + len(whole), cut : cut + len(whole)]
    core = (slice(6, -6),) * 3
    assert np.corrcoef(whole[core].ravel(), dark[core].ravel())[0, 1] < -0.8
    assert np.corrcoef(odd[core].ravel(), even[core].ravel())[0, 1] > 0.7
    assert not np.array_equal(odd, even)


@pytest.fixture(scope="session")
def processed(project, half_maps):
    """Curves and the final map."""
    return launch(
        project, StadynProtPostprocess, inputMap=(half_maps, "average"), bFactor="-200", coneAngle=40.0,
        numberOfThreads=1,
    )  # fmt: skip


def test_postprocessing_gives_mask_curves_and_map(half_maps, processed):
    figures = processed.loadSummary()
    assert 2 * PIXEL_SIZE <= figures["resolution_angst"] < 40 and figures["b_factor"] == -200
    assert isinstance(processed.mask, VolumeMask) and isinstance(processed.fscs, SetOfFSCs)
    assert set(figures["directional_resolution_angst"]) == {"x", "y", "z"}
    labels = [curve.getObjLabel() for curve in processed.fscs.iterItems()]
    assert "unmasked" in labels and "corrected" in labels
    final, bright = (read_volume(m.getFileName()) for m in (processed.sharpenedMap, half_maps.average))
    assert np.corrcoef(final.ravel(), bright.ravel())[0, 1] > 0.5
    assert any("0.143" in line for line in processed.summary())


def test_local_resolution_is_in_angstrom(project, half_maps, processed):
    run = launch(
        project, StadynProtLocalResolution, inputMap=(half_maps, "average"), inputMask=(processed, "mask"), window=75.0,
        numberOfThreads=1,
    )  # fmt: skip
    resolution = read_volume(run.resolutionMap.getFileName())
    mask = read_volume(processed.mask.getFileName())
    assert np.all(resolution[mask > 0.6] >= 2 * PIXEL_SIZE - 0.1) and np.all(resolution[mask < 0.4] == 0)
    filtered = read_volume(run.filteredMap.getFileName())
    assert np.corrcoef(filtered.ravel(), read_volume(half_maps.average.getFileName()).ravel())[0, 1] > 0.7


def test_project_leaves_what_a_lab_hands_on(project, simulated, half_maps, processed, tmp_path):
    written = export_results(project, tmp_path)
    assert sorted(written) == sorted(os.listdir(tmp_path))
    paths = read_doc(tmp_path / "tomograms.doc")
    tables = {name: read_table(tmp_path / f"particles_{name}.tbl", {1: "tomo_001", 2: "tomo_002"}) for name in TABLES}
    particles = read_particles(half_maps.particles)
    assert [os.path.basename(path) for path in paths.values()] == ["tomo_001.mrc", "tomo_002.mrc"]
    counts = {name: len(table.particles) for name, table in tables.items()}
    assert counts["odd"] + counts["even"] == counts["all"] == len(particles)
    row = np.flatnonzero(tables["all"].particles.ids == particles.ids[7])[0]
    np.testing.assert_allclose(tables["all"].particles.positions[row], particles.positions[7], atol=1e-3)
    np.testing.assert_allclose(tables["all"].particles.rotations[row], particles.rotations[7], atol=1e-5)
    assert filecmp.cmp(tmp_path / "final_map.mrc", processed.sharpenedMap.getFileName(), shallow=False)
    assert filecmp.cmp(tmp_path / "average.mrc", half_maps.average.getFileName(), shallow=False)
    header, *lines = (tmp_path / "fsc.csv").read_text().splitlines()
    assert header.startswith("frequency_per_angst,resolution_angst,unmasked") and len(lines) == 12
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["resolution_angst"] == processed.loadSummary()["resolution_angst"]
    assert summary["final_particles"] == len(particles)


def test_the_projects_sheet_tells_numbers_and_choices(project, half_maps, processed, tmp_path):
    """Read from the host's own database, while the host has the project open."""
    page = write_sheet(project.getPath(), tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert f"{processed.loadSummary()['resolution_angst']:.2f} Å" in page and "-200 Å²" in page
    _, records = read_records(project.getPath())
    (record,) = [r for r in records if r.folder.parent.name == os.path.basename(processed.getWorkingDir())]
    assert record.status == "finished" and record.parameters["bFactor"] == "-200"
    assert record.parameters["inputMap"].endswith(".average") and record.parameters["flipHand"] == "no"


def test_an_mtf_that_is_none_is_refused_before_anything_runs(project, half_maps, tmp_path):
    (tmp_path / "mtf.star").write_text("data_\n\nloop_\n_rlnResolution\n0.5\n")
    run = configured(
        project, StadynProtPostprocess, inputMap=(half_maps, "average"), mtfFile=str(tmp_path / "mtf.star")
    )
    assert any("MTF of a detector" in error for error in run.validate())


def test_what_is_missing_is_named(project, simulated, true_average):
    whole = configured(project, StadynProtHalfMaps, inputParticles=(simulated, "coordinates"))
    assert any("split" in error for error in whole.validate())
    for protocol_class in (StadynProtPostprocess, StadynProtLocalResolution):
        bare = configured(project, protocol_class, inputMap=(true_average, "average"))
        assert bare.validate() == ["the map carries no two half-maps: give the output of 'half-maps'"]
