# SPDX-License-Identifier: GPL-3.0-or-later
"""Post-processing as RELION 3.1 keeps it: postprocess.star, the FSC as XML for the EMDB, and a detector's MTF."""

import numpy as np

from stadyn.core.errors import InputError

from .aside import written_aside
from .star import read_star, write_star

MTF_COLUMNS = "rlnResolutionInversePixel", "rlnMtfValue"


def write_postprocess_star(path, curve, summary, fit=None):
    """Write the blocks general, fsc, and guinier where a line was fitted, under RELION's names.

    Parameters
    ----------
    curve : FSCCurve
    summary : dict with half1, half2, mask (paths) and b_factor
    fit : GuinierFit or None
    """
    general = {
        "rlnFinalResolution": curve.resolution_shell_angst,
        "rlnBfactorUsedForSharpening": summary["b_factor"],
        "rlnUnfilteredMapHalf1": summary["half1"],
        "rlnUnfilteredMapHalf2": summary["half2"],
        "rlnMaskName": summary["mask"],
    }
    if np.isfinite(curve.randomised_from_angst):
        general["rlnRandomiseFrom"] = curve.randomised_from_angst
    blocks = {"general": general, "fsc": _fsc_columns(curve)}
    if fit is not None:
        general["rlnFittedSlopeGuinierPlot"] = fit.b_factor / 4
        general["rlnFittedInterceptGuinierPlot"] = fit.intercept
        general["rlnCorrelationFitGuinierPlot"] = fit.r
        blocks["guinier"] = {
            "rlnResolutionSquared": fit.inverse_square,
            "rlnLogAmplitudesOriginal": np.nan_to_num(fit.ln_amplitude, nan=-99.0),  # RELION's -99 for no amplitude
            "rlnLogAmplitudesWeighted": np.nan_to_num(fit.ln_weighted, nan=-99.0),
        }
    write_star(path, blocks)


def write_fsc_xml(path, curve):
    """Write the corrected curve as the EMDB takes it at deposition; shell 0 has no resolution and is left out."""
    title = "stadyn masked-corrected FSC"
    lines = [f'<fsc title="{title}" xaxis="Resolution (A-1)" yaxis="Correlation Coefficient">']
    for x, y in zip(curve.frequency[1:], curve.corrected[1:], strict=True):
        lines += ["  <coordinate>", f"    <x>{x:.6g}</x>", f"    <y>{y:.6g}</y>", "  </coordinate>"]
    with written_aside(path) as aside, open(aside, "w", encoding="utf-8") as handle:
        handle.write("\n".join([*lines, "</fsc>", ""]))


def read_mtf(path):
    """((n,) frequencies in 1/pixel, (n,) values) of a detector's modulation transfer function, a STAR file of RELION.

    Raises InputError for a file without the two columns, frequencies that do not rise, values that are not positive.
    """
    for block in read_star(path).values():
        if all(name in block for name in MTF_COLUMNS):
            frequency, value = (np.atleast_1d(np.asarray(block[name], float)) for name in MTF_COLUMNS)
            break
    else:
        raise InputError(f"{path} has no columns {' and '.join(MTF_COLUMNS)}: give the MTF of a detector as RELION's")
    if len(frequency) < 2 or np.any(np.diff(frequency) <= 0):
        raise InputError(f"the frequencies in {path} do not rise: sort its rows")
    if not np.all(value > 1e-10):
        raise InputError(f"{path} holds an MTF of {value.min():g}, by which nothing can be divided: correct it")
    return frequency, value


def _fsc_columns(curve):
    with np.errstate(divide="ignore"):
        angst = np.where(curve.frequency > 0, 1 / curve.frequency, 999.0)  # RELION's 999 for the mean
    columns = {
        "rlnSpectralIndex": np.arange(len(curve.frequency)),
        "rlnResolution": curve.frequency,
        "rlnAngstromResolution": angst,
        "rlnFourierShellCorrelationCorrected": curve.corrected,
        "rlnFourierShellCorrelationUnmaskedMaps": curve.unmasked,
        "rlnFourierShellCorrelationMaskedMaps": curve.masked,
    }
    if np.isfinite(curve.randomised_from_angst):
        columns["rlnCorrectedFourierShellCorrelationPhaseRandomizedMaskedMaps"] = curve.randomised
    return columns
