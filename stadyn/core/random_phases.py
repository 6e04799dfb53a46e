# SPDX-License-Identifier: GPL-3.0-or-later
"""Random phases for the mask's own correlation: RELION's, draw for draw, so that corrected curves agree shell by shell.

What correlates between two maps of random phases is itself random: at a box of 64 px one draw differs from another by
some hundredths a shell. RELION 3.1 draws with the C library's `rand`, seeded with 0 unless told otherwise; here
the same numbers are drawn in the same order.
"""

import numpy as np
from scipy import fft as sfft

RAND_MAX = 2**31 - 1
DEGREE, TAP = 31, 3  # r[i] = r[i - 31] + r[i - 3] modulo 2**32
DISCARDED = 310  # draws that srand throws away
BLOCK = 1 << 15  # small enough for the processor's cache


class CRand:
    """The `rand` of the GNU C library: additive feedback of degree 31 ("TYPE_3" of random(3)).

    Parameters
    ----------
    seed : int, as for ``srand``; 0 and 1 give the same numbers
    """

    def __init__(self, seed):
        state = [int(seed) % 2**32 or 1]
        for _ in range(DEGREE - 1):
            state.append(16807 * (state[-1] - (state[-1] >> 31 << 32)) % RAND_MAX)
        self._state = np.array(state[TAP:] + state[:TAP], np.uint32)  # its first sum is of words 3 and 0
        self._draw(DISCARDED)

    def uniform(self, n):
        """(n,) float64 within [0, 1], both ends included, as ``rand() / RAND_MAX``."""
        return (self._draw(n) >> np.uint32(1)) / RAND_MAX

    def _draw(self, n):
        """The next `n` unshifted values."""
        numbers = np.empty(DEGREE + n, np.uint32)
        numbers[:DEGREE] = self._state
        known = min(len(numbers), 4 * DEGREE)
        for i in range(DEGREE, known):
            numbers[i] = (int(numbers[i - DEGREE]) + int(numbers[i - TAP])) % 2**32
        while known < len(numbers):
            # r[i + lag] is a fixed combination of r[i] .. r[i + 30]: a whole block at once instead of one by one.
            lag = min(known, BLOCK)
            step = min(lag - DEGREE + 1, len(numbers) - known)
            first = known - lag
            block = np.zeros(step, np.uint32)
            for k, factor in enumerate(_power_of_x(lag)):
                if factor:
                    block += np.uint32(factor) * numbers[first + k : first + k + step]
            numbers[known : known + step] = block
            known += step
        self._state = numbers[-DEGREE:].copy()
        return numbers[DEGREE:]


def with_random_phases(transform, shell, rng):
    """The map of a half transform (``rfftn``) whose phases are random from a radius of `shell` Fourier pixels on.

    As RELION draws one phase per stored coefficient, the plane k_x = 0, which is stored with its mirror image, loses a
    part of its amplitude.

    Parameters
    ----------
    transform : (n, n, n // 2 + 1) complex array
    shell : int
    rng : CRand, drawn from once for every changed coefficient, in the order of the array

    Returns
    -------
    (n, n, n) float32 array
    """
    box = transform.shape[0]
    full, half = np.rint(sfft.fftfreq(box, 1 / box)) ** 2, np.arange(box // 2 + 1.0) ** 2
    beyond = full[:, None, None] + full[:, None] + half >= shell**2
    phase = (2 * np.pi * rng.uniform(int(beyond.sum()))).astype(np.float32)
    changed = transform.astype(np.complex64)
    changed[beyond] = np.abs(transform[beyond]) * (np.cos(phase) + 1j * np.sin(phase))
    return sfft.irfftn(changed, s=(box,) * 3)


_POWERS = {}


def _power_of_x(exponent):
    """(31,) int: x ** exponent modulo x**31 - x**28 - 1, whose coefficients are those of the recurrence."""
    if exponent not in _POWERS:
        result = [1] + [0] * (DEGREE - 1)
        for bit in f"{exponent:b}":
            square = [0] * (2 * DEGREE)
            for i, a in enumerate(result):
                for j, b in enumerate(result):
                    square[i + j + (bit == "1")] += a * b
            for power in range(2 * DEGREE - 1, DEGREE - 1, -1):
                square[power - DEGREE] += square[power]
                square[power - TAP] += square[power]
            result = [value % 2**32 for value in square[:DEGREE]]
        _POWERS[exponent] = result
    return _POWERS[exponent]
