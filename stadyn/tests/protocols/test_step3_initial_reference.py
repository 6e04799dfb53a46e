# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 3: averages, alignment and recentring through the host, against the simulated truth."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from tomo.objects import AverageSubTomogram, SetOfAverageSubTomograms, SetOfCoordinates3D

from stadyn.convert.coordinates import read_particles
from stadyn.core.rotations import axis_errors_deg
from stadyn.io.mrc import read_volume
from stadyn.protocols import StadynProtAlign, StadynProtAverage, StadynProtRecentre

from .conftest import BOX
from .project import configured, launch


def correlation(a, b, radius=12):
    """Correlation of two maps within a sphere about the box centre."""
    grid = np.indices(a.shape) - a.shape[0] // 2
    inside = np.sum(grid**2, axis=0) <= radius**2
    return np.corrcoef(a[inside], b[inside])[0, 1]


def test_average_of_the_true_poses_is_the_true_map_with_dark_protein(project, simulated):
    averaged = launch(
        project, StadynProtAverage, inputParticles=(simulated, "coordinates"), boxSize=BOX, symmetry="C6", groups=1
    )
    averages = averaged.averages
    assert isinstance(averages, SetOfAverageSubTomograms)
    assert [a.getVolName() for a in averages.iterItems()] == ["tomo_001", "tomo_002"]
    truth = read_volume(simulated.trueMap.getFileName())
    for average in averages.iterItems():
        found = read_volume(average.getFileName())
        assert correlation(found, -truth) > 0.7
        assert correlation(found, -truth) > correlation(found[:, :, ::-1], -truth)


def test_randomised_azimuth_is_given_out_and_keeps_the_axes(project, oversampled):
    averaged = launch(
        project, StadynProtAverage, inputParticles=(oversampled, "coordinates"), boxSize=BOX, randomizeAzimuth=True
    )
    before, after = read_particles(oversampled.coordinates), read_particles(averaged.particles)
    np.testing.assert_array_equal(before.ids, after.ids)
    assert axis_errors_deg(before.rotations, after.rotations).max() < 1e-4
    assert np.abs(before.rotations - after.rotations).max() > 0.5
    assert isinstance(averaged.average, AverageSubTomogram) and averaged.average.getSamplingRate() == 10.8
    bright = read_volume(averaged.viewingCopy.getFileName())
    assert np.corrcoef(bright.ravel(), read_volume(averaged.average.getFileName()).ravel())[0, 1] < -0.5


def test_alignment_returns_the_same_particles_closer_to_the_lattice(simulated, oversampled, aligned):
    before, after = read_particles(oversampled.coordinates), read_particles(aligned.particles)
    assert isinstance(aligned.particles, SetOfCoordinates3D)
    assert set(after.ids) <= set(before.ids) and len(after) >= 0.95 * len(before)
    assert np.isfinite(after.cc).all()
    rows = np.searchsorted(before.ids, after.ids)
    np.testing.assert_array_equal(after.surface_ids, before.surface_ids[rows])
    assert np.linalg.norm(after.positions - before.positions[rows], axis=1).max() * 10.8 < 60
    truth = read_particles(simulated.coordinates)

    def off_surface(table):
        errors = []
        for name in np.unique(truth.tomogram_ids):
            sites = truth.select(truth.tomogram_ids == name)
            own = table.select(table.tomogram_ids == name)
            _, nearest = cKDTree(sites.positions).query(own.positions)
            errors.append(np.sum((own.positions - sites.positions[nearest]) * sites.normals()[nearest], axis=1))
        heights = np.concatenate(errors)
        return np.std(heights) * 10.8

    assert off_surface(after) < off_surface(before)


def test_recentring_moves_particles_and_map_together(project, aligned):
    point = np.array([16 + 2.0, 16 - 1.0, 16 + 0.5]) * 10.8
    recentred = launch(
        project, StadynProtRecentre, inputParticles=(aligned, "particles"), inputAverage=(aligned, "average"),
        centre=2, point=",".join(f"{v:.3f}" for v in point), tiltNormal=False,
    )
    before, after = read_particles(aligned.particles), read_particles(recentred.particles)
    rows = np.searchsorted(before.ids, after.ids)
    moved = np.einsum("nji,nj->ni", before.rotations[rows], after.positions - before.positions[rows])
    np.testing.assert_allclose(moved, [[2.0, -1.0, 0.5]] * len(after), atol=1e-5)
    old, new = read_volume(aligned.average.getFileName()), read_volume(recentred.average.getFileName())
    # Voxel (x, y, z) of the new map was (x + 2, y - 1, z + 1/2) of the old.
    halfway = 0.5 * (old + np.roll(old, -1, axis=0))
    shifted = np.roll(halfway, (1, -2), axis=(1, 2))
    assert correlation(new, shifted, 8) > 0.9 > correlation(new, np.roll(halfway, (-1, 2), axis=(1, 2)), 8)


def test_axis_is_found_automatically(project, simulated, true_average):
    """The centre is put 27 Å off the axis by hand; it comes back to an axis."""
    point = (np.array([16.0, 16.0, 16.0]) + [2.0, 1.5, 0.0]) * 10.8
    away = launch(
        project, StadynProtRecentre, inputParticles=(simulated, "coordinates"), inputAverage=(true_average, "average"),
        centre=2, point=",".join(f"{v:.3f}" for v in point),
    )
    back = launch(project, StadynProtRecentre, inputParticles=(away, "particles"), inputAverage=(away, "average"))
    truth, found = read_particles(simulated.coordinates), read_particles(back.particles)
    distance = []
    for name in np.unique(truth.tomogram_ids):
        sites = truth.positions[truth.tomogram_ids == name]
        distance.append(cKDTree(sites).query(found.positions[found.tomogram_ids == name])[0] * 10.8)
    assert np.median(np.concatenate(distance)) < 15
    assert back.loadSummary()["symmetry_cc"] > 0.5


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"preset": 0, "coneRange": "20 10", "iterations": "3 3 3"}, 'Cone range (°) "20 10" has 2 values'),
        ({"preset": 0, "lowpass": "thirty"}, 'Low-pass (Å) "thirty"'),
        ({"preset": 0, "symmetry": "D6"}, "D6"),
    ],
)
def test_wrong_rounds_are_refused_by_name(project, oversampled, values, sentence):
    protocol = configured(project, StadynProtAlign, inputParticles=(oversampled, "coordinates"), **values)
    (error,) = protocol.validate()
    assert sentence in error


def test_halves_may_not_share_a_reference(project, simulated, oversampled):
    protocol = configured(
        project, StadynProtAlign, inputParticles=(oversampled, "coordinates"), groups=2,
        inputReference=(simulated, "trueMap"),
    )
    unsplit, shared = protocol.validate()
    assert "not split into odd and even" in unsplit and "half-maps" in shared
