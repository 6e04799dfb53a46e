# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m stadyn postprocess HALF1 HALF2``: from two half-maps to curves, a resolution and the final map."""

from pathlib import Path

import numpy as np
import scipy.fft

import stadyn
from stadyn.core.directional_fsc import AXES, HALF_ANGLE_DEG, directional_fsc
from stadyn.core.errors import InputError
from stadyn.core.fsc import COUNTINGS, half_map_fsc
from stadyn.core.masks import check_mask, filtered_mask
from stadyn.core.resample import rotate_volume
from stadyn.core.sharpening import COARSE_LIMIT_ANGST, divide_by_mtf, flip_hand, guinier_fit, sharpen
from stadyn.core.symmetry import symmetry_matrices
from stadyn.io.curves import write_curves_csv
from stadyn.io.mrc import write_volume
from stadyn.io.relion_postprocess import read_mtf, write_fsc_xml, write_postprocess_star
from stadyn.io.results import write_result
from stadyn.io.settings import write_json

from .half_maps import read_half_maps
from .pictures import draw_pictures

RANDOM_FSC_LIMIT = 0.1  # a mask that correlates so much at the claimed resolution is too tight (RELION's own warning)


def add_arguments(parser):
    parser.add_argument("half1", help="first half-map, unfiltered")
    parser.add_argument("half2", help="second half-map, same box and pixel size")
    parser.add_argument("--mask", help="soft mask (default: grown from the mean of the half-maps)")
    parser.add_argument("--out", required=True, help="folder for the results, created if needed")
    parser.add_argument("--symmetry", default="C1", help="Cn about z of the mask made here; half-maps are never "
                        "interpolated: average them with their symmetry (default: %(default)s)")  # fmt: skip
    parser.add_argument("--b-factor", type=float, help="Å², negative sharpens (default: from the Guinier plot)")
    parser.add_argument("--lowpass", type=float, metavar="A", help="default: the resolution at FSC 0.143")
    parser.add_argument("--fit-from", type=float, metavar="A", help="begin of the Guinier fit (default: 10 Å, or twice "
                        "the resolution where that is coarser)")  # fmt: skip
    parser.add_argument("--fit-to", type=float, metavar="A", help="its end (default: the resolution at FSC 0.143)")
    parser.add_argument("--no-fsc-weighting", action="store_true", help="sharpen without weighting by the FSC")
    parser.add_argument("--mtf", metavar="STAR", help="divide by this detector's MTF, a STAR file as RELION's")
    parser.add_argument("--mtf-angpix", type=float, metavar="A", help="pixel of the detector at the specimen (default: "
                        "the half-maps')")  # fmt: skip
    parser.add_argument("--directional", type=float, nargs="?", const=HALF_ANGLE_DEG, metavar="DEG",
                        help="also the FSC in cones of this half-angle (default: %(const)g)")  # fmt: skip
    parser.add_argument("--counting", choices=COUNTINGS, default="relion", help="how coefficients count in the FSC "
                        "(default: %(default)s)")  # fmt: skip
    parser.add_argument("--flip-hand", action="store_true", help="mirror the final map (x reversed)")
    parser.add_argument("--contrast", choices=("bright", "dark"), default="bright", help="of protein in the half-maps")
    parser.add_argument("--seed", type=int, default=1, help="of the random phases (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: %(default)s)")


def run(args):
    summary = run_postprocess(
        args.half1, args.half2, args.out, args.mask, args.symmetry, args.b_factor, args.lowpass, args.flip_hand,
        args.contrast, args.seed, args.threads, (args.fit_from, args.fit_to), not args.no_fsc_weighting, args.mtf,
        args.mtf_angpix, args.directional, args.counting,
    )  # fmt: skip
    draw_pictures("save_postprocess_pictures", args.out)
    for message in summary["warnings"]:
        print(f"warning: {message}")
    print(
        f"resolution {summary['resolution_0143_angst']:.2f} Å at FSC 0.143, "
        f"{summary['resolution_05_angst']:.2f} Å at 0.5; B-factor {summary['b_factor']:.0f} Å²; in {args.out}"
    )
    return 0


def run_postprocess(half1, half2, out, mask=None, symmetry="C1", b_factor=None, lowpass_angst=None, flip=False,
                    contrast="bright", seed=1, threads=1, fit_range_angst=(None, None), fsc_weighting=True, mtf=None,
                    mtf_pixel_size=None, directional_deg=None, counting="relion"):  # fmt: skip
    """Post-process two half-maps; returns the summary as a dict.

    Writes to `out`: fsc.npz (`FSCCurve`), fsc.csv, guinier.npz (`GuinierFit`, where a line could be fitted), mask.mrc
    (as used, in the frame of the half-maps), postprocess.json, with `directional_deg` directional_fsc.npz, and under
    RELION's names postprocess.mrc, postprocess_masked.mrc (protein bright, mirrored if `flip`), postprocess.star and
    postprocess_fsc.xml.

    Raises
    ------
    InputError
        For files that do not belong together, and for half-maps that agree at no resolution.
    """
    maps = read_half_maps(half1, half2, mask, contrast)
    transfer = None if mtf is None else read_mtf(mtf)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with scipy.fft.set_workers(threads):
        used_mask = _symmetric_mask(maps, symmetry) if mask is None else maps.mask
        curve = half_map_fsc(maps.half1, maps.half2, maps.pixel_size, used_mask, seed, counting)
        write_volume(out / "mask.mrc", used_mask, maps.pixel_size, "stadyn mask used for the FSC")
        write_result(out / "fsc.npz", curve)
        write_curves_csv(out / "fsc.csv", _curve_columns(curve))
        if not np.isfinite(curve.resolution_0143_angst):
            raise InputError(
                f"{half1} and {half2} agree at no resolution (FSC under 0.143 from the first shell on, see "
                f"{out / 'fsc.csv'}): check that they are aligned to each other and have the same contrast"
            )
        mean = maps.mean
        if transfer is not None:
            detector = 1 / (mtf_pixel_size or maps.pixel_size)
            mean = divide_by_mtf(mean, maps.pixel_size, transfer[0] * detector, transfer[1])
        fit, reason = _fit_or_reason(mean * used_mask, maps.pixel_size, curve, fit_range_angst, fsc_weighting)
        applied, warnings = _applied_b_factor(b_factor, fit, reason)
        lowpass = curve.resolution_0143_angst if lowpass_angst is None else lowpass_angst
        final = sharpen(mean, maps.pixel_size, applied, curve.corrected if fsc_weighting else None, lowpass)
        cones = _write_directional(out, maps, used_mask, directional_deg)
    summary = {
        "half1": str(half1), "half2": str(half2), "mask": str(out / "mask.mrc") if mask is None else str(mask),
        "symmetry_of_mask": symmetry, "contrast_of_input": contrast, "seed": seed, **_numbers(curve, fit),
        "b_factor": applied, "lowpass_angst": lowpass, "hand_flipped": bool(flip), "contrast_of_output": "bright",
        "fsc_weighting": bool(fsc_weighting), "mtf": None if mtf is None else str(mtf), "counting": counting, **cones,
        "warnings": check_mask(used_mask) + _fsc_warnings(curve) + warnings, "stadyn": stadyn.__version__,
    }  # fmt: skip
    _write_maps(out, final, final * used_mask, summary)
    write_postprocess_star(out / "postprocess.star", curve, summary, fit)
    write_fsc_xml(out / "postprocess_fsc.xml", curve)
    (out / "guinier.npz").unlink(missing_ok=True)  # an earlier run's must not stand beside this run's curves
    if fit is not None:
        write_result(out / "guinier.npz", fit)
    write_json(out / "postprocess.json", summary)
    return summary


def _numbers(curve, fit):
    """The part of the summary that is measured."""
    return {
        "pixel_size": curve.pixel_size, "box": curve.box, "nyquist_angst": 2 * curve.pixel_size,
        "resolution_0143_angst": curve.resolution_0143_angst, "resolution_05_angst": curve.resolution_05_angst,
        "resolution_shell_angst": curve.resolution_shell_angst, "randomised_from_angst": curve.randomised_from_angst,
        "b_factor_fitted": fit.b_factor if fit else None, "guinier_r": fit.r if fit else None,
        "guinier_range_angst": [fit.coarse_angst, fit.fine_angst] if fit else None,
    }  # fmt: skip


def _write_maps(out, final, masked, summary):
    hand = ", hand flipped" if summary["hand_flipped"] else ""
    label = f"stadyn, protein bright, B {summary['b_factor']:.0f}, low-pass {summary['lowpass_angst']:.2f} A{hand}"
    for name, volume in (("postprocess.mrc", final), ("postprocess_masked.mrc", masked)):
        mirrored = flip_hand(volume) if summary["hand_flipped"] else volume
        write_volume(out / name, mirrored, summary["pixel_size"], label)


def _write_directional(out, maps, mask, half_angle_deg):
    """Write directional_fsc.npz where it is wanted; returns its part of the summary."""
    path = out / "directional_fsc.npz"
    path.unlink(missing_ok=True)  # an earlier run's
    if half_angle_deg is None:
        return {}
    result = directional_fsc(maps.half1, maps.half2, maps.pixel_size, mask, half_angle_deg)
    write_result(path, result)
    return {
        "directional_resolution_angst": {name: result.axis(name) for name in AXES},
        "directional_anisotropy": result.anisotropy(),
    }


def _curve_columns(curve):
    return {
        "shell": np.arange(len(curve.frequency)), "frequency_per_angst": curve.frequency,
        "corrected": curve.corrected, "unmasked": curve.unmasked, "masked": curve.masked,
        "randomised": curve.randomised,
    }  # fmt: skip


def _symmetric_mask(maps, symmetry):
    """A mask grown from the mean of both half-maps, which neither knows more of than the other."""
    mean = np.mean([rotate_volume(maps.mean, matrix) for matrix in symmetry_matrices(symmetry)], axis=0)
    return filtered_mask(mean, maps.pixel_size, "bright")


def _fsc_warnings(curve):
    claimed = int(round(curve.box * curve.pixel_size / curve.resolution_shell_angst))
    random = curve.randomised[claimed]
    if np.isfinite(random) and random > RANDOM_FSC_LIMIT:
        return [f"the mask alone correlates by {random:.2f} at the resolution claimed: use a softer or larger mask"]
    return []


def _fit_or_reason(mean, pixel_size, curve, fit_range_angst, fsc_weighting):
    """The Guinier fit, or None and why there is none: too few shells must not stop a run that typed its B-factor."""
    coarse, fine = fit_range_angst
    fine = curve.resolution_0143_angst if fine is None else fine
    weights = curve.corrected if fsc_weighting else np.ones_like(curve.corrected)
    try:
        return guinier_fit(mean, pixel_size, weights, fine, coarse), None
    except InputError as error:
        return None, str(error)


def _applied_b_factor(typed, fit, message):
    """(B-factor to apply, warnings)."""
    if typed is not None:
        return typed, []
    if fit is None:
        return 0.0, [message]
    if fit.b_factor > 0:
        return 0.0, [f"the Guinier plot rises (B {fit.b_factor:.0f} Å²), so the map is not sharpened: type a B-factor"]
    if fit.fine_angst > COARSE_LIMIT_ANGST:
        # Up to there the spectrum falls by the shape of the protein: its slope, undone, would raise mostly noise.
        return 0.0, [
            f"the map ends at {fit.fine_angst:.1f} Å, where a B-factor cannot be told from the protein's own shape, so "
            f"it is not sharpened: type a B-factor if it looks too smooth (the Guinier plot says {fit.b_factor:.0f} Å²)"
        ]
    return fit.b_factor, []
