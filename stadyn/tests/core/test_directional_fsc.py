# SPDX-License-Identifier: GPL-3.0-or-later
"""Directional FSC: a resolution planted worse along one axis is found along that axis."""

import numpy as np
import pytest
from scipy import fft as sfft

from stadyn.core.directional_fsc import directional_fsc, half_sphere
from stadyn.core.errors import InputError
from stadyn.core.fsc import fsc

BOX, PIXEL = 48, 2.0
FINE, COARSE = 16.0, 8.0  # Fourier pixels where FSC 0.5 lies


def planted(axis=None, seed=0):
    """Halves whose signal ends at FINE Fourier pixels, but at COARSE within 35 degrees of `axis` (x, y, z)."""
    rng = np.random.default_rng(seed)
    signal, noise1, noise2 = rng.standard_normal((3, BOX, BOX, BOX))
    full, half = sfft.fftfreq(BOX, 1 / BOX), np.arange(BOX // 2 + 1.0)
    k = np.stack(np.meshgrid(full, full, half, indexing="ij")[::-1], -1)
    radius = np.linalg.norm(k, axis=-1)
    end = np.full(radius.shape, FINE)
    if axis is not None:
        near = np.abs(k @ np.asarray(axis, float)) >= np.cos(np.radians(35)) * radius
        end[near] = COARSE
    signal = sfft.irfftn(sfft.rfftn(signal) * np.where(radius <= end, 5, 0), s=(BOX,) * 3)
    return signal + noise1, signal + noise2


@pytest.mark.parametrize("worst", "xyz")
def test_the_worse_axis_is_named(worst):
    result = directional_fsc(*planted(np.eye(3)["xyz".index(worst)]), PIXEL)
    for name in "xyz":
        edge = COARSE if name == worst else FINE
        assert result.axis(name) == pytest.approx(BOX * PIXEL / (edge + 0.8), rel=0.08)
    assert 1.6 < result.anisotropy() < 2.3
    spread = result.directions[result.resolution_angst > 9] @ np.eye(3)["xyz".index(worst)]
    assert np.all(np.abs(spread) > np.cos(np.radians(35)))


def test_equal_directions_and_the_whole_sphere():
    halves = planted()
    result = directional_fsc(*halves, PIXEL)
    assert result.anisotropy() < 1.1
    whole = directional_fsc(*halves, PIXEL, half_angle_deg=90, directions=0)
    np.testing.assert_allclose(whole.curves[2, 1:], fsc(*halves)[1:], atol=1e-5)


def test_directions_cover_the_half_sphere():
    directions = half_sphere(60)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    assert np.all(directions[:, 2] >= 0)
    probes = np.random.default_rng(0).standard_normal((500, 3))
    probes /= np.linalg.norm(probes, axis=1)[:, None]
    assert np.degrees(np.arccos(np.abs(probes @ directions.T).max(axis=1))).max() < 20


def test_an_impossible_cone_is_refused():
    with pytest.raises(InputError, match="half-angle 120"):
        directional_fsc(np.zeros((8, 8, 8)), np.zeros((8, 8, 8)), 1.0, half_angle_deg=120)
