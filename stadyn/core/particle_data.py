# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles as Fourier data: cropped once from their tomograms, normalised, cut to a band and kept."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from .alignment import COARSE_RADIUS
from .arrays import free_memory
from .fourier import OVERSAMPLING, band, half_cube
from .resample import box_coordinates, crop
from .transfer import Transfer

KEPT_FRACTION = 0.5
"""Of the memory that is free when a round begins, for particles that are kept; others are prepared anew each time."""
BOXES_AT_ONCE = 2
"""Boxes transformed at once on a CPU: they stay in its cache from the crop to the coefficients."""
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
        boxes = [
            crop(self.volumes[table.tomogram_ids[row]], center.astype(int), box_px)
            for row, center in zip(rows, centers, strict=True)
        ]
        return np.stack(boxes), centers


@lru_cache(maxsize=8)
def _sphere(box_px):
    """(n^3,) float32, 1 inside the box's inscribed sphere."""
    return (np.sum(box_coordinates(box_px) ** 2, axis=0) <= (box_px / 2 - 1) ** 2).astype(np.float32).ravel()


def normalize(boxes):
    """Each box with mean 0 and standard deviation 1 inside its inscribed sphere; a constant box becomes zero."""
    sphere = _sphere(boxes.shape[-1])
    flat = boxes.reshape(len(boxes), -1).astype(np.float32)
    count = sphere.sum(dtype=np.float64)
    mean = (flat @ sphere).astype(np.float64) / count
    flat = flat - mean[:, None].astype(np.float32)
    sd = np.sqrt((flat * flat) @ sphere / count)
    flat *= (1 / np.where(sd > 1e-6 * np.abs(mean), sd, np.inf))[:, None].astype(np.float32)
    return flat.reshape(boxes.shape)


@dataclass(frozen=True, eq=False)
class Batch:
    """Band-limited particles of one tomogram."""

    rows: np.ndarray  # (b,) rows of the table
    centers: np.ndarray  # (b, 3) unbinned px, tomogram frame, the middle voxel of each box
    data: np.ndarray  # (b, m) complex64, sampled coefficients only
    frequencies: np.ndarray  # (m, 3) float32
    weight: np.ndarray  # (m,) float32, amplitude of the structure in each
    cubes: np.ndarray  # (b, g) complex64 oversampled coarse half grids, or None
    cube_shape: tuple

    def part(self, which):
        """Some of the particles, chosen by a slice or by indices, as a Batch."""
        cubes = None if self.cubes is None else self.cubes[which]
        return replace(self, rows=self.rows[which], centers=self.centers[which], data=self.data[which], cubes=cubes)


def coarse_cube_samples():
    """Samples on either side of zero of a particle's coarse grid, one spare for interpolation."""
    return int(np.ceil(COARSE_RADIUS * OVERSAMPLING)) + 2


def prepare(source, table, rows, box_px, high, low, with_cubes, xp=np):
    """Crop, normalise and transform some particles of one tomogram into a `Batch`."""
    wanted = band(box_px, high, low)
    weight = Transfer(source.tomograms[table.tomogram_ids[rows[0]]], box_px)(wanted.indices)
    sampled = weight > 0
    h = wanted.indices[sampled].astype(int)
    k, coarse = int(wanted.high), coarse_cube_samples()
    data = xp.empty((len(rows), len(h)), np.complex64)
    shape = (coarse + 1, 2 * coarse + 1, 2 * coarse + 1)
    cubes = xp.empty((len(rows), int(np.prod(shape))), np.complex64) if with_cubes else None
    centers = np.empty((len(rows), 3))
    at_once = BOXES_AT_ONCE if xp is np else len(rows)
    for start in range(0, len(rows), at_once):
        part = slice(start, start + at_once)
        boxes, centers[part] = source.boxes(table, rows[part], box_px)
        boxes = xp.asarray(normalize(boxes))
        data[part] = half_cube(boxes, k)[:, h[:, 2], h[:, 1] + k, h[:, 0] + k]
        if with_cubes:
            cubes[part] = half_cube(boxes, coarse, OVERSAMPLING, True).reshape(len(boxes), -1)
    frequencies = xp.asarray(h.astype(np.float32))
    return Batch(rows, centers, data, frequencies, xp.asarray(weight[sampled]), cubes, shape if with_cubes else None)


def batches_of_rows(table, rows, size=BATCH):
    """Row chunks of at most `size`, each from one tomogram, in a fixed order."""
    chunks = []
    for tomogram_id in sorted(set(table.tomogram_ids[rows])):
        own = rows[table.tomogram_ids[rows] == tomogram_id]
        chunks.extend(own[start : start + size] for start in range(0, len(own), size))
    return chunks


class ParticleData:
    """The batches of one group of particles, prepared when first asked for and kept while memory allows."""

    def __init__(self, source, table, rows, box_px, high, low, with_cubes, keep_bytes=None, xp=np):
        self.source, self.table, self.rows, self.box_px = source, table, rows, box_px
        self.high, self.low, self.with_cubes, self.xp = high, low, with_cubes, xp
        self.chunks = batches_of_rows(table, rows)
        self.keep_bytes = KEPT_FRACTION * free_memory(xp) if keep_bytes is None else keep_bytes
        self._kept, self._bytes = {}, 0

    def __len__(self):
        return len(self.chunks)

    def batch(self, index):
        """The `Batch` number `index`."""
        if index in self._kept:
            return self._kept[index]
        made = prepare(
            self.source, self.table, self.chunks[index], self.box_px, self.high, self.low, self.with_cubes, self.xp
        )
        size = made.data.nbytes + (made.cubes.nbytes if self.with_cubes else 0)
        if self._bytes + size <= self.keep_bytes:
            self._kept[index] = made
            self._bytes += size
        return made
