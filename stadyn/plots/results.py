# SPDX-License-Identifier: GPL-3.0-or-later
"""Which figures a saved result makes: one result file, or all that lie in the folder of a run."""

from functools import partial
from pathlib import Path

from stadyn.core.directional_fsc import DirectionalFSC
from stadyn.core.errors import InputError
from stadyn.core.fsc import FSCCurve
from stadyn.core.lattice_quality import LatticeQuality
from stadyn.core.local_resolution import LocalResolution
from stadyn.core.particles import ParticleTable
from stadyn.core.refinement import IterationReference
from stadyn.core.selection import CCThreshold, LatitudeFit
from stadyn.core.sharpening import GuinierFit
from stadyn.io.convergence import ITERATIONS, read_convergence, read_iterations
from stadyn.io.mrc import read_header, read_volume
from stadyn.io.results import read_result

from .directional_fsc import directional_fsc_figure
from .figures import (
    averages_figure,
    by_tomogram,
    cc_figure,
    changes_figure,
    convergence_figure,
    fsc_figure,
    guinier_figure,
    iteration_figure,
    latitude_figure,
    local_resolution_figure,
    neighbours_figure,
    orientations_figure,
    particles_figure,
    slices_figure,
)
from .lattice import lattice_quality_figure

SINGLE = {
    "fsc": (FSCCurve, fsc_figure),
    "directional_fsc": (DirectionalFSC, directional_fsc_figure),
    "guinier": (GuinierFit, guinier_figure),
    "local_resolution": (LocalResolution, local_resolution_figure),
    "lattice_quality": (LatticeQuality, lattice_quality_figure),
}
"""Name of a result's file and picture; the result's class, and what draws it alone."""
MOST_SIDE_BY_SIDE = 8
INPUT = "input_particles.npz"
"""Where a run keeps the particles that it was given."""
# What stands before the name of a tomogram or group in a file's name.
NAMED = {CCThreshold: "threshold_", LatitudeFit: "latitude_"}
WRITTEN_FOR_JOBS = ("input_*", "checkpoint_*", "*/input_*", "*/checkpoint_*", "*/*/checkpoint_*", "*/*/input_*")


def figures_of(path):
    """{name: function without arguments that makes the Figure} of a result file, or of all in a folder and below it.

    Raises InputError where there is nothing to draw.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} is not there: give a result file (.npz, .mrc, convergence.json) or a run's folder")
    if path.is_file():
        return _of_file(path)
    figures = {}
    for file in sorted(path.rglob("*")):
        if file.is_file() and not any(file.match(pattern) for pattern in WRITTEN_FOR_JOBS) and _drawable(file):
            figures.update({f"{_place(file, path)}{name}": draw for name, draw in _of_file(file, quiet=True).items()})
    for folder in sorted({file.parent for file in path.rglob("average_*.mrc")}):
        averages = _averages(folder)
        if 1 < len(averages) <= MOST_SIDE_BY_SIDE:
            place = _place(folder / "averages", path)
            figures[f"{place}averages_side_by_side"] = partial(_side_by_side, averages)
    for folder in [path] if path.name == ITERATIONS else sorted(path.rglob(ITERATIONS)):
        for group, references in read_iterations(folder.parent).items():
            figures[f"{_place(folder, path)}iterations_{group}"] = partial(iteration_figure, references)
    if not figures:
        raise InputError(f"{path} holds no result that can be drawn: give the folder of a finished run")
    return figures


def _drawable(file):
    return file.suffix in (".npz", ".mrc") or file.name == "convergence.json"


def _place(file, root):
    """The folders between, as the start of a name; the host's own \"extra\" says nothing."""
    between = () if file == root else file.parent.relative_to(root).parts
    return "".join(f"{part}_" for part in between if part != "extra")


def _of_file(path, quiet=False):
    if path.name == "convergence.json":
        return {"convergence": lambda: convergence_figure(read_convergence(path.parent))}
    if path.suffix in (".mrc", ".map", ".rec"):
        return {path.stem: partial(_slices, path)}
    if path.suffix != ".npz":
        raise InputError(f"{path} is no result that can be drawn: give a .npz, a .mrc or convergence.json")
    return _of_result(path, read_result(path), quiet)


def _slices(path):
    return slices_figure(read_volume(path), read_header(path).pixel_size, title=path.name)


def _of_result(path, result, quiet):
    kind = type(result)
    for name, (single, draw) in SINGLE.items():
        if kind is single:
            return {name: partial(draw, result)}
    if kind in NAMED:
        group = path.stem.removeprefix(NAMED[kind])
        draw = cc_figure if kind is CCThreshold else latitude_figure
        return {path.stem: partial(draw, {group: result})}
    if kind is ParticleTable and len(result):
        return _of_particles(path, result)
    if kind is IterationReference and not quiet:
        group = read_iterations(path.parents[1])[result.group]
        before = [r for r in group if (r.round, r.iteration) <= (result.round, result.iteration)]
        return {path.stem: partial(iteration_figure, before)}
    if quiet:
        return {}
    raise InputError(f"{path} holds a {kind.__name__}, of which there is no picture")


def _of_particles(path, table):
    excluded = path.with_name("excluded.npz")
    left = by_tomogram(read_result(excluded, ParticleTable)) if excluded.exists() and path != excluded else None
    tables = by_tomogram(table)
    figures = {
        path.stem: partial(particles_figure, tables, excluded=left),
        f"{path.stem}_orientations": partial(orientations_figure, tables),
    }
    averages = _averages(path.parent)
    if averages and path != excluded:  # only maps know the pixel size
        pixel_size = read_header(next(iter(averages.values()))).pixel_size
        figures[f"{path.stem}_neighbours"] = partial(neighbours_figure, table, pixel_size)
        before = path.parents[1] / INPUT
        if before.exists():
            figures[f"{path.stem}_changes"] = lambda: changes_figure(
                read_result(before, ParticleTable), table, pixel_size
            )
    return figures


def _averages(folder):
    """{tomogram or group: path} of the averages in a folder, without the copies that were made to look at."""
    paths = sorted(path for path in folder.glob("average_*.mrc") if not path.stem.endswith("_inverted"))
    return {path.stem.removeprefix("average_"): path for path in paths}


def _side_by_side(paths):
    volumes = {name: read_volume(path) for name, path in paths.items()}
    pixel_size = read_header(next(iter(paths.values()))).pixel_size
    return averages_figure(volumes, pixel_size, title="contrast as in the files")
