# SPDX-License-Identifier: GPL-3.0-or-later
"""Random phases: the C library's own numbers, and nothing but phases changed."""

import numpy as np
import pytest
from scipy import fft as sfft

from stadyn.core.fourier import frequency_radius
from stadyn.core.random_phases import RAND_MAX, CRand, with_random_phases


@pytest.mark.parametrize(
    ("seed", "first"),
    [(1, [1804289383, 846930886, 1681692777, 1714636915]), (42, [71876166, 708592740, 1483128881, 907283241])],
)
def test_numbers_are_those_of_the_c_library(seed, first):
    """rand() after srand(1) and srand(42) on any GNU system."""
    np.testing.assert_array_equal(np.rint(CRand(seed).uniform(4) * RAND_MAX), first)


def test_a_long_run_equals_the_recurrence():
    draws = 100_000  # several blocks
    rng = CRand(7)
    parts = np.concatenate([rng.uniform(n) for n in (1, 70, draws - 71)])
    np.testing.assert_array_equal(parts, CRand(7).uniform(draws))
    words = CRand(7)._draw(draws)
    np.testing.assert_array_equal(words[31:], words[:-31] + words[28:-3])
    assert np.abs(np.histogram(parts, 10)[0] / draws - 0.1).max() < 0.005


def test_amplitudes_stay_and_phases_change_from_the_shell_on():
    box, shell = 24, 6
    transform = sfft.rfftn(np.random.default_rng(0).standard_normal((box,) * 3).astype(np.float32))
    changed = sfft.rfftn(with_random_phases(transform, shell, CRand(1)))
    radius = frequency_radius(box)
    np.testing.assert_allclose(changed[radius < shell], transform[radius < shell], atol=1e-3)
    inner = (radius >= shell) & (np.arange(box // 2 + 1) > 0) & (np.arange(box // 2 + 1) < box // 2)
    np.testing.assert_allclose(np.abs(changed[inner]), np.abs(transform[inner]), rtol=1e-3)
    turn = np.angle(changed[inner] / transform[inner])
    assert abs(np.mean(np.exp(1j * turn))) < 0.05
