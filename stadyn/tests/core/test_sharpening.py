# SPDX-License-Identifier: GPL-3.0-or-later
"""Sharpening: planted B-factors, the sign of B, where the low-pass cuts, FSC weights, and the hand."""

import numpy as np
import pytest
from scipy import fft as sfft

from stadyn.core.errors import InputError
from stadyn.core.fourier import frequency_radius
from stadyn.core.fsc import shell_indices
from stadyn.core.sharpening import flip_hand, fsc_weights, guinier_fit, sharpen

BOX, PIXEL = 64, 1.35


def fading_map(b_factor, box=BOX, pixel=PIXEL, seed=0):
    """White noise times exp(b / 4d²): a map that fades with B = `b_factor` (negative)."""
    noise = np.random.default_rng(seed).standard_normal((box,) * 3)
    gain = np.exp(b_factor / 4 * (frequency_radius(box) / (box * pixel)) ** 2)
    return sfft.irfftn(sfft.rfftn(noise) * gain, s=noise.shape).astype(np.float32)


@pytest.mark.parametrize("planted", [-50, -150, -270])
def test_planted_b_factor_is_found_and_undone(planted):
    curve = np.ones(BOX // 2 + 1)
    volume = fading_map(planted)
    fit = guinier_fit(volume, PIXEL, curve, fine_angst=4.0)
    assert fit.b_factor == pytest.approx(planted, rel=0.1)
    assert fit.r < -0.98
    assert (fit.coarse_angst, fit.fine_angst) == (10.0, 4.0)
    flat = guinier_fit(sharpen(volume, PIXEL, fit.b_factor), PIXEL, curve, fine_angst=4.0)
    assert abs(flat.b_factor) < 2


def test_a_coarse_map_is_fitted_from_twice_its_resolution():
    fit = guinier_fit(fading_map(-800, 64, 5.4), 5.4, np.ones(33), fine_angst=14)
    assert fit.coarse_angst == 28
    assert fit.fitted.sum() == np.floor(64 * 5.4 / 14) - np.ceil(64 * 5.4 / 28) + 1
    assert fit.b_factor == pytest.approx(-800, rel=0.1)


def test_too_few_shells_are_refused():
    with pytest.raises(InputError, match="type a B-factor"):
        guinier_fit(fading_map(-100), PIXEL, np.ones(33), fine_angst=9.5, coarse_angst=10)


def test_amplitudes_after_sharpening():
    """Each shell's amplitude: exp(-B/4d²) * sqrt(2 FSC/(1+FSC)) * low-pass, all three at once."""
    volume = np.random.default_rng(1).standard_normal((BOX,) * 3).astype(np.float32)
    curve = np.linspace(1, 0.05, BOX // 2 + 1)
    out = sharpen(volume, PIXEL, -120, curve, lowpass_angst=BOX * PIXEL / 20)
    ratio = np.abs(sfft.rfftn(out)) / np.abs(sfft.rfftn(volume))
    frequency = frequency_radius(BOX) / (BOX * PIXEL)
    expected = np.exp(30 * frequency**2) * np.sqrt(2 * curve / (1 + curve))[np.minimum(shell_indices(BOX), 32)]
    radius = frequency_radius(BOX)
    kept = (radius > 0) & (radius <= 19)
    assert np.allclose(ratio[kept], expected[kept], rtol=1e-3)
    assert ratio[radius >= 21].max() < 1e-3
    at_cut = radius == 20
    assert np.allclose(ratio[at_cut], 0.5 * expected[at_cut], rtol=1e-3)


def test_weights_end_where_the_fsc_vanishes():
    weights = fsc_weights([-1, 1, 0.5, 0.0, 0.9])
    assert weights == pytest.approx([1, 1, np.sqrt(1 / 1.5), 0, 0])


@pytest.mark.parametrize("box", [16, 17])
def test_flip_hand_mirrors_x_about_the_centre(box):
    volume = np.zeros((box,) * 3, np.float32)
    c = box // 2
    volume[c + 1, c + 2, c + 3] = 1
    flipped = flip_hand(volume)
    assert np.argwhere(flipped).tolist() == [[c + 1, c + 2, c - 3]]
    assert np.array_equal(flip_hand(flipped), volume)
