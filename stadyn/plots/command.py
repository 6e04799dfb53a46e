# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of result folders, as PNG files beside the results."""

from pathlib import Path

from matplotlib.figure import Figure  # no pyplot: no display and no global state

from stadyn.core.fsc import FSCCurve
from stadyn.core.local_resolution import LocalResolution
from stadyn.core.sharpening import GuinierFit
from stadyn.io.mrc import read_header, read_volume
from stadyn.io.results import read_result

from .fsc import plot_fsc
from .guinier import plot_guinier
from .maps import plot_local_resolution, plot_slices

DPI = 150


def save_postprocess_pictures(folder):
    """fsc.png, guinier.png (where a line was fitted) and slices.png of a folder that postprocess wrote."""
    folder = Path(folder)
    figure, ax = _figure(1, (6.4, 4.4))
    plot_fsc(ax, read_result(folder / "fsc.npz", FSCCurve))
    figure.savefig(folder / "fsc.png", dpi=DPI)
    (folder / "guinier.png").unlink(missing_ok=True)
    if (folder / "guinier.npz").exists():
        figure, ax = _figure(1, (6.4, 4.4))
        plot_guinier(ax, read_result(folder / "guinier.npz", GuinierFit))
        figure.savefig(folder / "guinier.png", dpi=DPI)
    figure, axes = _figure(3, (12, 4))
    path = folder / "postprocess.mrc"
    plot_slices(axes, read_volume(path), read_header(path).pixel_size)
    figure.savefig(folder / "slices.png", dpi=DPI)


def save_local_resolution_pictures(folder):
    """local_resolution.png of a folder that local-resolution wrote."""
    folder = Path(folder)
    figure, axes = _figure(3, (13, 4))
    plot_local_resolution(axes, read_result(folder / "local_resolution.npz", LocalResolution))
    figure.savefig(folder / "local_resolution.png", dpi=DPI)


def _figure(columns, size):
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(1, columns)
