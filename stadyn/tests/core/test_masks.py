# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks: where each surface lies, along which axis, how soft it is, and what the grown mask must hold."""

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.masks import check_mask, curved_slab, cylinder, filtered_mask, otsu_threshold, sphere


def test_sphere_is_centred_on_index_n_half_and_takes_xyz():
    mask = sphere(33, 6, 4, center=(5, 0, -3))
    z, y, x = (np.indices(mask.shape).reshape(3, -1) * mask.ravel()).sum(axis=1) / mask.sum()
    assert (x, y, z) == pytest.approx((16 + 5, 16, 16 - 3), abs=1e-3)
    assert mask[13, 16, 21 + 6] == 1 and mask[13, 16, 21 + 8] == pytest.approx(0.5) and mask[13, 16, 21 + 10] == 0
    assert mask.dtype == np.float32


def test_cylinder_stands_along_z():
    mask = cylinder(40, 8, -10, 6, 2)
    column = mask[:, 20, 20]
    assert np.flatnonzero(column == 1).tolist() == list(range(10, 27))
    assert np.flatnonzero(mask[20, 20] == 1).tolist() == list(range(12, 29))


def test_curved_slab_bends_towards_minus_z():
    mask = curved_slab(64, surface_radius_px=60, radius_px=24, z_min_px=-4, z_max_px=4, soft_px=2)
    heights = np.arange(64) - 32
    center = (heights * mask[:, 32, 32]).sum() / mask[:, 32, 32].sum()
    off_axis = (heights * mask[:, 32, 32 + 20]).sum() / mask[:, 32, 32 + 20].sum()
    assert center == pytest.approx(0, abs=0.05)
    assert off_axis == pytest.approx(np.sqrt(60**2 - 20**2) - 60, abs=0.1)  # -3.43: the sphere falls away below


def hexamer(box, pixel):
    """Six blobs at 24 Å about an empty centre, their neighbours at 75 Å, and a membrane 80 Å above."""
    z, y, x = (np.mgrid[:box, :box, :box] - box // 2) * pixel
    cells = [(0.0, 0.0)] + [(75 * np.cos(a), 75 * np.sin(a)) for a in np.arange(6) * np.pi / 3]
    density = np.exp(-((z - 80.0) ** 2) / (2 * 8.0**2))
    for cx, cy in cells:
        for angle in np.arange(6) * np.pi / 3:
            px, py = cx + 24 * np.cos(angle), cy + 24 * np.sin(angle)
            density += np.exp(-((x - px) ** 2 + (y - py) ** 2 + z**2) / (2 * 8.0**2))
    return density.astype(np.float32)


@pytest.mark.parametrize("contrast", ["bright", "dark"])
def test_filtered_mask_holds_the_central_cell_and_not_the_membrane(contrast):
    box, pixel = 56, 4.0
    density = hexamer(box, pixel)
    noise = 0.05 * np.random.default_rng(0).standard_normal(density.shape).astype(np.float32)
    mask = filtered_mask((1 if contrast == "bright" else -1) * (density + noise), pixel, contrast)
    c = box // 2
    assert mask[c, c, c] == 1  # the hexamer's empty pore
    z, y, x = (np.indices(density.shape) - c) * pixel
    near = x**2 + y**2 + z**2 < 37**2
    assert mask[near & (density > 0.4)].min() == 1
    assert mask[c + 20, c, c] == 0  # the membrane, 80 Å outside
    assert mask.mean() < 0.25
    assert not check_mask(mask)


def test_filtered_mask_of_the_wrong_contrast_is_refused():
    lone = sphere(32, 4, 2, center=(11, 0, 0))
    with pytest.raises(InputError, match="recentre"):
        filtered_mask(lone, 4.0, "bright", cell_radius_angst=12)


def test_check_mask_names_each_fault():
    good = sphere(32, 8, 4)
    assert check_mask(good) == []
    assert "not soft" in check_mask(sphere(32, 8, 0))[0]
    assert "span" in check_mask(3 * good)[0]
    assert "empty" in check_mask(0 * good)[0]
    assert "border" in check_mask(sphere(32, 14, 4))[0]
    assert "not finite" in check_mask(np.full((8, 8, 8), np.nan))[0]
    assert check_mask(good, volume=sphere(32, 6, 2)) == []
    assert "through density" in check_mask(good, volume=sphere(32, 14, 2))[0]


def test_otsu_parts_two_populations():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 1, 5000), rng.normal(10, 1, 800)])
    assert 3 < otsu_threshold(values) < 7
