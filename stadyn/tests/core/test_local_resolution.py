# SPDX-License-Identifier: GPL-3.0-or-later
"""Local resolution: two planted resolutions along a known axis, symmetry, and the locally filtered map."""

import numpy as np
import pytest
from scipy import fft as sfft

from stadyn.core.errors import InputError
from stadyn.core.fourier import frequency_radius
from stadyn.core.local_resolution import local_filter, local_resolution
from stadyn.core.sharpening import lowpass_gain

BOX, PIXEL = 72, 2.5
FINE, COARSE = 8.0, 16.0


def lowpassed(volume, angst):
    gain = lowpass_gain(frequency_radius(BOX), BOX * PIXEL / angst)
    return sfft.irfftn(sfft.rfftn(volume) * gain, s=volume.shape)


def planted_halves(fine_region, seed=0):
    """A signal to 8 Å where `fine_region`, to 16 Å elsewhere; noise a quarter of it, so FSC 0.5 lies at the cuts."""
    rng = np.random.default_rng(seed)
    signal, noise1, noise2 = rng.standard_normal((3, BOX, BOX, BOX)).astype(np.float32)
    common = np.where(fine_region, lowpassed(signal, FINE), lowpassed(signal, COARSE))
    return common + 0.5 * noise1, common + 0.5 * noise2


@pytest.fixture(scope="module")
def left_and_right():
    x = np.arange(BOX) < BOX // 2
    halves = planted_halves(np.broadcast_to(x, (BOX,) * 3))
    return halves, local_resolution(*halves, PIXEL, window_px=23)


def test_planted_resolutions_are_found_on_their_own_sides(left_and_right):
    _, result = left_and_right
    margin = 12  # half a window from the boundary, and from the box border
    inner = slice(margin, BOX - margin)
    left = result.resolution[inner, inner, margin : BOX // 2 - margin]
    right = result.resolution[inner, inner, BOX // 2 + margin : BOX - margin]
    assert np.median(left) == pytest.approx(FINE, rel=0.1)
    assert np.median(right) == pytest.approx(COARSE, rel=0.1)
    assert result.resolution.dtype == np.float32
    assert result.quantiles_angst[2] == result.median_angst


def test_a_looser_threshold_claims_more(left_and_right):
    halves, strict = left_and_right
    loose = local_resolution(*halves, PIXEL, threshold=0.143)
    assert loose.median_angst < strict.median_angst


def test_noise_and_identity_reach_the_two_ends():
    a, b = np.random.default_rng(1).standard_normal((2, 32, 32, 32))
    assert local_resolution(a, b, 2.0, window_px=11).median_angst > 15  # window_px * pixel_size = 22 Å is the worst
    assert local_resolution(a, a, 2.0, window_px=11).median_angst == pytest.approx(4)  # Nyquist


def test_symmetry_makes_the_turned_map_equal():
    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    one_sector = np.abs(np.arctan2(y, x)) < np.pi / 6
    halves = planted_halves(np.broadcast_to(one_sector, (BOX,) * 3), seed=2)
    mask = np.broadcast_to(np.hypot(x, y) < 30, (BOX,) * 3)
    result = local_resolution(*halves, PIXEL, mask, window_px=15, symmetry="C2")
    c = BOX // 2
    assert np.allclose(result.resolution[c, c, c + 1 : c + 25], result.resolution[c, c, c - 1 : c - 25 : -1], rtol=1e-3)
    assert result.resolution[c, c, c + 20] < result.resolution[c, c + 20, c] - 1
    assert result.resolution[c, 0, 0] == 0


def test_local_filter_keeps_the_fine_side_and_smooths_the_coarse():
    resolution = np.full((BOX,) * 3, COARSE)
    resolution[:, :, : BOX // 2] = FINE
    volume = np.random.default_rng(3).standard_normal((BOX,) * 3).astype(np.float32)
    filtered = local_filter(volume, resolution, PIXEL)
    for part, angst in ((np.s_[:, :, : BOX // 2 - 1], FINE), (np.s_[:, :, BOX // 2 + 1 :], COARSE)):
        assert np.allclose(filtered[part], lowpassed(volume, angst)[part], atol=0.02)


def test_faulty_requests_are_refused():
    a = np.zeros((24, 24, 24))
    with pytest.raises(InputError, match="window of 23 px"):
        local_resolution(a, a, 1.0)
    with pytest.raises(InputError, match="mask is empty"):
        local_resolution(a, a, 1.0, mask=a, window_px=9)
