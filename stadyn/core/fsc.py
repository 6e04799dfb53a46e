# SPDX-License-Identifier: GPL-3.0-or-later
"""Fourier shell correlation of two half-maps: what a mask adds to it, and the resolution it allows to claim.

Curves are those of RELION 3.1, which the field compares with: its count of coefficients, and its random phases.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft as sfft

from .errors import InputError
from .fourier import frequency_radius
from .random_phases import CRand, with_random_phases

GOLD_STANDARD_THRESHOLD = 0.143  # Rosenthal & Henderson 2003, doi:10.1016/j.jmb.2003.07.013
CONSERVATIVE_THRESHOLD = 0.5
RANDOMISE_BELOW_FSC = 0.8  # Chen et al. 2013, doi:10.1016/j.ultramic.2013.06.004
COUNTINGS = ("relion", "hermitian")
"""How often a coefficient counts in its shell: "hermitian", as often as it is in the full transform; "relion", once if
it is stored in the half transform, so that the plane k_x = 0, stored whole, weighs twice. The two differ by up to
0.011 in a shell at box 64, and less in larger boxes."""
SHELLS_LEFT_UNCORRECTED = 2  # behind the shell of randomisation, whose edge leaks through the mask (as RELION 3.1)


@dataclass(frozen=True, eq=False)
class FSCCurve:
    """FSC curves of two half-maps of side `box`, one value per shell 0 .. box // 2.

    Shell s holds the Fourier coefficients whose distance from the origin rounds to s;
    its spatial frequency is ``s / (box * pixel_size)``. A curve that does not exist
    (no mask was given) is nan. Resolutions are inf when not even shell 1 reaches the
    threshold, and Nyquist (2 * pixel_size) when no shell falls below it.
    """

    frequency: np.ndarray  # (shells,) 1/Å
    unmasked: np.ndarray  # (shells,)
    masked: np.ndarray  # (shells,)
    randomised: np.ndarray  # (shells,) masked, phases randomised beyond `randomised_from_angst`
    corrected: np.ndarray  # (shells,) what remains once the mask's own correlation is taken out
    pixel_size: float  # Å
    box: int  # px
    randomised_from_angst: float  # Å, nan where nothing was randomised
    resolution_0143_angst: float  # Å, of `corrected`, interpolated between shells
    resolution_05_angst: float  # Å, of `corrected`, interpolated between shells
    resolution_shell_angst: float  # Å, the last shell before `corrected` falls under 0.143, as RELION reports it


def shell_indices(box_px):
    """(n, n, n//2 + 1) int, the shell of each coefficient of ``rfftn``; corners go beyond n // 2."""
    return np.rint(frequency_radius(box_px)).astype(np.int32)


def fsc(a, b, counting="relion"):
    """Fourier shell correlation of two cubic maps.

    Parameters
    ----------
    a, b : (n, n, n) float array
    counting : one of `COUNTINGS`

    Returns
    -------
    (n // 2 + 1,) float64 array, within [-1, 1]; 0 in a shell where either map is empty

    Raises
    ------
    InputError
        If the maps are not cubes of the same side.
    """
    check_same_cube(a, b)
    return _shell_correlation(_transform(a), _transform(b), shell_indices(a.shape[0]), counting)


def half_map_fsc(half1, half2, pixel_size, mask=None, seed=1, counting="relion"):
    """All FSC curves of two half-maps, and their resolution.

    With a mask, both maps are also compared after their phases were made random from
    the shell on where the unmasked FSC first falls under 0.8: what correlates there is
    the mask's doing, and is taken out, ``(masked - random) / (1 - random)``
    (Chen et al. 2013, doi:10.1016/j.ultramic.2013.06.004).

    Parameters
    ----------
    half1, half2 : (n, n, n) float arrays, [z, y, x]
    pixel_size : float, Å
    mask : (n, n, n) float array within [0, 1], soft; None leaves `corrected` the unmasked curve
    seed : int, of the random phases; 1 draws those of RELION's default
    counting : one of `COUNTINGS`

    Returns
    -------
    FSCCurve
    """
    if counting not in COUNTINGS:
        raise InputError(f"counting {counting!r} is unknown: choose one of {', '.join(COUNTINGS)}")
    check_same_cube(half1, half2)
    box = half1.shape[0]
    shells = shell_indices(box)
    transforms = _transform(half1), _transform(half2)
    unmasked = _shell_correlation(*transforms, shells, counting)
    frequency = np.arange(box // 2 + 1) / (box * pixel_size)
    masked, randomised, start = np.full_like(unmasked, np.nan), np.full_like(unmasked, np.nan), None
    corrected = unmasked
    if mask is not None:
        check_same_cube(half1, mask)
        masked = _shell_correlation(_transform(half1 * mask), _transform(half2 * mask), shells, counting)
        start = first_shell_below(unmasked, RANDOMISE_BELOW_FSC)
        corrected = masked
        if start is not None:
            rng = CRand(seed)
            noise = [_transform(with_random_phases(f, start, rng) * mask) for f in transforms]
            randomised = _shell_correlation(*noise, shells, counting)
            corrected = _mask_corrected(masked, randomised, start)
    return FSCCurve(
        frequency=frequency, unmasked=unmasked, masked=masked, randomised=randomised, corrected=corrected,
        pixel_size=float(pixel_size), box=int(box),
        randomised_from_angst=float("nan") if start is None else float(1.0 / frequency[start]),
        resolution_0143_angst=resolution_at(frequency, corrected, GOLD_STANDARD_THRESHOLD),
        resolution_05_angst=resolution_at(frequency, corrected, CONSERVATIVE_THRESHOLD),
        resolution_shell_angst=_resolution_of_last_shell(frequency, corrected, GOLD_STANDARD_THRESHOLD),
    )  # fmt: skip


def first_shell_below(curve, threshold):
    """The first shell from 1 on with an FSC under `threshold`; None if no shell is. Shell 0, the mean, says nothing."""
    below = np.flatnonzero(np.asarray(curve)[1:] < threshold)
    return int(below[0]) + 1 if below.size else None


def resolution_at(frequency, curve, threshold):
    """Resolution (Å) where `curve` first falls under `threshold`, linear in frequency between the shells.

    inf if shell 1 is already under it, and the last shell's (Nyquist's) if no shell is.
    """
    shell = first_shell_below(curve, threshold)
    if shell is None:
        return float(1.0 / frequency[-1])
    if shell == 1:
        return float("inf")
    above, below = curve[shell - 1], curve[shell]
    fraction = (above - threshold) / (above - below)
    return float(1.0 / (frequency[shell - 1] + fraction * (frequency[shell] - frequency[shell - 1])))


def check_same_cube(a, b):
    """Raise InputError unless `a` and `b` are cubes of the same side."""
    if a.shape != b.shape:
        raise InputError(f"the maps have shapes {a.shape} and {b.shape}: give maps of the same box")
    if a.ndim != 3 or len(set(a.shape)) != 1:
        raise InputError(f"a map of shape {a.shape} is not a cube: crop or pad it to one")


def _transform(volume):
    return sfft.rfftn(np.asarray(volume, dtype=np.float32))


def _shell_sums(values, shells, counting):
    """(n // 2 + 1,) sums over whole shells of `values` given on the half that ``rfftn`` keeps."""
    box = shells.shape[0]
    if counting == "hermitian":
        stored_once = slice(1, -1 if box % 2 == 0 else None)
        values = values.copy()
        values[..., stored_once] *= 2  # their mirror images are not stored
    return np.bincount(shells.ravel(), weights=values.ravel(), minlength=box // 2 + 1)[: box // 2 + 1]


def _shell_correlation(fa, fb, shells, counting):
    cross = _shell_sums(fa.real * fb.real + fa.imag * fb.imag, shells, counting)
    power = _shell_sums(np.square(fa.real) + np.square(fa.imag), shells, counting)
    power *= _shell_sums(np.square(fb.real) + np.square(fb.imag), shells, counting)
    return np.divide(cross, np.sqrt(power), out=np.zeros_like(cross), where=power > 0)


def _mask_corrected(masked, randomised, start):
    corrected = masked.copy()
    beyond = slice(start + SHELLS_LEFT_UNCORRECTED, None)
    random = np.minimum(randomised[beyond], 1 - 1e-6)
    corrected[beyond] = (masked[beyond] - random) / (1 - random)
    return corrected


def _resolution_of_last_shell(frequency, curve, threshold):
    shell = first_shell_below(curve, threshold)
    last = len(curve) - 1 if shell is None else shell - 1
    return float(1.0 / frequency[last]) if last > 0 else float("inf")
