# SPDX-License-Identifier: GPL-3.0-or-later
"""Post-processing on planted half-maps: B-factors, two local resolutions, directions, and how long large boxes take.

    python benchmarks/postprocessing.py [--box 192] [--threads 2]

B-factor: random detail inside a ball that fades with B = -50, -150, -270 at 1.35 Å a pixel, white noise in each
half-map, through the whole of post-processing. Local resolution: a signal that ends at 8 Å on the left and at 16 Å on
the right; medians leave out half a window at the border of the box and about the boundary.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.fft

from stadyn.core.directional_fsc import directional_fsc
from stadyn.core.fourier import frequency_radius
from stadyn.core.fsc import fsc, half_map_fsc
from stadyn.core.local_resolution import local_resolution
from stadyn.core.masks import sphere
from stadyn.core.sharpening import lowpass_gain
from stadyn.io.mrc import write_volume
from stadyn.jobs.postprocess import run_postprocess

PIXEL = 1.35
FINE, COARSE = 8.0, 16.0


def found_b_factor(folder, planted, box=96, noise=0.2, seed=0):
    """(B-factor of the Guinier plot, resolution) of half-maps of a ball of detail that fades with `planted`."""
    rng = np.random.default_rng(seed)
    detail = rng.standard_normal((box,) * 3) * sphere(box, 0.25 * box, 4)
    decay = np.exp(planted / 4 * (frequency_radius(box) / (box * PIXEL)) ** 2)
    protein = scipy.fft.irfftn(scipy.fft.rfftn(detail) * decay, s=detail.shape)
    paths = [Path(folder) / name for name in ("half1.mrc", "half2.mrc", "mask.mrc")]
    for path in paths[:2]:
        write_volume(path, protein + noise * protein.std() * rng.standard_normal(protein.shape), PIXEL)
    write_volume(paths[2], sphere(box, 0.3 * box, 8), PIXEL)
    summary = run_postprocess(*paths[:2], Path(folder) / "out", paths[2])
    return summary["b_factor_fitted"], summary["resolution_0143_angst"]


def two_resolutions(box=72, pixel_size=2.5, window_px=23, threshold=0.5, seed=0):
    """(median on the left, median on the right), Å, of a signal that ends at FINE there and at COARSE here."""
    rng = np.random.default_rng(seed)
    signal, noise1, noise2 = rng.standard_normal((3, box, box, box)).astype(np.float32)
    transform, radius = scipy.fft.rfftn(signal), frequency_radius(box)
    gains = (lowpass_gain(radius, box * pixel_size / angst) for angst in (FINE, COARSE))
    parts = [scipy.fft.irfftn(transform * gain, s=signal.shape) for gain in gains]
    common = np.where(np.arange(box) < box // 2, *parts)
    level = 0.5 * np.sqrt((1 - threshold) / threshold)  # the FSC falls through the threshold where the low-pass is 1/2
    halves = common + level * noise1, common + level * noise2
    result = local_resolution(*halves, pixel_size, None, window_px, threshold)
    half = window_px // 2 + 1
    inner = slice(half, box - half)
    left, right = slice(half, box // 2 - half), slice(box // 2 + half, box - half)
    return [float(np.median(result.resolution[inner, inner, side])) for side in (left, right)]


def timed(label, function):
    """Call and print how long it took."""
    began = time.perf_counter()
    result = function()
    print(f"{label}: {time.perf_counter() - began:.2f} s", flush=True)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--box", type=int, default=192)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    for planted in (-50.0, -150.0, -270.0):
        with tempfile.TemporaryDirectory() as folder:
            found, resolution = found_b_factor(folder, planted)
        off = found / planted - 1
        print(f"B planted {planted:.0f}, found {found:.0f} Å² ({off:+.1%}), resolution {resolution:.2f} Å")
    for threshold in (0.5, 0.143):
        left, right = two_resolutions(threshold=threshold)
        print(
            f"local resolution at {threshold}: {left:.2f} Å for {FINE:g} ({left / FINE - 1:+.1%}), "
            f"{right:.2f} Å for {COARSE:g} ({right / COARSE - 1:+.1%})"
        )
    rng, box = np.random.default_rng(0), args.box
    signal = rng.standard_normal((box,) * 3).astype(np.float32)
    halves = [signal + 0.5 * rng.standard_normal(signal.shape).astype(np.float32) for _ in range(2)]
    mask = sphere(box, 0.35 * box, 8)
    with scipy.fft.set_workers(args.threads):
        print(f"box {box}, {args.threads} threads")
        timed("FSC", lambda: fsc(*halves))
        timed("all four curves under a mask", lambda: half_map_fsc(*halves, PIXEL, mask))
        timed("directional FSC, 63 cones", lambda: directional_fsc(*halves, PIXEL, mask))
        timed("local resolution of all voxels, C6", lambda: local_resolution(*halves, PIXEL, None, symmetry="C6"))


if __name__ == "__main__":
    main()
