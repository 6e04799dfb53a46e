# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix transforms against scipy.fft, their adjoint, and the bands they are cut to."""

import numpy as np
import pytest
import scipy.fft

from stadyn.core.arrays import to_host
from stadyn.core.fourier import (
    band,
    bandpass,
    half_cube,
    half_cube_samples,
    lowpass_radius,
    places_in_half_cube,
    sinc2_envelope,
    volume_from_half_cube,
)

from .planted import blob_map


def noise(box_px, count=None, seed=0):
    shape = (box_px,) * 3 if count is None else (count, box_px, box_px, box_px)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def transform(volume, factor=1):
    """(k, k, k) transform about the box centre, zero frequency in the middle, `factor` samples per Fourier pixel."""
    n = len(volume)
    m = factor * n
    padded = np.zeros((m, m, m))
    low = m // 2 - n // 2
    padded[low : low + n, low : low + n, low : low + n] = volume
    return scipy.fft.fftshift(scipy.fft.fftn(scipy.fft.ifftshift(padded)))


@pytest.mark.parametrize("box_px", [16, 17])
@pytest.mark.parametrize("factor", [1, 2])
def test_half_cube_is_the_fourier_transform_about_the_box_centre(xp, box_px, factor):
    volumes, k = noise(box_px, 2), 6
    cubes = half_cube(xp.asarray(volumes), k, factor)
    assert cubes.dtype == np.complex64 and cubes.shape == (2, k + 1, 2 * k + 1, 2 * k + 1)
    for volume, cube in zip(volumes, to_host(cubes), strict=True):
        whole, c = transform(volume, factor), factor * box_px // 2
        expected = whole[c : c + k + 1, c - k : c + k + 1, c - k : c + k + 1]
        assert np.abs(cube - expected).max() < 2e-4 * np.abs(expected).max()
    assert np.allclose(to_host(half_cube(xp.asarray(volumes[1]), k, factor)), to_host(cubes[1]), atol=1e-3)


def test_half_cube_divides_the_envelope_out(xp):
    volume = noise(16)
    line = sinc2_envelope(16).astype(np.float32)
    envelope = line[:, None, None] * line[:, None] * line
    divided = to_host(half_cube(xp.asarray(volume / envelope), 5, 2))
    assert np.allclose(to_host(half_cube(xp.asarray(volume), 5, 2, True)), divided, atol=2e-3)


@pytest.mark.parametrize("compensated", [False, True])
def test_volume_from_half_cube_is_the_adjoint(xp, compensated):
    """<A v, c> over the half cube and its Hermitian partners equals <v, A* c>."""
    volume, k = noise(14), 5
    cube = half_cube(xp.asarray(noise(14, seed=3)), k, 2)
    image = to_host(half_cube(xp.asarray(volume), k, 2, compensated)).astype(complex)
    back = volume_from_half_cube(cube, 14, 2, compensated)
    assert back.dtype == np.float32
    left = 2 * np.sum((image * to_host(cube).conj()).real)
    assert left == pytest.approx(np.sum(volume * to_host(back).astype(float)), rel=1e-4)


def test_a_band_holds_one_of_each_pair_and_nothing_outside():
    wanted = band(20, 5.2, 1.5)
    h = wanted.indices.astype(int)
    radius = np.linalg.norm(h, axis=1)
    assert radius.max() <= 5.2 and radius.min() > 1.5
    both = {tuple(v) for v in h} | {tuple(-v) for v in h}
    k = np.indices((11, 11, 11)).reshape(3, -1).T - 5
    inside = (np.linalg.norm(k, axis=1) <= 5.2) & (np.linalg.norm(k, axis=1) > 1.5)
    assert len(both) == 2 * len(wanted) == inside.sum()
    assert band(20, 50).high == 9  # cut below Nyquist, which has no partner


def test_chosen_samples_are_those_of_the_half_cube(xp):
    volume = blob_map(18)
    x, y, z = band(18, 6.0).indices.astype(int).T
    places = places_in_half_cube((z, y + 6, x + 6), 6)
    values = to_host(half_cube_samples(xp.asarray(volume[None]), places, 6))[0]
    expected = transform(volume)[z + 9, y + 9, x + 9]
    assert values.dtype == np.complex64 and np.abs(values - expected).max() < 1e-4 * np.abs(expected).max()


def test_fourier_pixels_of_the_papers_three_resolutions():
    for box_px, fourier_px, angst in ((256, 23, 15.026), (192, 32, 8.1), (192, 38, 6.8211)):
        assert lowpass_radius(box_px, 1.35, angst) == pytest.approx(fourier_px, abs=0.01)
    assert lowpass_radius(32, 5.0, 0) == lowpass_radius(32, 5.0, 1.0) == 15


def test_bandpass_leaves_what_lies_between_its_limits():
    n, pixel_size = 32, 5.0
    x = np.arange(n) - n // 2
    waves = {k: np.cos(2 * np.pi * k * x / n).astype(np.float32)[None, None] * np.ones((n, n, 1)) for k in (2, 6, 12)}
    kept = bandpass(sum(waves.values()), pixel_size, n * pixel_size / 9, n * pixel_size / 4)
    assert kept.dtype == np.float32 and np.abs(kept - waves[6]).max() < 1e-5
    lowpassed = bandpass(sum(waves.values()), pixel_size, n * pixel_size / 9)
    assert np.abs(lowpassed - waves[6] - waves[2]).max() < 1e-5
