# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated tube with a protein coat: crop points from its axis and radius, aligned, end on the true units."""

import numpy as np
import pytest

from stadyn.core.evaluation import evaluate
from stadyn.core.exclusion import exclude_within
from stadyn.core.masks import sphere
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import axis_errors_deg
from stadyn.core.simulation import SimulationSettings, reconstruct_scene
from stadyn.core.simulation_model import procedural_unit, render_map
from stadyn.core.simulation_scene import Scene
from stadyn.core.tubes import oversample_tubes
from stadyn.io.mrc import write_volume
from stadyn.io.results import write_result
from stadyn.jobs import align

PIXEL, RADIUS, BOX = 8.0, 130.0, 24
ALONG = np.array([0.9, 0.35, np.sqrt(1 - 0.9**2 - 0.35**2)])
"""The axis, neither in the plane of the field nor across the tilt axis."""
SETTINGS = SimulationSettings(
    n_tomograms=1, pixel_size_angst=PIXEL, extent_angst=(768.0, 640.0, 512.0), noise=0.2, tilt_step_deg=4.0
)
MIDDLE = np.array(SETTINGS.shape[::-1]) // 2


def coat(row_deg):
    """Positions (Å from the middle of the field) and rotations of units whose x axes are turned from the tube's."""
    side = np.cross(ALONG, [0, 0, 1]) / np.linalg.norm(np.cross(ALONG, [0, 0, 1]))
    up = np.cross(ALONG, side)
    rings, around = np.meshgrid(np.arange(-200, 201, 68.0), np.arange(11) * 2 * np.pi / 11)
    normals = np.cos(around)[..., None] * side + np.sin(around)[..., None] * up
    positions = (rings[..., None] * ALONG + RADIUS * normals).reshape(-1, 3)
    normals, turn = normals.reshape(-1, 3), np.radians(row_deg)
    x_axes = np.cos(turn) * ALONG + np.sin(turn) * np.cross(normals, ALONG)
    return positions, np.stack([x_axes, np.cross(normals, x_axes), normals], axis=-1)


@pytest.fixture(scope="module")
def tube(tmp_path_factory):
    """(crop points, aligned particles, truth) in pixels."""
    folder, unit = tmp_path_factory.mktemp("tube"), procedural_unit()
    positions, rotations = coat(row_deg=20.0)
    scene = Scene((), (unit.placed(positions, rotations),))
    write_volume(folder / "t.mrc", reconstruct_scene(SETTINGS, scene, 1, 2.5, 2), PIXEL)
    write_volume(folder / "unit.mrc", -render_map(unit, BOX, PIXEL), PIXEL)
    write_volume(folder / "mask.mrc", sphere(BOX, 50 / PIXEL, 15 / PIXEL), PIXEL)
    truth = ParticleTable(positions / PIXEL + MIDDLE, rotations, np.full(len(positions), "t"))
    clicks = np.outer([-220, 0, 220], ALONG) + [[8, -8, 0], [-8, 0, 8], [0, 8, -8]]
    points = oversample_tubes({("t", 1): (clicks / PIXEL + MIDDLE, RADIUS / PIXEL)}, 52 / PIXEL)
    inside = np.all((points.positions > BOX / 2) & (points.positions < 2 * MIDDLE - BOX / 2), axis=1)
    points = points.select(inside)
    write_result(folder / "points.npz", points)
    found = align.run_settings({
        "tomograms": [{"id": "t", "path": str(folder / "t.mrc"), "pixel_size": PIXEL, "shape": list(SETTINGS.shape),
                       "tilt_min_deg": -60, "tilt_max_deg": 60}],
        "particles": str(folder / "points.npz"), "output": str(folder / "out"), "box_angst": BOX * PIXEL,
        "reference": {"*": str(folder / "unit.mrc")}, "mask": str(folder / "mask.mrc"),
        "rounds": [{"iterations": 1, "cone_range_deg": 24, "inplane_range_deg": 60, "shift_limit_angst": 44,
                    "symmetry": "C6", "lowpass_angst": 25}],
    })  # fmt: skip
    return points, found, truth


def test_crop_points_face_outward_with_x_along_the_tube(tube):
    points, _, _ = tube
    outward = (points.positions - MIDDLE) - np.outer((points.positions - MIDDLE) @ ALONG, ALONG)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    assert np.median(np.degrees(np.arccos(np.sum(points.normals() * outward, axis=1)))) < 6
    assert np.median(np.degrees(np.arccos(points.rotations[:, :, 0] @ ALONG))) < 6


def test_aligned_particles_find_the_units_and_the_row_they_stand_in(tube):
    points, found, truth = tube
    found = found.select(exclude_within(found, 40 / PIXEL))
    found = found.select(np.argsort(-found.cc)[: len(truth)])
    result = evaluate(found, truth, 12 / PIXEL)
    assert result.matching.recall > 0.85
    assert np.median(result.errors.axis_deg) < 3 and np.median(np.abs(result.errors.inplane_deg)) < 3
    # In the absolute: 20 degrees from the tube's axis, modulo the unit's symmetry, not -20.
    own = found.select(result.matching.rows)
    row = np.degrees(np.arctan2(own.rotations[:, :, 1] @ ALONG, own.rotations[:, :, 0] @ ALONG))
    assert abs((np.median((-row - 20 + 30) % 60 - 30))) < 3
    assert axis_errors_deg(own.rotations, truth.select(result.matching.truth_rows).rotations).max() < 12
