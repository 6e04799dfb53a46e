# SPDX-License-Identifier: GPL-3.0-or-later
"""Do tomograms, poses and a map fit together: hand, contrast, axis order, scale and tilt range, each put to the test.

Particles are averaged as their poses say, and as they would have to be read had one convention been broken on the
way: the reading whose particles are most like the map is the right one. Two readings are told apart particle by
particle, so that a small difference, such as that between a map and its mirror image, counts when all agree on it.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from .errors import InputError
from .pose_readings import AS_GIVEN, READINGS, SCALES, read_otherwise
from .resample import box_coordinates, box_fits, crop, fourier_resize, rotate_volume
from .tilt_range import tilt_findings, tomogram_tilt_range

UNLIKE = 0.25
"""CC of an average with the map below which nothing is concluded: wrong readings reach it, for shells are shells."""
CHANCE = 1e-4
"""Of taking one reading for better than another by chance: some fifty are compared, in several tomograms."""
CLEARLY = 1.02
"""The better of two readings is like the map by this factor more. A lattice and its mirror image: 1.04 at 30 Å."""
ENOUGH = 8
"""Particles that something is concluded from, of all tomograms or of one."""
SMALLEST_BOX, SAMPLES = 24, 2.5
"""Voxels of a box, and samples per resolution limit, that the test is made with."""


@dataclass(frozen=True, eq=False)
class GeometryCheck:
    """Similarity with the map of the average, and of each particle, under each way to read the poses.

    Negative: the contrast is inverted.
    """

    scores: dict  # reading -> CC of the average
    particles: dict  # reading -> (n,) CC of each particle; 0 where its box leaves the tomogram
    tomogram_ids: np.ndarray  # (n,) str
    fits: np.ndarray  # (n,) bool, does the box lie in the tomogram, as given
    tilts: dict  # tomogram id -> TiltRange

    def __len__(self):
        return len(self.fits)


def check_geometry(volumes, table, reference, pixel_size, lowpass_angst=30.0):
    """A `GeometryCheck` of particles, their tomograms and a map.

    Parameters
    ----------
    volumes : dict tomogram id -> (z, y, x) array, memory-mapped or not
    table : ParticleTable, some tens of particles are enough
    reference : (n, n, n) float array at `pixel_size` with the contrast of the tomograms, as it is believed
    pixel_size : float, Å
    lowpass_angst : float, resolution at which the average and the map are compared

    Raises InputError for a tomogram with voxels that are no numbers.
    """
    box_px = reference.shape[0]
    small = min(box_px, max(SMALLEST_BOX, 2 * round(box_px * pixel_size * SAMPLES / lowpass_angst / 2)))
    comparison = _Comparison(fourier_resize(np.asarray(reference, np.float32), small), len(table))
    fits, tilts = np.zeros(len(table), bool), {}
    for name in np.unique(table.tomogram_ids).tolist():
        rows = np.flatnonzero(table.tomogram_ids == name)
        for places, readings in _by_place(table.select(rows), volumes[name].shape):
            inside = box_fits(volumes[name].shape, places, box_px)
            fits[rows] = inside if AS_GIVEN in readings else fits[rows]
            for i in np.flatnonzero(inside):
                center = np.rint(places[i]).astype(int)
                box = _box(volumes[name], center, box_px, small, name)
                shift = (places[i] - center) * small / box_px
                comparison.add(box, shift, {reading: matrices[i] for reading, matrices in readings.items()}, rows[i])
        tilts[name] = tomogram_tilt_range(volumes[name])
    return GeometryCheck(comparison.averages(), comparison.particles, table.tomogram_ids, fits, tilts)


def similarity(volume, reference):
    """Normalised CC of two boxes (n, n, n) within their inscribed sphere; 0 for a constant one."""
    n = volume.shape[0]
    inside = np.sum(box_coordinates(n) ** 2, axis=0) <= (n / 2 - 1) ** 2
    return float(_unit(volume[inside]) @ _unit(reference[inside]))


def findings(check, wedges, tolerance_deg=6.0, wrong=()):
    """Sentences on what a `GeometryCheck` found, the first of which says whether all is well.

    Parameters
    ----------
    wedges : dict tomogram id -> MissingWedge, as the tomograms were imported with
    wrong : sentences on what else does not fit
    """
    sentences = [(True, text) for text in wrong]
    sentences += [*_about_poses(check), *tilt_findings(check.tilts, wedges, tolerance_deg)]
    bad = [text for is_wrong, text in sentences if is_wrong]
    counted = "One thing does" if len(bad) == 1 else f"{len(bad)} things do"
    verdict = f"{counted} not fit:" if bad else "Nothing contradicts the poses, the map and the tilt range."
    return [verdict, *bad, *(text for is_wrong, text in sentences if not is_wrong)]


class _Comparison:
    """Sums of particles under each reading, and what each of them has in common with the map."""

    def __init__(self, target, count):
        n = target.shape[0]
        self._inside = np.sum(box_coordinates(n) ** 2, axis=0) <= (n / 2 - 1) ** 2
        self._targets = {AS_GIVEN: _unit(target[self._inside])}
        for name, factor in SCALES.items():  # the map as it would be with the other pixel size
            self._targets[name] = _unit(rotate_volume(target, np.eye(3) / factor, order=1)[self._inside])
        self._sums = {name: np.zeros(target.shape, np.float32) for name in READINGS}
        self.particles = {name: np.zeros(count) for name in (*READINGS, *SCALES)}

    def add(self, box, shift, matrices, row):
        """One particle: its box, the shift from the centre of it, and its matrix under each of some readings."""
        for reading, matrix in matrices.items():
            turned = rotate_volume(box, matrix, shift, 1)
            self._sums[reading] += turned
            values = _unit(turned[self._inside])
            self.particles[reading][row] = values @ self._targets[AS_GIVEN]
            if reading == AS_GIVEN:
                for name in SCALES:
                    self.particles[name][row] = values @ self._targets[name]

    def averages(self):
        """{reading: CC of the average with the map}."""
        units = {reading: _unit(total[self._inside]) for reading, total in self._sums.items()}
        scores = {reading: float(unit @ self._targets[AS_GIVEN]) for reading, unit in units.items()}
        return {**scores, **{name: float(units[AS_GIVEN] @ self._targets[name]) for name in SCALES}}


def _unit(values):
    """Values of mean 0 and norm 1; constant ones become 0."""
    centred = values - values.mean()
    norm = np.linalg.norm(centred)
    return centred / norm if norm > 0 else centred


def _by_place(table, shape):
    """[(positions (n, 3), {reading: matrices (n, 3, 3)})]: readings that differ in rotations only share their boxes."""
    places = {}
    for reading in READINGS:
        positions, matrices = read_otherwise(reading, table.positions, table.rotations, shape)
        places.setdefault(np.round(positions, 3).tobytes(), (positions, {}))[1][reading] = matrices
    return list(places.values())


def _box(volume, center, box_px, small, name):
    box = crop(volume, center, box_px)
    if not np.isfinite(box).all():
        where = ", ".join(map(str, center))
        raise InputError(f"tomogram {name} holds voxels that are NaN or infinite near {where}: write it again")
    box = fourier_resize(box, small)
    return (box - box.mean()) / max(box.std(), 1e-12)


def _about_poses(check):
    """[(is it wrong, sentence)] about the readings: of all particles, or of tomograms that disagree with that."""
    everything = _decided(check.particles, np.ones(len(check), bool))
    found = {name: _decided(check.particles, check.tomogram_ids == name) for name in np.unique(check.tomogram_ids)}
    found = {name: own for name, own in found.items() if own is not None}
    if all(_agree(own, everything) for own in found.values()):
        return _about_all(check, everything)
    groups = {}
    for name, (reading, sign, _) in found.items():
        groups.setdefault((reading, sign), []).append(str(name))
    return [_about_some(reading, sign, names) for (reading, sign), names in groups.items()]


def _agree(own, everything):
    """May one tomogram be read as all are?"""
    return everything is not None and own[1] == everything[1] and everything[0] in (own[0], *own[2])


def _decided(particles, rows):
    """(reading, sign of the contrast, rivals) of some particles; None for too few, or where none is like the map.

    The poses as given are kept unless another reading is clearly better.
    """
    if np.sum(rows) < ENOUGH:
        return None
    sums = {name: values[rows].mean() for name, values in particles.items()}
    best = max(sums, key=lambda name: abs(sums[name]))
    if not _above(particles[best][rows] * np.sign(sums[best])):
        return None
    rivals = [name for name in sums if name != best and not _beats(particles, rows, sums, best, name)]
    if AS_GIVEN in rivals:
        rivals[rivals.index(AS_GIVEN)], best = best, AS_GIVEN
    return best, float(np.sign(sums[best])), rivals


def _beats(particles, rows, sums, name, other):
    """Are particles more like the map under one reading than under the other, whatever the contrast?"""
    difference = np.sign(sums[name]) * particles[name][rows] - np.sign(sums[other]) * particles[other][rows]
    return abs(sums[name]) > CLEARLY * abs(sums[other]) and _above(difference)


def _above(values):
    """Is the mean of (n,) values above 0, but for a chance of `CHANCE` (Student's t)?"""
    return values.mean() > stats.t.isf(CHANCE, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))


def _about_all(check, found):
    given = f"CC with the map {check.scores[AS_GIVEN]:.2f} as given"
    if found is None or abs(check.scores[found[0]]) < UNLIKE:
        likest = max(check.scores, key=lambda name: abs(check.scores[name]))
        numbers = given if likest == AS_GIVEN else f"{given}, at most {check.scores[likest]:.2f}: {likest}"
        unlike = f"No reading of the poses gives an average like the map ({numbers})"
        said = [(True, f"{unlike}: give more particles, or the map of these particles, in their frame")]
        return [*said, *_outside(check)]
    best, sign, rivals = found
    rivals = f"Not to be told apart from that at this resolution: {', '.join(rivals)}." if rivals else None
    if best == AS_GIVEN:
        said = [(False, f"The poses are read as they should be ({given}).")]
    else:
        remedy = READINGS.get(best) or "the map has another pixel size than it says: correct it"
        like = f"The average is like the map when read with {best} (CC {check.scores[best]:.2f}; {given})"
        said = [(True, f"{like}: {remedy}")]
    said += [(False, rivals)] if rivals else []
    if sign < 0:
        said.append((True, "The contrast is inverted between tomograms and map: invert one of them"))
    return said


def _about_some(reading, sign, names):
    """(is it wrong, sentence) about tomograms that differ from others."""
    subject = f"In {', '.join(names)}"
    contrast = " The contrast is inverted there: invert these tomograms." if sign < 0 else ""
    if reading == AS_GIVEN:
        return bool(contrast), f"{subject} the poses are read as they should be.{contrast}"
    remedy = READINGS.get(reading) or "the map has another pixel size than it says: correct it"
    return True, f"{subject} the particles are like the map when read with {reading}: {remedy}.{contrast}"


def _outside(check):
    left = int(np.sum(~check.fits))
    if left <= len(check) / 2:
        return []
    text = f"The boxes of {left} of {len(check)} particles leave their tomograms: "
    return [(True, text + "the positions count other pixels, from another origin, or in another order of axes")]
