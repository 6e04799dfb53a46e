# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves as CSV: one column a curve, for spreadsheets and plots of one's own."""

import csv

import numpy as np

from .aside import written_aside


def write_curves_csv(path, curves):
    """Write columns of equal length under their names, numbers in full precision.

    Parameters
    ----------
    curves : dict name -> (n,) array; put the unit into the name, as in ``frequency_per_angst``
    """
    columns = [np.asarray(values) for values in curves.values()]
    if not columns or any(column.ndim != 1 or len(column) != len(columns[0]) for column in columns):
        raise ValueError(f"curves for {path} must be columns of one length, not {[c.shape for c in columns]}")
    with written_aside(path) as aside, open(aside, "w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(curves)
        writer.writerows(zip(*(map(str, column) for column in columns), strict=True))
