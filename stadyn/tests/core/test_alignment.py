# SPDX-License-Identifier: GPL-3.0-or-later
"""The alignment module recovers planted poses: interpolation, gradient, coarse search, fine search, limits."""

import numpy as np
import pytest

from stadyn.core import alignment
from stadyn.core import reference as reference_module
from stadyn.core.alignment import COARSE_RADIUS, Dictionary, _model, coarse_search, refine_poses, score_poses
from stadyn.core.arrays import to_host
from stadyn.core.particle_data import prepare
from stadyn.core.reference import Reference, phases
from stadyn.core.rotations import rotation_vectors_to_matrices, rotation_z
from stadyn.core.search import rotation_grid, shift_grid
from stadyn.core.tomograms import MissingWedge
from stadyn.core.transfer import Transfer

from .planted import blob_map, misaligned, moved_by, plant, random_rotations, rotation_errors_deg, turned_by

BOX = 32
HIGH = 12.0
WEDGE = MissingWedge(-45, 60)
WIDE = np.full(3, 50.0)


def batch_of(planted, xp, with_cubes=False, box_px=BOX, high=HIGH):
    return prepare(planted.source, planted.truth, np.arange(len(planted.truth)), box_px, high, 0.0, with_cubes, xp)


def refine(planted, start, xp, reference=None, limits=WIDE, anchors=None, high=HIGH):
    """Rotations, positions and cc of the fine search from the poses of `start`."""
    batch = batch_of(planted, xp, high=high)
    volume = planted.reference if reference is None else reference
    prepared = Reference.from_volume(volume, high, None, xp)
    anchors = (start.positions if anchors is None else anchors) - batch.centers
    rotations, shifts, cc = refine_poses(
        prepared,
        batch.data,
        batch.weight,
        batch.frequencies,
        start.rotations,
        start.positions - batch.centers,
        anchors,
        limits,
        4.0,
        1.0,
    )
    return rotations, batch.centers + shifts, cc


def test_interpolated_reference_is_the_transform_of_the_turned_map(xp):
    rotation = random_rotations(1, 3)[0]
    volume, turned = blob_map(BOX), blob_map(BOX, rotation)
    open_mask = np.ones_like(volume)
    h = np.random.default_rng(0).uniform(-7, 7, (1, 300, 3)).astype(np.float32)
    grid = np.arange(BOX) - BOX // 2
    fx, fy, fz = (np.exp(-2j * np.pi * np.outer(h[0, :, i], grid) / BOX) for i in range(3))
    expected = np.einsum("zyx,mz,my,mx->m", turned - turned.mean(), fz, fy, fx, optimize=True)
    reference = Reference.from_volume(volume, HIGH, open_mask, xp)
    found = to_host(reference.sample(xp.asarray(h @ rotation.astype(np.float32))))[0]
    assert found.dtype == np.complex64
    assert np.abs(found - expected).max() < 0.04 * np.abs(expected).max()


def test_phases_move_a_map_by_a_positive_shift(xp):
    shift = np.array([2.0, -1.0, 3.0])
    h = np.random.default_rng(1).integers(-7, 8, (50, 3)).astype(np.float32)
    at_origin, moved = (Reference.from_volume(blob_map(BOX, shift=s), 9, np.ones((BOX,) * 3), xp) for s in (0, shift))
    h = xp.asarray(h)
    there = to_host(at_origin.sample(h[None])[0] * phases(h, shift[None], BOX)[0])
    assert np.allclose(there, to_host(moved.sample(h[None])[0]), atol=0.02 * np.abs(there).max())
    both = phases(xp.stack([h, h]), np.stack([shift, -shift]), BOX)
    assert both.dtype == np.complex64 and np.allclose(to_host(both[0] * both[1]), 1, atol=1e-5)


def test_the_slope_is_that_of_the_score(xp):
    """Analytic derivatives by turn (about the reference's axes) and shift against finite differences of the cc."""
    planted = plant(3, BOX, wedge=WEDGE)
    start = misaligned(planted.truth, 4.0, 0.8)
    batch = batch_of(planted, xp)
    reference = Reference.from_volume(planted.reference, HIGH, None, xp)
    data = batch.data / xp.sqrt(xp.sum(xp.abs(batch.data) ** 2, axis=1))[:, None]
    weight = xp.broadcast_to(batch.weight, data.shape)
    shifts = start.positions - batch.centers

    def score(turn=(0, 0, 0), move=(0, 0, 0), gradient=False):
        rotations = start.rotations @ rotation_vectors_to_matrices(np.tile(turn, (3, 1)))
        return _model(reference, data, weight, batch.frequencies, rotations, shifts + np.asarray(move), gradient)

    cc, slope, _ = score(gradient=True)
    for axis in range(6):
        unit = np.eye(3)[axis % 3] * (0.01 if axis < 3 else 0.05)
        arguments = ("turn", "move")[axis // 3]
        up, down = (to_host(score(**{arguments: s * unit})[0]).astype(float) for s in (1, -1))
        numeric = (up - down) / (2 * np.linalg.norm(unit))
        assert slope[:, axis] == pytest.approx(numeric, rel=0.08, abs=0.03 * np.abs(slope[:, axis]).max() + 1e-3), axis


@pytest.mark.parametrize("at_once", [100, 1000, 5000])  # part of a particle, parts of two, several particles
def test_products_do_not_depend_on_how_many_are_worked_out_at_once(monkeypatch, at_once):
    planted = plant(5, BOX, wedge=WEDGE, snr=0.5)
    batch, shifts = batch_of(planted, np), np.random.default_rng(0).normal(0, 0.5, (5, 3))
    reference = Reference.from_volume(planted.reference, HIGH)
    weights = np.random.default_rng(1).uniform(0.5, 1, batch.data.shape).astype(np.float32)
    arguments = (reference, batch.data, weights, batch.frequencies, planted.truth.rotations, shifts, True)
    expected = alignment._products_with_model(*arguments)
    for module in (alignment, reference_module):
        monkeypatch.setattr(module, "POINTS_AT_ONCE", at_once)
    found = alignment._products_with_model(*arguments)
    assert expected.shape == (5, 8, 8)
    scale = np.sqrt(np.einsum("bi,bj->bij", *[np.einsum("bii->bi", expected)] * 2))
    assert np.abs((found - expected) / scale).max() < 1e-5


def test_fine_search_recovers_planted_poses_in_noise_and_wedge(xp):
    planted = plant(12, BOX, snr=0.13, wedge=WEDGE)
    start = misaligned(planted.truth, 5.0, 1.5)
    rotations, positions, cc = refine(planted, start, xp)
    turn = rotation_errors_deg(rotations, planted.truth.rotations)
    shift = np.linalg.norm(positions - planted.truth.positions, axis=1)
    assert np.median(turn) < 0.5 and turn.max() < 1.5
    assert np.median(shift) < 0.1 and shift.max() < 0.3
    assert cc.dtype == np.float64 and np.all((cc > 0) & (cc < 1))
    best = refine(planted, planted.truth, xp)  # what is left is the noise's, not the search's
    assert rotation_errors_deg(rotations, best[0]).max() < 0.15 and np.abs(positions - best[1]).max() < 0.03


def test_without_noise_the_pose_is_exact_and_the_score_is_one(xp):
    planted = plant(4, BOX, wedge=WEDGE, seed=3)
    rotations, positions, cc = refine(planted, misaligned(planted.truth, 5.0, 1.5), xp)
    assert rotation_errors_deg(rotations, planted.truth.rotations).max() < 0.1
    assert np.abs(positions - planted.truth.positions).max() < 0.02
    assert cc.min() > 0.995


@pytest.mark.parametrize("axes", [(2, 1, 0), (0, 2, 1)])
def test_a_reference_with_swapped_axes_does_not_fit(axes):
    planted = plant(4, BOX, wedge=WEDGE)
    right = refine(planted, planted.truth, np)[2]
    swapped = refine(planted, planted.truth, np, np.ascontiguousarray(planted.reference.transpose(axes)))[2]
    mirrored = refine(planted, planted.truth, np, np.ascontiguousarray(planted.reference[::-1]))[2]
    assert right.min() > 0.99 and swapped.max() < 0.8 and mirrored.max() < 0.8


def test_what_the_wedge_hides_does_not_count(xp):
    """Score 1 although a third of Fourier space is empty; with the wedge ignored it is far from 1."""
    planted = plant(3, BOX, wedge=MissingWedge(-45, 45))
    batch, truth = batch_of(planted, xp), planted.truth
    reference = Reference.from_volume(planted.reference, HIGH, None, xp)
    shifts = truth.positions - batch.centers
    right = score_poses(reference, batch.data, batch.weight, batch.frequencies, truth.rotations, shifts)
    assert right.min() > 0.995
    blind = plant(3, BOX, wedge=MissingWedge(-45, 45))
    for i, tomogram in blind.source.tomograms.items():
        blind.source.tomograms[i] = type(tomogram)(tomogram.id, "", 5.0, tomogram.shape, MissingWedge(-90, 90))
    whole = batch_of(blind, xp)
    wrong = score_poses(reference, whole.data, whole.weight, whole.frequencies, truth.rotations, shifts)
    assert wrong.max() < 0.93


def coarse(planted, start, xp, cone, limit, step=8.0, box_px=BOX):
    batch = batch_of(planted, xp, True, box_px)
    reference = Reference.from_volume(planted.reference, HIGH, None, xp)
    shifts = shift_grid(np.full(3, limit), box_px / (2 * COARSE_RADIUS))
    dictionary = Dictionary.build(reference, rotation_grid(cone, step, 360, step), shifts, COARSE_RADIUS)
    rotations, moved, cc = coarse_search(
        batch.cubes,
        batch.cube_lines,
        start.rotations,
        start.positions - batch.centers,
        Transfer(planted.source.tomograms[planted.truth.tomogram_ids[0]], BOX),
        dictionary,
    )
    return start.replace(rotations=rotations, positions=batch.centers + moved, cc=cc)


def test_coarse_search_finds_a_full_turn_a_cone_and_a_shift(xp):
    """Whatever the azimuth, axes up to 20 degrees off (cone 40) and 4 px away: near enough for the fine search."""
    planted = plant(8, BOX, snr=1.0, wedge=WEDGE, seed=2)
    rng = np.random.default_rng(4)
    azimuth, tilt = rng.uniform(0, 2 * np.pi, 8), np.radians(np.linspace(5, 19, 8))
    tilts = rotation_vectors_to_matrices(np.stack([np.cos(azimuth) * tilt, np.sin(azimuth) * tilt, 0 * tilt], -1))
    lost = planted.truth.rotations @ tilts @ rotation_z(rng.uniform(0, 360, 8))
    start = planted.truth.replace(rotations=lost, positions=moved_by(planted.truth.positions, 3.9))
    found = coarse(planted, start, xp, 40, 4.0)
    assert rotation_errors_deg(found.rotations, planted.truth.rotations).max() < 9
    assert np.linalg.norm(found.positions - planted.truth.positions, axis=1).max() < 3
    assert found.cc.min() > 0.3 and found.cc.max() <= 1.0
    rotations, positions, _ = refine(planted, found, xp)
    assert rotation_errors_deg(rotations, planted.truth.rotations).max() < 0.5
    assert np.linalg.norm(positions - planted.truth.positions, axis=1).max() < 0.1


def test_coarse_search_stays_at_the_truth_with_a_score_near_one(xp):
    planted = plant(3, BOX, wedge=WEDGE)
    found = coarse(planted, planted.truth, xp, 16, 2.0)
    assert rotation_errors_deg(found.rotations, planted.truth.rotations).max() == pytest.approx(0, abs=1e-3)
    assert np.abs(found.positions - planted.truth.positions).max() < 1e-6
    assert found.cc == pytest.approx(1, abs=0.015)


def test_coarse_search_takes_only_allowed_shifts(xp):
    planted = plant(2, BOX, wedge=WEDGE)
    batch = batch_of(planted, xp, True)
    reference = Reference.from_volume(planted.reference, HIGH, None, xp)
    shifts = shift_grid((4, 4, 4), 2.0)
    dictionary = Dictionary.build(reference, rotation_grid(0, 8, 0, 8), shifts, COARSE_RADIUS)
    off = planted.truth.positions - batch.centers - np.einsum("bij,j->bi", planted.truth.rotations, (4.0, 0, 0))
    weight_of = Transfer(planted.source.tomograms["TS_1"], BOX)
    arguments = (batch.cubes, batch.cube_lines, planted.truth.rotations, off, weight_of, dictionary)
    allowed = np.ones((2, len(shifts)), bool)
    allowed[1] = np.all(shifts == 0, axis=1)
    _, moved, _ = coarse_search(*arguments, allowed)
    assert moved[0] == pytest.approx((planted.truth.positions - batch.centers)[0]) and moved[1] == pytest.approx(off[1])


@pytest.mark.parametrize("limits", [(1.0, 1.0, 1.0), (3.0, 0.5, 1.0), (0.0, 0.0, 2.0), (0.0, 0.0, 0.0)])
def test_shifts_stay_inside_the_ellipsoid_along_the_reference_axes(xp, limits):
    limits = np.array(limits)
    planted = plant(4, BOX, wedge=WEDGE)
    start = planted.truth.replace(positions=moved_by(planted.truth.positions, 2.5))
    rotations, positions, _ = refine(planted, start, xp, limits=limits)
    offset = np.einsum("bji,bj->bi", rotations, positions - start.positions)
    assert np.abs(offset[:, limits == 0]).max(initial=0) < 1e-9
    free = limits > 0
    length = np.sqrt(np.sum((offset[:, free] / limits[free]) ** 2, axis=1))
    assert length.max(initial=0) < 1 + 1e-9
    if free.all():
        assert length.max() > 0.9  # they went as far as they could


def test_a_start_outside_the_limits_is_brought_inside_them(xp):
    """A particle that drifted 3 px in an earlier round, though it fits best there, obeys a limit of 1 px."""
    planted = plant(3, BOX, wedge=WEDGE)
    anchors = moved_by(planted.truth.positions, 3.0)
    _, positions, _ = refine(planted, planted.truth, xp, limits=np.ones(3), anchors=anchors)
    assert np.linalg.norm(positions - anchors, axis=1).max() < 1 + 1e-6


def test_a_mask_hides_what_lies_outside_it(xp):
    """A particle with a foreign blob beside it: the mask keeps the score of the reference, and of its mean."""
    reference = blob_map(BOX)
    spoiled = reference + blob_map(BOX, sigmas=0.8, points=np.array([(10.0, 8.0, 6.0)]), weights=[-40.0])
    grid = np.arange(BOX) - BOX // 2
    radius = np.sqrt(grid[:, None, None] ** 2 + grid[:, None] ** 2 + grid**2)
    mask = np.clip((12 - radius) / 2, 0, 1)
    clean, masked, bare = (
        to_host(Reference.from_volume(v, HIGH, m, xp).cube)
        for v, m in ((reference, mask), (spoiled + 5, mask), (spoiled, None))
    )
    assert np.abs(masked - clean).max() < 0.02 * np.abs(clean).max()
    assert np.abs(bare - clean).max() > 0.2 * np.abs(clean).max()


def test_turns_are_measured_as_they_were_made():
    assert rotation_errors_deg(turned_by(random_rotations(5), 5.0), random_rotations(5)) == pytest.approx(5.0)
