# SPDX-License-Identifier: GPL-3.0-or-later
"""Boxes from tomograms to Fourier data: whose, from where, normalised, cut to the sampled band, kept within bounds."""

import numpy as np
import pytest

from stadyn.core.arrays import to_host
from stadyn.core.fourier import band
from stadyn.core.particle_data import ParticleData, batches_of_rows, mean_and_scale, prepare
from stadyn.core.tomograms import MissingWedge
from stadyn.core.wedge import wedge_weights

from .planted import coefficients, normalized, plant

BOX = 24


def test_boxes_come_from_their_own_tomogram_around_the_nearest_voxel():
    planted = plant(4, BOX, tomogram_ids=("a", "b"), snr=1.0)
    boxes, centers = planted.source.boxes(planted.truth, np.array([2, 1]), BOX)
    assert np.array_equal(centers, np.rint(planted.truth.positions[[2, 1]])) and boxes.dtype == np.float32
    for box, center, tomogram_id in zip(boxes, centers.astype(int), ("a", "b"), strict=True):
        x, y, z = center
        assert box[BOX // 2, BOX // 2, BOX // 2] == planted.volumes[tomogram_id][z, y, x]


@pytest.mark.parametrize("box_px", [BOX, 49])  # 49: more voxels than are looked at at once
@pytest.mark.parametrize("lift", [7, 30000])
def test_mean_and_deviation_are_those_of_the_sphere(box_px, lift):
    box = np.random.default_rng(0).normal(0, 3, (box_px,) * 3).astype(np.float32) + np.float32(lift)
    box[:2] += 50  # corners and rim are outside
    grid = np.arange(box_px) - box_px // 2
    sphere = grid[:, None, None] ** 2 + grid[:, None] ** 2 + grid**2 <= (box_px / 2 - 1) ** 2
    mean, scale = mean_and_scale(box)
    assert mean == pytest.approx(box[sphere].mean(dtype=float), abs=1e-3)
    assert 1 / scale == pytest.approx(box[sphere].std(dtype=float), rel=1e-4)
    assert mean_and_scale(np.full((box_px,) * 3, 4, np.float32)) == (4, 0)


def test_a_batch_holds_the_sampled_coefficients_and_no_others(xp):
    wedge = MissingWedge(-45, 60)
    planted = plant(3, BOX, wedge=wedge)
    batch = prepare(planted.source, planted.truth, np.arange(3), BOX, 9.0, 2.0, True, xp)
    wanted = band(BOX, 9.0, 2.0)
    sampled = wedge_weights(wedge, wanted.indices) > 0
    assert 0.4 < sampled.mean() < 0.8 and np.array_equal(to_host(batch.frequencies), wanted.indices[sampled])
    assert [a.dtype for a in (batch.data, batch.frequencies, batch.weight, batch.cubes)] == [
        np.complex64, np.float32, np.float32, np.complex64,
    ]  # fmt: skip
    boxes, _ = planted.source.boxes(planted.truth, np.arange(3), BOX)
    expected = coefficients(normalized(boxes), wanted)[:, sampled]
    assert np.allclose(to_host(batch.data), expected, atol=1e-2 * np.abs(expected).max())
    k = batch.cube_lines.side // 2
    coarse = np.zeros((3, k + 1, 2 * k + 1, 2 * k + 1), np.complex64)
    coarse[(slice(None),) + batch.cube_lines.samples] = to_host(batch.cubes)
    inner = band(BOX, 4.0).indices.astype(int)
    direct = coefficients(normalized(boxes), band(BOX, 4.0))
    x, y, z = 2 * inner.T
    # The envelope of the interpolation is divided out, which weighs the box's rim more: alike, not equal.
    assert np.corrcoef(np.abs(coarse[:, z, y + k, x + k]).ravel(), np.abs(direct).ravel())[0, 1] > 0.95


def test_chunks_are_of_one_tomogram_each_and_of_every_row_once():
    planted = plant(11, BOX, tomogram_ids=("b", "a"))
    rows = np.array([0, 1, 2, 3, 5, 7, 8, 10])
    chunks = batches_of_rows(planted.truth, rows, size=3)
    assert all(len(set(planted.truth.tomogram_ids[c])) == 1 and len(c) <= 3 for c in chunks)
    assert sorted(np.concatenate(chunks)) == rows.tolist()


def test_batches_are_kept_while_memory_allows():
    planted = plant(2, BOX, tomogram_ids=("a", "b"))
    arguments = (planted.source, planted.truth, np.arange(2), BOX, 8.0, 0.0, True)
    kept, fresh = ParticleData(*arguments), ParticleData(*arguments, keep_bytes=0)
    assert kept.batch(0) is kept.batch(0) and fresh.batch(0) is not fresh.batch(0)
    size = kept.batch(0).data.nbytes + kept.batch(0).cubes.nbytes
    one = ParticleData(*arguments, keep_bytes=1.5 * size)
    assert one.batch(0) is one.batch(0) and one.batch(1) is not one.batch(1)
