# SPDX-License-Identifier: GPL-3.0-or-later
"""A reference between its samples: the Hermitian partner, the derivatives, and grids cut to a ball."""

import numpy as np
import pytest

from stadyn.core.arrays import to_host
from stadyn.core.fourier import OVERSAMPLING
from stadyn.core.reference import Reference, ball_lines, trilinear

BOX, HIGH = 24, 8.0


def smooth_reference(xp):
    """A few Gaussian balls off every axis, as a Reference, and its transform in closed form as a function of (p, 3)."""
    axis = np.arange(BOX) - BOX // 2
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    centres, sigma = np.array([(3, 1, -2), (-2, 4, 1), (1, -3, 3.5)], float), 1.2
    volume = sum(np.exp(-((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) / (2 * sigma**2)) for a, b, c in centres)

    def transform(h):
        damped = np.exp(-2 * (np.pi * sigma / BOX) ** 2 * np.sum(h**2, axis=-1)) * (2 * np.pi * sigma**2) ** 1.5
        return damped * np.exp(-2j * np.pi / BOX * h @ centres.T).sum(axis=-1)

    flat = np.ones((BOX,) * 3)
    return Reference.from_volume(volume, HIGH, flat, xp), transform


def frequencies(count, radius, seed=0):
    """(1, count, 3) float32 anywhere in a ball but near its middle, where the mean that is taken away shows."""
    h = np.random.default_rng(seed).normal(size=(count, 3))
    h *= (radius * np.random.default_rng(seed + 1).uniform(0.3, 1, (count, 1))) / np.linalg.norm(h, axis=1)[:, None]
    return h[None].astype(np.float32)


def test_between_its_samples_a_reference_is_its_transform_on_either_side_of_z_0(xp):
    reference, transform = smooth_reference(xp)
    h = frequencies(400, HIGH)
    values = to_host(reference.sample(xp.asarray(h)))[0]
    expected = transform(h[0].astype(float))
    largest = np.abs(transform(np.zeros((1, 3)))).max()
    error = np.abs(values - expected) / largest
    assert np.median(error) < 0.005 and error.max() < 0.08  # the box's mean, taken away, shows at the lowest
    opposite = to_host(reference.sample(xp.asarray(-h)))[0]
    assert np.allclose(opposite, values.conj(), atol=1e-3 * largest)


def test_derivatives_are_those_of_the_interpolated_values(xp):
    reference, _ = smooth_reference(xp)
    h = frequencies(200, HIGH - 1, seed=5)
    # Finite differences stay in one cell: points in the middle of theirs.
    h = ((np.floor(h * OVERSAMPLING) + 0.5) / OVERSAMPLING).astype(np.float32)
    _, *slopes = to_host(reference.sample_with_gradient(xp.asarray(h)))
    for axis in range(3):
        step = np.zeros(3, np.float32)
        step[axis] = 0.1
        up, down = (to_host(reference.sample(xp.asarray((h + s * step).astype(np.float32)))) for s in (1, -1))
        numeric = (up - down) / 0.2
        assert np.abs(slopes[axis] - numeric).max() < 1e-3 * np.abs(numeric).max(), axis


@pytest.mark.parametrize("own", [False, True])
def test_a_ball_of_samples_is_as_good_as_the_grid_inside_it(xp, own):
    k = 9
    rng = np.random.default_rng(2)
    shape = (k + 1, 2 * k + 1, 2 * k + 1)
    grids = (rng.normal(size=(2,) + shape) + 1j * rng.normal(size=(2,) + shape)).astype(np.complex64)
    lines = ball_lines(k)
    assert len(lines) < 0.6 * np.prod(shape)
    samples = grids[(slice(None),) + lines.samples]
    h = np.concatenate([frequencies(500, (k - 2) / OVERSAMPLING, seed) for seed in (7, 9)])
    whole, ball = (grids.reshape(2, -1), samples) if own else (grids[0].ravel(), samples[0])
    expected = to_host(trilinear(xp.asarray(whole), shape, xp.asarray(h)))
    assert np.array_equal(to_host(trilinear(xp.asarray(ball), lines, xp.asarray(h))), expected)
