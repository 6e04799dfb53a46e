# SPDX-License-Identifier: GPL-3.0-or-later
"""The tilt range and the tilt axis of tomograms, read from where in Fourier space they have power."""

from dataclasses import dataclass

import numpy as np
import scipy.fft

from .resample import box_coordinates, crop

BEAM_AXES = {("z", "y"): (2, 0), ("z", "x"): (2, 1), ("y", "x"): (1, 2), ("y", "z"): (1, 0), ("x", "y"): (0, 2),
             ("x", "z"): (0, 1)}  # fmt: skip
"""(beam, tilt axis) -> the components of a frequency (x, y, z) that the tilt angle is measured with: along the beam,
and across it."""
BIN_DEG = 3.0
EMPTY = 0.5
"""Power in the missing wedge over that outside: above, there is no wedge to be seen."""
TILT_BOX, TILT_BOXES = 48, 40
"""Voxels of a side, and boxes of a tomogram, that its tilt range is read from."""


@dataclass(frozen=True)
class TiltRange:
    """Where in Fourier space boxes have power."""

    beam: str
    axis: str
    min_deg: float
    max_deg: float
    empty: float  # power of what is missing over power of what is there


def tomogram_tilt_range(volume):
    """The `TiltRange` of a tomogram (z, y, x), from boxes all over it: those of neighbouring particles overlap."""
    box_px = 2 * (min(TILT_BOX, *volume.shape) // 2)
    low = np.random.default_rng(0).integers(0, np.array(volume.shape[::-1]) - box_px + 1, (TILT_BOXES, 3))
    return tilt_range(np.array([crop(volume, corner + box_px // 2, box_px) for corner in low]))


def tilt_range(boxes):
    """The `TiltRange` that best divides the Fourier power of boxes (b, n, n, n) into a wedge and the rest.

    A tilt by t about y fills the plane of y and (cos t, 0, sin t); likewise for other axes.
    """
    n = boxes.shape[-1]
    coordinates = box_coordinates(n)
    distance = np.sqrt(np.sum(coordinates**2, axis=0))
    window = np.cos(np.clip(distance / (n / 2), 0, 1) * np.pi / 2) ** 2  # edges of a box would fill its wedge
    weights = window / window.sum()
    band = (distance > 0.1 * n) & (distance < 0.4 * n)
    # Power falls with frequency: each shell counts the same. A bead of gold has more of it than all the ice, in
    # directions of its own: the median of the boxes does not know it.
    shell = np.rint(distance[band]).astype(int)
    counts, powers = np.bincount(shell)[shell], np.ones((len(boxes), shell.size), np.float32)
    for values, box in zip(powers, boxes, strict=True):
        spectrum = scipy.fft.fftn(scipy.fft.ifftshift((box - np.sum(box * weights)) * window))
        power = np.abs(scipy.fft.fftshift(spectrum))[band] ** 2
        mean_power = np.bincount(shell, power)[shell] / counts
        if np.all(mean_power > 0):
            values[:] = power / mean_power
    values = np.median(powers, axis=0)
    return min((_divided(values, coordinates[:, band], *axes) for axes in BEAM_AXES), key=lambda found: found.empty)


def _divided(values, frequencies, beam, axis):
    """The range of tilts about one axis that leaves the least power outside of it."""
    along, across = (frequencies[i] for i in BEAM_AXES[beam, axis])
    used = (along != 0) | (across != 0)
    angles = (np.degrees(np.arctan2(along[used], across[used])) + 90) % 180 - 90
    count = round(180 / BIN_DEG)
    bins = np.minimum(((angles + 90) / BIN_DEG).astype(int), count - 1)
    sums, numbers = np.bincount(bins, values[used], count), np.bincount(bins, minlength=count)
    total, edges = np.concatenate([[0], np.cumsum(sums)]), np.concatenate([[0], np.cumsum(numbers)])
    best = (-np.inf, 0, count, 1.0)
    for start in range(count // 2):
        for stop in range(count // 2 + 1, count + 1):
            seen, n_seen = total[stop] - total[start], edges[stop] - edges[start]
            n_missing = edges[-1] - n_seen
            if min(n_seen, n_missing) < edges[-1] / 30:  # less than 6 degrees is nothing to tell a wedge by
                continue
            inside, outside = seen / n_seen, (total[-1] - seen) / n_missing
            separation = n_seen * n_missing * (inside - outside) * abs(inside - outside)
            if separation > best[0]:
                best = (separation, start, stop, float(outside / max(inside, 1e-30)))
    return TiltRange(beam, axis, -90 + best[1] * BIN_DEG, -90 + best[2] * BIN_DEG, best[3])


def tilt_findings(tilts, wedges, tolerance_deg=6.0):
    """[(is it wrong, sentence)] of `TiltRange`s and the `MissingWedge`s that were imported, dicts tomogram id -> value.

    Tomograms of which the same is to be said share a sentence.
    """
    groups = {}
    for name, found in tilts.items():
        groups.setdefault((_verdict(found, wedges[name], tolerance_deg), wedges[name]), []).append(name)
    everywhere = len({verdict for verdict, _ in groups}) == 1
    return [
        _sentence(verdict, "The tomograms" if everywhere else _named(names), [tilts[n] for n in names], wedge)
        for (verdict, wedge), names in groups.items()
    ]


def _verdict(found, wedge, tolerance):
    if found.empty > EMPTY:
        return "none"
    if (found.beam, found.axis) != ("z", "y"):
        return f"{found.beam}{found.axis}"
    if max(abs(found.min_deg - wedge.min_deg), abs(found.max_deg - wedge.max_deg)) <= tolerance:
        return "fits"
    reversed_by = max(abs(found.min_deg + wedge.max_deg), abs(found.max_deg + wedge.min_deg))
    return "reversed" if reversed_by <= tolerance else "other"


def _sentence(verdict, subject, found, wedge):
    if verdict == "none":
        emptiest = 100 * np.median([f.empty for f in found])
        return False, f"{subject} show no missing wedge (the emptiest has {emptiest:.0f} % of the power)."
    low, high = np.median([f.min_deg for f in found]), np.median([f.max_deg for f in found])
    beam, axis = found[0].beam, found[0].axis
    seen = f"{subject} show tilts from {low:.0f} to {high:.0f} degrees about {axis}, the beam along {beam}"
    if verdict == "fits":
        return False, f"{seen}, as they were imported with."
    hints = {"reversed": "the sign of the tilts is reversed", "other": "import them with that tilt range"}
    if verdict in hints:
        return True, f"{seen}, not {wedge.min_deg:g} to {wedge.max_deg:g}: {hints[verdict]}"
    return True, f"{seen}: turn them until the beam is along z and the tilt axis along y"


def _named(names):
    return f"Tomograms {', '.join(names)}" if len(names) > 1 else f"The Fourier coefficients of {names[0]}"
