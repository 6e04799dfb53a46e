# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's own protocols take what ours give, and what comes back is still ours."""

import numpy as np
import pwem
import pytest
from pyworkflow.object import Pointer

from stadyn.convert.coordinates import read_particles
from stadyn.convert.particles import read_particle_input
from stadyn.protocols import StadynProtExtract

from .project import configured, launch


def host(name):
    """A protocol class of the host."""
    return pwem.Domain.getProtocols()[name]


@pytest.fixture(scope="session")
def extracted(project, aligned):
    """Aligned particles in boxes binned by two."""
    return launch(project, StadynProtExtract, inputParticles=(aligned, "particles"), boxSize=172.8, binning=2)


def test_split_of_subtomograms_keeps_poses(project, extracted):
    split = launch(project, host("ProtSplitEvenOddTomoSet"), inputSet=(extracted, "subtomograms"))
    before = read_particle_input(extracted.subtomograms).table
    for output, remainder in (("outputset_even", 0), ("outputset_odd", 1)):
        table = read_particle_input(getattr(split, output)).table
        expected = before.select(before.ids % 2 == remainder)
        np.testing.assert_array_equal(table.ids, expected.ids)
        np.testing.assert_allclose(table.positions, expected.positions, atol=1e-6)
        np.testing.assert_allclose(table.cc, expected.cc, atol=1e-9)


def test_coordinates_extracted_from_binned_subtomograms_are_where_the_particles_are(project, extracted, tomograms):
    run = launch(
        project, host("ProtTomoExtractCoords"), inputSubTomos=(extracted, "subtomograms"),
        inputTomos=(tomograms, "tomograms"),
    )
    before = read_particle_input(extracted.subtomograms).table
    found = read_particles(run.coordinates3d)
    np.testing.assert_allclose(found.positions, before.positions, atol=1e-5)
    np.testing.assert_allclose(found.rotations, before.rotations, atol=1e-6)
    np.testing.assert_allclose(found.cc, before.cc, atol=1e-9)
    np.testing.assert_array_equal(found.surface_ids, before.surface_ids)


def test_exported_text_holds_our_positions(project, aligned):
    run = launch(project, host("ProtExportCoordinates3D"), inputCoordinates=(aligned, "particles"))
    table = read_particles(aligned.particles)
    for name in np.unique(table.tomogram_ids):
        written = np.loadtxt(run._getExportPath(f"{name}.txt"), ndmin=2)
        expected = table.positions[table.tomogram_ids == name]
        assert len(written) == len(expected)
        assert np.abs(written - expected).max() <= 1


def test_subset_and_union_keep_every_column(project, aligned, oversampled):
    subset = launch(project, host("ProtSubSet"), inputFullSet=(aligned, "particles"), chooseAtRandom=True, nElements=9)
    part = next(item for _, item in subset.iterOutputAttributes())
    before, table = read_particles(aligned.particles), read_particles(part)
    rows = np.searchsorted(before.ids, table.ids)
    assert len(table) == 9
    np.testing.assert_allclose(table.positions, before.positions[rows], atol=1e-6)
    np.testing.assert_allclose(table.cc, before.cc[rows], atol=1e-9)
    np.testing.assert_array_equal(table.surface_ids, before.surface_ids[rows])

    protocol = configured(project, host("ProtUnionSet"), inputType=5)
    for source, name in ((aligned, "particles"), (oversampled, "coordinates")):
        protocol.inputSets.append(Pointer(source, extended=name))
    project.launchProtocol(protocol, wait=True)
    assert protocol.isFinished(), protocol.getErrorMessage()
    union = read_particles(next(item for _, item in protocol.iterOutputAttributes()))
    assert len(union) == len(before) + len(read_particles(oversampled.coordinates))
    assert len(np.unique(union.ids)) == len(union)
