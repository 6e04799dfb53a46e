# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab hands on at the end of a project: tables for Dynamo, maps, FSC curves, and one file of numbers."""

import csv
import os
import shutil
from pathlib import Path

import numpy as np

from . import __version__, host
from .core.errors import InputError
from .core.particles import EVEN, ODD
from .io.aside import written_aside
from .io.dynamo import write_table
from .io.settings import read_settings, write_json
from .io.volume_lists import write_doc
from .sheet import write_sheet

NUMBERS = "summary.json"
"""In the extra folder of a run: the figures of its summary."""

TABLES = {"all": None, "odd": ODD, "even": EVEN}


def export_results(project, folder, events=()):
    """Write what `project` has come to into `folder`; returns the names of the files.

    Parameters
    ----------
    project : the host's project, loaded
    folder : Path, created; files of an earlier export are overwritten
    events : iterable of dict, the replay's record of what ran

    Raises
    ------
    InputError
        When the project holds no finished particles.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    runs = [run for run in host.runs_in_order(project) if run.isFinished()]
    written = _export_tables(runs, folder)
    for find in (_half_maps, _final_maps, _pictures):
        for name, path in find(runs).items():
            with written_aside(folder / name) as aside:
                shutil.copyfile(path, aside)
            written.append(name)
    written += _export_fscs(runs, folder)
    write_json(folder / "summary.json", _summary(project, runs, events))
    write_sheet(project.getPath(), folder / "sheet.html")
    return [*written, "summary.json", "sheet.html"]


def _last_output(runs, *classes):
    """The last object of one of `classes` (names) that a protocol of `runs` gave, else None."""
    for run in reversed(runs):
        for _, item in host.outputs_of(run):
            if item.getClassName() in classes and "xcluded" not in _:
                return item
    return None


def _export_tables(runs, folder):
    from .convert.particles import read_particle_input

    particles = _last_output(runs, "SetOfCoordinates3D", "SetOfSubTomograms")
    if particles is None:
        raise InputError("nothing to export: no protocol of this project has finished with particles")
    particles = read_particle_input(particles)
    numbers = {tomogram.id: i for i, tomogram in enumerate(particles.tomograms, 1)}
    wedges = {tomogram.id: tomogram.wedge for tomogram in particles.tomograms}
    pixel_sizes = {tomogram.id: tomogram.pixel_size for tomogram in particles.tomograms}
    written = ["tomograms.doc"]
    write_doc(folder / "tomograms.doc", {numbers[t.id]: t.path for t in particles.tomograms})
    for name, half in TABLES.items():
        table = particles.table if half is None else particles.table.select(particles.table.half == half)
        if len(table):
            write_table(folder / f"particles_{name}.tbl", table, numbers, wedges, pixel_sizes)
            written.append(f"particles_{name}.tbl")
    return written


def _half_maps(runs):
    average = next((item for run in reversed(runs) for _, item in host.outputs_of(run) if _has_half_maps(item)), None)
    if average is None:
        return {}
    halves = [os.path.abspath(path) for path in average.getHalfMaps(asList=True)]
    return {"average.mrc": os.path.abspath(average.getFileName()), **{os.path.basename(path): path for path in halves}}


def _has_half_maps(item):
    return hasattr(item, "hasHalfMaps") and item.hasHalfMaps()


def _final_maps(runs):
    """{name in the export: path} of the maps that post-processing and local resolution left."""
    wanted = {
        ("StadynProtPostprocess", "sharpenedMap"): "final_map.mrc",
        ("StadynProtPostprocess", "mask"): "mask.mrc",
        ("StadynProtLocalResolution", "resolutionMap"): "local_resolution.mrc",
        ("StadynProtLocalResolution", "filteredMap"): "final_map_locally_filtered.mrc",
    }
    found = {}
    for run in runs:
        for output, item in host.outputs_of(run):
            name = wanted.get((run.getClassName(), output))
            if name:
                found[name] = os.path.abspath(item.getFileName())
    return found


def _pictures(runs):
    """{name in the export: path} of the pictures that jobs drew beside their results."""
    paths = [path for run in runs for path in sorted(Path(run._getExtraPath()).rglob("*.png"))]
    return {path.name: path.absolute() for path in paths}


def _export_fscs(runs, folder):
    curves = _last_output(runs, "SetOfFSCs")
    if curves is None:
        return []
    columns = {}
    for curve in curves.iterItems():
        x, y = curve.getData()
        columns[curve.getObjLabel()] = dict(zip(np.round(x, 9), y, strict=True))
    frequencies = sorted({x for column in columns.values() for x in column})
    with written_aside(folder / "fsc.csv") as aside, open(aside, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["frequency_per_angst", "resolution_angst", *columns])
        for x in frequencies:
            writer.writerow([f"{x:.6g}", f"{1 / x:.4g}", *(_cell(column.get(x)) for column in columns.values())])
    return ["fsc.csv"]


def _cell(value):
    return "" if value is None else f"{value:.6g}"


def _summary(project, runs, events):
    """The numbers of each protocol, in order, and how long it took."""
    seconds = {event["protocol"]: event.get("seconds") for event in events if event["event"] == "finished"}
    protocols = []
    for run in runs:
        path = run._getExtraPath(NUMBERS)
        protocols.append(
            {
                "step": host.paper_step(run),
                "protocol": run.getObjLabel(),
                "class": run.getClassName(),
                "particles_in": host.particle_count(host.inputs_of(run)),
                "particles_out": host.particle_count(host.outputs_of(run)),
                "seconds": seconds.get(run.getObjLabel()),
                **(read_settings(path) if os.path.exists(path) else {}),
            }
        )
    return {"stadyn": __version__, "project": project.getShortName(), "protocols": protocols, **_headline(protocols)}


def _headline(protocols):
    """The numbers that are asked for first, taken from the last protocol that states them."""
    wanted = ("resolution_angst", "b_factor", "spacing_angst", "thresholds", "final_particles")
    return {key: numbers[key] for key in wanted for numbers in protocols if key in numbers}
