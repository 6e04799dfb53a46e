# SPDX-License-Identifier: GPL-3.0-or-later
"""Averages of wedge particles: the planted map comes back, its value too, and empty coefficients stay quiet."""

import numpy as np
import pytest
import scipy.fft

from stadyn.core.averaging import AverageSum, finish, symmetrize
from stadyn.core.fourier import band
from stadyn.core.particle_data import prepare
from stadyn.core.passes import average_group
from stadyn.core.resample import rotate_volume
from stadyn.core.rotations import rotation_z
from stadyn.core.symmetry import symmetry_matrices
from stadyn.core.tomograms import MissingWedge

from .planted import BLOBS, SIGMAS, WEIGHTS, blob_map, coefficients, normalized, plant, random_rotations

BOX = 24
WEDGE = MissingWedge(-45, 60)


def shell_correlation(a, b):
    """(n // 2,) Fourier shell correlation of two boxes."""
    n = len(a)
    fa, fb = scipy.fft.fftn(a), scipy.fft.fftn(b)
    k = scipy.fft.fftfreq(n, 1 / n)
    shell = np.rint(np.sqrt(k[:, None, None] ** 2 + k[:, None] ** 2 + k**2)).astype(int).ravel()
    sums = [np.bincount(shell, v.ravel())[: n // 2] for v in ((fa * fb.conj()).real, np.abs(fa) ** 2, np.abs(fb) ** 2)]
    return sums[0] / np.sqrt(sums[1] * sums[2])


def average_of(planted, table=None, box_px=BOX, xp=np, **options):
    table = planted.truth if table is None else table
    return average_group(planted.source, table, np.arange(len(table)), box_px, box_px // 2 - 1, xp=xp, **options)


@pytest.fixture(scope="module")
def wedged():
    sharp = np.append(np.full(7, 1.0), 4.0)
    return plant(40, BOX, wedge=WEDGE, sigmas=sharp, weights=np.append(WEIGHTS[:7], -WEIGHTS[:7].sum() / 4.0**3))


def test_wedge_particles_average_to_the_planted_map(xp, wedged):
    average = average_of(wedged, xp=xp)
    assert average.volume.dtype == np.float32 and average.n == 40
    fsc = shell_correlation(average.volume, wedged.reference)
    assert fsc[1 : int(0.9 * BOX / 2)].min() > 0.99


@pytest.mark.parametrize("box_px", [24, 25])
def test_the_average_has_the_value_of_its_normalised_particles(box_px):
    """Each particle has standard deviation 1 in its sphere, so the average is the map over its own."""
    planted = plant(6, box_px)
    average = average_of(planted, box_px=box_px)
    expected = normalized(planted.reference[None])[0]
    assert np.abs(average.volume - expected).max() < 0.05 * np.abs(expected).max()
    turned = [blob_map(box_px, r) for r in (np.diag([1, -1, -1]), np.diag([-1, -1, 1]))]
    assert np.corrcoef(average.volume.ravel(), planted.reference.ravel())[0, 1] > 0.995
    assert max(np.corrcoef(average.volume.ravel(), t.ravel())[0, 1] for t in turned) < 0.6


@pytest.mark.parametrize("turned", [False, True])
def test_the_rim_of_the_average_is_as_strong_as_its_middle(turned):
    """Particles that are not turned fall on the same points between samples; their envelope must be right as well."""
    n, high = 32, 12
    points = np.array([(0, 0, 0), (10, 0, 0), (0, -10, 0), (0, 0, 10), (6, -6, 6)], float)
    rotations = random_rotations(40) if turned else np.tile(np.eye(3), (3, 1, 1))
    wanted = band(n, high)
    boxes = [blob_map(n, r, sigmas=np.full(5, 1.3), points=points, weights=np.ones(5)) for r in rotations]
    total = AverageSum(n, high)
    data = coefficients(np.stack(boxes), wanted)
    total.add(data, np.ones(len(wanted), np.float32), rotations, wanted.indices.astype(np.float32))
    average = finish(total).volume
    x, y, z = points.astype(int).T + n // 2
    peaks = average[z, y, x]
    assert peaks[1:] / peaks[0] == pytest.approx(1, abs=0.03)


def test_wrong_poses_do_not_average(wedged):
    for columns in (
        {"rotations": np.swapaxes(wedged.truth.rotations, 1, 2)},
        {"positions": 2 * np.rint(wedged.truth.positions) - wedged.truth.positions},
    ):
        fsc = shell_correlation(average_of(wedged, wedged.truth.replace(**columns)).volume, wedged.reference)
        assert fsc[9:11].max() < 0.9


def test_the_weight_is_the_turned_wedge():
    """The weight of one particle is 1 where its tilts reached, 0 elsewhere, in the reference frame."""
    lone = plant(1, BOX, wedge=MissingWedge(-30, 30))
    average = average_of(lone)
    k = scipy.fft.fftfreq(BOX, 1 / BOX)
    h = np.stack(np.meshgrid(k, k, k, indexing="ij")[::-1], -1)[..., : BOX // 2 + 1, :]
    there = h @ lone.truth.rotations[0].T
    angle = np.degrees(np.arctan2(there[..., 2], there[..., 0]))
    angle = (angle + 90) % 180 - 90
    radius = np.linalg.norm(h, axis=-1)
    flat = np.hypot(there[..., 0], there[..., 2])
    seen = (np.abs(angle) < 20) & (radius < 9) & (flat > 4)
    missing = (np.abs(angle) > 40) & (radius < 9) & (flat > 4)
    assert np.median(average.weight[seen]) == pytest.approx(1, abs=0.2)
    assert np.median(average.weight[missing]) < 0.05


def test_fmin_keeps_coefficients_that_nobody_saw_from_blowing_up():
    planted = plant(3, BOX, snr=0.5, wedge=MissingWedge(-30, 30))
    loud, quiet, silent = (average_of(planted, fmin=f).volume.std() for f in (1e-6, 0.01, 0.5))
    assert loud > 1.2 * quiet > 1.2 * silent


def test_weights_count_the_particles(xp):
    average = average_of(plant(5, BOX), xp=xp)
    inside = average.weight[average.weight > 0]
    assert average.weight.shape == (BOX, BOX, BOX // 2 + 1)
    assert np.median(inside) == pytest.approx(5, abs=0.1) and inside.max() < 6
    middle = average.weight[0]  # kz = 0, where a coefficient and its Hermitian partner share the grid
    assert np.median(middle[middle > 0]) == pytest.approx(5, abs=0.2)


def test_c6_of_the_sum_is_the_six_fold_map_and_the_sense_of_the_turn_matters():
    planted = plant(6, BOX)
    six = average_of(planted, symmetry="C6").volume
    points = np.einsum("sij,pj->spi", symmetry_matrices("C6"), BLOBS).reshape(-1, 3)
    expected = blob_map(BOX, points=points, weights=np.tile(WEIGHTS, 6) / 6, sigmas=np.tile(SIGMAS, 6))
    assert np.corrcoef(six.ravel(), expected.ravel())[0, 1] > 0.99
    turned = rotate_volume(six, rotation_z(60.0))
    assert np.corrcoef(turned.ravel(), six.ravel())[0, 1] > 0.98
    tipped = rotate_volume(six, rotation_z(30.0))
    assert np.corrcoef(tipped.ravel(), six.ravel())[0, 1] < 0.9


def test_symmetrize_averages_over_turns_about_z():
    volume = blob_map(BOX)
    assert symmetrize(volume, "C1") is volume
    expected = np.mean([blob_map(BOX, r) for r in symmetry_matrices("C3")], axis=0)
    three = symmetrize(volume, "C3")
    assert three.dtype == np.float32 and np.abs(three - expected).max() < 0.02
    about_x = np.mean([blob_map(BOX, r[::-1, ::-1]) for r in symmetry_matrices("C3")], axis=0)
    assert np.abs(three - about_x).max() > 0.3


def test_sums_merge(xp):
    planted = plant(4, BOX)
    batch = prepare(planted.source, planted.truth, np.arange(4), BOX, 11, 0.0, False, xp)
    whole, first, second = (AverageSum(BOX, 11) for _ in range(3))
    for total, part in ((whole, slice(None)), (first, slice(0, 1)), (second, slice(1, 4))):
        total.add(batch.data[part], batch.weight, planted.truth.rotations[part], batch.frequencies)
    first.merge(second)
    assert first.n == whole.n == 4
    assert np.allclose(finish(first).volume, finish(whole).volume, atol=1e-5)


def test_nothing_averages_to_nothing():
    average = finish(AverageSum(BOX, 11))
    assert average.n == 0 and not average.volume.any() and not average.weight.any()


def test_particles_count_by_their_amounts():
    """One particle of three, turned elsewhere, weighs nothing: the average is that of the other two."""
    reference = blob_map(BOX)
    rotations = np.array([np.eye(3), np.eye(3), np.diag([1.0, -1, -1])])
    wanted = band(BOX, 9.0)
    data = np.concatenate([coefficients(reference[None].astype(np.float32), wanted)] * 3)
    weights, h = np.ones(len(wanted), np.float32), wanted.indices.astype(np.float32)
    some, two = AverageSum(BOX, 9.0), AverageSum(BOX, 9.0)
    some.add(data, weights, rotations, h, amounts=np.array([2.0, 1.0, 0.0]))
    two.add(data[:2], weights, rotations[:2], h)
    assert finish(some).volume == pytest.approx(finish(two).volume, abs=1e-5)
    assert finish(some).weight.max() == pytest.approx(1.5 * finish(two).weight.max(), rel=1e-3)
