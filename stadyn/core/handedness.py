# SPDX-License-Identifier: GPL-3.0-or-later
"""Do tomograms, poses and a map fit together: hand, contrast, axis order, scale and tilt range, each put to the test.

Particles are averaged as their poses say, and as they would have to be read had one convention been broken on the
way: the reading whose average is most like the map is the right one. The tilt range is where the power is.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft

from .resample import box_coordinates, box_fits, crop, fourier_resize, rotate_volume

AS_GIVEN = "as given"
TWICE, HALF = 2.0, 0.5
SWAP_YZ = np.eye(3)[[0, 2, 1]]
READINGS = {
    AS_GIVEN: "",
    "rotations inverted": "the angles turn the particle onto the reference, or the other way: invert them",
    "normals reversed": "the particles point the other way: turn each by 180 degrees about its x axis",
    "map mirrored": "the map has the other hand: mirror it, or the poses come from mirrored tomograms",
    "y and z exchanged": "the table counts its axes in another order: exchange y and z (IMOD: clip flipyz)",
    "z reversed": "the tomograms are mirrored along z against those of the poses: reconstruct or flip them again",
    "turned by 180 degrees about x": "the tomograms are turned about x: use those the particles were found in",
    "positions doubled": "the positions count pixels of a binning of 2: give their pixel size when importing",
    "positions halved": "the positions count pixels half as large: give their pixel size when importing",
}
"""Ways to read poses -> what to change when one of them is right."""
SCALES = {"map twice as large": TWICE, "map half as large": HALF}
BEAM_AXES = {("z", "y"): (2, 0), ("z", "x"): (2, 1), ("y", "x"): (1, 2), ("y", "z"): (1, 0)}
"""(beam, tilt axis) -> the components of a frequency (x, y, z) that the tilt angle is measured with: along the beam,
and across it."""
MARGIN = 0.05
"""CC by which the best reading must beat another to be told from it: several times what 25 particles scatter by."""
BIN_DEG = 3.0
EMPTY = 0.5
"""Power in the missing wedge over that outside: above, there is no wedge to be seen."""
SMALLEST_BOX, SAMPLES = 24, 2.5
"""Voxels of a box, and samples per resolution limit, that the test is made with."""


@dataclass(frozen=True)
class TiltRange:
    """Where in Fourier space boxes have power."""

    beam: str
    axis: str
    min_deg: float
    max_deg: float
    empty: float  # power of what is missing over power of what is there


@dataclass(frozen=True, eq=False)
class GeometryCheck:
    """Similarity of the average with the map, of each way to read the poses; negative: the contrast is inverted."""

    scores: dict  # reading -> CC
    tilt: TiltRange
    particles: int


def read_otherwise(reading, positions, rotations, shape):
    """(positions (n, 3), matrices (n, 3, 3), some with a mirror) of poses under one of `READINGS`.

    Parameters
    ----------
    shape : (z, y, x) of the tomogram
    """
    last = np.array(shape[::-1]) - 1
    if reading == "rotations inverted":
        return positions, np.swapaxes(rotations, 1, 2)
    if reading == "normals reversed":
        return positions, rotations @ np.diag([1.0, -1.0, -1.0])
    if reading == "map mirrored":
        return positions, rotations @ np.diag([-1.0, 1.0, 1.0])
    if reading == "y and z exchanged":
        return positions @ SWAP_YZ, SWAP_YZ @ rotations
    if reading == "z reversed":
        return positions * [1, 1, -1] + last * [0, 0, 1], np.diag([1.0, 1.0, -1.0]) @ rotations
    if reading == "turned by 180 degrees about x":
        return positions * [1, -1, -1] + last * [0, 1, 1], np.diag([1.0, -1.0, -1.0]) @ rotations
    factor = {"positions doubled": TWICE, "positions halved": HALF}.get(reading, 1.0)
    return positions * factor, rotations


def check_geometry(volumes, table, reference, pixel_size, lowpass_angst=30.0):
    """A `GeometryCheck` of particles, their tomograms and a map.

    Parameters
    ----------
    volumes : dict tomogram id -> (z, y, x) array, memory-mapped or not
    table : ParticleTable, some tens of particles are enough
    reference : (n, n, n) float array at `pixel_size` with the contrast of the tomograms, as it is believed
    pixel_size : float, Å
    lowpass_angst : float, resolution at which the average and the map are compared
    """
    box_px = reference.shape[0]
    small = min(box_px, max(SMALLEST_BOX, 2 * round(box_px * pixel_size * SAMPLES / lowpass_angst / 2)))
    sums = {reading: _average(volumes, table, reading, box_px, small) for reading in READINGS}
    target = fourier_resize(np.asarray(reference, np.float32), small)
    scores = {reading: similarity(average, target) for reading, average in sums.items()}
    for name, factor in SCALES.items():  # the map as it would be with the other pixel size
        scores[name] = similarity(sums[AS_GIVEN], rotate_volume(target, np.eye(3) / factor, order=1))
    boxes = [crop(volumes[t], np.rint(p).astype(int), box_px) for p, t in _inside(volumes, table, box_px)]
    return GeometryCheck(scores, tilt_range(np.array(boxes)), len(table))


def similarity(volume, reference):
    """Normalised CC of two boxes (n, n, n) within their inscribed sphere; 0 for a constant one."""
    n = volume.shape[0]
    inside = np.sum(box_coordinates(n) ** 2, axis=0) <= (n / 2 - 1) ** 2
    a, b = (v[inside] - v[inside].mean() for v in (volume, reference))
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norm) if norm > 0 else 0.0


def tilt_range(boxes):
    """The `TiltRange` that best divides the Fourier power of boxes (b, n, n, n) into a wedge and the rest.

    A tilt by t about y fills the plane of y and (cos t, 0, sin t); likewise for other axes.
    """
    n = boxes.shape[-1]
    coordinates = box_coordinates(n)
    distance = np.sqrt(np.sum(coordinates**2, axis=0))
    window = np.cos(np.clip(distance / (n / 2), 0, 1) * np.pi / 2) ** 2  # edges of a box would fill its wedge
    weights = window / window.sum()
    power = np.zeros((n,) * 3)
    for box in boxes:
        spectrum = scipy.fft.fftn(scipy.fft.ifftshift((box - np.sum(box * weights)) * window))
        power += np.abs(scipy.fft.fftshift(spectrum)) ** 2
    band = (distance > 0.1 * n) & (distance < 0.4 * n)
    # Power falls with frequency: each shell counts the same.
    shell = np.rint(distance[band]).astype(int)
    mean_power = np.bincount(shell, power[band]) / np.maximum(np.bincount(shell), 1)
    values = power[band] / np.maximum(mean_power[shell], 1e-30)
    return min((_divided(values, coordinates[:, band], *axes) for axes in BEAM_AXES), key=lambda found: found.empty)


def findings(check, wedge, tolerance_deg=6.0):
    """Sentences on what a `GeometryCheck` found, the first of which says whether all is well.

    Parameters
    ----------
    wedge : MissingWedge, as the tomograms were imported with
    """
    sentences = _about_poses(check.scores) + _about_tilts(check.tilt, wedge, tolerance_deg)
    bad = [text for wrong, text in sentences if wrong]
    counted = "One thing does" if len(bad) == 1 else f"{len(bad)} things do"
    verdict = f"{counted} not fit:" if bad else "Nothing contradicts the poses, the map and the tilt range."
    return [verdict, *bad, *(text for wrong, text in sentences if not wrong)]


def _average(volumes, table, reading, box_px, small):
    total, scale = np.zeros((small,) * 3, np.float32), box_px / small
    for name in np.unique(table.tomogram_ids):
        rows = table.tomogram_ids == name
        positions, matrices = read_otherwise(reading, table.positions[rows], table.rotations[rows], volumes[name].shape)
        fits = box_fits(volumes[name].shape, positions, box_px)
        for position, matrix in zip(positions[fits], matrices[fits], strict=True):
            center = np.rint(position).astype(int)
            box = fourier_resize(crop(volumes[name], center, box_px), small)
            total += rotate_volume((box - box.mean()) / max(box.std(), 1e-12), matrix, (position - center) / scale, 1)
    return total


def _inside(volumes, table, box_px):
    """(position, tomogram) of the particles whose box lies in its tomogram; all of them where none does."""
    fits = [
        box_fits(volumes[name].shape, position[None], box_px)[0]
        for name, position in zip(table.tomogram_ids, table.positions, strict=True)
    ]
    rows = np.flatnonzero(fits) if any(fits) else np.arange(len(table))
    return [(table.positions[row], table.tomogram_ids[row]) for row in rows]


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


def _about_poses(scores):
    given = scores[AS_GIVEN]
    best = max(scores, key=lambda name: abs(scores[name]))
    numbers = f"CC with the map {given:.2f} as given"
    if abs(scores[best]) < MARGIN:
        unlike = f"No reading of the poses gives an average like the map ({numbers})"
        return [(True, f"{unlike}: give more particles, or the map of these particles")]
    found = []
    if abs(scores[best]) > abs(given) + MARGIN:
        remedy = READINGS.get(best) or "the map has another pixel size than it says: correct it"
        like = f"The average is like the map when read with {best} (CC {scores[best]:.2f}; {numbers})"
        found.append((True, f"{like}: {remedy}"))
    else:
        found.append((False, f"The poses are read as they should be ({numbers})."))
        rivals = [n for n in scores if n != AS_GIVEN and abs(scores[n]) > abs(given) - MARGIN]
        if rivals:
            found.append((False, f"These cannot be told apart from that at this resolution: {', '.join(rivals)}."))
    if scores[best] < 0:
        found.append((True, "The contrast is inverted between tomograms and map: invert one of them"))
    return found


def _about_tilts(tilt, wedge, tolerance):
    if tilt.empty > EMPTY:
        return [(False, f"No missing wedge is to be seen (the emptiest has {100 * tilt.empty:.0f} % of the power).")]
    seen = f"tilts from {tilt.min_deg:.0f} to {tilt.max_deg:.0f} degrees about {tilt.axis}, the beam along {tilt.beam}"
    if (tilt.beam, tilt.axis) != ("z", "y"):
        return [(True, f"The tomograms show {seen}: turn them until the beam is along z and the tilt axis along y")]
    off = max(abs(tilt.min_deg - wedge.min_deg), abs(tilt.max_deg - wedge.max_deg))
    if off <= tolerance:
        return [(False, f"The tomograms show {seen}, as they were imported with.")]
    swapped = max(abs(tilt.min_deg + wedge.max_deg), abs(tilt.max_deg + wedge.min_deg))
    hint = "the sign of the tilts is reversed" if swapped <= tolerance else "import them with that tilt range"
    return [(True, f"The tomograms show {seen}, not {wedge.min_deg:g} to {wedge.max_deg:g}: {hint}")]
