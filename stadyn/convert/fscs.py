# SPDX-License-Identifier: GPL-3.0-or-later
"""Fourier shell correlations as Scipion's FSC objects, which its own viewer draws."""

import numpy as np
from pwem.objects import FSC
from pyworkflow.object import String

CURVES = {
    "unmasked": "unmasked",
    "masked": "masked",
    "randomised": "phase randomised",
    "corrected": "corrected",
}
"""Fields of an FSCCurve, in the order they are shown -> what the legend calls them."""


def append_fsc(output, frequencies, values, label):
    """Append one curve to a SetOfFSCs.

    Parameters
    ----------
    frequencies : (n,) float array, 1/Å, rising; a sample at 0 is dropped, the host divides by it
    values : (n,) float array
    label : str, shown in the legend
    """
    frequencies, values = np.asarray(frequencies, float), np.asarray(values, float)
    shown = (frequencies > 0) & np.isfinite(values)
    fsc = FSC(objLabel=label)
    fsc.setData(frequencies[shown].tolist(), values[shown].tolist())
    output.append(fsc)


def write_fscs(curve, output, postprocess_star=None):
    """Append every curve of an FSCCurve to a SetOfFSCs; those that are nan, for want of a mask, are left out.

    Parameters
    ----------
    postprocess_star : path of the same as RELION keeps it; scipion-em-reliontomo's refinement of the CTF and its
        polishing take that file, not the curves
    """
    if postprocess_star is not None:
        output._postprocessStar = String(postprocess_star)
    for field, label in CURVES.items():
        values = getattr(curve, field)
        if np.any(np.isfinite(values)):
            append_fsc(output, curve.frequency, values, label)
