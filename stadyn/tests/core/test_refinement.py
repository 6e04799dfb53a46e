# SPDX-License-Identifier: GPL-3.0-or-later
"""Rounds and iterations: convergence from a misaligned start, shift modi, resuming bit for bit, groups apart."""

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.particle_data import ParticleData
from stadyn.core.passes import align_iteration, average_group, needs_coarse, round_radii, score_group
from stadyn.core.refinement import Refinement
from stadyn.core.rotations import rotation_z
from stadyn.core.search import AlignmentRound
from stadyn.core.tomograms import MissingWedge

from .planted import misaligned, plant, rotation_errors_deg

BOX, PIXEL = 24, 5.0
WEDGE = MissingWedge(-45, 60)
WIDE = AlignmentRound(1, cone_range_deg=20, shift_limit_angst=20, lowpass_angst=13)
FINE = AlignmentRound(2, 6, inplane_range_deg=6, shift_limit_angst=10, shift_modus=3, lowpass_angst=11)


@pytest.fixture(scope="module")
def noisy():
    return plant(14, BOX, snr=1.0, wedge=WEDGE, seed=1, tomogram_ids=("a", "b"))


def rows_of(planted):
    return np.arange(len(planted.truth))


def same(one, other):
    return all(np.array_equal(getattr(one, c), getattr(other, c)) for c in ("positions", "rotations", "cc"))


def relative_errors(found, truth):
    """Errors of poses up to the one turn and shift by which a reference of its own may sit elsewhere."""
    turns = np.swapaxes(truth.rotations, 1, 2) @ found.rotations
    u, _, v = np.linalg.svd(turns.mean(axis=0))
    turn = u @ v
    offset = np.einsum("nji,nj->ni", found.rotations, found.positions - truth.positions).mean(axis=0)
    moved = np.linalg.norm(found.moved(-offset).positions - truth.positions, axis=1)
    return rotation_errors_deg(found.rotations, truth.rotations @ turn), moved


def test_misaligned_particles_converge_on_a_reference_of_their_own(xp):
    planted = plant(24, BOX, snr=2.0, wedge=WEDGE, seed=1)
    start = misaligned(planted.truth, 12.0, 1.2)
    rounds = (AlignmentRound(3, 30, inplane_range_deg=30, shift_limit_angst=15, lowpass_angst=20, shift_modus=2), FINE)
    found = Refinement(rounds, BOX, PIXEL).run(planted.source, start, rows_of(planted), xp=xp)
    before, after = relative_errors(start, planted.truth), relative_errors(found, planted.truth)
    assert np.median(before[0]) > 8 and np.median(before[1]) > 0.8
    assert np.median(after[0]) < 1.0 and after[0].max() < 3
    assert np.median(after[1]) < 0.15 and after[1].max() < 0.5
    assert found.cc.min() > 0.5


def test_a_lost_azimuth_comes_back_with_a_reference(xp, noisy):
    turns = rotation_z(np.random.default_rng(3).uniform(0, 360, len(noisy.truth)))
    start = misaligned(noisy.truth, 3.0, 1.0)
    start = start.replace(rotations=start.rotations @ turns)
    found = Refinement((WIDE,), BOX, PIXEL).run(noisy.source, start, rows_of(noisy), noisy.reference, xp=xp)
    assert rotation_errors_deg(found.rotations, noisy.truth.rotations).max() < 2
    assert np.linalg.norm(found.positions - noisy.truth.positions, axis=1).max() < 0.3


@pytest.mark.parametrize("engine", ["fast", "exhaustive"])
def test_symmetry_searches_its_own_sector_only(engine, noisy):
    """With C6 a turn by 60 degrees is no other pose: from 60 degrees off nothing is found, and nothing sought."""
    start = noisy.truth.replace(rotations=noisy.truth.rotations @ rotation_z(90.0))
    settings = AlignmentRound(
        1, 0, inplane_sampling_deg=10, refine=0, symmetry="C6", shift_limit_angst=5, lowpass_angst=15
    )
    rows = rows_of(noisy)[:4]
    found = Refinement((settings,), BOX, PIXEL, engine=engine).run(noisy.source, start, rows, noisy.reference)
    turned = rotation_errors_deg(found.rotations[rows], start.rotations[rows])
    assert turned.max() < 75  # a sector of 60 degrees, of either sense, and the fine search
    assert np.array_equal(found.rotations[4:], start.rotations[4:])


def test_broken_run_goes_on_to_the_same_poses_bit_for_bit(noisy):
    start, rows = misaligned(noisy.truth, 6.0, 1.0), rows_of(noisy)
    refinement = Refinement((WIDE, FINE), BOX, PIXEL)
    whole = refinement.run(noisy.source, start, rows)
    for stop in (1, 2):
        kept = []

        def save(done, table, round_table, record, kept=kept, stop=stop):
            kept.append((done, table, round_table))
            if done == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            refinement.run(noisy.source, start, rows, save=save)
        assert same(refinement.run(noisy.source, start, rows, resumed=kept[-1]), whole), stop
    assert not same(start, whole)


def test_the_number_of_threads_changes_no_bit(noisy):
    start, rows = misaligned(noisy.truth, 6.0, 1.0), rows_of(noisy)
    one, two = (Refinement((WIDE,), BOX, PIXEL, threads=t).run(noisy.source, start, rows) for t in (1, 2))
    assert same(one, two)
    averages = [average_group(noisy.source, one, rows, BOX, 11, threads=t).volume for t in (1, 3)]
    assert np.array_equal(*averages)


def test_only_its_own_rows_touch_a_group(noisy):
    start = misaligned(noisy.truth, 6.0, 1.0)
    rows, others = np.flatnonzero(start.half == 1), np.flatnonzero(start.half == 2)
    spoiled = start.positions.copy()
    spoiled[others] += 3.0
    refinement = Refinement((FINE,), BOX, PIXEL)
    one = refinement.run(noisy.source, start, rows)
    two = refinement.run(noisy.source, start.replace(positions=spoiled), rows)
    assert same(one.select(rows), two.select(rows)) and np.array_equal(two.positions[others], spoiled[others])


@pytest.mark.parametrize(
    "modus, expected", [(0, (3, 3, 3, 3)), (1, (1, 1, 1, 1)), (2, (1, 2, 3, 3)), (3, (1, 1, 2, 2)), (4, (1, 1, 1, 1))]
)
def test_shift_modi_measure_from_their_own_anchor(modus, expected, monkeypatch):
    """Particles 3 px off, limit 1 px, two rounds of two iterations: how far they get by each tells the anchor."""
    planted = plant(5, BOX, seed=2)
    start = misaligned(planted.truth, 0.0, 3.0)
    settings = AlignmentRound(2, 0, inplane_range_deg=0, shift_limit_angst=PIXEL, shift_modus=modus, lowpass_angst=30)
    # Always the planted map: only the anchor is asked for here.
    monkeypatch.setattr(Refinement, "_reference", lambda *arguments: (planted.reference, np.ones(BOX // 2 + 1)))
    moved = []

    def save(done, table, round_table, record):
        moved.append(np.linalg.norm(table.positions - start.positions, axis=1))

    Refinement((settings, settings), BOX, PIXEL).run(
        planted.source, start, rows_of(planted), planted.reference, save=save
    )
    for lengths, wanted in zip(moved, expected, strict=True):
        assert lengths == pytest.approx(wanted, abs=0.1)


def test_records_tell_what_an_iteration_did(noisy):
    start, records = misaligned(noisy.truth, 5.0, 1.0), []
    Refinement((FINE,), BOX, PIXEL).run(
        noisy.source, start, rows_of(noisy), noisy.reference, group="a", save=lambda *a: records.append(a[-1])
    )
    assert [(r.group, r.round, r.iteration, r.particles) for r in records] == [("a", 1, 1, 14), ("a", 1, 2, 14)]
    assert records[0].median_turn_deg == pytest.approx(5, abs=1) and records[1].median_turn_deg < 1
    assert records[0].median_shift_angst == pytest.approx(PIXEL, abs=1)
    assert records[1].mean_cc >= records[0].mean_cc - 0.01


def test_scores_at_the_truth_are_above_those_beside_it(xp, noisy):
    rows = np.array([3, 1, 4])
    scores = [
        score_group(noisy.source, table, rows, BOX, noisy.reference, None, 9.0, xp=xp)
        for table in (noisy.truth, misaligned(noisy.truth, 25.0, 2.0))
    ]
    assert scores[0].shape == (3,) and np.all(scores[0] > scores[1] + 0.2)
    alone = score_group(noisy.source, noisy.truth, rows[:1], BOX, noisy.reference, None, 9.0, xp=xp)
    assert alone[0] == pytest.approx(scores[0][0], abs=1e-5)


def test_both_engines_move_particles_alike(noisy):
    start, rows = misaligned(noisy.truth, 4.0, 1.0), rows_of(noisy)[:4]
    settings = AlignmentRound(
        1, 10, 2.5, inplane_range_deg=10, inplane_sampling_deg=2.5, refine=2, shift_limit_angst=10, lowpass_angst=13
    )
    found = []
    for engine in ("fast", "exhaustive"):
        data = ParticleData(noisy.source, start, rows, BOX, 9.0, 0.0, False)
        found.append(
            align_iteration(data, start, start.positions, noisy.reference, None, settings, PIXEL, engine).select(rows)
        )
    # The exhaustive one turns particles at shifts of whole pixels, which costs it a degree or two.
    assert rotation_errors_deg(found[0].rotations, found[1].rotations).max() < 4
    assert np.linalg.norm(found[0].positions - found[1].positions, axis=1).max() < 0.3


def test_a_round_knows_its_radii_and_whether_it_searches_far():
    assert round_radii(AlignmentRound(lowpass_angst=20), 32, 5.0) == pytest.approx((8, 0))
    assert round_radii(AlignmentRound(lowpass_angst=5, binning=2), 32, 5.0) == pytest.approx((7, 0))
    assert round_radii(AlignmentRound(lowpass_angst=16, highpass_angst=80), 32, 5.0) == pytest.approx((10, 2))
    near = dict(cone_range_deg=6, inplane_range_deg=6)
    assert not needs_coarse(AlignmentRound(**near, shift_limit_angst=4), 5.0, 32)
    assert needs_coarse(AlignmentRound(**near, shift_limit_angst=20), 5.0, 32)
    assert needs_coarse(AlignmentRound(**near, shift_limit_angst=4, shift_modus=0), 5.0, 32)  # no limit at all
    assert needs_coarse(AlignmentRound(cone_range_deg=20, inplane_range_deg=0, shift_limit_angst=4), 5.0, 32)


@pytest.mark.parametrize("settings", [dict(lowpass_angst=500), dict(lowpass_angst=30, highpass_angst=31, binning=16)])
def test_a_round_that_leaves_no_coefficients_is_refused(settings):
    with pytest.raises(InputError, match="low-pass"):
        round_radii(AlignmentRound(**settings), 32, 5.0)
