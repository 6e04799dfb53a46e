# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles as Fourier data: cropped once from their tomograms, normalised, cut to a band and kept."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from .alignment import COARSE_RADIUS
from .fourier import OVERSAMPLING, band, half_cube
from .resample import box_coordinates, crop
from .wedge import wedge_weights

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

    def wedge(self, tomogram_id):
        """The `MissingWedge` of a tomogram."""
        return self.tomograms[tomogram_id].wedge

    def boxes(self, table, rows, box_px):
        """((b, n, n, n) float32 boxes, (b, 3) float centres of their middle voxels) of some rows of one table."""
        centers = np.rint(table.positions[rows])
        boxes = [
            crop(self.volumes[table.tomogram_ids[row]], center.astype(int), box_px)
            for row, center in zip(rows, centers)
        ]
        return np.stack(boxes), centers


def normalize(boxes):
    """Each box with mean 0 and standard deviation 1 inside its inscribed sphere; a constant box becomes zero."""
    n = boxes.shape[-1]
    sphere = np.sum(box_coordinates(n) ** 2, axis=0) <= (n / 2 - 1) ** 2
    values = boxes[:, sphere]
    mean, sd = values.mean(axis=1), values.std(axis=1)
    return (boxes - mean[:, None, None, None]) / np.where(sd > 0, sd, 1)[:, None, None, None].astype(np.float32)


@dataclass(frozen=True, eq=False)
class Batch:
    """Band-limited particles of one tomogram."""

    rows: np.ndarray  # (b,) rows of the table
    centers: np.ndarray  # (b, 3) unbinned px, tomogram frame, the middle voxel of each box
    data: np.ndarray  # (b, m) complex64, sampled coefficients only
    frequencies: np.ndarray  # (m, 3) float32
    weight: np.ndarray  # (m,) float32
    cubes: np.ndarray  # (b, g) complex64 oversampled coarse half grids, or None
    cube_shape: tuple


def coarse_cube_samples():
    """Samples on either side of zero of a particle's coarse grid, one spare for interpolation."""
    return int(np.ceil(COARSE_RADIUS * OVERSAMPLING)) + 2


def prepare(source, table, rows, box_px, high, low, with_cubes, xp=np):
    """Crop, normalise and transform some particles of one tomogram into a `Batch`."""
    boxes, centers = source.boxes(table, rows, box_px)
    boxes = xp.asarray(normalize(boxes))
    wanted = band(box_px, high, low)
    weight = wedge_weights(source.wedge(table.tomogram_ids[rows[0]]), wanted.indices)
    sampled = weight > 0
    h = wanted.indices[sampled].astype(int)
    k = int(wanted.high)
    data = half_cube(boxes, k)[:, h[:, 2], h[:, 1] + k, h[:, 0] + k]
    cubes, shape = None, None
    if with_cubes:
        cubes = half_cube(boxes, coarse_cube_samples(), OVERSAMPLING, True)
        shape, cubes = cubes.shape[1:], cubes.reshape(len(rows), -1)
    return Batch(rows, centers, data, xp.asarray(h.astype(np.float32)), xp.asarray(weight[sampled]), cubes, shape)


def batches_of_rows(table, rows, size=BATCH):
    """Row chunks of at most `size`, each from one tomogram, in a fixed order."""
    chunks = []
    for tomogram_id in sorted(set(table.tomogram_ids[rows])):
        own = rows[table.tomogram_ids[rows] == tomogram_id]
        chunks.extend(own[start : start + size] for start in range(0, len(own), size))
    return chunks


class ParticleData:
    """The batches of one group of particles, prepared when first asked for and kept while memory allows."""

    def __init__(self, source, table, rows, box_px, high, low, with_cubes, keep_bytes=8e9, xp=np):
        self.source, self.table, self.box_px = source, table, box_px
        self.high, self.low, self.with_cubes, self.xp = high, low, with_cubes, xp
        self.chunks = batches_of_rows(table, rows)
        self.keep_bytes = keep_bytes
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


def wedge_function(source, tomogram_id):
    """A function from frequencies (..., 3) in the tomogram frame to the weights that particles of a tomogram have there."""
    return partial(wedge_weights, source.wedge(tomogram_id))
