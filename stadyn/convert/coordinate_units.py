# SPDX-License-Identifier: GPL-3.0-or-later
"""In which pixels the coordinates on subtomograms are counted: of picking, says the host, but not every plugin obeys.

scipion-em-emantomo's extraction from tilt series scales them to the pixels of the subtomograms. The coordinates that
the subtomograms were cut at, in their own set, tell the two apart.
"""

import numpy as np
from scipy.spatial import cKDTree
from tomo.constants import SCIPION

SAME_SIZE = 0.01
"""Pixel sizes that differ by less, relatively, are the same."""


def coordinate_pixel_size(subtomograms, coordinates):
    """Å per pixel of the coordinates that the items of `subtomograms`, cut at `coordinates`, carry."""
    picked, boxes = coordinates.getSamplingRate(), subtomograms.getSamplingRate()
    if not picked or not boxes or abs(boxes / picked - 1) < SAME_SIZE:
        return picked
    carried = _places(item.getCoordinate3D() for item in subtomograms.iterItems())
    known = _places(coordinates.iterItems())
    trees = {name: cKDTree(np.array(points) * picked) for name, points in known.items()}
    of_picked, of_boxes = (_median_distance(carried, trees, size) for size in (picked, boxes))
    return boxes if of_boxes < min(of_picked, boxes) else picked


def _places(coordinates):
    """{tsId: [(x, y, z) from the centre of the tomogram, ...]} of coordinates; those without are left out."""
    places = {}
    for coordinate in coordinates:
        if (
            coordinate is not None
            and coordinate._x.hasValue()
            and coordinate._y.hasValue()
            and coordinate._z.hasValue()
        ):
            places.setdefault(coordinate.getTomoId(), []).append(coordinate.getPosition(SCIPION))
    return places


def _median_distance(carried, trees, pixel_size):
    """Å from carried points, in pixels of `pixel_size`, to the next known one; infinite without any."""
    distances = [
        trees[name].query(np.array(points) * pixel_size)[0] for name, points in carried.items() if name in trees
    ]
    return float(np.median(np.concatenate(distances))) if distances else np.inf
