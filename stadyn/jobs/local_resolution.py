# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m stadyn local-resolution HALF1 HALF2``: a map of the resolution in Å, and the map filtered by it."""

from pathlib import Path

import scipy.fft

from stadyn.core.local_resolution import QUANTILES, local_filter, local_resolution
from stadyn.core.sharpening import sharpen
from stadyn.io.mrc import write_volume
from stadyn.io.results import write_result
from stadyn.io.settings import write_json

from .half_maps import read_half_maps
from .pictures import draw_pictures


def add_arguments(parser):
    parser.add_argument("half1", help="first half-map")
    parser.add_argument("half2", help="second half-map, same box and pixel size")
    parser.add_argument("--mask", help="voxels above 0.5 are estimated (default: all)")
    parser.add_argument("--out", required=True, help="folder for the results, created if needed")
    parser.add_argument("--window", type=int, default=23, metavar="PX", help="side of the window (default: 23)")
    parser.add_argument("--threshold", type=float, default=0.5, help="of the local FSC (default: %(default)s)")
    parser.add_argument("--symmetry", default="C1", help="Cn about z, imposed on the result (default: %(default)s)")
    parser.add_argument("--b-factor", type=float, default=0.0, help="Å², sharpens the filtered map if negative")
    parser.add_argument("--contrast", choices=("bright", "dark"), default="bright", help="of protein in the half-maps")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: %(default)s)")


def run(args):
    summary = run_local_resolution(
        args.half1, args.half2, args.out, args.mask, args.window, args.threshold, args.symmetry, args.b_factor,
        args.contrast, args.threads, report=_print_progress,
    )  # fmt: skip
    draw_pictures("save_local_resolution_pictures", args.out)
    print(f"local resolution: median {summary['median_angst']:.2f} Å, in {args.out}")
    return 0


def run_local_resolution(half1, half2, out, mask=None, window_px=23, threshold=0.5, symmetry="C1", b_factor=0.0,
                         contrast="bright", threads=1, report=None):  # fmt: skip
    """Estimate the local resolution of two half-maps; returns the summary as a dict.

    Writes to `out`: local_resolution.mrc (Å; 0 outside the mask), local_filtered.mrc (protein bright),
    local_resolution.npz (`LocalResolution`), local_resolution.json.
    Raises InputError for files that do not belong together, and for a window that does not fit.
    """
    maps = read_half_maps(half1, half2, mask, contrast)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with scipy.fft.set_workers(threads):
        result = local_resolution(
            maps.half1, maps.half2, maps.pixel_size, maps.mask, window_px, threshold, symmetry, report
        )
        sharpened = sharpen(maps.mean, maps.pixel_size, b_factor)
        filtered = local_filter(sharpened, result.resolution, maps.pixel_size)
    summary = {
        "half1": str(half1), "half2": str(half2), "mask": None if mask is None else str(mask),
        "window_px": window_px, "window_angst": window_px * maps.pixel_size, "threshold": threshold,
        "symmetry": symmetry, "b_factor": b_factor, "pixel_size": maps.pixel_size, "box": len(maps.half1),
        "voxels": int(result.mask.sum()), "median_angst": result.median_angst,
        "quantiles_angst": {f"{q:g}": value for q, value in zip(QUANTILES, result.quantiles_angst, strict=True)},
    }  # fmt: skip
    label = f"stadyn local resolution in A, FSC {threshold:g}, window {window_px} px"
    write_volume(out / "local_resolution.mrc", result.resolution, maps.pixel_size, label)
    write_volume(out / "local_filtered.mrc", filtered, maps.pixel_size, "stadyn locally filtered, protein bright")
    write_result(out / "local_resolution.npz", result)
    write_json(out / "local_resolution.json", summary)
    return summary


def _print_progress(fraction):
    print(f"local resolution  {100 * fraction:.0f} %", flush=True)
