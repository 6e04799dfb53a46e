# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of the structure each Fourier coefficient of a particle carries: wedge, and if known CTF, dose and tilt.

The engine sees a particle as Fourier data F and this real weight a, in the model
``F = a G + noise``: scores compare F with a G, averages are sum(a F) / sum(a^2),
which with a floor under the sum is Wiener's filter. Where a is 0 nothing was measured.
"""

import numpy as np

from .arrays import array_module
from .optics import contrast_transfer, dose_envelope
from .wedge import wedge_weights

RADIAL_SAMPLES = 512


class Transfer:
    """The weight of coefficients of boxes cut from one tomogram, as a function of frequency.

    Parameters
    ----------
    tomogram : Tomogram
    box_px : int, of the box whose Fourier pixels the frequencies are given in
    """

    def __init__(self, tomogram, box_px):
        self.wedge, self.weighting = tomogram.wedge, tomogram.weighting
        self.box_px, self.box_angst = box_px, box_px * tomogram.pixel_size

    def __call__(self, frequencies):
        """(...) float32 weights at (..., 3) Fourier pixels (x, y, z) of the tomogram frame."""
        weights = wedge_weights(self.wedge, frequencies)
        if self.weighting is None:
            return weights
        xp = array_module(frequencies)
        radius = xp.sqrt(xp.sum(frequencies.astype(np.float32) ** 2, axis=-1))
        if self.weighting.defocus_angst is not None:
            weights = weights * self._radial(xp, radius, self._ctf_amplitude)
        if self.weighting.doses is not None:
            weights = weights * self._exposure(xp, frequencies, radius)
        if self.weighting.volume is not None:
            weights = weights * self._sampled(xp, frequencies)
        return weights.astype(np.float32)

    def _ctf_amplitude(self, frequency):
        return np.abs(contrast_transfer(frequency, self.weighting.defocus_angst, self.weighting.microscope))

    def _radial(self, xp, radius, function):
        """A function of spatial frequency (1/Å), tabulated, at radii in Fourier pixels."""
        table = np.linspace(0, self.box_px, RADIAL_SAMPLES * 4)
        values = function(table / self.box_angst)
        return xp.interp(radius.ravel(), xp.asarray(table), xp.asarray(values)).reshape(radius.shape).astype(np.float32)

    def _exposure(self, xp, frequencies, radius):
        """Dose envelope (Grant & Grigorieff 2015) and cos(tilt) (Bharat et al. 2015) of the nearest tilt."""
        kx, kz = frequencies[..., 0], frequencies[..., 2]
        angle = xp.degrees(xp.arctan2(kz * xp.where(kx < 0, -1, 1), xp.abs(kx)))
        order = np.argsort(self.weighting.tilts_deg)
        tilts = np.asarray(self.weighting.tilts_deg, float)[order]
        doses = np.asarray(self.weighting.doses, float)[order]
        nearest = xp.searchsorted(xp.asarray((tilts[1:] + tilts[:-1]) / 2), angle)
        envelope = xp.zeros(radius.shape, np.float32)
        for i, (tilt, dose) in enumerate(zip(tilts, doses, strict=True)):
            own = nearest == i
            if own.any():
                damped = self._radial(xp, radius[own], lambda frequency, dose=dose: dose_envelope(frequency, dose))
                envelope[own] = damped * np.float32(np.cos(np.radians(tilt)))
        return envelope

    def _sampled(self, xp, frequencies):
        """The given weight volume, at its nearest sample."""
        volume = self.weighting.volume
        side = volume.shape[0]
        index = xp.rint(frequencies.astype(np.float32) * np.float32(side / self.box_px)).astype(np.int32) + side // 2
        index = xp.clip(index, 0, side - 1)
        return xp.asarray(volume, dtype=np.float32)[index[..., 2], index[..., 1], index[..., 0]]
