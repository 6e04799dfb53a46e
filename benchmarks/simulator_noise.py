# SPDX-License-Identifier: GPL-3.0-or-later
"""How hard simulated tomograms are: resolution of averages at the TRUE poses against the true map.

    python benchmarks/simulator_noise.py DIR [--particles 120 500] [--repeats 3]

DIR is a folder of ``python -m stadyn simulate``. Particles are drawn evenly from
all tomograms, turned with cubic splines, summed without imposing any symmetry, and
divided in Fourier space by the sum of their rotated wedges.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import scipy.fft

from stadyn.core.particles import ParticleTable
from stadyn.core.resample import box_coordinates, box_fits, crop, rotate_volume
from stadyn.core.tomograms import MissingWedge
from stadyn.core.wedge import wedge_weights
from stadyn.io.mrc import open_volume, read_volume
from stadyn.io.results import read_result


def frequencies(n):
    """(n, n, n // 2 + 1, 3) x, y, z frequencies of an rfftn."""
    full, half = scipy.fft.fftfreq(n), scipy.fft.rfftfreq(n)
    z, y, x = np.meshgrid(full, full, half, indexing="ij")
    return np.stack([x, y, z], -1)


def particle_sums(folder, truth, tomograms, rows, n):
    """Yield (Fourier transform, wedge) of each particle in the reference frame, protein bright."""
    volumes = {t["id"]: open_volume(Path(folder) / Path(t["path"]).name) for t in tomograms}
    wedges = {t["id"]: MissingWedge(t["tilt_min_deg"], t["tilt_max_deg"]) for t in tomograms}
    k = frequencies(n)
    for i in rows:
        name, rotation, position = truth.tomogram_ids[i], truth.rotations[i], truth.positions[i]
        center = np.rint(position).astype(int)
        box = crop(volumes[name], center, n)
        turned = -rotate_volume(box - box.mean(), rotation, position - center)
        wedge = wedge_weights(wedges[name], k @ rotation.T)
        yield scipy.fft.rfftn(scipy.fft.ifftshift(turned)) * wedge, wedge


def fourier_shell_correlation(a, b, n):
    """(n // 2,) correlation of two rfftn by shell."""
    shell = np.rint(np.linalg.norm(frequencies(n), axis=-1) * n).astype(int)
    twice = np.ones(n // 2 + 1)
    twice[1 : (n + 1) // 2] = 2  # the conjugate half

    def total(values):
        return np.bincount(shell.ravel(), (values * twice).ravel())[: n // 2]

    return total((a * np.conj(b)).real) / np.sqrt(total(abs(a) ** 2) * total(abs(b) ** 2) + 1e-30)


def crossing(fsc, level, length):
    """Resolution in Å at which a curve smoothed over three shells last leaves `level` for good."""
    smooth = np.convolve(np.pad(fsc, 1, mode="edge"), np.ones(3) / 3, "valid")
    above = np.flatnonzero(smooth >= level)
    last = above[-1]
    if last == len(fsc) - 1:
        return length / last
    return length / (last + (smooth[last] - level) / (smooth[last] - smooth[last + 1]))


def soft_mask(n, pixel_size):
    """A sphere of 62 Å, one unit and the near halves of its neighbours, with a soft edge of 20 Å."""
    radius = np.linalg.norm(box_coordinates(n), axis=0) * pixel_size
    return 0.5 + 0.5 * np.cos(np.pi * np.clip((radius - 62.0) / 20.0, 0, 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--particles", type=int, nargs="+", default=[120, 500])
    parser.add_argument("--repeats", type=int, default=2)
    args = parser.parse_args()
    record = json.loads((args.folder / "simulation.json").read_text())
    truth = read_result(args.folder / "truth.npz", ParticleTable)
    true = read_volume(args.folder / "true_map.mrc")
    n, pixel_size = len(true), record["settings"]["pixel_size_angst"]
    shapes = {t["id"]: t["shape"] for t in record["tomograms"]}
    places = zip(truth.tomogram_ids, truth.positions, strict=True)
    fits = np.array([box_fits(shapes[t], p[None], n)[0] for t, p in places])
    mask = soft_mask(n, pixel_size)
    target = scipy.fft.rfftn(scipy.fft.ifftshift(true * mask))
    for repeat in range(args.repeats):
        rows = np.random.default_rng(repeat).permutation(np.flatnonzero(fits))
        spectrum, weight = 0, 0
        for count, (part, wedge) in enumerate(particle_sums(args.folder, truth, record["tomograms"], rows, n), 1):
            spectrum, weight = spectrum + part, weight + wedge
            if count in args.particles:
                average = scipy.fft.fftshift(scipy.fft.irfftn(spectrum / np.maximum(weight, 0.05 * count), s=(n,) * 3))
                fsc = fourier_shell_correlation(scipy.fft.rfftn(scipy.fft.ifftshift(average * mask)), target, n)
                print(f"{count:5d} particles  FSC 0.5 at {crossing(fsc, 0.5, n * pixel_size):.1f} Å", end="  ")
                print(" ".join(f"{v:.2f}" for v in fsc))
            if count >= max(args.particles):
                break


if __name__ == "__main__":
    main()
