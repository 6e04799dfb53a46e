# SPDX-License-Identifier: GPL-3.0-or-later
"""Recall, precision and pose errors on planted mistakes."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from stadyn.core.evaluation import closest_pair, evaluate, match_to_truth, pose_errors
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import rotation_vectors_to_matrices, rotation_z


def truth_table(n=60, seed=0):
    """Two tomograms with the same sites, 15 px apart: only the tomogram tells them apart."""
    grid = 15.0 * np.stack(np.meshgrid(*[np.arange(6)] * 3), -1).reshape(-1, 3)[: n // 2]
    rotations = Rotation.random(n, random_state=seed).as_matrix()
    return ParticleTable(np.concatenate([grid, grid]), rotations, np.repeat(["a", "b"], n // 2))


def test_every_particle_found_in_any_order():
    truth = truth_table()
    order = np.random.default_rng(0).permutation(60)
    matching = match_to_truth(truth.select(order), truth, 4.0)
    assert matching.recall == matching.precision == 1
    assert np.array_equal(order[matching.rows], matching.truth_rows)


def test_missed_false_and_duplicate_particles_count():
    truth = truth_table()
    found = truth.select(np.arange(50))
    false = truth.select(np.arange(4)).replace(positions=truth.positions[:4] + 7.5)
    duplicates = truth.select(np.arange(6)).replace(positions=truth.positions[:6] + 0.5)
    matching = match_to_truth(ParticleTable.concatenate([duplicates, found, false]), truth, 4.0)
    assert len(matching.rows) == 50
    assert matching.recall == pytest.approx(50 / 60) and matching.precision == pytest.approx(50 / 60)
    assert matching.rows.min() == 6  # of two on one site the nearer is the match


def test_particles_of_another_tomogram_do_not_match():
    truth = truth_table()
    wrong = truth.select(np.arange(30)).replace(tomogram_ids=np.full(30, "c"))
    assert match_to_truth(wrong, truth, 4.0).recall == 0


def test_chains_of_near_sites_are_paired_for_the_most_pairs():
    def on_line(*x):
        places = np.stack([x, np.zeros(len(x)), np.zeros(len(x))], -1)
        return ParticleTable(places, np.tile(np.eye(3), (len(x), 1, 1)), np.full(len(x), "a"))

    matching = match_to_truth(
        on_line(3.0, 7.5), on_line(0.0, 4.0), 4.0
    )  # nearest first would pair 3 with 4 and lose one
    assert sorted(zip(matching.rows, matching.truth_rows, strict=True)) == [(0, 0), (1, 1)]


def planted(turn_deg=20.0, shift=(0.0, 0.0, 3.0), seed=1, n=200):
    """True poses and what an alignment to a turned and shifted reference, each particle on any of six turns, gives."""
    rng = np.random.default_rng(seed)
    truth = truth_table(n)
    wobble = rotation_vectors_to_matrices(np.radians(rng.normal(0, 0.5, (n, 3))))
    sixfold = rotation_z(60.0 * rng.integers(0, 6, n))
    rotations = truth.rotations @ wobble @ sixfold @ rotation_z(turn_deg)
    noise = rng.normal(0, 0.2, (n, 3))
    positions = truth.positions - np.einsum("nij,j->ni", rotations, np.asarray(shift)) + noise
    return truth.replace(rotations=rotations, positions=positions), truth, noise


def test_the_reference_frame_is_estimated_and_removed():
    table, truth, noise = planted(turn_deg=20.0, shift=(1.0, -2.0, 3.0))
    errors = pose_errors(table, truth)
    assert errors.frame_turn_deg == pytest.approx(20, abs=0.2)
    assert errors.frame_shift_px == pytest.approx([1, -2, 3], abs=0.06)
    assert np.median(np.abs(errors.inplane_deg)) == pytest.approx(0.34, abs=0.1)
    assert np.median(errors.axis_deg) == pytest.approx(0.59, abs=0.12)
    assert np.median(errors.position_px) == pytest.approx(np.median(np.linalg.norm(noise, axis=1)), abs=0.05)
    assert np.median(np.abs(errors.raw_inplane_deg)) == pytest.approx(20, abs=0.3)
    assert np.median(errors.raw_position_px) == pytest.approx(14**0.5, abs=0.1)


def test_a_turn_near_half_the_period_does_not_split_the_estimate():
    table, truth, _ = planted(turn_deg=29.9)
    assert np.median(np.abs(pose_errors(table, truth).inplane_deg)) < 0.6


def test_a_fifth_of_outliers_does_not_move_the_frame():
    table, truth, _ = planted(turn_deg=20.0)
    wrong = table.rotations.copy()
    wrong[:40] = table.rotations[:40] @ rotation_z(15.0)
    errors = pose_errors(table.replace(rotations=wrong), truth)
    assert errors.frame_turn_deg == pytest.approx(20, abs=0.4)
    assert np.median(errors.inplane_deg[:40]) == pytest.approx(15, abs=0.6)


def test_a_flipped_particle_has_an_axis_error_of_180():
    truth = truth_table()
    flipped = truth.replace(rotations=truth.rotations @ np.diag([1.0, -1.0, -1.0]))
    assert pose_errors(flipped, truth).axis_deg == pytest.approx(np.full(60, 180.0))


def test_the_closest_pair_is_looked_for_within_tomograms():
    assert closest_pair(truth_table()) == pytest.approx(15)
    assert closest_pair(truth_table().select([0])) == np.inf


def test_an_empty_table_finds_nothing():
    result = evaluate(ParticleTable.empty(), truth_table(), 4.0)
    assert result.matching.recall == 0 and np.isnan(result.matching.precision) and len(result.errors.axis_deg) == 0
