# SPDX-License-Identifier: GPL-3.0-or-later
"""The missing wedge: its shape, its sign, and that a simulated tilt series fills what it says."""

import numpy as np
import pytest
import scipy.fft

from stadyn.core.arrays import to_host
from stadyn.core.fourier import band
from stadyn.core.simulation_model import PointCloud
from stadyn.core.simulation_physics import back_project, project_points, tilt_angles
from stadyn.core.tomograms import MissingWedge, Tomogram
from stadyn.core.transfer import Transfer
from stadyn.core.wedge import wedge_weights

RANGES = [(-60, 60), (-45, 60), (-60, 45), (-90, 90), (-30, 90), (-90, 30), (10, 60)]


def at_tilt(degrees):
    """The frequency that an image at this tilt measures along its own x axis."""
    return np.stack([np.cos(np.radians(degrees)), np.zeros_like(degrees), np.sin(np.radians(degrees))], -1)


@pytest.mark.parametrize("low, high", RANGES)
def test_each_tilt_of_the_range_is_sampled_and_no_other(low, high):
    tilts = np.arange(-89.5, 90.0)
    for sign in (1, -1):  # a real volume's coefficient and its Hermitian partner are one
        weights = wedge_weights(MissingWedge(low, high), 7.0 * sign * at_tilt(tilts))
        assert weights.dtype == np.float32
        assert np.array_equal(weights > 0, (tilts > low) & (tilts < high))


def test_asymmetric_range_in_numbers():
    wedge = MissingWedge(-45, 60)
    h = np.array([[1, 0, 1.7], [1, 0, 1.8], [1, 0, -0.9], [1, 0, -1.1], [-1, 0, 0.9], [-1, 3, 1.1], [1, 9, 0]])
    assert wedge_weights(wedge, h).tolist() == [1, 0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("low, high", RANGES)
def test_beam_and_tilt_axis(low, high):
    """Every tilt measures the tilt axis; only one at +-90 measures the beam, from either side."""
    wedge = MissingWedge(low, high)
    axes = np.array([[0.0, 3, 0], [0, -3, 0], [0, 0, 4], [0, 0, -4], [0, 2, 4], [0, 2, -4]])
    beam = float(high == 90 or low == -90)
    assert wedge_weights(wedge, axes).tolist() == [1, 1, beam, beam, beam, beam]


@pytest.mark.parametrize("low, high", RANGES)
def test_the_weights_of_a_tomogram_agree_with_the_angle(xp, low, high):
    wedge = MissingWedge(low, high)
    weight_of = Transfer(Tomogram("a", "", 5.0, (9, 9, 9), wedge), 24)
    grid = band(24, 11.0).indices.astype(np.float32)
    turned = np.random.default_rng(0).uniform(-8, 8, (3, 500, 3)).astype(np.float32)
    for frequencies in (np.concatenate([grid, -grid])[None], turned):
        weights = weight_of(xp.asarray(frequencies))
        assert weights.dtype == np.float32 and weights.shape == frequencies.shape[:2]
        kx, kz = frequencies[..., 0].astype(float), frequencies[..., 2].astype(float)
        angle = np.degrees(np.arctan(kz / np.where(kx == 0, np.nan, kx)))  # the beam has a test of its own
        clear = (np.abs(angle - low) > 1e-2) & (np.abs(angle - high) > 1e-2)
        assert clear.mean() > 0.85
        assert np.array_equal(to_host(weights)[clear] > 0, ((angle > low) & (angle < high))[clear])


@pytest.mark.parametrize("low, high", [(-45, 60), (-60, 40)])
def test_a_simulated_tilt_series_fills_what_the_weights_say(low, high):
    n, pixel_size = 32, 5.0
    points = np.random.default_rng(1).uniform(-40, 40, (60, 3))
    cloud = PointCloud(points, np.random.default_rng(2).standard_normal(60), 3.0)
    tilts = tilt_angles(low, high, 3.0)
    image = (n, 4 * n)  # wide enough for the rays through the corners of the volume
    spectra = [project_points([cloud], t, image, pixel_size) for t in tilts]
    volume = back_project(spectra, tilts, image, (2 * n, n, 2 * n))[n // 2 : -n // 2, :, n // 2 : -n // 2]
    power = np.abs(scipy.fft.fftshift(scipy.fft.fftn(volume))) ** 2
    z, y, x = np.indices(power.shape) - n // 2
    radius, angle = np.hypot(x, z), np.degrees(np.arctan2(z, x))
    shell = (radius >= 5) & (radius <= 13) & (np.abs(y) <= 10)
    weights = wedge_weights(MissingWedge(low, high), np.stack([x, y, z], -1))
    edge = np.zeros(power.shape, bool)
    for limit in (low, high):  # the box's own blur of one Fourier pixel, and half a tilt step
        edge |= np.abs((angle - limit + 90) % 180 - 90) < np.degrees(1.5 / np.maximum(radius, 1)) + 2
    seen, missing = power[shell & ~edge & (weights > 0)], power[shell & ~edge & (weights == 0)]
    assert len(missing) > 300 and missing.mean() < 0.03 * seen.mean()
    # Between the two limits' sizes one sign is seen and the other is not; a mirrored wedge swaps them.
    middle, sign = (abs(low) + high) / 2, np.sign(low + high)
    there, mirrored = (shell & (radius >= 8) & (np.abs(angle - a) < 4) for a in (sign * middle, -sign * middle))
    assert power[there].mean() > 10 * power[mirrored].mean()
