# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of result folders, as PNG files beside the results."""

from pathlib import Path

from stadyn.io.mrc import read_header, read_volume
from stadyn.io.results import read_result

from .figures import slices_figure
from .results import SINGLE, figures_of
from .saving import save_figure

POSTPROCESSED = ("fsc", "guinier", "directional_fsc")


def save_postprocess_pictures(folder):
    """fsc.png, slices.png, and where they were made guinier.png and directional_fsc.png of a postprocess folder."""
    folder = Path(folder)
    for name in POSTPROCESSED:
        (folder / f"{name}.png").unlink(missing_ok=True)  # of an earlier run that made one more
        if (folder / f"{name}.npz").exists():
            _save_single(folder, name)
    path = folder / "postprocess.mrc"
    save_figure(slices_figure(read_volume(path), read_header(path).pixel_size), folder / "slices.png")


def save_local_resolution_pictures(folder):
    """local_resolution.png of a folder that local-resolution wrote."""
    _save_single(Path(folder), "local_resolution")


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


def _save_single(folder, name):
    kind, draw = SINGLE[name]
    save_figure(draw(read_result(folder / f"{name}.npz", kind)), folder / f"{name}.png")


def _save(figure, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return save_figure(figure, path)
