# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles as columns: where they are, how they are turned, how well they match, and where they come from."""

from dataclasses import dataclass, fields, replace

import numpy as np

UNASSIGNED, ODD, EVEN = 0, 1, 2
"""Values of the `half` column."""


@dataclass(frozen=True, eq=False)  # == on arrays is ambiguous
class ParticleTable:
    """Poses of `n` particles, in the frame of the tomogram each was cut from.

    A point `r` of the reference (pixels from its box centre) sits in the
    tomogram at ``positions[i] + rotations[i] @ r``. Vectors are (x, y, z);
    only `stadyn.core.resample` turns them into (z, y, x) array indices.

    Every column but the first three may be left out of the constructor; it is
    then filled with the value that means "unknown".
    """

    positions: np.ndarray  # (n, 3) pixels of the unbinned tomogram, 0 = centre of its first voxel
    rotations: np.ndarray  # (n, 3, 3) reference frame -> tomogram frame
    tomogram_ids: np.ndarray  # (n,) str, the tsId of the tilt series
    surface_ids: np.ndarray = None  # (n,) int, the VLP each particle was seeded on; 0 unknown
    cc: np.ndarray = None  # (n,) score of the last alignment; nan before one
    ids: np.ndarray = None  # (n,) int, the particle's own number (Dynamo's tag), 1..n by default
    half: np.ndarray = None  # (n,) int, UNASSIGNED, ODD or EVEN
    parent: np.ndarray = None  # (n,) int, id of the particle this one was subboxed from; 0 none
    marker: np.ndarray = None  # (n,) int, 1-based marker it was subboxed at; 0 none
    classes: np.ndarray = None  # (n,) int, the class a classification put it in; 0 unknown

    def __post_init__(self):
        n = len(self.positions)

        def column(name, dtype, default):
            value = getattr(self, name)
            value = np.full(n, default, dtype) if value is None else np.asarray(value)
            if name == "tomogram_ids":
                value = value.astype(str)
            else:
                value = value.astype(dtype)
            object.__setattr__(self, name, value)
            if value.shape != (n,):
                raise ValueError(f"column {name} has shape {value.shape}, but there are {n} particles")

        positions = np.asarray(self.positions, float).reshape(n, 3)
        rotations = np.asarray(self.rotations, float).reshape(n, 3, 3)
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "rotations", rotations)
        if self.ids is None:
            object.__setattr__(self, "ids", np.arange(1, n + 1))
        column("tomogram_ids", str, "")
        column("surface_ids", np.int64, 0)
        column("cc", np.float64, np.nan)
        column("ids", np.int64, 0)
        column("half", np.int64, UNASSIGNED)
        column("parent", np.int64, 0)
        column("marker", np.int64, 0)
        column("classes", np.int64, 0)

    def __len__(self):
        return len(self.positions)

    @classmethod
    def empty(cls):
        """A table of no particles."""
        return cls(np.empty((0, 3)), np.empty((0, 3, 3)), np.empty(0, str))

    @classmethod
    def concatenate(cls, tables):
        """All rows of `tables`, in order. Ids are kept; `renumbered` makes them unique."""
        tables = list(tables)
        if not tables:
            return cls.empty()
        return cls(**{f.name: np.concatenate([getattr(t, f.name) for t in tables]) for f in fields(cls)})

    def select(self, rows):
        """The rows chosen by a boolean mask or by indices, as a new table."""
        return ParticleTable(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def replace(self, **columns):
        """The same particles with some columns exchanged."""
        return replace(self, **columns)

    def renumbered(self, start=1):
        """The same particles with ids ``start, start + 1, ...`` in row order."""
        return self.replace(ids=np.arange(start, start + len(self)))

    def moved(self, shift, rotation=None):
        """Poses of a new reference that sits at `shift` and `rotation` in the old one.

        A point `r` of the new reference is ``shift + rotation @ r`` in the old.
        Recentring, subboxing, and the transfer of a map-to-map alignment to the
        particles are all this one operation.

        Parameters
        ----------
        shift : (3,) or (n, 3) float array, pixels of the unbinned tomogram, reference frame
        rotation : (3, 3) or (n, 3, 3) float array, new reference frame -> old; identity by default
        """
        shift = np.broadcast_to(np.asarray(shift, float), (len(self), 3))
        positions = self.positions + np.einsum("nij,nj->ni", self.rotations, shift)
        rotations = self.rotations if rotation is None else self.rotations @ np.asarray(rotation, float)
        return self.replace(positions=positions, rotations=rotations)

    def normals(self):
        """(n, 3) the reference's z axis in the tomogram: the surface normal, outward."""
        return self.rotations[:, :, 2]


@dataclass(frozen=True, eq=False)
class ParticleBoxes:
    """Where particles lie that were cut out before: one box each, in files, beside a `ParticleTable` of as many rows.

    The particle of row `i` sits in its box at voxel ``n // 2 + (positions[i] - centers[i]) * scale`` (x, y, z),
    where ``scale`` is the tomogram's pixel size over this one: binned boxes have a pixel size of their own.
    """

    paths: np.ndarray  # (n,) str
    indices: np.ndarray  # (n,) int, 0-based volume of a stack; 0 for a single volume
    centers: np.ndarray  # (n, 3) pixels of the unbinned tomogram, the voxel n // 2 of each box
    pixel_size: float  # Å of the boxes

    def __post_init__(self):
        n = len(self.paths)
        object.__setattr__(self, "paths", np.asarray(self.paths).astype(str))
        object.__setattr__(self, "indices", np.asarray(self.indices).astype(np.int64))
        object.__setattr__(self, "centers", np.asarray(self.centers, float).reshape(-1, 3))
        object.__setattr__(self, "pixel_size", float(self.pixel_size))
        if not len(self.indices) == len(self.centers) == n:
            raise ValueError(f"{n} boxes, but {len(self.indices)} indices and {len(self.centers)} centres")
        if not self.pixel_size > 0:
            raise ValueError(f"pixel size {self.pixel_size} of the boxes: it must be above 0")

    def __len__(self):
        return len(self.paths)

    def select(self, rows):
        """The boxes chosen by a boolean mask or by indices, as the same rows of the table are."""
        return replace(self, paths=self.paths[rows], indices=self.indices[rows], centers=self.centers[rows])
