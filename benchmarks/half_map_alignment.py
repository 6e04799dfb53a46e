# SPDX-License-Identifier: GPL-3.0-or-later
"""Even half-map to odd: planted turns and shifts, through the job and the round that the half-maps protocol uses.

    python benchmarks/half_map_alignment.py [--cases 12] [--noise 0.2]

Both maps are sampled from the same blobs, the even one from turned and shifted blobs, so that nothing is
interpolated; each has white noise of its own (in standard deviations of the map). C1: a tilt to 4 degrees, any azimuth.
C6: what the symmetry leaves free, any azimuth and the height, besides a tilt to 2 degrees.
"""

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from stadyn.core.halves import half_map_round
from stadyn.core.map_alignment import polish_pose
from stadyn.core.particles import ParticleBoxes, ParticleTable
from stadyn.core.symmetry import symmetry_matrices
from stadyn.io.mrc import write_volume
from stadyn.io.results import write_result
from stadyn.jobs.align import run_settings

BOX, PIXEL, LOWPASS = 48, 5.4, 20.0
BLOBS = np.array([(9, 1, 2), (5, 8, -3), (12, 6, 5), (4, -2, -6), (7, 3, 7)], float)
SIGMA = 1.4


def blobs(symmetry, rotation, shift):
    """(BOX, BOX, BOX) map of the blobs and their symmetry mates, turned about the box centre and then shifted (px)."""
    axis = np.arange(BOX) - BOX // 2
    volume = np.zeros((BOX,) * 3)
    for mate in symmetry_matrices(symmetry):
        for weight, point in zip((1.0, 0.7, 0.8, 1.2, 0.9), BLOBS @ mate.T @ rotation.T + shift, strict=True):
            x, y, z = (np.exp(-0.5 * ((axis - c) / SIGMA) ** 2) for c in point)
            volume -= weight * z[:, None, None] * y[:, None] * x
    return volume


def planted_pose(symmetry, rng):
    """(rotation, shift in px) of an even half-map."""
    tilt = rng.uniform(0, 4 if symmetry == "C1" else 2)
    about = rng.uniform(0, 360)
    rotation = Rotation.from_euler("zxz", [-about, tilt, about + rng.uniform(0, 360)], degrees=True).as_matrix()
    return rotation, rng.uniform(-2.5, 2.5, 3)


def align(folder, odd, even, symmetry):
    """The pose of the even map in the odd one: (rotation, shift in px)."""
    folder = Path(folder)
    for name, volume in (("odd", odd), ("even", even)):
        write_volume(folder / f"{name}.mrc", volume, PIXEL)
    write_result(folder / "particles.npz", ParticleTable(np.zeros((1, 3)), np.eye(3)[None], ["even"]))
    write_result(folder / "boxes.npz", ParticleBoxes([str(folder / "even.mrc")], [0], np.zeros((1, 3)), PIXEL))
    tomogram = {"id": "even", "path": "", "pixel_size": PIXEL, "tilt_min_deg": -90, "tilt_max_deg": 90}
    table = run_settings(
        {
            "tomograms": [tomogram],
            "particles": str(folder / "particles.npz"),
            "boxes": str(folder / "boxes.npz"),
            "output": str(folder / "out"),
            "box_angst": BOX * PIXEL,
            "reference": {"*": str(folder / "odd.mrc")},
            "rounds": [asdict(half_map_round(symmetry, 27.0, LOWPASS))],
        }
    )
    return polish_pose(odd, even, table.rotations[0], table.positions[0], PIXEL, LOWPASS)


def errors(symmetry, seed, noise=0.2):
    """(degrees, px) by which the pose that is found differs from the planted one, up to a turn of the symmetry."""
    rng = np.random.default_rng(seed)
    rotation, shift = planted_pose(symmetry, rng)
    odd, even = blobs(symmetry, np.eye(3), np.zeros(3)), blobs(symmetry, rotation, shift)
    odd, even = (m + noise * odd.std() * rng.standard_normal(odd.shape) for m in (odd, even))
    with tempfile.TemporaryDirectory() as folder:
        found, moved = align(folder, odd, even, symmetry)
    turns = [Rotation.from_matrix(found.T @ rotation @ mate).magnitude() for mate in symmetry_matrices(symmetry)]
    return float(np.degrees(min(turns))), float(np.linalg.norm(moved - shift))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=12)
    parser.add_argument("--noise", type=float, default=0.2)
    args = parser.parse_args()
    for symmetry in ("C1", "C6"):
        found = np.array([errors(symmetry, seed, args.noise) for seed in range(args.cases)])
        print(
            f"{symmetry}: {args.cases} cases, largest error {found[:, 0].max():.3f}° and {found[:, 1].max():.3f} px, "
            f"medians {np.median(found[:, 0]):.3f}° and {np.median(found[:, 1]):.3f} px"
        )


if __name__ == "__main__":
    main()
