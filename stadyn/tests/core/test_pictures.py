# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters halve what they say, grey values follow the density, and magnified pixels lie where they should."""

import numpy as np
import pytest

from stadyn.core.pictures import band_passed, grey, magnified

PIXEL = 5.0


def wave(period_angst, n=240):
    return np.sin(2 * np.pi * np.arange(n) * PIXEL / period_angst) * np.ones((n, 1))


def strength(image):
    return image[60:-60, 60:-60].std() / wave(60)[60:-60, 60:-60].std()


@pytest.mark.parametrize("period, expected", [(60, 0.5), (200, 0.94), (30, 0.0625)])
def test_lowpass_halves_the_amplitude_at_its_resolution(period, expected):
    assert strength(band_passed(wave(period), PIXEL, 60.0, None)) == pytest.approx(expected, abs=0.02)


def test_highpass_halves_long_waves_and_leaves_short_ones():
    assert strength(band_passed(wave(200), PIXEL, 0.0, 200.0)) == pytest.approx(0.5, abs=0.02)
    assert strength(band_passed(wave(60), PIXEL, 0.0, 600.0)) == pytest.approx(1, abs=0.01)


def test_dark_stays_dark():
    image = np.random.default_rng(0).normal(10, 2, (50, 50))
    image[5, 6], image[7, 8] = -1000, 1000
    picture = grey(image, 3.0)
    assert picture.dtype == np.uint8 and picture[5, 6] == 0 and picture[7, 8] == 255
    assert np.corrcoef(grey(image[10:], 3.0).ravel(), image[10:].ravel())[0, 1] > 0.99


def test_magnified_pixels_are_where_the_formula_says():
    rows, columns = np.mgrid[:20, :30].astype(float)
    large = magnified(rows * 100 + columns, 2.5)
    assert large.shape == (50, 75)
    row, column = (np.array([12, 33]) + 0.5) / 2.5 - 0.5
    assert large[12, 33] == pytest.approx(row * 100 + column)
    assert large[0, 0] == 0  # not beyond the border
