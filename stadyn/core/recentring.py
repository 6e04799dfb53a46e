# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an average is to be centred when a person marked the place: the shift, and the tilt of the surface there."""

import numpy as np

from .errors import InputError
from .flattening import Sampler, fit_curvature, surface_frame
from .subboxing import tilts_to_normals


def frame_at_point(volume, pixel_size, point, tilt=True):
    """The pose of a new centre at a marked point of an average (paper, step 3, blocks B and C).

    The surface is curved: moving the centre along it by `d` turns its normal by
    ``d / radius``, 4 to 8 degrees for one unit cell, which the paper leaves to the
    next alignment.

    Parameters
    ----------
    volume : (n, n, n) float array, [z, y, x], z axis outward
    pixel_size : float, Å
    point : (3,) pixels x, y, z from the box centre
    tilt : bool, False keeps the axis as the paper does

    Returns
    -------
    shift : (3,) float array, pixels, the point itself
    rotation : (3, 3) float array, new frame -> old

    Raises
    ------
    InputError
        If the point lies outside the box.
    """
    point = np.asarray(point, float)
    half = volume.shape[0] // 2
    if np.any(np.abs(point) > half):
        raise InputError(f"the marked point lies {np.round(point, 1).tolist()} pixels from the centre, outside the box")
    if not tilt:
        return point, np.eye(3)
    sampler = Sampler(volume, pixel_size)
    curvature = fit_curvature(sampler)
    _, normal = surface_frame(*(point[:2] / sampler.binning), curvature)
    return point, tilts_to_normals(normal)[0]
