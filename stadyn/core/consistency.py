# SPDX-License-Identifier: GPL-3.0-or-later
"""Do averages of the same thing agree: is one of them upside down, or mirrored, against the others?

Seen in cylinders about z, (height, radius, azimuth), a turn about z is a roll of the last axis, the mirror image its
reversal, and upside down (half a turn about x) the reversal of the first and the last. So every azimuth of every
variant is compared at once.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from .resample import fourier_resize

VARIANTS = ("as it is", "upside down", "mirrored", "upside down and mirrored")
WORKING_PIXEL_ANGST = 6.0
"""Upside down and mirrored show in the shape of the cell; finer detail is mostly noise in one tomogram's average."""
AZIMUTHS = 180
UNEXPLAINED = 0.75
"""A variant must leave less than this part of what the average as it is leaves unexplained (1 - CC). An HIV-1 lattice
and its mirror image: 0.05 instead of 0.08."""


@dataclass(frozen=True, eq=False)
class OrientationCheck:
    """How well each average agrees with the others, as it is and in each other variant."""

    cc: np.ndarray  # (t, 4) best correlation over azimuth and height, in the order of `VARIANTS`
    variant: np.ndarray  # (t,) str, the one that agrees with the others; "as it is" unless another is clearly better

    def warnings(self, names):
        """One sentence for each average that should be looked at; `names` (t,) are those of its tomograms."""
        return [
            f"the average of {name} agrees with the others better {variant} (CC {cc[VARIANTS.index(variant)]:.2f}) "
            f"than as it is ({cc[0]:.2f}): look at it, and at its normals"
            for name, variant, cc in zip(names, self.variant, self.cc, strict=True)
            if variant != VARIANTS[0]
        ]


def check_orientations(volumes, pixel_size, max_shift_px, radius_px):
    """Compare each average with the mean of the others, in all variants.

    Which way round is right the majority decides; of two averages that disagree, the first one is taken to be right.

    Parameters
    ----------
    volumes : sequence of (n, n, n) float arrays, brought to about the same height
    pixel_size : float, Å
    max_shift_px : float, heights tried on both sides
    radius_px : float, of the cylinder that is compared
    """
    binned = [_binned(v, pixel_size) for v in volumes]
    scale = binned[0].shape[0] / volumes[0].shape[0]
    cylinders = [_cylinder(v, radius_px * scale) for v in binned]
    reach = int(np.ceil(max_shift_px * scale))
    first = np.array([_agreements(cylinder, cylinders[0], reach)[0] for cylinder in cylinders])
    which = first.argmax(axis=1)
    right = np.bincount(which, minlength=len(VARIANTS)).argmax()
    cc = np.empty((len(cylinders), len(VARIANTS)))
    for i, cylinder in enumerate(cylinders):
        others = [j for j in np.flatnonzero(which == right) if j != i] or [j for j in range(len(cylinders)) if j != i]
        turned = [_aligned(cylinders[j], cylinders[others[0]], reach) for j in others] if others else [cylinder]
        cc[i] = _agreements(cylinder, np.mean(turned, axis=0), reach)[0]
    best = cc.argmax(axis=1)
    clear = 1 - cc[np.arange(len(cc)), best] < UNEXPLAINED * (1 - cc[:, 0])
    if len(cylinders) == 2 and clear.all():
        clear[0] = False
    return OrientationCheck(cc, np.array(VARIANTS)[np.where(clear, best, 0)])


def _binned(volume, pixel_size):
    volume = np.asarray(volume, np.float32)
    target = 2 * round(volume.shape[0] * pixel_size / WORKING_PIXEL_ANGST / 2)
    return fourier_resize(volume, target) if target < 0.9 * volume.shape[0] else volume


def _cylinder(volume, radius_px):
    """(heights, radii, azimuths) about z, as many heights above the centre as below; rings weigh as they are long."""
    n = volume.shape[0]
    radii = np.arange(1, min(int(radius_px), n // 2 - 1) + 1)
    azimuth = 2 * np.pi * np.arange(AZIMUTHS) / AZIMUTHS
    x, y = radii[:, None] * np.cos(azimuth) + n // 2, radii[:, None] * np.sin(azimuth) + n // 2
    planes = volume[n // 2 - (n - 1) // 2 : n // 2 + (n - 1) // 2 + 1]
    return np.stack([map_coordinates(plane, [y, x], order=1) for plane in planes]) * np.sqrt(radii)[:, None]


def _variants(cylinder):
    """The cylinder in each of `VARIANTS`; azimuth 0 stays in place under reversal."""
    mirrored = np.roll(cylinder[:, :, ::-1], 1, axis=2)
    return cylinder, mirrored[::-1], mirrored, cylinder[::-1]


def _agreements(cylinder, reference, reach):
    """((4,) best correlation of each variant with the reference, [(height, roll)] where)."""
    found = [_best(variant, reference, reach) for variant in _variants(cylinder)]
    return np.array([cc for cc, _, _ in found]), [place for _, *place in found]


def _aligned(cylinder, reference, reach):
    """The cylinder turned and shifted onto the reference."""
    _, height, roll = _best(cylinder, reference, reach)
    return np.roll(cylinder, (height, roll), axis=(0, 2))


def _best(moving, fixed, reach):
    """(correlation, height, roll) of the best shift along the first axis and roll along the last."""
    heights = len(moving)
    best = (-np.inf, 0, 0)
    for shift in range(-reach, reach + 1):
        here, there = slice(max(0, -shift), heights - max(0, shift)), slice(max(0, shift), heights - max(0, -shift))
        a, b = moving[here] - moving[here].mean(), fixed[there] - fixed[there].mean()
        spectrum = np.sum(np.conj(np.fft.rfft(a, axis=2)) * np.fft.rfft(b, axis=2), axis=(0, 1))
        correlation = np.fft.irfft(spectrum, AZIMUTHS) / max(np.sqrt(np.sum(a**2) * np.sum(b**2)), 1e-30)
        roll = int(np.argmax(correlation))
        best = max(best, (float(correlation[roll]), shift, roll))
    return best
