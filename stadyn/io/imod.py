# SPDX-License-Identifier: GPL-3.0-or-later
"""IMOD models (.mod) as dipoles: contours of two points, in 0-based pixels of the tomogram."""

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.tomograms import Dipole

from .imod_models import FIRST_PIXEL, FLIPPED, ROTATED, read_imod_model

SAME_SIZE = 0.02
"""Sizes in Å nearer than this, in parts of one, are of the same field."""


def read_contours(path, tomogram=None):
    """[(object number, contour number, (n, 3) points)] of an IMOD model, x, y, z in 0-based pixels; numbers from 1.

    Points that were drawn on a part of the image are moved to where the part lies (chunk MINX), y and z are put back
    where 3dmod showed them exchanged, and points drawn on a binned copy are scaled to the tomogram; contours without
    points are left out.

    Parameters
    ----------
    path : .mod file
    tomogram : Tomogram that the points are wanted in; by default the image that the model was drawn on

    Raises
    ------
    InputError
        for another file, one that is cut off, points that are no numbers, or a volume that 3dmod showed turned
    """
    model = read_imod_model(path)
    if model.flags & ROTATED or (model.flags & FLIPPED and model.offset.any()):
        raise InputError(f"{path} was last seen in 3dmod on a turned volume: open it on the tomogram as it is and save")
    points = model.points + model.offset - FIRST_PIXEL
    if not np.isfinite(points).all():
        raise InputError(f"{path} holds points that are not numbers: mark them again in 3dmod")
    if model.flags & FLIPPED:
        points = points[:, [0, 2, 1]]
    scale = _binning(model, tomogram)
    points = (points + 0.5) * scale - 0.5
    keys = np.stack([model.objects, model.contours], axis=1)
    parts = np.flatnonzero(np.any(np.diff(keys, axis=0), axis=1)) + 1
    return [(*map(int, keys[rows[0]]), points[rows]) for rows in np.split(np.arange(len(keys)), parts) if len(rows)]


def read_imod_dipoles(path, tomogram_id, tomogram=None):
    """The `Dipole`s of one tomogram's model: contours of two points, the centre first, then the surface.

    Contours are numbered through all objects; empty ones are passed over. Parameters as of `read_contours`.
    """
    dipoles = []
    for object_number, contour, points in read_contours(path, tomogram):
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


def _binning(model, tomogram):
    """Pixels of the tomogram in one of the image; other than 1 only where both show the same field in Å."""
    if tomogram is None or not model.pixel_size:
        return 1.0
    scale = model.pixel_size / tomogram.pixel_size
    shape = np.sort(tomogram.shape)[::-1]
    field = np.sort(model.size)[::-1] * scale
    return scale if np.all(np.abs(field - shape) <= np.maximum(SAME_SIZE * shape, scale)) else 1.0
