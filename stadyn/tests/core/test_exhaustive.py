# SPDX-License-Identifier: GPL-3.0-or-later
"""The exhaustive search finds the planted poses, and the fast one finds the same."""

import numpy as np
import pytest

from stadyn.core.alignment import refine_poses
from stadyn.core.exhaustive import exhaustive_search
from stadyn.core.particle_data import prepare
from stadyn.core.reference import Reference
from stadyn.core.search import AlignmentRound
from stadyn.core.tomograms import MissingWedge

from .planted import misaligned, plant, rotation_errors_deg

BOX, HIGH = 24, 8.0
SETTINGS = AlignmentRound(
    cone_range_deg=20, cone_sampling_deg=5, inplane_range_deg=20, inplane_sampling_deg=5, refine=3
)


def search(planted, start, limits, xp, settings=SETTINGS):
    batch = prepare(planted.source, start, np.arange(len(start)), BOX, HIGH, 0.0, False, xp)
    reference = Reference.from_volume(planted.reference, HIGH, None, xp)
    shifts = start.positions - batch.centers
    common = (start.rotations, shifts, shifts, np.asarray(limits, float))
    slow = exhaustive_search(reference, batch, *common, settings)
    fast = refine_poses(reference, batch.data, batch.weight, batch.frequencies, *common, 4.0, 1.0)
    return [(r, batch.centers + s, cc) for r, s, cc in (slow, fast)]


def test_both_engines_find_the_planted_poses(xp):
    planted = plant(3, BOX, snr=3.0, wedge=MissingWedge(-45, 60))
    (slow_r, slow_p, slow_cc), (fast_r, fast_p, fast_cc) = search(
        planted, misaligned(planted.truth, 6.0, 1.2), (2, 2, 2), xp
    )
    assert rotation_errors_deg(slow_r, planted.truth.rotations).max() < 2.5
    assert np.linalg.norm(slow_p - planted.truth.positions, axis=1).max() < 0.3
    assert rotation_errors_deg(slow_r, fast_r).max() < 2.5
    assert np.linalg.norm(slow_p - fast_p, axis=1).max() < 0.25
    assert slow_cc == pytest.approx(fast_cc, abs=0.01) and np.all(slow_cc <= fast_cc + 1e-4)


def test_shifts_stay_inside_the_ellipsoid_along_the_reference_axes(xp):
    planted = plant(2, BOX)
    start = misaligned(planted.truth, 0.0, 3.0)
    limits = np.array([1.0, 2.0, 0.0])
    rotations, positions, _ = search(planted, start, limits, xp)[0]
    offset = np.einsum("bji,bj->bi", rotations, positions - start.positions)
    assert np.abs(offset[:, 2]).max() < 1e-9
    assert np.sum((offset[:, :2] / limits[:2]) ** 2, axis=1).max() <= 1 + 1e-6 and np.abs(offset).max() > 0.5


def test_without_freedom_nothing_moves_and_the_score_is_that_of_the_pose(xp):
    planted = plant(2, BOX)
    still = AlignmentRound(cone_range_deg=0, inplane_range_deg=0, refine=0, shift_modus=0)
    rotations, positions, cc = search(planted, planted.truth, (0, 0, 0), xp, still)[0]
    assert np.allclose(rotations, planted.truth.rotations) and np.allclose(positions, planted.truth.positions)
    assert cc.min() > 0.99
