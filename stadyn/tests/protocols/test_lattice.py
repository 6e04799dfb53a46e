# SPDX-License-Identifier: GPL-3.0-or-later
"""Cleaning by the lattice, expansion, refitted surfaces and tubes, on the truth of the simulation."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from tomo.objects import SetOfCoordinates3D

from stadyn.convert.coordinates import read_particles, write_coordinates
from stadyn.core.evaluation import match_to_truth
from stadyn.core.lattice_quality import LatticeQuality
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import randomize_azimuth
from stadyn.io.results import read_result
from stadyn.protocols import (
    StadynProtExpandLattice,
    StadynProtLatticeQuality,
    StadynProtOversampleTubes,
    StadynProtRefitSurfaces,
)

from .project import configured, launch

PIXEL = 10.8


@pytest.fixture(scope="module")
def truth(simulated):
    """True sites of the simulation."""
    return read_particles(simulated.coordinates)


@pytest.fixture
def stored(project, simulated, monkeypatch):
    """Puts a table into the run of the simulation as one more output: `(run, name)` to link to."""
    tomograms = simulated.coordinates.getPrecedents()

    def store(table, name):
        output = SetOfCoordinates3D.create(simulated.getPath(), suffix=name)
        output.setPrecedents(tomograms)
        output.setSamplingRate(PIXEL)
        output.setBoxSize(32)
        write_coordinates(table, output, tomograms)
        output.write()
        simulated._defineOutputs(**{name: output})
        simulated._store()
        return simulated, name

    return store


def test_strays_are_cleaned_and_measured(project, truth, stored):
    rng = np.random.default_rng(0)
    strays = truth.select(rng.choice(len(truth), len(truth) // 4, replace=False))
    shifted = strays.moved(rng.normal(0, 5, (len(strays), 3)) * [1, 1, 0.2])
    strays = shifted.replace(rotations=randomize_azimuth(shifted.rotations, rng)).renumbered(5000)
    planted = ParticleTable.concatenate([truth, strays])
    run = launch(project, StadynProtLatticeQuality, inputParticles=stored(planted, "planted"))
    kept, excluded = read_particles(run.particles), read_particles(run.excludedParticles)
    assert np.mean(np.isin(strays.ids, excluded.ids)) > 0.9 and np.mean(np.isin(truth.ids, kept.ids)) > 0.97
    assert len(kept) + len(excluded) == len(planted)
    quality = read_result(run.resultPath("lattice_quality.npz"), LatticeQuality)
    assert np.array_equal(np.sort(quality.ids[quality.order >= 0.1]), np.sort(kept.ids))
    figures = run.loadSummary()["tomograms"]
    assert all(abs(own["spacing_angst"] - 74) < 2 for own in figures.values())
    assert len(run._summary()) == 3


def test_missing_particles_come_back(project, truth, stored):
    keep = np.random.default_rng(1).random(len(truth)) > 0.15
    run = launch(project, StadynProtExpandLattice, inputParticles=stored(truth.select(keep), "thinned"))
    table = read_particles(run.coordinates)
    old = np.isin(table.ids, truth.ids[keep]) & (table.parent == 0)
    assert old.sum() == keep.sum()
    assert match_to_truth(table.select(~old), truth.select(~keep), 12 / PIXEL).recall > 0.85
    assert sum(run.loadSummary()["new"].values()) == np.sum(~old)
    assert "new particles" in run._summary()[0]


def test_surfaces_are_refitted_and_densely_covered(project, truth, simulated):
    run = launch(project, StadynProtRefitSurfaces, inputParticles=(simulated, "coordinates"), spacing=40.0)
    points = read_particles(run.coordinates)
    for name in np.unique(truth.tomogram_ids):
        own, true = (t.select(t.tomogram_ids == name) for t in (points, truth))
        distance, nearest = cKDTree(own.positions).query(true.positions)
        assert distance.max() * PIXEL < 40
        cosine = np.sum(own.normals()[nearest] * true.normals(), axis=1)
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 12
    figures = run.loadSummary()["surfaces"]
    assert len(figures) == 2 and all(230 < s["radius_angst"] < 270 and s["rms_angst"] < 5 for s in figures)


def test_tubes_are_covered(project, simulated):
    # The two points of a dipole mark the axis of a tube just as well.
    run = launch(project, StadynProtOversampleTubes, inputPoints=(simulated, "dipoles"), radius=100.0, spacing=50.0)
    table = read_particles(run.coordinates)
    assert len(table) > 20 and run.loadSummary()["tubes"] == 2
    nearest = cKDTree(table.positions[table.tomogram_ids == "tomo_001"]).query(
        table.positions[table.tomogram_ids == "tomo_001"], 2
    )[0][:, 1]
    assert 30 < np.median(nearest) * PIXEL < 60


def test_expansion_without_support_is_refused(project, simulated):
    protocol = configured(project, StadynProtExpandLattice, inputParticles=(simulated, "coordinates"), symmetry="X9")
    assert any("X9" in error for error in protocol.validate())
