# SPDX-License-Identifier: GPL-3.0-or-later
"""IMOD's binary models (.mod): big-endian chunks, each of four letters and its length.

Format: https://bio3d.colorado.edu/imod/doc/binspec.html. Objects, contours and meshes carry their size in their own
fields, every other chunk as its first number. In x and y the centre of the first pixel is at 0.5, in z at 0: "IMOD
models specify the center of the voxel with Matlab indices (1, 1, 1) as a point at (0.5, 0.5, 0.0)" (MatTomo, the
library of IMOD's authors that PEET is written with, notes on coordinates; kept in Microscopy Image Browser).
"""

import struct
from dataclasses import dataclass

import numpy as np

from stadyn.core.errors import InputError

from .aside import existing_file, written_aside

FIRST_PIXEL = np.array([0.5, 0.5, 0.0])
"""Where the centre of a volume's first voxel lies in a model."""
HEADER, OBJECT, CONTOUR = 240, 176, 16  # bytes after the identifier
SCATTERED_OPEN = (1 << 3) | (1 << 9)
ORIGIN_KNOWN, FLIPPED, ROTATED = 1 << 14, 1 << 16, 1 << 17
"""Flags of a model: `MINX` holds the image's origin; it was last seen with y and z exchanged, or turned about x."""


@dataclass(frozen=True, eq=False)
class ImodModel:
    """What a model file holds of points, in its own numbers, and of the image that it was drawn on."""

    points: np.ndarray  # (n, 3) x, y, z
    objects: np.ndarray  # (n,) int, from 1
    contours: np.ndarray  # (n,) int, from 1 in each object
    flags: int
    size: tuple  # (x, y, z) of what was loaded of the image, pixels
    reference: np.ndarray = None  # (6, 3) chunk MINX: old scale, translation, rotation; current ones of the image

    @property
    def offset(self):
        """(3,) pixels to add where the model was drawn on a part of the image, not on all of it.

        ``(refoldtrans - refcurtrans) / refcurscale`` of https://bio3d.colorado.edu/imod/doc/asciispec.html.
        """
        if self.reference is None or not self.flags & ORIGIN_KNOWN or not self.reference[3].all():
            return np.zeros(3)
        with np.errstate(invalid="ignore", over="ignore"):  # a damaged file may hold anything
            return (self.reference[1] - self.reference[4]) / self.reference[3]

    @property
    def pixel_size(self):
        """Å, of the image that it was drawn on, or None."""
        return None if self.reference is None else float(self.reference[3, 0])


def read_imod_model(path):
    """The `ImodModel` in a file; InputError for another file, or one that is cut off."""
    data = existing_file(path, "model").read_bytes()
    if data[:4] != b"IMOD" or len(data) < HEADER:
        raise InputError(f"{path} is no IMOD model: give a .mod file that 3dmod wrote")
    *size, _, flags = struct.unpack_from(">3i i I", data, 136)
    position, number, contour, reference = HEADER, 0, 0, None
    points, objects, contours = [np.empty((0, 3))], [np.empty(0, int)], [np.empty(0, int)]
    while position + 4 <= len(data) and data[position : position + 4] != b"IEOF":
        name = data[position : position + 4]
        position += 4
        if name == b"OBJT":
            number, contour, position = number + 1, 0, position + OBJECT
        elif name == b"CONT":
            count = _number(path, data, position)
            start, end = position + CONTOUR, position + CONTOUR + 12 * count
            if count < 0 or end > len(data):
                raise InputError(f"{path} is cut off in a contour of {count} points: copy or write it again")
            contour, position = contour + 1, end
            points.append(_floats(data, start, count))
            objects.append(np.full(count, number))
            contours.append(np.full(count, contour))
        elif name == b"MESH":
            vertices, indices = _number(path, data, position), _number(path, data, position + 4)
            position += 16 + 12 * max(vertices, 0) + 4 * max(indices, 0)
        else:  # every other chunk says how long it is
            length = max(_number(path, data, position), 0)
            if name == b"MINX" and length >= 72 and position + 76 <= len(data):
                reference = _floats(data, position + 4, 6)
            position += 4 + length
    return ImodModel(
        np.concatenate(points), np.concatenate(objects), np.concatenate(contours), flags, tuple(size), reference
    )


def read_model(path):
    """(points (n, 3) float array x, y, z in the model's own numbers, (n,) objects from 1, (n,) contours from 1).

    Raises InputError for another file, one that is cut off, or one without points.
    """
    model = read_imod_model(path)
    if len(model.points) == 0 or not np.isfinite(model.points).all():
        raise InputError(f"{path} holds no points, or points that are not numbers: mark particles in 3dmod")
    return model.points, model.objects, model.contours


def write_model(path, points, shape=None):
    """Write points (n, 3) in the model's numbers as one object of scattered points, one contour.

    Parameters
    ----------
    shape : (z, y, x) of the volume, by default just large enough
    """
    points = np.asarray(points, float)
    size = np.ceil(points.max(axis=0)).astype(int) + 1 if shape is None else np.array(shape[::-1])
    header = b"IMODV1.2" + b"stadyn".ljust(128, b"\0") + struct.pack(">3i", *map(int, size))
    header += struct.pack(">i I 4i", 1, 0, 1, 1, 0, 255) + struct.pack(">6f", 0, 0, 0, 1, 1, 1)
    header += struct.pack(">5i f 2i 3f", 0, 0, 0, 3, 128, 1.0, 0, 0, 0.0, 0.0, 0.0)
    obj = b"OBJT" + bytes(64 + 64) + struct.pack(">i I 2i 3f i", 1, SCATTERED_OPEN, 0, 1, 0.0, 1.0, 0.0, 3)
    obj += struct.pack(">8B 2i", 1, 3, 1, 1, 0, 0, 0, 0, 0, 0)
    contour = b"CONT" + struct.pack(">i I 2i", len(points), 0, 0, 0)
    with written_aside(path) as aside:
        aside.write_bytes(header + obj + contour + points.astype(">f4").tobytes() + b"IEOF")


def _number(path, data, position):
    if position + 4 > len(data):
        raise InputError(f"{path} is cut off: copy or write it again")
    return struct.unpack_from(">i", data, position)[0]


def _floats(data, start, count):
    """(count, 3) float array."""
    with np.errstate(invalid="ignore"):  # a damaged file may hold signalling nan
        return np.frombuffer(data, ">f4", 3 * count, start).reshape(-1, 3).astype(float)
