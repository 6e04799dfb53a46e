# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles with a known truth for the benchmarks: one molecule, many poses, a missing wedge, noise; and the errors."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.fft
from scipy.spatial.transform import Rotation

from stadyn.core.particle_data import TomogramSource
from stadyn.core.particles import ParticleTable
from stadyn.core.resample import box_coordinates
from stadyn.core.rotations import rotation_vectors_to_matrices, rotation_z
from stadyn.core.simulation_model import PointCloud, procedural_unit
from stadyn.core.symmetry import symmetry_matrices
from stadyn.core.tomograms import MissingWedge, Tomogram
from stadyn.core.wedge import wedge_weights

BOX_ANGST = 129.6
"""Side of a box of 48, 64 or 96 px: one and a half times the molecule, whatever the pixel size."""
WEDGE = MissingWedge(-60.0, 60.0)
SNRS = (0.05, 0.01, 0.002)
"""Variance of the noise-free map over that of the noise, in a box."""
SMALLEST_AMPLITUDE = 1e-3
"""The molecule's Gaussians are below this beyond about 4 Å: coefficients there are left at zero."""


@dataclass(frozen=True, eq=False)
class Planted:
    """`n` particles, each in a cell of its own of one tall volume; they start at the middle of their cells."""

    clean: np.ndarray  # (n * box, box, box) float32, signal of standard deviation 1 without its wedge, protein dark
    volume: np.ndarray  # the same with noise: what is aligned
    truth: ParticleTable
    start: ParticleTable
    reference: np.ndarray  # (box, box, box) float32, the true map
    mask: np.ndarray  # (box, box, box) float32, soft sphere
    pixel_size: float
    symmetry: str
    seed: int

    def __len__(self):
        return len(self.truth)

    @property
    def box_px(self):
        """Side of a box."""
        return self.reference.shape[0]

    @property
    def source(self):
        """The volume as the engine takes tomograms."""
        tomogram = Tomogram("planted", "", self.pixel_size, self.volume.shape, WEDGE)
        return TomogramSource({"planted": self.volume}, {"planted": tomogram})

    def boxes(self, rows):
        """(b, n, n, n) float32 the boxes that every program is given."""
        return self.volume.reshape((len(self),) + self.reference.shape)[rows]

    def at(self, snr):
        """The same particles under other noise: the same draw, scaled."""
        rng = np.random.default_rng([self.seed, 2])
        noisy = self.clean * np.float32(np.sqrt(snr))
        for i in range(0, len(noisy), self.box_px):
            noisy[i : i + self.box_px] += rng.standard_normal((self.box_px,) * 3, np.float32)
        return replace(self, volume=noisy)


def molecule(symmetry):
    """The simulator's hexamer, or for C1 three of its six copies about their centroid."""
    unit = procedural_unit()
    if symmetry != "C1":
        return unit
    each = len(unit.points) // 6
    kept = np.concatenate([np.arange(each) + each * k for k in (0, 1, 3)])
    points = unit.points[kept]
    return PointCloud(points - points.mean(axis=0), unit.weights[kept], unit.sigma)


def spectrum(cloud, box_px, pixel_size):
    """rfftn of the cloud's map in a box, computed from the points: a pose is exact, nothing is interpolated."""
    width = 2 * (np.pi * cloud.sigma / (box_px * pixel_size)) ** 2
    k = min(box_px // 2 - 1, int(np.sqrt(-np.log(SMALLEST_AMPLITUDE) / width)))
    h = np.arange(-k, k + 1)
    place = cloud.points / pixel_size + box_px // 2
    wave = np.exp(-2j * np.pi / box_px * place[:, :, None] * h - width * h**2).astype(np.complex64)
    x, y, z = wave[:, 0, k:], wave[:, 1], wave[:, 2] * cloud.weights[:, None].astype(np.float32)
    plane = (z[:, :, None] * y[:, None]).reshape(len(z), -1)
    out = np.zeros((box_px, box_px, box_px // 2 + 1), np.complex64)
    out[np.ix_(h, h, h[k:])] = (plane.T @ x).reshape(2 * k + 1, 2 * k + 1, k + 1)
    return out


def soft_sphere(box_px, edge_px=3.0):
    """1 inside the inscribed sphere, falling to 0 over `edge_px`."""
    radius = np.sqrt(np.sum(box_coordinates(box_px) ** 2, axis=0))
    return np.clip((box_px / 2 - 1 - radius) / edge_px, 0, 1)


def frequencies(box_px):
    """(n, n, n // 2 + 1, 3) float32 x, y, z Fourier pixels of an rfftn."""
    full = scipy.fft.fftfreq(box_px, 1 / box_px).astype(np.float32)
    z, y, x = np.meshgrid(full, full, np.arange(box_px // 2 + 1, dtype=np.float32), indexing="ij")
    return np.stack([x, y, z], -1)


def tilted(count, cone_deg, inplane_deg, rng, exactly=False):
    """(count, 3, 3) turns by up to `cone_deg` of the axis, evenly over the cap, and up to `inplane_deg` about it.

    With `exactly` by just so much, either way about the axis.
    """
    tilt = np.arccos(1 - rng.random(count) * (1 - np.cos(np.radians(cone_deg))))
    azimuth = rng.uniform(0, 2 * np.pi, count)
    axes = np.stack([np.cos(azimuth), np.sin(azimuth), np.zeros(count)], -1)
    inplane = rng.uniform(-inplane_deg, inplane_deg, count)
    if exactly:
        tilt, inplane = np.full(count, np.radians(cone_deg)), np.copysign(inplane_deg, inplane)
    about = rotation_z(inplane)
    return rotation_vectors_to_matrices(axes * tilt[:, None]) @ about


def in_ball(count, radius, rng, exactly=False):
    """(count, 3) points evenly inside a ball, with `exactly` on its surface."""
    directions = rng.standard_normal((count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return directions * (radius * (1 if exactly else rng.random((count, 1)) ** (1 / 3)))


def plant(count, box_px, seed, cone_deg=8.0, inplane_deg=8.0, shift_px=None, symmetry="C1", box_angst=BOX_ANGST):
    """`Planted` particles without noise; `Planted.at` adds it.

    Parameters
    ----------
    count : int
    box_px : int
    seed : int
    cone_deg, inplane_deg : float, largest error of the starting axis and of the turn about it
    shift_px : float, largest distance of a particle from the middle of its cell; a twelfth of the box by default
    symmetry : str, "C6" the hexamer, "C1" half of it
    box_angst : float, side of the box
    """
    rng = np.random.default_rng([seed, 1])
    pixel_size = box_angst / box_px
    rotations = Rotation.random(count, random_state=rng.integers(2**31)).as_matrix()
    offsets = in_ball(count, box_px / 12 if shift_px is None else shift_px, rng)
    cloud = molecule(symmetry)
    shape = (box_px,) * 3
    reference = -scipy.fft.irfftn(spectrum(cloud, box_px, pixel_size), s=shape)
    sampled = wedge_weights(WEDGE, frequencies(box_px))
    clean = np.empty((count * box_px, box_px, box_px), np.float32)
    for i, (rotation, offset) in enumerate(zip(rotations, offsets, strict=True)):
        turned = PointCloud(cloud.points @ rotation.T + offset * pixel_size, cloud.weights, cloud.sigma)
        box = scipy.fft.irfftn(spectrum(turned, box_px, pixel_size) * sampled, s=shape)
        clean[i * box_px : (i + 1) * box_px] = box / -reference.std()
    cells = np.full((count, 3), box_px // 2.0)
    cells[:, 2] += np.arange(count) * box_px
    truth = ParticleTable(cells + offsets, rotations, np.full(count, "planted"))
    start = truth.replace(positions=cells, rotations=rotations @ tilted(count, cone_deg, inplane_deg, rng))
    mask = soft_sphere(box_px)
    return Planted(clean, clean, truth, start, reference.astype(np.float32), mask, pixel_size, symmetry, seed)


@dataclass(frozen=True, eq=False)
class Errors:
    """Errors of poses, particle by particle."""

    angle_deg: np.ndarray  # (n,) of the one turn that is left, modulo the symmetry
    shift_px: np.ndarray  # (n,)

    def __str__(self):
        angle, shift = np.percentile(self.angle_deg, (50, 90)), np.percentile(self.shift_px, (50, 90))
        return f"{angle[0]:.2f}° {shift[0]:.3f} px (p90 {angle[1]:.2f}° {shift[1]:.3f} px)"


def errors(found, truth, rows, symmetry="C1"):
    """`Errors` of some rows of a table."""
    left = np.swapaxes(found.rotations[rows], 1, 2) @ truth.rotations[rows]
    turns = left[:, None] @ symmetry_matrices(symmetry)[None]
    angles = Rotation.from_matrix(turns.reshape(-1, 3, 3)).magnitude().reshape(turns.shape[:2]).min(axis=1)
    return Errors(np.degrees(angles), np.linalg.norm(found.positions[rows] - truth.positions[rows], axis=1))
