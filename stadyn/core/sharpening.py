# SPDX-License-Identifier: GPL-3.0-or-later
"""From the average of two half-maps to the final map: FSC weights, B-factor, low-pass, hand.

Steps, order and signs are those of RELION 3.1's post-processing, so that a map sharpened here at the same
B-factor and low-pass is RELION's.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft as sfft
from scipy.stats import linregress

from .errors import InputError
from .fourier import frequency_radius
from .fsc import shell_indices

COARSE_LIMIT_ANGST = 10.0  # coarser than this the shape rules the spectrum (Rosenthal & Henderson 2003)
COARSE_OVER_FINE = 2.0  # a map that hardly passes 10 Å is fitted from twice its resolution on
MIN_FIT_POINTS = 3
WEIGHT_FLOOR = 1e-4  # the FSC from where on nothing is kept, as RELION
LOWPASS_EDGE_SHELLS = 2  # as RELION's --filter_edge_width


@dataclass(frozen=True, eq=False)
class GuinierFit:
    """Line through ln(mean amplitude) against 1/d², one point a shell from shell 1 on.

    ``ln_weighted = intercept + b_factor / 4 * inverse_square`` within the fitted range; a map
    that fades has a negative `b_factor`, and the same number applied sharpens it (RELION's sign).
    """

    inverse_square: np.ndarray  # (shells,) 1/Å²
    ln_amplitude: np.ndarray  # (shells,) of the averaged half-maps, nan in an empty shell
    ln_weighted: np.ndarray  # (shells,) after FSC weighting, nan where nothing is kept
    fitted: np.ndarray  # (shells,) bool, the points of the fit
    b_factor: float  # Å², of the fit
    intercept: float
    r: float  # correlation coefficient of the fit
    coarse_angst: float  # Å, begin of the fitted range
    fine_angst: float  # Å, its end


def guinier_fit(volume, pixel_size, curve, fine_angst=None, coarse_angst=None):
    """Fit the B-factor of a map.

    Parameters
    ----------
    volume : (n, n, n) float array, the mean of the two half-maps under the mask that `curve` was computed with.
        RELION fits the unmasked mean: the weights then let the noise outside the mask through, and the B-factor
        comes out too small (-450 for a planted -700 in the test of postprocess).
    pixel_size : float, Å
    curve : (n // 2 + 1,) float array, the corrected FSC that weights the amplitudes
    fine_angst : float, end of the range; None: Nyquist
    coarse_angst : float, begin of the range; None: 10 Å, or 2 * `fine_angst` if that is coarser

    Raises
    ------
    InputError
        If fewer than three shells lie in the range.
    """
    box = volume.shape[0]
    fine = 2.0 * pixel_size if fine_angst is None else fine_angst
    coarse = max(COARSE_LIMIT_ANGST, COARSE_OVER_FINE * fine) if coarse_angst is None else coarse_angst
    shells = shell_indices(box)
    amplitudes = np.abs(sfft.rfftn(np.asarray(volume, np.float32))) / volume.size
    count = np.bincount(shells.ravel())[1 : box // 2 + 1]
    mean = np.bincount(shells.ravel(), weights=amplitudes.ravel())[1 : box // 2 + 1] / count
    frequency = np.arange(1, box // 2 + 1) / (box * pixel_size)
    x, ln_mean, ln_weighted = frequency**2, _log(mean), _log(mean * fsc_weights(curve)[1:])
    tolerance = 1e-9
    fitted = (frequency >= 1 / coarse - tolerance) & (frequency <= 1 / fine + tolerance) & np.isfinite(ln_weighted)
    if fitted.sum() < MIN_FIT_POINTS:
        raise InputError(
            f"only {fitted.sum()} shells of the map lie between {coarse:g} and {fine:g} Å, too few for a Guinier fit: "
            "type a B-factor or widen the range"
        )
    line = linregress(x[fitted], ln_weighted[fitted])
    return GuinierFit(
        inverse_square=x, ln_amplitude=ln_mean, ln_weighted=ln_weighted, fitted=fitted,
        b_factor=float(4 * line.slope), intercept=float(line.intercept), r=float(line.rvalue),
        coarse_angst=float(coarse), fine_angst=float(fine),
    )  # fmt: skip


def sharpen(volume, pixel_size, b_factor=0.0, curve=None, lowpass_angst=None):
    """The map weighted by its FSC, sharpened and low-passed.

    Parameters
    ----------
    volume : (n, n, n) float array
    pixel_size : float, Å
    b_factor : float, Å², negative to sharpen: amplitudes times exp(-b_factor / (4 d²))
    curve : (n // 2 + 1,) float array, corrected FSC: amplitudes times sqrt(2 FSC / (1 + FSC)), the
        figure of merit of the full map (Rosenthal & Henderson 2003); None weights nothing
    lowpass_angst : float, where the low-pass, a cosine two shells wide, has fallen to one half; None filters nothing

    Returns
    -------
    (n, n, n) float32 array
    """
    box = volume.shape[0]
    shells = shell_indices(box)
    transform = sfft.rfftn(np.asarray(volume, np.float32))
    if curve is not None:
        beyond = np.zeros(shells.max() + 1 - len(curve))
        transform *= np.concatenate([fsc_weights(curve), beyond]).astype(np.float32)[shells]
    radius = frequency_radius(box)
    gain = np.exp(-b_factor / 4 * (radius / (box * pixel_size)) ** 2)
    if lowpass_angst is not None:
        gain *= lowpass_gain(radius, np.rint(box * pixel_size / lowpass_angst))
    transform *= gain.astype(np.float32)
    return sfft.irfftn(transform, s=volume.shape)


def divide_by_mtf(volume, pixel_size, frequency, values):
    """The map as a detector of perfect transfer would have given it.

    Parameters
    ----------
    volume : (n, n, n) float array
    pixel_size : float, Å
    frequency : (m,) float array, 1/Å, rising; multiply the 1/pixel of a curve by the camera's own pixels per Å
    values : (m,) float array, positive, the modulation transfer function; constant beyond its ends

    Returns
    -------
    (n, n, n) float32 array
    """
    box = volume.shape[0]
    radius = frequency_radius(box)
    gain = 1 / np.interp(radius / (box * pixel_size), frequency, values)
    gain[radius >= box / 2] = 1  # RELION leaves the corners as they are
    return sfft.irfftn(sfft.rfftn(np.asarray(volume, np.float32)) * gain.astype(np.float32), s=volume.shape)


def fsc_weights(curve):
    """sqrt(2 FSC / (1 + FSC)) per shell, 0 from the first shell on where the FSC falls to nothing."""
    curve = np.asarray(curve, dtype=float)
    vanished = np.flatnonzero(curve[1:] < WEIGHT_FLOOR)
    kept = np.clip(curve, 0, 1)
    kept[0] = 1.0  # the mean is kept as it is; its own FSC is a sign, not a correlation
    if vanished.size:
        kept[vanished[0] + 1 :] = 0
    return np.sqrt(2 * kept / (1 + kept))


def lowpass_gain(radius, cut, edge=LOWPASS_EDGE_SHELLS):
    """1 below `cut`, 0 above, half a cosine `edge` wide about it; all in Fourier pixels."""
    phase = np.clip((radius - (cut - edge / 2)) / edge, 0, 1)
    return 0.5 + 0.5 * np.cos(np.pi * phase)


def flip_hand(volume):
    """The mirror image of a map, as RELION's ``--invert_hand``: x is reversed about the box centre n // 2.

    z still points outward and the symmetry axis stays along z. IMOD's ``clip flipyz`` (the paper) exchanges y and z
    instead: the same hand, but turned, with the symmetry axis then along y.
    """
    reversed_x = volume[:, :, ::-1]
    return np.roll(reversed_x, 1, axis=2) if volume.shape[2] % 2 == 0 else reversed_x.copy()


def _log(values):
    return np.log(values, out=np.full_like(values, np.nan), where=values > 0)
