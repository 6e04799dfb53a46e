# SPDX-License-Identifier: GPL-3.0-or-later
"""Post-processing beside RELION's: the same half-maps and mask through `relion_postprocess` and through stadyn.

    python benchmarks/relion_postprocess.py [--boxes 64 96 128]

Needs RELION 3.1 (Debian and Ubuntu: ``apt-get install relion ghostscript``). Three simulated pairs: a blurred random
"protein" in noise, with a box, pixel size, B-factor and noise level of its own; the soft mask is a sphere. Both
programs get the same files, B-factor and low-pass; the last pair also the MTF of a detector of smaller pixels. Printed
per pair: the largest difference in any shell of each curve, the resolutions, the correlation of the sharpened maps.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import scipy.fft

from stadyn.core.fourier import frequency_radius
from stadyn.core.fsc import COUNTINGS, FSCCurve, half_map_fsc
from stadyn.core.masks import sphere
from stadyn.io.mrc import read_volume, write_volume
from stadyn.io.results import read_result
from stadyn.io.star import read_star, write_star
from stadyn.jobs.postprocess import run_postprocess

PROGRAM = "relion_postprocess"
PAIRS = ((1.35, -150.0, 1.5), (2.7, -300.0, 2.0), (1.8, -200.0, 1.0))
"""Pixel size (Å), B-factor (Å²) and noise (standard deviations of the protein) of the three pairs."""
COLUMNS = {
    "unmasked": "rlnFourierShellCorrelationUnmaskedMaps",
    "masked": "rlnFourierShellCorrelationMaskedMaps",
    "randomised": "rlnCorrectedFourierShellCorrelationPhaseRandomizedMaskedMaps",
    "corrected": "rlnFourierShellCorrelationCorrected",
}


def simulate_pair(folder, box, pixel_size, b_factor, noise, seed):
    """Write half1.mrc, half2.mrc and mask.mrc into `folder`; returns their paths."""
    rng = np.random.default_rng(seed)
    decay = np.exp(b_factor / 4 * (frequency_radius(box) / (box * pixel_size)) ** 2)
    detail = rng.standard_normal((box,) * 3) * sphere(box, 0.25 * box, 0.05 * box)
    protein = scipy.fft.irfftn(scipy.fft.rfftn(detail) * decay, s=detail.shape)
    paths = [Path(folder) / name for name in ("half1.mrc", "half2.mrc", "mask.mrc")]
    for path in paths[:2]:
        half = protein / protein.std() + noise * rng.standard_normal(protein.shape)
        write_volume(path, half, pixel_size)
    write_volume(paths[2], sphere(box, 0.3 * box, 0.1 * box), pixel_size)
    return paths


def write_mtf(path):
    """A detector's MTF as a STAR file of RELION's kind; returns its path."""
    frequency = np.linspace(0, 0.5, 251)
    write_star(path, {"": {"rlnResolutionInversePixel": frequency, "rlnMtfValue": np.exp(-(2.2 * frequency**2))}})
    return path


def run_relion(folder, paths, *options):
    """Post-process as RELION does; returns the folder's postprocess.star and postprocess.mrc."""
    out = Path(folder) / "relion"
    out.mkdir(exist_ok=True)
    command = [PROGRAM, "--i", paths[0], "--i2", paths[1], "--mask", paths[2], "--o", out / "postprocess", *options]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    star = out / "postprocess.star"
    # Without ghostscript it stops at its PDF, when the STAR file and the maps are written.
    if not star.exists():
        raise SystemExit(f"{PROGRAM} failed:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    return read_star(star), read_volume(out / "postprocess.mrc")


def compare(folder, box, pixel_size, b_factor, noise, seed=0, with_mtf=False):
    """dict of the differences between the two programs on one simulated pair."""
    paths = simulate_pair(folder, box, pixel_size, b_factor, noise, seed)
    applied, lowpass = 0.8 * b_factor, 3.0 * pixel_size
    options, more = ["--angpix", pixel_size, "--adhoc_bfac", applied, "--low_pass", lowpass], {}
    if with_mtf:
        more = {"mtf": write_mtf(Path(folder) / "mtf.star"), "mtf_pixel_size": 0.7 * pixel_size}
        options += ["--mtf", more["mtf"], "--mtf_angpix", more["mtf_pixel_size"]]
    star, theirs = run_relion(folder, paths, *options)
    out = Path(folder) / "stadyn"
    summary = run_postprocess(*paths[:2], out, paths[2], b_factor=applied, lowpass_angst=lowpass, **more)
    ours = read_volume(out / "postprocess.mrc")
    curve = read_result(out / "fsc.npz", FSCCurve)
    result = {"correlation": float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1])}
    for name, column in COLUMNS.items():
        result[name] = float(np.abs(getattr(curve, name) - star["fsc"][column])[1:].max())
    result["resolution"] = (summary["resolution_shell_angst"], star["general"]["rlnFinalResolution"])
    shells = [box * pixel_size / resolution for resolution in result["resolution"]]
    result["shells_apart"] = abs(shells[0] - shells[1])
    halves, mask = [read_volume(path) for path in paths[:2]], read_volume(paths[2])
    result["counting"] = {}
    for counting in COUNTINGS:
        other = half_map_fsc(*halves, pixel_size, mask, counting=counting)
        result["counting"][counting] = float(np.abs(other.masked - star["fsc"][COLUMNS["masked"]])[1:].max())
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boxes", type=int, nargs=len(PAIRS), default=(64, 96, 128))
    args = parser.parse_args()
    if shutil.which(PROGRAM) is None:
        raise SystemExit(f"{PROGRAM} is not installed: apt-get install relion ghostscript")
    for number, (box, pair) in enumerate(zip(args.boxes, PAIRS, strict=True)):
        with tempfile.TemporaryDirectory() as folder:
            found = compare(folder, box, *pair, seed=number, with_mtf=number == len(PAIRS) - 1)
        print(f"box {box}, {pair[0]} Å/px, B {pair[1]:.0f}: largest difference in any shell")
        print("  " + ", ".join(f"{name} {found[name]:.5f}" for name in COLUMNS))
        print(
            f"  resolution {found['resolution'][0]:.3f} Å here, {found['resolution'][1]:.3f} Å there "
            f"({found['shells_apart']:.2f} shells apart); sharpened maps correlate by {found['correlation']:.6f}"
        )
        print("  masked, by counting: " + ", ".join(f"{k} {v:.5f}" for k, v in found["counting"].items()))


if __name__ == "__main__":
    main()
