# SPDX-License-Identifier: GPL-3.0-or-later
"""An average that is planted upside down, or mirrored, is the one that is named; turned and shifted ones are not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from stadyn.core.consistency import VARIANTS, check_orientations
from stadyn.core.resample import rotate_volume
from stadyn.core.rotations import rotation_z

BOX, PIXEL = 40, 8.0
ABOUT_X = np.diag([1.0, -1, -1])


@pytest.fixture(scope="module")
def cell():
    """A layered, six-fold, handed density: blobs whose azimuth winds as they rise, heavier on top."""
    volume = np.zeros((BOX,) * 3, np.float32)
    for level, (height, radius, weight) in enumerate([(-6, 3, 1.0), (0, 4, 1.5), (5, 6, 3.0)]):
        for angle in np.radians(60 * np.arange(6) + 17 * level):
            x, y = radius * np.cos(angle), radius * np.sin(angle)
            volume[BOX // 2 + height, BOX // 2 + round(y), BOX // 2 + round(x)] += weight
    return -gaussian_filter(volume, 1.0)


def averages(cell, planted, seed=0, noise=0.7):
    """Noisy averages of the cell, each turned and shifted a little; `planted` {index: how it is wrong}."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(5):
        volume = cell
        if "mirrored" in planted.get(i, ""):
            volume = np.roll(volume[:, :, ::-1], 1, axis=2)
        if "upside down" in planted.get(i, ""):
            volume = rotate_volume(volume, ABOUT_X)
        volume = rotate_volume(volume, rotation_z(13.0 * i), (0, 0, (-1) ** i))
        out.append(volume + noise * cell.std() * rng.standard_normal(cell.shape))
    return out


@pytest.mark.parametrize("wrong", VARIANTS[1:])
def test_the_one_that_is_wrong_is_named(cell, wrong):
    for index in (0, 3):
        check = check_orientations(averages(cell, {index: wrong}), PIXEL, 3, 12)
        assert check.variant.tolist() == [wrong if i == index else VARIANTS[0] for i in range(5)]
        (sentence,) = check.warnings([f"TS_{i}" for i in range(5)])
        assert f"TS_{index}" in sentence and wrong in sentence


def test_averages_that_agree_or_are_noise_are_not_named(cell):
    check = check_orientations(averages(cell, {}), PIXEL, 3, 12)
    assert check.warnings("abcde") == [] and check.cc[:, 0].min() > 0.5
    noise = averages(0 * cell + np.random.default_rng(3).standard_normal(cell.shape), {}, noise=20)
    assert check_orientations(noise, PIXEL, 3, 12).warnings("abcde") == []


def test_of_two_that_disagree_one_is_named(cell):
    pair = averages(cell, {1: "upside down"})[:2]
    assert check_orientations(pair, PIXEL, 3, 12).variant.tolist() == [VARIANTS[0], "upside down"]
    assert check_orientations(pair[:1], PIXEL, 3, 12).variant.tolist() == [VARIANTS[0]]
