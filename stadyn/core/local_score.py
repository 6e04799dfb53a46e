# SPDX-License-Identifier: GPL-3.0-or-later
"""The cross-correlation normalised under the mask where it lies on the particle (Roseman 2003).

The box-wide cc divides by the energy of everything in the box; this one by that of
what the mask covers at the particle's own pose, so neighbours and membranes outside
the mask change nothing (Roseman 2003, doi:10.1016/S0304-3991(02)00333-9).
"""

import numpy as np
from scipy import ndimage

from .arrays import array_module, to_host
from .fourier import volume_from_half_cube
from .reference import phases


def local_scores(reference, batch, rotations, shifts, mask):
    """(b,) cc of the particles of a Batch with a Reference at given poses, under the moving mask.

    Parameters
    ----------
    reference : Reference, masked
    batch : Batch
    rotations : (b, 3, 3) reference -> tomogram
    shifts : (b, 3) px from the box centre, tomogram frame
    mask : (n, n, n) array in 0..1, reference frame, or None for the box's sphere
    """
    xp = array_module(batch.data)
    q = xp.matmul(batch.frequencies, xp.asarray(rotations, dtype=np.float32))
    modulation = phases(batch.frequencies, shifts, reference.box_px) * batch.weight
    model, data = to_host(reference.sample(q) * modulation), to_host(batch.data)
    indices = to_host(batch.frequencies).astype(int)
    k = int(np.abs(indices).max())
    side = 2 * (k + 2)  # voxels that show these frequencies without aliasing
    scores = []
    for i in range(len(data)):
        turned = _mask_at(mask, rotations[i], shifts[i], side, reference.box_px)
        scores.append(_weighted_cc(_box(data[i], indices, k, side), _box(model[i], indices, k, side), turned))
    return np.array(scores)


def _box(values, indices, k, side):
    """(side, side, side) the real volume of some coefficients of the z >= 0 half."""
    cube = np.zeros((k + 1, 2 * k + 1, 2 * k + 1), np.complex64)
    cube[indices[:, 2], indices[:, 1] + k, indices[:, 0] + k] = values
    return volume_from_half_cube(cube, side, 1, False)


def _mask_at(mask, rotation, shift, side, box_px):
    """The mask of the reference frame as it lies on a particle, sampled with `side` voxels."""
    step = box_px / side
    if mask is None:
        axis = (np.arange(side) - side // 2) * step
        x, y, z = shift
        radius = np.sqrt((axis[:, None, None] - z) ** 2 + (axis[:, None] - y) ** 2 + (axis - x) ** 2)
        return np.clip((box_px / 2 - 1 - radius) / 3, 0, 1)
    matrix = step * rotation.T[::-1, ::-1]
    offset = np.full(3, box_px // 2) - matrix @ np.full(3, side // 2) - (rotation.T @ shift)[::-1]
    turned = ndimage.affine_transform(np.asarray(mask, np.float32), matrix, offset, (side,) * 3, order=1)
    return np.clip(turned, 0, 1)


def _weighted_cc(a, b, weight):
    """Correlation coefficient of two volumes under a weight."""
    total = max(weight.sum(), 1e-12)
    a, b = a - (a * weight).sum() / total, b - (b * weight).sum() / total
    energy = (a * a * weight).sum() * (b * b * weight).sum()
    return float((a * b * weight).sum() / np.sqrt(max(energy, 1e-30)))
