# SPDX-License-Identifier: GPL-3.0-or-later
"""The alignment module: coarse scores as matrix products, fine poses by Gauss-Newton, on NumPy or CuPy alike.

A particle is a vector of Fourier coefficients and a real weight for each (today
the missing wedge). Its score at a pose is the normalised cross-correlation with
the masked reference over those coefficients (constrained correlation, Foerster et
al. 2005, doi:10.1073/pnas.0409178102):

    cc = Re sum(conj(F) w G) / sqrt(sum(|F|^2) sum(|w G|^2)), sums over w > 0

Coarse: every particle is turned into the frame of its present pose once, at low
frequency, so that all of them share one dictionary of turned references and the
scores of all (particle, rotation, shift) are a matrix product. Fine: rotation and
shift are refined together, in the particle's own frame with its exact weights, by
Levenberg-Marquardt on the least-squares problem whose minimum is the maximum of
the cc (the scale is eliminated by variable projection, Golub & Pereyra 1973).
"""

from dataclasses import dataclass

import numpy as np

from .arrays import array_module, to_host
from .fourier import band
from .reference import POINTS_AT_ONCE, phases, trilinear
from .rotations import rotation_vectors_to_matrices
from .search import clip_to_ellipsoid

COARSE_RADIUS = 8.0
"""Fourier pixels of the coarse stage: on simulated virus-like particles 6 lost a tenth of
the particles and more than 8 gained none (boxes of 345 Å: 43 Å)."""
PRODUCTS_AT_ONCE = 2**18
"""Coefficients multiplied out before one matrix product of the coarse search on a CPU: 2 MiB of its cache."""
MAX_STEPS = 8
"""Gauss-Newton steps at most; a usual particle needs three."""
SMALL_GAIN = 1e-4
"""Relative gain of cc below which a particle has arrived: a tenth of what the noise of a usual particle makes of it."""


@dataclass(frozen=True, eq=False)
class Dictionary:
    """The reference turned by every candidate rotation, at coarse frequencies, and the candidate shifts."""

    rotations: np.ndarray  # (a, 3, 3) turned reference -> present reference frame
    shifts: np.ndarray  # (s, 3) px, in the present reference frame
    values: np.ndarray  # (a, m) complex64
    frequencies: np.ndarray  # (m, 3) float32
    box_px: int

    @classmethod
    def build(cls, reference, rotations, shifts, high, low=0.0):
        """Sample a `Reference` at all `rotations` for frequencies up to `high` Fourier pixels."""
        xp = array_module(reference.cube)
        h = xp.asarray(band(reference.box_px, high, low).indices.astype(np.float32))
        turned = xp.matmul(h, xp.asarray(rotations, dtype=np.float32))
        return cls(
            np.asarray(rotations), np.asarray(shifts), reference.sample(turned), h, reference.box_px
        )


def coarse_search(cubes, lines, rotations, shifts, weight_of, dictionary, allowed=None):
    """Best (rotation, shift) of a dictionary for each particle.

    Parameters
    ----------
    cubes : (b, g) complex64, each particle's own oversampled half grid
    lines : BallLines of these grids
    rotations : (b, 3, 3) present poses, reference -> tomogram
    shifts : (b, 3) present shifts from the box centre, px, tomogram frame
    weight_of : callable, (b, m, 3) tomogram frequencies -> (b, m) weights
    dictionary : Dictionary
    allowed : (b, s) bool, shifts of the dictionary each particle may take; None allows all

    Returns
    -------
    rotations : (b, 3, 3) improved, reference -> tomogram
    shifts : (b, 3) px
    cc : (b,)
    """
    xp = array_module(cubes)
    turn = xp.asarray(rotations, dtype=np.float32)
    h = dictionary.frequencies
    there = xp.matmul(h, xp.swapaxes(turn, 1, 2))
    data = trilinear(cubes, lines, there)
    data *= xp.conj(phases(there, shifts, dictionary.box_px))
    weight = weight_of(there)
    data *= weight > 0
    energy = to_host(xp.sqrt(xp.sum(data.real**2 + data.imag**2, axis=1)))
    data *= weight
    norm = xp.sqrt(xp.matmul(weight**2, (xp.abs(dictionary.values) ** 2).T))
    waves = phases(h, dictionary.shifts, dictionary.box_px)
    b, s = len(turn), len(dictionary.shifts)
    barred = None if allowed is None else xp.where(xp.asarray(allowed), 0, -np.inf).astype(np.float32)[:, None]
    best = xp.full(b, -np.inf, np.float32)
    best_index = xp.zeros(b, np.int64)
    chunk = max(1, (PRODUCTS_AT_ONCE if xp is np else 64 * PRODUCTS_AT_ONCE) // (min(b, s) * h.shape[0]))
    for start in range(0, len(dictionary.rotations), chunk):
        score = _products(data, dictionary.values[start : start + chunk], waves)
        score /= xp.maximum(norm[:, start : start + chunk, None], 1e-20)
        score = (score if barred is None else score + barred).reshape(b, -1)
        top = xp.argmax(score, axis=1)
        value = score[xp.arange(b), top]
        better = value > best
        best = xp.where(better, value, best)
        best_index = xp.where(better, top + start * s, best_index)
    best_index = to_host(best_index)
    turn_by, shift_by = best_index // s, best_index % s
    moved = np.einsum("bij,bj->bi", rotations, dictionary.shifts[shift_by])
    return rotations @ dictionary.rotations[turn_by], shifts + moved, to_host(best) / np.maximum(energy, 1e-20)


def _products(data, values, waves):
    """(b, a, s) float32 ``Re sum_h conj(data) values waves`` of (b, m), (a, m) and (s, m) complex64.

    One of the three is multiplied out beforehand, whichever pair is the smaller, and the rest is a matrix product.
    """
    xp = array_module(data)
    (b, m), a, s = data.shape, len(values), len(waves)
    if s <= b:
        moved = (values[:, None] * waves).reshape(a * s, m)
        return (data.view(np.float32) @ moved.view(np.float32).T).reshape(b, a, s)
    mixed = (xp.conj(data)[:, None] * values).reshape(b * a, m)
    return (mixed.view(np.float32) @ xp.conj(waves).view(np.float32).T).reshape(b, a, s)


def _normalized(data, weight):
    """Coefficients (b, m) of unit energy over those that were sampled."""
    xp = array_module(data)
    data = data * (weight > 0)
    return data / xp.maximum(xp.sqrt(xp.sum(data.real**2 + data.imag**2, axis=1)), 1e-30)[:, None]


def _rows(array, rows):
    """Some rows of an array with a row per particle, or an array without rows as it is."""
    return array if array.ndim == 1 else array[rows]


def _blocks(xp, b, m):
    """(particles, coefficients) slices that cover (b, m); on a CPU each small enough for the processor's cache."""
    if xp is not np:
        return [(slice(0, b), slice(0, m))]
    rows, columns = max(1, POINTS_AT_ONCE // m), min(m, POINTS_AT_ONCE)
    return [
        (slice(i, i + rows), slice(j, j + columns)) for i in range(0, b, rows) for j in range(0, m, columns)
    ]


def _products_with_model(reference, data, weight, frequencies, rotations, shifts, gradient):
    """All real inner products of data, model and the model's six derivatives at poses (b).

    Returns
    -------
    (b, 8, 8) float64, or (b, 2, 2) without the derivatives: data, model, turns about
    the reference's x, y and z (per rad), shifts along the tomogram's x, y and z (per px)
    """
    xp = array_module(data)
    (b, m), size = data.shape, 8 if gradient else 2
    turn = xp.asarray(rotations, dtype=np.float32)
    products = np.zeros((b, size, size))
    per_pixel = np.complex64(-2j * np.pi / reference.box_px)
    for rows, columns in _blocks(xp, b, m):
        h, own = frequencies[columns], weight[..., columns]
        q = xp.matmul(h, turn[rows])
        wave = phases(h, shifts[rows], reference.box_px)
        wave *= _rows(own, rows)
        stack = xp.empty((size,) + wave.shape, np.complex64)
        stack[0] = data[rows, columns]
        if gradient:
            values = reference.sample_with_gradient(q)
            values *= wave
            model, gx, gy, gz = values
            x, y, z = (xp.ascontiguousarray(q[..., axis]) for axis in range(3))
            stack[2] = gy * z - gz * y  # grad G x q: a turn of the reference in its own frame
            stack[3] = gz * x - gx * z
            stack[4] = gx * y - gy * x
            along = model * per_pixel
            for axis in range(3):
                xp.multiply(along, xp.ascontiguousarray(h[:, axis]), out=stack[5 + axis])
            stack[1] = model
        else:
            xp.multiply(reference.sample(q), wave, out=stack[1])
        stack = xp.swapaxes(stack.view(np.float32), 0, 1)  # (r, size, 2 p): an inner product takes both parts
        products[rows] += to_host(xp.matmul(stack, xp.swapaxes(stack, 1, 2)))
    return products


def _model(reference, data, weight, frequencies, rotations, shifts, gradient):
    """cc at poses (b) and, if asked, its slope and (negative, Gauss-Newton) curvature by the six parameters, float64.

    For data of unit energy and a model M of power P = |M|^2, cc = <data, M> / sqrt(P). The scale that fits the
    model best is s = <data, M> / P; with it eliminated, slope and curvature are those of the residual's square.
    """
    products = _products_with_model(reference, data, weight, frequencies, rotations, shifts, gradient)
    overlap, power = products[:, 0, 1], np.maximum(products[:, 1, 1], 1e-30)
    length = np.sqrt(power)
    if not gradient:
        return overlap / length, None, None
    along, scale = products[:, 1, 2:], overlap / power
    slope = products[:, 0, 2:] - along * scale[:, None]
    curvature = products[:, 2:, 2:] - along[:, :, None] * along[:, None] / power[:, None, None]
    return overlap / length, slope / length[:, None], curvature * (np.abs(scale) / length)[:, None, None]


def refine_poses(
    reference, data, weight, frequencies, rotations, shifts, anchors, limits_px, max_turn_deg, max_shift_px
):
    """Levenberg-Marquardt over rotation and shift of a batch of particles, each in its own frame.

    Parameters
    ----------
    reference : Reference
    data : (b, m) complex64, coefficients of each particle
    weight : (m,) or (b, m) float32
    frequencies : (m, 3) float32, h in the tomogram frame
    rotations : (b, 3, 3) start, reference -> tomogram
    shifts : (b, 3) start, px from the box centre, tomogram frame
    anchors : (b, 3) px, where the shift limits are measured from
    limits_px : (3,) semi-axes of the ellipsoid of allowed shifts, along the reference's axes
    max_turn_deg, max_shift_px : float, trust region of one step

    Returns
    -------
    rotations, shifts, cc : the best pose met and its score
    """
    xp = array_module(data)
    data = _normalized(data, weight)
    rotations = np.array(rotations, float)
    shifts = _within_limits(rotations, np.asarray(shifts, float), anchors, limits_px)
    cc, slope, curvature = _model(reference, data, weight, frequencies, rotations, shifts, True)
    damping = np.full(len(cc), 1e-3)
    active = np.arange(len(cc))
    for _ in range(MAX_STEPS):
        step = _step(slope[active], curvature[active], damping[active], max_turn_deg, max_shift_px)
        trial_rotations = rotations[active] @ rotation_vectors_to_matrices(step[:, :3])
        free_shifts = shifts[active] + step[:, 3:]
        trial_shifts = _within_limits(trial_rotations, free_shifts, anchors[active], limits_px)
        promised = _promised_gain(slope[active], curvature[active], step)
        last = (promised < SMALL_GAIN * np.abs(cc[active])) & np.all(np.abs(trial_shifts - free_shifts) < 1e-9, axis=1)
        ended = active[last]  # so short a step keeps its promise: it is taken without being looked at
        rotations[ended], shifts[ended] = trial_rotations[last], trial_shifts[last]
        cc[ended] += promised[last]
        active, trial_rotations, trial_shifts = active[~last], trial_rotations[~last], trial_shifts[~last]
        if len(active) == 0:
            break
        on = xp.asarray(active)
        new_cc, new_slope, new_curvature = _model(
            reference, data[on], _rows(weight, on), frequencies, trial_rotations, trial_shifts, True
        )
        better = new_cc > cc[active]
        won = active[better]
        gain = new_cc[better] - cc[won]
        rotations[won], shifts[won], cc[won] = trial_rotations[better], trial_shifts[better], new_cc[better]
        slope[won], curvature[won] = new_slope[better], new_curvature[better]
        damping[active] *= np.where(better, 0.2, 10.0)
        small = np.zeros(len(active), bool)
        small[better] = gain < SMALL_GAIN * np.abs(cc[won])
        active = active[~small & (damping[active] < 10)]
        if len(active) == 0:
            break
    return rotations, shifts, cc


def _promised_gain(slope, curvature, step):
    """(b,) by how much the quadratic model says that a step raises cc."""
    return np.einsum("bi,bi->b", slope, step) - 0.5 * np.einsum("bi,bij,bj->b", step, curvature, step)


def _within_limits(rotations, shifts, anchors, limits_px):
    """Shifts (b, 3) pulled back into the ellipsoid about `anchors`, whose axes are those of the turned reference."""
    offset = clip_to_ellipsoid(np.einsum("bji,bj->bi", rotations, shifts - anchors), limits_px)
    return anchors + np.einsum("bij,bj->bi", rotations, offset)


def _step(slope, curvature, damping, max_turn_deg, max_shift_px):
    """(b, 6) damped Newton steps within the trust region: rotation vector (rad, reference), shift (px, tomogram)."""
    diagonal = np.einsum("bii->bi", curvature)
    scale = 1.0 / np.sqrt(np.maximum(diagonal, 1e-30))  # rad and px differ by orders of magnitude
    scaled = curvature * scale[:, :, None] * scale[:, None, :]
    scaled[:, np.arange(6), np.arange(6)] += damping[:, None] + 1e-9
    step = np.linalg.solve(scaled, (slope * scale)[..., None])[..., 0] * scale
    turn = np.linalg.norm(step[:, :3], axis=1) / np.radians(max_turn_deg)
    move = np.linalg.norm(step[:, 3:], axis=1) / max_shift_px
    return step / np.maximum(1.0, np.maximum(turn, move))[:, None]


def score_poses(reference, data, weight, frequencies, rotations, shifts):
    """(b,) cc of particles at given poses, without moving them."""
    data = _normalized(data, weight)
    return _model(reference, data, weight, frequencies, rotations, shifts, False)[0]
