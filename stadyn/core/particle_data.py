# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles as Fourier data: cropped once from their tomograms, normalised, cut to a band and kept."""

from dataclasses import dataclass, replace
from functools import lru_cache
from threading import Lock

import numpy as np

from .alignment import COARSE_RADIUS
from .arrays import free_memory, in_parts, out_of_memory_errors
from .errors import InputError
from .fourier import OVERSAMPLING, band, half_cube_samples, places_in_half_cube
from .reference import BallLines, ball_lines
from .resample import box_coordinates, crop
from .transfer import Transfer

KEPT_FRACTION = 0.5
"""Of the memory that is free when a round begins, for particles that are kept; others are prepared anew each time."""
BOXES_AT_ONCE, LARGE_BOX_PX = 2, 128
"""Boxes transformed at once on a CPU: they stay in its cache from the crop to the coefficients. Large ones go alone."""
VOXELS_IN_CACHE = 2**16
BATCH = 32
"""Particles handled at once: enough for the matrix products, small enough for the processor's cache."""


class TomogramSource:
    """Boxes cut from tomograms on the fly.

    Parameters
    ----------
    volumes : dict, tomogram id -> (z, y, x) array, memory-mapped or not
    tomograms : dict, tomogram id -> Tomogram
    """

    def __init__(self, volumes, tomograms):
        self.volumes, self.tomograms = volumes, tomograms

    def boxes(self, table, rows, box_px):
        """((b, n, n, n) float32 boxes, (b, 3) float centres of their middle voxels) of some rows of one table."""
        centers = np.rint(table.positions[rows])
        boxes = np.empty((len(rows),) + (box_px,) * 3, np.float32)
        for box, row, center in zip(boxes, rows, centers.astype(int), strict=True):
            box[:] = crop(self.volumes[table.tomogram_ids[row]], center, box_px)
        return boxes, centers


@lru_cache(maxsize=8)
def _sphere(box_px):
    """(n^3,) float32, 1 inside the box's inscribed sphere."""
    return (np.sum(box_coordinates(box_px) ** 2, axis=0) <= (box_px / 2 - 1) ** 2).astype(np.float32).ravel()


def mean_and_scale(box):
    """Of a float32 box inside its inscribed sphere: mean, and 1 / standard deviation, 0 where the box is constant.

    Part by part, each read once while it is in the processor's cache, about a value near
    the mean, so that a large mean costs no digits.
    """
    n = len(box)
    sphere, voxels = _sphere(n), box.reshape(-1)
    about = box[n // 2].mean(dtype=np.float64).astype(np.float32)
    total = squares = 0.0
    for start in range(0, len(voxels), VOXELS_IN_CACHE):
        part = slice(start, start + VOXELS_IN_CACHE)
        offset = voxels[part] - about
        total += float(offset @ sphere[part])
        offset *= offset
        squares += float(offset @ sphere[part])
    count = float(sphere.sum(dtype=np.float64))
    mean = about + total / count
    sd = np.sqrt(max(squares / count - (total / count) ** 2, 0.0)) if np.isfinite(squares) else np.nan
    return mean, 1 / sd if sd > 1e-6 * abs(mean) else 0.0


@dataclass(frozen=True, eq=False)
class Batch:
    """Band-limited particles of one tomogram."""

    rows: np.ndarray  # (b,) rows of the table
    centers: np.ndarray  # (b, 3) unbinned px, tomogram frame, the middle voxel of each box
    data: np.ndarray  # (b, m) complex64, sampled coefficients only
    frequencies: np.ndarray  # (m, 3) float32
    weight: np.ndarray  # (m,) float32, amplitude of the structure in each
    cubes: np.ndarray  # (b, g) complex64 oversampled coarse half grids within a ball, or None
    cube_lines: BallLines  # of these grids

    def part(self, which):
        """Some of the particles, chosen by a slice or by indices, as a Batch."""
        cubes = None if self.cubes is None else self.cubes[which]
        return replace(self, rows=self.rows[which], centers=self.centers[which], data=self.data[which], cubes=cubes)


def coarse_lines():
    """The `BallLines` of a particle's coarse grid: the coarse radius, and a spare sample for interpolation."""
    return ball_lines(int(np.ceil(COARSE_RADIUS * OVERSAMPLING)) + 2)


def sampled_coefficients(tomogram, box_px, high, low):
    """((m, 3) int h, (m,) float32 weight) of the coefficients of a band that a Tomogram's particles have."""
    indices = band(box_px, high, low).indices
    weight = Transfer(tomogram, box_px)(indices)
    return indices[weight > 0].astype(int), weight[weight > 0]


def prepare(source, table, rows, box_px, high, low, with_cubes, xp=np, sampled=None, empty=None):
    """Crop, normalise and transform some particles of one tomogram into a `Batch`.

    `sampled`, if given, is what `sampled_coefficients` says of that tomogram; `empty` makes the
    arrays that the batch keeps, as ``xp.empty`` does.

    Raises InputError for a box with voxels that are no numbers.
    """
    empty = empty or xp.empty
    tomogram = source.tomograms[table.tomogram_ids[rows[0]]]
    h, weight = sampled or sampled_coefficients(tomogram, box_px, high, low)
    k, lines = int(band(box_px, high, low).high), coarse_lines()
    data = empty((len(rows), len(h)), np.complex64)
    cubes = empty((len(rows), len(lines)), np.complex64) if with_cubes else None
    centers = np.empty((len(rows), 3))
    fine = places_in_half_cube((h[:, 2], h[:, 1] + k, h[:, 0] + k), k)
    coarse = places_in_half_cube(lines.samples, lines.side // 2)

    def transform(part):
        boxes, centers[part] = source.boxes(table, rows[part], box_px)
        scales = np.empty((len(boxes), 1), np.float32)
        for row, box, scale in zip(rows[part], boxes, scales, strict=True):
            mean, scale[:] = mean_and_scale(box)
            if not np.isfinite(mean):
                raise InputError(
                    f"the box of particle {table.ids[row]} holds voxels that are NaN or infinite: write "
                    f"{tomogram.path or tomogram.id} again without them"
                )
            box -= np.float32(mean)
        boxes, scales = xp.asarray(boxes), xp.asarray(scales)
        data[part] = half_cube_samples(boxes, fine, k) * scales
        if with_cubes:
            cubes[part] = half_cube_samples(boxes, coarse, lines.side // 2, OVERSAMPLING, True) * scales

    at_once = BOXES_AT_ONCE if box_px < LARGE_BOX_PX else 1
    in_parts(transform, len(rows), at_once if xp is np else len(rows))
    frequencies = xp.asarray(h.astype(np.float32))
    return Batch(rows, centers, data, frequencies, xp.asarray(weight), cubes, lines if with_cubes else None)


def batches_of_rows(table, rows, size=BATCH):
    """Row chunks of at most `size`, each from one tomogram, in a fixed order."""
    chunks = []
    for tomogram_id in sorted(set(table.tomogram_ids[rows])):
        own = rows[table.tomogram_ids[rows] == tomogram_id]
        chunks.extend(own[start : start + size] for start in range(0, len(own), size))
    return chunks


class Shelf:
    """Arrays side by side in a few large blocks: what is kept for long leaves no holes among what comes and goes.

    The system gives out a large block in large pages; 4,000 small arrays cost it a third of an alignment's time.
    """

    BLOCK_BYTES = 2**27

    def __init__(self):
        self._block, self._used, self._lock = np.empty(0, np.uint8), 0, Lock()

    def empty(self, shape, dtype):
        """A new array, as ``numpy.empty`` makes it."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        with self._lock:
            if self._used + size > len(self._block):
                self._block, self._used = np.empty(max(size, self.BLOCK_BYTES), np.uint8), 0
            part = self._block[self._used : self._used + size]
            self._used += -(-size // 64) * 64  # the next one starts with a cache line
        return part.view(dtype).reshape(shape)


class ParticleData:
    """The batches of one group of particles, prepared when first asked for and kept while memory allows."""

    def __init__(self, source, table, rows, box_px, high, low, with_cubes, keep_bytes=None, xp=np):
        self.source, self.table, self.rows, self.box_px = source, table, rows, box_px
        self.high, self.low, self.with_cubes, self.xp = high, low, with_cubes, xp
        self.chunks = batches_of_rows(table, rows)
        self.keep_bytes = KEPT_FRACTION * free_memory(xp) if keep_bytes is None else keep_bytes
        self._kept, self._bytes, self._lock = {}, 0, Lock()
        self._empty = Shelf().empty if xp is np else xp.empty
        self._sampled = {
            i: sampled_coefficients(source.tomograms[i], box_px, high, low) for i in set(table.tomogram_ids[rows])
        }

    def __len__(self):
        return len(self.chunks)

    def batch(self, index):
        """The `Batch` number `index`."""
        if index in self._kept:
            return self._kept[index]
        rows = self.chunks[index]
        sampled = self._sampled[self.table.tomogram_ids[rows[0]]]
        size = 8 * len(rows) * (len(sampled[0]) + self.with_cubes * len(coarse_lines()))
        with self._lock:
            keep = self._bytes + size <= self.keep_bytes
            self._bytes += size * keep
        wanted = self.source, self.table, rows, self.box_px, self.high, self.low, self.with_cubes, self.xp, sampled
        if not keep:
            return prepare(*wanted)
        try:
            made = prepare(*wanted, self._empty)
        except out_of_memory_errors():  # less was free than it seemed: what is kept so far stays, no more is added
            self.keep_bytes = 0
            return prepare(*wanted)
        self._kept[index] = made
        return made
