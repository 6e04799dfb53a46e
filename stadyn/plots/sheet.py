# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pictures of a run stand on a results sheet, and what is written under them."""

from pathlib import Path

from stadyn.core.particles import ParticleTable
from stadyn.core.selection import CCThreshold, LatitudeFit
from stadyn.io.convergence import read_convergence
from stadyn.io.mrc import read_header, read_volume
from stadyn.io.results import read_result

from .figures import (
    averages_figure,
    by_tomogram,
    cc_figure,
    convergence_figure,
    latitude_figure,
    neighbours_figure,
    particles_figure,
    slices_figure,
)
from .results import SINGLE

MOST_TOGETHER = 12
"""Tomograms that still find room in one figure."""
CAPTIONS = {
    "fsc": "Fourier shell correlation of the half-maps",
    "directional_fsc": "Fourier shell correlation inside cones",
    "guinier": "Guinier plot",
    "local_resolution": "Local resolution",
}
"""Name of a result in `stadyn.plots.results.SINGLE`, and what is written under its picture."""
MAPS = {"postprocess.mrc": "The final map, protein bright", "final_map.mrc": "The final map, protein bright"}


def run_figures(folder):
    """[(caption, Figure)] of the results in the folder of one run, in the order they are to be read."""
    folder = Path(folder)
    figures = _groups(folder, "threshold_", CCThreshold, cc_figure, "CC of the particles of {}, and the threshold")
    figures += _groups(folder, "latitude_", LatitudeFit, latitude_figure, "CC against latitude of {}")
    for path in sorted(folder.rglob("convergence.json")):
        records = read_convergence(path.parent)
        if len(records) > 1:
            figures.append(("Convergence of the alignment", convergence_figure(records)))
    for name, caption in CAPTIONS.items():
        kind, draw = SINGLE[name]
        figures += [(caption, draw(read_result(path, kind))) for path in sorted(folder.rglob(f"{name}.npz"))]
    for name, caption in MAPS.items():
        for path in sorted(folder.rglob(name)):
            figures.append((caption, slices_figure(read_volume(path), read_header(path).pixel_size)))
    return figures


def lattice_figures(particles, pixel_size):
    """[(caption, Figure)] of the particles in a result file: where they lie, and where their neighbours do."""
    table = read_result(particles, ParticleTable)
    if len(table) == 0:
        return []
    tables = dict(list(by_tomogram(table).items())[:MOST_TOGETHER])
    color = "half" if (table.half != 0).any() else "cc"
    return [
        ("The particles in space", particles_figure(tables, color_by=color)),
        ("Neighbours of all particles in the frame of the particle: the lattice", neighbours_figure(table, pixel_size)),
    ]


def average_figures(folder):
    """[(caption, Figure)] of the averages of tomograms that a run left, if they fit side by side."""
    paths = {path.stem.removeprefix("average_"): path for path in sorted(Path(folder).rglob("average_*.mrc"))}
    if not 1 < len(paths) <= MOST_TOGETHER // 2:
        return []
    pixel_size = read_header(next(iter(paths.values()))).pixel_size
    volumes = {name: read_volume(path) for name, path in paths.items()}
    return [("Averages of the tomograms, protein dark", averages_figure(volumes, pixel_size))]


def _groups(folder, prefix, kind, draw, caption):
    """Figures of the results that are one file per tomogram or group, several to a figure."""
    fits = {path.stem.removeprefix(prefix): read_result(path, kind) for path in sorted(folder.rglob(f"{prefix}*.npz"))}
    names = list(fits)
    parts = [names[start : start + MOST_TOGETHER] for start in range(0, len(names), MOST_TOGETHER)]
    return [(caption.format(", ".join(part)), draw({name: fits[name] for name in part})) for part in parts]
