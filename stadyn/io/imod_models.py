# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of IMOD's binary models (.mod): big-endian chunks, each of four letters and its length.

In x and y the centre of the first pixel is at 0.5 of a model, in z at 0 (IMOD, 3dmod).
"""

import struct

import numpy as np

from stadyn.core.errors import InputError

from .aside import existing_file, written_aside

FIRST_PIXEL = np.array([0.5, 0.5, 0.0])
"""Where the centre of a volume's first voxel lies in a model."""
HEADER, OBJECT, CONTOUR = 240, 176, 16  # bytes after the identifier
SCATTERED_OPEN = (1 << 3) | (1 << 9)


def read_model(path):
    """(points (n, 3) float array x, y, z in the model's own numbers, (n,) objects from 1, (n,) contours from 1).

    Raises InputError for another file, or one that is cut off.
    """
    data = existing_file(path, "model").read_bytes()
    if data[:4] != b"IMOD" or len(data) < HEADER:
        raise InputError(f"{path} is no IMOD model: give a .mod file that 3dmod wrote")
    position, number, contour = HEADER, 0, 0
    points, objects, contours = [np.empty((0, 3))], [np.empty(0, int)], [np.empty(0, int)]
    while position + 4 <= len(data) and data[position : position + 4] != b"IEOF":
        name = data[position : position + 4]
        position += 4
        if name == b"OBJT":
            number, contour, position = number + 1, 0, position + OBJECT
        elif name == b"CONT":
            size = _number(path, data, position)
            start, end = position + CONTOUR, position + CONTOUR + 12 * size
            if size < 0 or end > len(data):
                raise InputError(f"{path} is cut off in a contour of {size} points: copy or write it again")
            contour, position = contour + 1, end
            with np.errstate(invalid="ignore"):  # a damaged file may hold signalling nan
                points.append(np.frombuffer(data, ">f4", 3 * size, start).reshape(-1, 3).astype(float))
            objects.append(np.full(size, number))
            contours.append(np.full(size, contour))
        elif name == b"MESH":
            vertices, indices = _number(path, data, position), _number(path, data, position + 4)
            position += 16 + 12 * max(vertices, 0) + 4 * max(indices, 0)
        else:  # every other chunk says how long it is
            position += 4 + max(_number(path, data, position), 0)
    found = np.concatenate(points)
    if len(found) == 0 or not np.isfinite(found).all():
        raise InputError(f"{path} holds no points, or points that are not numbers: mark particles in 3dmod")
    return found, np.concatenate(objects), np.concatenate(contours)


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
