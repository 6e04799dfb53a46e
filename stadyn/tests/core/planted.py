# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps and particles with a known truth: Gaussian blobs, evaluated where a pose puts them, never interpolated."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.spatial.transform import Rotation

from stadyn.core.particle_data import TomogramSource
from stadyn.core.particles import ParticleTable
from stadyn.core.tomograms import MissingWedge, Tomogram

IDENTITY = np.eye(3)
FULL = MissingWedge(-90, 90)
BLOBS = np.array(
    [(6, 1, 2), (-3, 5, -2), (1, -6, 4), (-5, -3, -5), (3, 4, 5), (0, 1, -6), (-1, -2, 1), (0, 0, 0)], float
)
"""(8, 3) pixels x, y, z from the box centre: no rotation and no mirror brings them onto themselves."""
SIGMAS = np.array([1.3] * 7 + [4.0])
WEIGHTS = -np.array([1.0, 0.8, 1.3, 0.7, 1.0, 1.2, 0.9, -6.9 * (1.3 / 4.0) ** 3])
"""Dark protein in a bright halo. Their sum is zero: no background changes the map, and a perfect match scores 1."""


def blob_map(box_px, rotation=IDENTITY, shift=(0.0, 0.0, 0.0), sigmas=SIGMAS, points=BLOBS, weights=WEIGHTS):
    """(n, n, n) float32: the blobs turned by `rotation` (reference -> tomogram), then moved by `shift` px (x, y, z)."""
    axis = np.arange(box_px) - box_px // 2
    out = np.zeros((box_px,) * 3)
    places = points @ np.asarray(rotation).T + np.asarray(shift)
    for (x, y, z), sigma, weight in zip(places, np.broadcast_to(sigmas, len(points)), weights, strict=True):
        gx, gy, gz = (np.exp(-0.5 * ((axis - c) / sigma) ** 2) for c in (x, y, z))
        out += weight * gz[:, None, None] * gy[:, None] * gx
    return out.astype(np.float32)


def normalized(boxes):
    """Boxes with mean 0 and deviation 1 inside their inscribed sphere; written apart from `core.particle_data`."""
    boxes = np.asarray(boxes, float)
    axis = np.arange(boxes.shape[-1]) - boxes.shape[-1] // 2
    sphere = axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2 <= (boxes.shape[-1] / 2 - 1) ** 2
    return np.stack([(box - box[sphere].mean()) / box[sphere].std() for box in boxes])


def coefficients(volumes, wanted):
    """(b, m) complex64 array of NumPy, what the FFT gives for boxes (b, n, n, n) in a `Band`, about their centres."""
    x, y, z = wanted.indices.astype(int).T
    centred = np.fft.ifftshift(np.asarray(volumes, float), axes=(1, 2, 3))
    return np.fft.fftn(centred, axes=(1, 2, 3))[:, z, y, x].astype(np.complex64)


def random_rotations(count, seed=0):
    """(count, 3, 3) uniform rotations."""
    return Rotation.random(count, random_state=seed).as_matrix()


def turned_by(rotations, degrees, seed=0):
    """Rotations (n, 3, 3) each off by exactly `degrees` about a random axis."""
    axes = np.random.default_rng(seed).standard_normal((len(rotations), 3))
    axes *= np.radians(degrees) / np.linalg.norm(axes, axis=1, keepdims=True)
    return rotations @ Rotation.from_rotvec(axes).as_matrix()


def moved_by(positions, pixels, seed=0):
    """Positions (n, 3) each off by exactly `pixels` in a random direction."""
    step = np.random.default_rng(seed).standard_normal(np.shape(positions))
    return positions + pixels * step / np.linalg.norm(step, axis=1, keepdims=True)


def rotation_errors_deg(rotations, others):
    """(n,) angle of the one turn that brings each rotation onto the other."""
    return np.degrees(Rotation.from_matrix(np.swapaxes(others, -1, -2) @ rotations).magnitude())


def seen_through(volume, wedge):
    """A box with the coefficients zeroed that no tilt in the range reached; written apart from `core.wedge`."""
    n = len(volume)
    k = scipy.fft.fftfreq(n, 1 / n)
    kz, kx = k[:, None, None], k[None, None, :]
    # A tilt t measures the plane of y and (cos t, 0, sin t): there kz cos t = kx sin t.
    with np.errstate(divide="ignore", invalid="ignore"):
        tilt = np.degrees(np.arctan(kz / kx))
    seen = (tilt >= wedge.min_deg - 1e-6) & (tilt <= wedge.max_deg + 1e-6) | ((kx == 0) & (kz == 0))
    return scipy.fft.ifftn(scipy.fft.fftn(volume) * seen).real.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Planted:
    """Particles in one or more tomograms, with the truth."""

    source: TomogramSource
    truth: ParticleTable
    volumes: dict  # tomogram id -> (z, y, x) float32 array
    reference: np.ndarray  # (n, n, n) float32, the map that was planted


def plant(count, box_px=24, snr=np.inf, wedge=FULL, seed=0, tomogram_ids=("TS_1",), pixel_size=5.0, **blobs):
    """`count` particles at random poses, one per cell of a row along x, alternating between tomograms.

    `snr` is the variance of the map over that of white noise, in a box. The wedge is taken
    from each particle's own box; the noise is added after it and fills all of Fourier space.
    """
    rng = np.random.default_rng(seed)
    rotations = random_rotations(count, seed)
    per_tomogram = -(-count // len(tomogram_ids))
    shape = (box_px + 6, box_px + 4, box_px * per_tomogram + 2)
    volumes = {i: np.zeros(shape, np.float32) for i in tomogram_ids}
    reference = blob_map(box_px, **blobs)
    positions, ids = np.empty((count, 3)), []
    for i, rotation in enumerate(rotations):
        tomogram_id = tomogram_ids[i % len(tomogram_ids)]
        low = np.array([1 + box_px * (i // len(tomogram_ids)), 2, 3])
        offset = rng.uniform(-0.5, 0.5, 3)
        positions[i] = low + box_px // 2 + offset
        box = seen_through(blob_map(box_px, rotation, offset, **blobs), wedge)
        x, y, z = low
        volumes[tomogram_id][z : z + box_px, y : y + box_px, x : x + box_px] = box
        ids.append(tomogram_id)
    if np.isfinite(snr):
        for volume in volumes.values():
            volume += rng.standard_normal(shape).astype(np.float32) * np.float32(reference.std() / np.sqrt(snr))
    tomograms = {i: Tomogram(i, "", pixel_size, shape, wedge) for i in tomogram_ids}
    half = np.arange(count) // len(tomogram_ids) % 2 + 1
    truth = ParticleTable(positions, rotations, np.array(ids), half=half)
    return Planted(TomogramSource(volumes, tomograms), truth, volumes, reference)


def misaligned(table, degrees, pixels, seed=5):
    """The same particles with each pose off by `degrees` and `pixels`."""
    return table.replace(
        rotations=turned_by(table.rotations, degrees, seed), positions=moved_by(table.positions, pixels, seed + 1)
    )
