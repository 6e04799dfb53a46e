# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of result folders, as PNG files beside the results."""

from pathlib import Path

from stadyn.core.directional_fsc import DirectionalFSC
from stadyn.core.fsc import FSCCurve
from stadyn.core.local_resolution import LocalResolution
from stadyn.core.sharpening import GuinierFit
from stadyn.io.mrc import read_header, read_volume
from stadyn.io.results import read_result

from .directional_fsc import directional_fsc_figure
from .figures import fsc_figure, guinier_figure, local_resolution_figure, slices_figure
from .results import figures_of

DPI = 150


def save_postprocess_pictures(folder):
    """fsc.png, slices.png, and where they were made guinier.png and directional_fsc.png of a postprocess folder."""
    folder = Path(folder)
    fsc_figure(read_result(folder / "fsc.npz", FSCCurve)).savefig(folder / "fsc.png", dpi=DPI)
    (folder / "guinier.png").unlink(missing_ok=True)
    if (folder / "guinier.npz").exists():
        guinier_figure(read_result(folder / "guinier.npz", GuinierFit)).savefig(folder / "guinier.png", dpi=DPI)
    cones = folder / "directional_fsc.npz"
    cones.with_suffix(".png").unlink(missing_ok=True)
    if cones.exists():
        directional_fsc_figure(read_result(cones, DirectionalFSC)).savefig(cones.with_suffix(".png"), dpi=DPI)
    path = folder / "postprocess.mrc"
    figure = slices_figure(read_volume(path), read_header(path).pixel_size)
    figure.savefig(folder / "slices.png", dpi=DPI)


def save_local_resolution_pictures(folder):
    """local_resolution.png of a folder that local-resolution wrote."""
    folder = Path(folder)
    figure = local_resolution_figure(read_result(folder / "local_resolution.npz", LocalResolution))
    figure.savefig(folder / "local_resolution.png", dpi=DPI)


def save_result_pictures(result, out=None):
    """Draw a result file, or all results of a run's folder.

    Parameters
    ----------
    result : path of a file or folder
    out : path of the picture, whose ending chooses the format, when there is one to draw; else the folder of the
        pictures. None: PNG files in the folder ``pictures`` beside or in the result.

    Returns
    -------
    list of Path, the files written
    """
    result, figures = Path(result), figures_of(result)
    target = Path(out) if out else (result if result.is_dir() else result.parent) / "pictures"
    if out and len(figures) == 1 and target.suffix:
        (draw,) = figures.values()
        return [_save(draw(), target)]
    return [_save(draw(), target / f"{name}.png") for name, draw in figures.items()]


def _save(figure, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI)
    return path
