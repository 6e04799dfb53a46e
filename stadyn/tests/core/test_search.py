# SPDX-License-Identifier: GPL-3.0-or-later
"""Candidate poses cover what a round asks for, and a round refuses what it cannot search."""

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.rotations import axis_errors_deg, inplane_errors_deg, rotation_vectors_to_matrices, rotation_z
from stadyn.core.search import AlignmentRound, clip_to_ellipsoid, cone_axes, rotation_grid, shift_grid

from .planted import rotation_errors_deg

EYE = np.eye(3)[None]


def nearest_deg(grid, targets):
    """(t,) angle from each target to the nearest rotation of a grid."""
    return np.array([rotation_errors_deg(grid, np.broadcast_to(t, grid.shape)).min() for t in targets])


@pytest.mark.parametrize("aperture, step", [(40, 5), (12, 5), (30, 8), (15, 8), (90, 10), (360, 20)])
def test_cone_reaches_its_edge_and_leaves_no_gap(aperture, step):
    cone = cone_axes(aperture, step)
    tilts = axis_errors_deg(cone, EYE)
    assert np.array_equal(cone[0], np.eye(3)) and tilts.max() == pytest.approx(aperture / 2)
    assert inplane_errors_deg(cone[tilts < 179], EYE) == pytest.approx(0, abs=1e-6)  # minimal: no twist about z
    rng = np.random.default_rng(0)
    inside = np.arccos(rng.uniform(np.cos(np.radians(aperture / 2)), 1, 300))
    azimuth = rng.uniform(0, 2 * np.pi, 300)
    targets = np.stack([np.sin(inside) * np.cos(azimuth), np.sin(inside) * np.sin(azimuth), np.cos(inside)], -1)
    gap = np.degrees(np.arccos(np.clip(targets @ cone[:, :, 2].T, -1, 1))).min(axis=1)
    assert gap.max() < 0.85 * step


def test_a_cone_of_nothing_is_the_present_axis_alone():
    assert len(cone_axes(0, 5)) == 1 and len(cone_axes(4, 5)) == 1
    assert len(rotation_grid(0, 5, 0, 5)) == 1


@pytest.mark.parametrize(
    "inplane, step, closed", [(360, 10, 360), (60, 7, 60), (360, 8, 60), (30, 8, 360), (90, 7, 120)]
)
def test_inplane_turns_cover_the_range_once(inplane, step, closed):
    grid = rotation_grid(0, 5, inplane, step, closed)
    angles = np.sort(inplane_errors_deg(grid, np.broadcast_to(EYE, grid.shape)))
    assert np.abs(angles).min() < 1e-9 and np.diff(angles).max() <= step + 1e-9
    if inplane >= closed:  # once around, and the end is not the start again
        # angles are folded at 180, so the period is walked from zero up
        walked = np.sort(angles % closed)
        assert np.append(np.diff(walked), closed - walked[-1]) == pytest.approx(closed / len(grid))
    else:
        assert (angles[0], angles[-1]) == pytest.approx((-inplane / 2, inplane / 2))


def test_grid_reaches_every_pose_in_its_range():
    step = 10.0
    grid = rotation_grid(40, step, 360, step)
    rng = np.random.default_rng(2)
    azimuth, tilt = rng.uniform(0, 2 * np.pi, 60), np.radians(rng.uniform(0, 20, 60))
    tilts = rotation_vectors_to_matrices(np.stack([np.cos(azimuth) * tilt, np.sin(azimuth) * tilt, 0 * tilt], -1))
    targets = tilts @ rotation_z(rng.uniform(0, 360, 60))
    assert nearest_deg(grid, targets).max() < step


def test_shift_grid_fills_its_ellipsoid_and_keeps_x_y_z_apart():
    grid = shift_grid((4, 2, 0), 1.0)
    assert np.abs(grid).max(axis=0) == pytest.approx([4, 2, 0])
    assert len(np.unique(grid, axis=0)) == len(grid)
    x, y = np.meshgrid(np.arange(-4, 5), np.arange(-2, 3))
    assert len(grid) == np.sum((x / 4) ** 2 + (y / 2) ** 2 <= 1 + 1e-9)
    assert (grid == 0).all(axis=1).sum() == 1
    assert np.array_equal(shift_grid((0, 0, 0), 2.0), [[0, 0, 0]])


def test_clipping_pulls_back_along_the_shift_itself():
    limits = (4.0, 2.0, 1.0)
    shifts = np.random.default_rng(1).uniform(-8, 8, (200, 3))
    clipped = clip_to_ellipsoid(shifts, limits)
    length, before = (np.sqrt(np.sum((s / limits) ** 2, axis=1)) for s in (clipped, shifts))
    assert length == pytest.approx(np.minimum(before, 1))
    assert np.cross(shifts, clipped) == pytest.approx(np.zeros((200, 3)), abs=1e-9)
    assert np.sum(shifts * clipped, axis=1).min() > 0
    assert np.array_equal(clip_to_ellipsoid(shifts, (0, 0, 0)), np.zeros((200, 3)))


def test_symmetry_shortens_the_turn():
    assert AlignmentRound(symmetry="C6").inplane_extent_deg() == 60
    assert AlignmentRound(symmetry="C6").closed_deg() == 60
    narrow = AlignmentRound(symmetry="C6", inplane_range_deg=30)
    assert (narrow.inplane_extent_deg(), narrow.closed_deg()) == (30, 360)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"iterations": 0}, "iterations is 0: give a value from 1"),
        ({"cone_range_deg": 400}, "cone_range_deg is 400"),
        ({"lowpass_angst": float("nan")}, "lowpass_angst is nan"),
        ({"shift_modus": 5}, "shift_modus is 5"),
        ({"shift_limit_angst": (-1, 2, 2)}, "shift_limit_angst is .*0 or more"),
        ({"shift_limit_angst": (1, 2)}, "1 or 3 lengths"),
        ({"lowpass_angst": 30, "highpass_angst": 20}, "nothing would be left"),
        ({"symmetry": "D2"}, "symmetry 'D2'"),
        ({"cone_rnage_deg": 5}, "unknown round parameter 'cone_rnage_deg'"),
    ],
)
def test_a_bad_round_is_refused_by_name(wrong, message):
    with pytest.raises(InputError, match=message):
        AlignmentRound.from_dict(wrong)


def test_one_shift_limit_serves_all_axes():
    assert AlignmentRound.from_dict({"shift_limit_angst": 12}).shift_limit_angst == (12.0, 12.0, 12.0)
