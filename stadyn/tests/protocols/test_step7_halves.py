# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 7: sets are merged, what is there twice goes, and every particle gets a half."""

import numpy as np
from pyworkflow.object import Pointer

from stadyn.convert.coordinates import read_particles
from stadyn.core.particles import EVEN, ODD, ParticleTable
from stadyn.protocols import StadynProtSplitHalves

from .planted import plant, truth_of
from .project import launch


def pointer(owner, name):
    link = Pointer()
    link.set(owner)
    link.setExtended(name)
    return link


def split(project, *inputs, **values):
    return launch(project, StadynProtSplitHalves, inputParticles=[pointer(*one) for one in inputs], **values)


def test_parity_splits_and_the_better_twin_stays(project, simulated):
    truth = truth_of(simulated)
    better = truth.select(slice(0, 7)).moved((1.0, 0, 0))
    better = better.replace(ids=better.ids + 5001, cc=np.full(7, 0.9))
    run = split(project, plant(simulated, "twins", ParticleTable.concatenate([truth, better])), exclusionRadius=30.0)
    found = read_particles(run.particles)
    assert len(found) == len(truth) and set(better.ids) <= set(found.ids)
    assert not set(truth.ids[:7]) & set(found.ids)
    np.testing.assert_array_equal(found.half, np.where(found.ids % 2 == 1, ODD, EVEN))
    assert run.loadSummary()["duplicates"] == 7


def test_sets_of_single_tomograms_merge(project, simulated):
    truth = truth_of(simulated)
    parts = [truth.select(truth.tomogram_ids == name).renumbered() for name in ("tomo_001", "tomo_002")]
    inputs = [plant(simulated, f"part{i}", part) for i, part in enumerate(parts)]
    run = split(project, *inputs, exclusionRadius=0.0)
    found = read_particles(run.particles)
    assert len(found) == len(truth) and len(np.unique(found.ids)) == len(found)
    np.testing.assert_allclose(np.sort(found.positions, axis=0), np.sort(truth.positions, axis=0), atol=1e-3)
    assert run.loadSummary()["sets"] == 2


def test_whole_tomograms_keep_together(project, simulated):
    run = split(project, (simulated, "coordinates"), splitBy=2)
    found = read_particles(run.particles)
    halves = [set(found.half[found.tomogram_ids == name]) for name in ("tomo_001", "tomo_002")]
    assert sorted(halves, key=sorted) == [{ODD}, {EVEN}]


def test_sets_of_two_kinds_are_refused(project, simulated):
    run = project.newProtocol(StadynProtSplitHalves)
    run.inputParticles.set([pointer(simulated, "coordinates"), pointer(simulated, "dipoles")])
    assert any("cannot be merged" in error for error in run.validate())
