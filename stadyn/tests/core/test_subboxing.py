# SPDX-License-Identifier: GPL-3.0-or-later
"""Subboxing in one and two steps: planted unit cells come back where they are."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from stadyn.core.errors import InputError
from stadyn.core.flattening import surface_frame
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import axis_errors_deg, inplane_errors_deg
from stadyn.core.subboxing import marker_normals, subbox, tilts_to_normals, two_step_subbox

MARKERS = np.array([[0, 0, 0], [14, 2, -3], [-5, 11, 1.0]])


def parents(n=20, tomograms=("a", "b"), seed=0):
    rng = np.random.default_rng(seed)
    return ParticleTable(
        rng.uniform(0, 300, (n, 3)), Rotation.random(n, random_state=seed).as_matrix(), rng.choice(tomograms, n),
        surface_ids=rng.integers(1, 4, n), cc=rng.random(n), ids=np.arange(100, 100 + n), half=rng.integers(1, 3, n),
    )  # fmt: skip


def test_children_sit_at_the_markers_and_know_their_parents():
    table = parents()
    turned = Rotation.random(3, random_state=5).as_matrix()
    children = subbox(table, MARKERS, turned)
    assert len(children) == 60
    for child in (0, 1, 31, 59):
        parent, marker = divmod(child, 3)
        R = table.rotations[parent]
        np.testing.assert_allclose(children.positions[child], table.positions[parent] + R @ MARKERS[marker], atol=1e-9)
        np.testing.assert_allclose(children.rotations[child], R @ turned[marker], atol=1e-9)
    np.testing.assert_array_equal(children.parent, np.repeat(table.ids, 3))
    np.testing.assert_array_equal(children.marker, np.tile([1, 2, 3], 20))
    np.testing.assert_array_equal(children.ids, np.arange(1, 61))
    for column in ("tomogram_ids", "surface_ids", "cc", "half"):
        np.testing.assert_array_equal(getattr(children, column), np.repeat(getattr(table, column), 3))


def test_no_markers_and_no_particles():
    assert len(subbox(parents(), np.empty((0, 3)))) == 0
    assert len(subbox(ParticleTable.empty(), MARKERS)) == 0


def test_two_steps_bring_the_cells_of_a_known_lattice_back():
    """Every tomogram's average is a moved copy of the average of averages; cells are planted in the tomograms."""
    arcs = np.array([[0, 0], [14, 0], [7, 12.12], [-7, 12.12], [-14, 0]])
    markers, normals = surface_frame(*arcs.T, 1 / 92.0)
    frames = tilts_to_normals(normals)
    cells = parents(12, seed=3)  # pose of the average of averages at each particle
    rng = np.random.default_rng(9)
    poses = ParticleTable(
        rng.normal(0, 3, (2, 3)), Rotation.from_rotvec(rng.normal(0, 0.3, (2, 3))).as_matrix(), ["b", "a"]
    )
    # A particle's own pose is that of its tomogram's average: cells = particle o pose, particle = cells o pose^-1.
    row = np.array([{"b": 0, "a": 1}[t] for t in cells.tomogram_ids])
    inverse = np.swapaxes(poses.rotations[row], 1, 2)
    table = cells.moved(-np.einsum("nij,nj->ni", inverse, poses.positions[row]), inverse)
    found = two_step_subbox(table, poses, markers, normals)
    truth = ParticleTable.concatenate(
        [subbox(cells.select(cells.tomogram_ids == t), markers, frames) for t in ("a", "b")]
    )
    np.testing.assert_allclose(found.positions, truth.positions, atol=1e-9)
    np.testing.assert_allclose(found.rotations, truth.rotations, atol=1e-9)
    np.testing.assert_array_equal(found.parent, truth.parent)
    np.testing.assert_array_equal(found.ids, np.arange(1, 61))
    inherited = two_step_subbox(table, poses, markers, tilt=False)
    tilted = axis_errors_deg(inherited.rotations, truth.rotations).reshape(12, 5)
    np.testing.assert_allclose(tilted, np.tile(np.degrees(np.hypot(*arcs.T) / 92), (12, 1)), atol=1e-6)


def test_normals_follow_from_the_markers_themselves():
    arcs = np.stack(np.meshgrid([-14, 0, 14.0], [-14, 0, 14.0]), -1).reshape(-1, 2)
    markers, normals = surface_frame(*arcs.T, 1 / 92.0)
    errors = np.degrees(np.arccos(np.clip(np.sum(marker_normals(markers + [0, 0, 4]) * normals, 1), -1, 1)))
    assert errors.max() < 0.3
    np.testing.assert_array_equal(marker_normals(markers[:3]), np.tile([0, 0, 1.0], (3, 1)))
    outward = marker_normals(markers)[arcs[:, 0] > 0]
    assert np.all(outward[:, 0] > 0)


def test_tilts_keep_the_azimuth():
    normals = Rotation.random(50, random_state=1).as_matrix()[:, 2]
    tilts = tilts_to_normals(normals)
    np.testing.assert_allclose(tilts[:, :, 2], normals, atol=1e-12)
    identity = np.tile(np.eye(3), (50, 1, 1))
    np.testing.assert_allclose(inplane_errors_deg(tilts, identity), 0, atol=1e-6)
    np.testing.assert_allclose(tilts_to_normals([[0, 0, 1], [0, 0, -1]])[:, :, 2], [[0, 0, 1], [0, 0, -1]], atol=1e-12)


def test_a_tomogram_without_an_average_is_named():
    poses = ParticleTable(np.zeros((1, 3)), np.eye(3)[None], ["a"])
    with pytest.raises(InputError, match="tomogram b "):
        two_step_subbox(parents(), poses, MARKERS)
