# SPDX-License-Identifier: GPL-3.0-or-later
"""FSC: sampling at both ends, planted noise levels, phase randomisation, and the resolution's special cases."""

import numpy as np
import pytest
from scipy import fft as sfft

from stadyn.core.errors import InputError
from stadyn.core.fsc import fsc, half_map_fsc, resolution_at, shell_indices
from stadyn.core.masks import sphere


def wave(box, k):
    """A plane wave of `k` = (kx, ky, kz) Fourier pixels, [z, y, x]."""
    z, y, x = np.mgrid[:box, :box, :box] / box
    return np.cos(2 * np.pi * (k[0] * x + k[1] * y + k[2] * z) + 0.3).astype(np.float32)


def noisy_halves(box, snr_of_shell, seed=0, envelope=None):
    """Two maps with a common signal, each with white noise so that a shell's FSC is snr / (snr + 1)."""
    rng = np.random.default_rng(seed)
    signal, noise1, noise2 = (rng.standard_normal((box, box, box)).astype(np.float32) for _ in range(3))
    gain = np.sqrt(snr_of_shell(shell_indices(box)))
    signal = sfft.irfftn(sfft.rfftn(signal) * gain, s=(box,) * 3)
    if envelope is not None:
        signal = signal * envelope
    return signal + noise1, signal + noise2


@pytest.mark.parametrize("box", [20, 21])
def test_a_wave_correlates_in_its_own_shell_only(box):
    last = box // 2
    for k, shell in (((1, 0, 0), 1), ((0, 0, last), last), ((3, 4, 0), 5)):
        rng = np.random.default_rng(1)
        noise = 0.01 * rng.standard_normal((2, box, box, box))
        curve = fsc(wave(box, k) + noise[0], wave(box, k) + noise[1])
        assert curve.shape == (last + 1,)
        assert curve[shell] > 0.9
        assert np.abs(np.delete(curve, [0, shell])[3:]).max() < 0.6


@pytest.mark.parametrize("box", [12, 13])
def test_shell_sums_equal_the_full_transform(box):
    a, b = np.random.default_rng(2).standard_normal((2, box, box, box)).astype(np.float32)
    fa, fb = np.fft.fftn(a), np.fft.fftn(b)
    k = np.fft.fftfreq(box, 1 / box)
    radius = np.rint(np.sqrt(k[:, None, None] ** 2 + k[:, None] ** 2 + k**2))
    for shell, value in enumerate(fsc(a, b, counting="hermitian")):
        here = radius == shell
        power = (abs(fa[here]) ** 2).sum() * (abs(fb[here]) ** 2).sum()
        expected = (fa[here] * fb[here].conj()).sum().real / np.sqrt(power)
        assert value == pytest.approx(expected, abs=1e-4)


def test_relions_count_takes_each_stored_coefficient_once():
    box = 12
    a, b = np.random.default_rng(2).standard_normal((2, box, box, box)).astype(np.float32)
    fa, fb = np.fft.rfftn(a), np.fft.rfftn(b)
    for shell, value in enumerate(fsc(a, b)):
        here = shell_indices(box) == shell
        power = (abs(fa[here]) ** 2).sum() * (abs(fb[here]) ** 2).sum()
        assert value == pytest.approx((fa[here] * fb[here].conj()).sum().real / np.sqrt(power), abs=1e-4)
    with pytest.raises(InputError, match="'twice'"):
        half_map_fsc(a, b, 1.0, counting="twice")


def test_planted_noise_gives_the_expected_curve_and_resolution():
    box, pixel = 64, 2.0
    falloff = 0.35
    first, second = noisy_halves(box, lambda s: np.exp(-falloff * (s - 16.0)))
    curve = half_map_fsc(first, second, pixel)
    shells = np.arange(box // 2 + 1)
    expected = 1 / (1 + np.exp(falloff * (shells - 16.0)))
    assert np.abs(curve.unmasked - expected)[6:].max() < 0.05
    true_05 = box * pixel / 16
    true_0143 = box * pixel / (16 + np.log(1 / 0.143 - 1) / falloff)
    assert curve.resolution_05_angst == pytest.approx(true_05, rel=0.02)
    assert curve.resolution_0143_angst == pytest.approx(true_0143, rel=0.03)
    assert curve.frequency[-1] == pytest.approx(1 / (2 * pixel))
    assert np.isnan(curve.masked).all() and np.isnan(curve.randomised_from_angst)


def test_correction_removes_what_a_mask_adds():
    """Pure noise beyond shell 10 under a tight mask: the mask alone correlates, and is taken out again."""
    box = 48
    mask = sphere(box, 5, 3)
    curves = []
    for seed in range(8):  # one draw of a few Fourier coefficients says little
        first, second = noisy_halves(box, lambda s: np.where(s < 10, 400.0, 0.0), seed=3 + seed)
        curves.append(half_map_fsc(first, second, 1.0, mask, seed=seed))
    assert {curve.randomised_from_angst for curve in curves} == {box / 10}
    assert np.mean([curve.masked[12:16].mean() for curve in curves]) > 0.2
    assert abs(np.mean([curve.corrected[12:16].mean() for curve in curves])) < 0.1
    curve = curves[0]
    assert np.array_equal(curve.corrected[:12], curve.masked[:12])
    true = (curve.masked[14] - curve.randomised[14]) / (1 - curve.randomised[14])
    assert curve.corrected[14] == pytest.approx(true)


def test_same_seed_same_curve():
    first, second = noisy_halves(24, lambda s: np.where(s < 6, 9.0, 0.1))
    mask = sphere(24, 6, 3)
    curves = [half_map_fsc(first, second, 1.0, mask, seed=seed).randomised for seed in (1, 1, 2)]
    assert np.array_equal(curves[0], curves[1]) and not np.array_equal(curves[0], curves[2])


def test_resolution_where_the_curve_does_not_cross():
    frequency = np.arange(5) / 40
    assert resolution_at(frequency, np.ones(5), 0.143) == pytest.approx(10)  # Nyquist
    assert resolution_at(frequency, np.array([1, 0.1, 0.9, 0.9, 0.9]), 0.143) == np.inf
    assert resolution_at(frequency, np.array([-1, 1, 1, 0, 1]), 0.5) == pytest.approx(40 / 2.5)
    identical = half_map_fsc(*[np.random.default_rng(0).standard_normal((16,) * 3)] * 2, 3.0)
    assert identical.resolution_0143_angst == pytest.approx(6) and identical.resolution_shell_angst == pytest.approx(6)


def test_unequal_or_oblong_maps_are_refused():
    with pytest.raises(InputError, match="same box"):
        fsc(np.zeros((8, 8, 8)), np.zeros((10, 10, 10)))
    with pytest.raises(InputError, match="cube"):
        fsc(np.zeros((8, 8, 10)), np.zeros((8, 8, 10)))
