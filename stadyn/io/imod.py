# SPDX-License-Identifier: GPL-3.0-or-later
"""IMOD models (.mod): the points of every contour, in 0-based pixels of the tomogram they were clicked in.

The binary format of IMOD 1.2 models (https://bio3d.colorado.edu/imod/doc/binspec.html): big-endian chunks; objects,
contours and meshes carry their size in their own fields, every other chunk as its first number.
"""

import struct

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.tomograms import Dipole

from .aside import existing_file

MAGIC = b"IMODV1.2"
HEADER_BYTES, OBJECT_BYTES = 240, 176
"""Of the model's header with its magic number, and of an object's without the four letters that announce it."""
HALF_PIXEL = np.array([0.5, 0.5, 0.0])
"""IMOD puts the corner of a pixel, not its centre, at 0 in x and y; in z the sections are numbered from 0."""


def read_contours(path):
    """[(object number, contour number, (n, 3) points)] of an IMOD model, x, y, z in 0-based pixels; numbers from 1.

    Raises InputError for a file that is no IMOD model, or one that ends too early.
    """
    data = existing_file(path, "IMOD model").read_bytes()
    if not data.startswith(MAGIC):
        raise InputError(f"{path} is no IMOD model: it does not begin with {MAGIC.decode()}")
    contours, place, objects, number = [], HEADER_BYTES, 0, 0
    try:
        while place < len(data) and data[place : place + 4] != b"IEOF":
            kind = data[place : place + 4]
            place += 4
            if kind == b"OBJT":
                objects, number = objects + 1, 0
                place += OBJECT_BYTES
            elif kind == b"CONT":
                (count,) = struct.unpack_from(">i", data, place)
                number += 1
                points = np.frombuffer(data, ">f4", 3 * count, place + 16).reshape(-1, 3)
                contours.append((objects, number, points.astype(float) - HALF_PIXEL))
                place += 16 + 12 * count
            elif kind == b"MESH":
                vertices, indices = struct.unpack_from(">2i", data, place)
                place += 16 + 12 * vertices + 4 * indices
            else:
                place += 4 + struct.unpack_from(">i", data, place)[0]
    except (struct.error, ValueError) as error:
        raise InputError(f"{path} ends in the middle of a contour: save the model again in 3dmod") from error
    return contours


def read_imod_dipoles(path, tomogram_id):
    """The `Dipole`s of one tomogram's model: contours of two points, the centre first, then the surface.

    Contours are numbered through all objects; empty ones are passed over.
    """
    dipoles = []
    for object_number, contour, points in read_contours(path):
        if not len(points):
            continue
        if len(points) != 2:
            raise InputError(
                f"{path}, object {object_number}, contour {contour} has {len(points)} points: a dipole has two, the "
                "centre and a point of the surface"
            )
        center, north = (tuple(map(float, point)) for point in points)
        dipoles.append(Dipole(tomogram_id, len(dipoles) + 1, center, north))
    if not dipoles:
        raise InputError(f"{path} holds no points: mark each VLP by a contour of two points")
    return dipoles
