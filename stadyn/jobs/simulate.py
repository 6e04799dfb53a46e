# SPDX-License-Identifier: GPL-3.0-or-later
"""The job that writes simulated tomograms and their truth to a folder."""

import dataclasses
import time
from pathlib import Path

from stadyn.core.errors import InputError
from stadyn.core.optics import Microscope
from stadyn.core.particles import ParticleTable
from stadyn.core.simulation import SimulationSettings, simulate_tomogram, true_map
from stadyn.core.simulation_model import procedural_unit, render_map, unit_from_points
from stadyn.io.aside import written_aside
from stadyn.io.dipoles import write_dipoles
from stadyn.io.dynamo import write_table
from stadyn.io.models import read_model
from stadyn.io.mrc import write_volume
from stadyn.io.results import write_result
from stadyn.io.settings import check_keys, read_settings, write_json
from stadyn.io.volume_lists import write_doc

from .common import alone_in_its_folder

JOB_KEYS = ("output", "model", "threads", "box_angst")
"""Settings of the job beside the fields of SimulationSettings."""
OPTIONS = {  # command line -> field of SimulationSettings, type, number of values
    "tomograms": ("n_tomograms", int, None),
    "pixel-size": ("pixel_size_angst", float, None),
    "extent": ("extent_angst", float, 3),
    "vlps": ("vlps_per_tomogram", int, None),
    "radius": ("radius_angst", float, 2),
    "ellipticity": ("ellipticity", float, None),
    "spacing": ("spacing_angst", float, None),
    "coverage": ("coverage", float, None),
    "tilt-min": ("tilt_min_deg", float, None),
    "tilt-max": ("tilt_max_deg", float, None),
    "tilt-step": ("tilt_step_deg", float, None),
    "defocus": ("defocus_um", float, 2),
    "noise": ("noise", float, None),
    "click-error": ("click_error_angst", float, None),
    "gold-beads": ("gold_beads", int, None),
    "junk": ("junk", int, None),
    "seed": ("seed", int, None),
}


def add_arguments(parser):
    """Settings from a file, each overridden by its own option."""
    parser.add_argument("settings", nargs="?", help="JSON file of settings; options given beside it win")
    parser.add_argument("--out", metavar="DIR", help="folder to write; created")
    parser.add_argument("--model", help="one lattice unit, .pdb, .cif or .mrc, its six-fold axis along z, outside up")
    parser.add_argument("--threads", type=int, help="default 2")
    defaults = SimulationSettings()
    for option, (field, kind, count) in OPTIONS.items():
        value = getattr(defaults, field)
        parser.add_argument(f"--{option}", dest=field, type=kind, nargs=count, help=f"default {value}")


def run(args):
    """The subcommand: merge file and options, simulate."""
    settings = read_settings(args.settings) if args.settings else {}
    given = {"output": args.out, "model": args.model, "threads": args.threads}
    given.update({field: getattr(args, field) for field, _, _ in OPTIONS.values()})
    settings.update({key: value for key, value in given.items() if value is not None})
    run_settings(settings)


@alone_in_its_folder
def run_settings(settings):
    """Simulate as the settings say: fields of SimulationSettings (microscope: a dict of its own), and `JOB_KEYS`."""
    fields = [f.name for f in dataclasses.fields(SimulationSettings)]
    check_keys(settings, (*fields, *JOB_KEYS[1:]), ("output",), "the settings of simulate")
    chosen = {key: value for key, value in settings.items() if key in fields}
    if "microscope" in chosen:
        optics = [f.name for f in dataclasses.fields(Microscope)]
        chosen["microscope"] = Microscope(**check_keys(chosen["microscope"], optics, (), "the microscope's settings"))
    try:
        chosen = SimulationSettings(**chosen)
    except TypeError as error:
        raise InputError(f"the settings of simulate hold a value of the wrong type ({error}): correct it") from error
    model, threads = settings.get("model"), settings.get("threads", 2)
    simulate_folder(chosen, Path(settings["output"]), model, threads, settings.get("box_angst", 345.6))


def simulate_folder(settings, folder, model=None, threads=2, box_angst=345.6):
    """Write tomograms, dipoles, `.vll`, `.doc`, truth, true maps and a record of the settings to `folder`.

    Parameters
    ----------
    settings : SimulationSettings
    folder : Path, created
    model : path of a PDB, mmCIF or MRC file of one lattice unit, or None for the procedural one
    threads : int
    box_angst : float, side of the true maps
    """
    unit = load_unit(model, settings)
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    start = time.perf_counter()
    simulated, paths = [], {}
    for number in range(1, settings.n_tomograms + 1):
        result = simulate_tomogram(settings, number, unit, threads, _reporter(number, settings.n_tomograms, start))
        paths[number] = folder / f"{result.tomogram.id}.mrc"
        write_volume(paths[number], result.volume, settings.pixel_size_angst, "stadyn simulation, protein dark")
        tomogram = dataclasses.replace(result.tomogram, path=str(paths[number]))
        # One tomogram in memory at a time.
        simulated.append(dataclasses.replace(result, tomogram=tomogram, volume=None))
        print(f"{paths[number].name}  defocus {result.defocus_um:.2f} um", end="  ")
        print(f"{len(result.dipoles)} VLPs  {len(result.truth)} true sites", flush=True)
    write_dipoles(folder / "dipoles.csv", [d for r in simulated for d in r.dipoles])
    with written_aside(folder / "tomograms.vll") as aside:
        aside.write_text("".join(f"{path}\n" for path in paths.values()))
    write_doc(folder / "tomograms.doc", paths)
    _write_truth(folder, settings, simulated, unit, 2 * round(box_angst / settings.pixel_size_angst / 2))
    _write_record(folder / "simulation.json", settings, simulated, model)


def load_unit(model, settings):
    """The PointCloud of the lattice's unit, from a file or procedural."""
    if not model:
        return procedural_unit()
    points, weights, sigma = read_model(model, settings.pixel_size_angst)
    return unit_from_points(points, weights, sigma, settings.spacing_angst)


def _reporter(number, of, start):
    """Prints a line at every tenth tilt, with the time that is left."""

    def report(done, total):
        if done % 10 and done != total:
            return
        fraction = (number - 1 + done / total) / of
        seconds = int((time.perf_counter() - start) * (1 - fraction) / fraction)
        left = f"{100 * fraction:3.0f} %  left {seconds // 60:02d}:{seconds % 60:02d}"
        print(f"tomogram {number}/{of}  tilts {done}/{total}  {left}", flush=True)

    return report


def _write_truth(folder, settings, simulated, unit, box_px):
    """True poses as .npz and Dynamo table, the true map with its neighbours, and the bare unit."""
    size = settings.pixel_size_angst
    truth = ParticleTable.concatenate(r.truth for r in simulated).renumbered()
    write_result(folder / "truth.npz", truth)
    numbers = {r.tomogram.id: i for i, r in enumerate(simulated, 1)}
    write_table(folder / "truth.tbl", truth, numbers, {r.tomogram.id: r.tomogram.wedge for r in simulated})
    write_volume(folder / "true_map.mrc", true_map(settings, truth, unit, box_px), size, "true map, protein bright")
    write_volume(folder / "true_unit.mrc", render_map(unit, box_px, size), size, "true unit, protein bright")


def _write_record(path, settings, simulated, model):
    """All settings, and each tomogram as the other jobs want it in theirs."""
    tomograms = [
        {
            "id": r.tomogram.id,
            "path": r.tomogram.path,
            "pixel_size": r.tomogram.pixel_size,
            "shape": r.tomogram.shape,
            "tilt_min_deg": r.tomogram.wedge.min_deg,
            "tilt_max_deg": r.tomogram.wedge.max_deg,
        }
        for r in simulated
    ]
    record = {
        "settings": dataclasses.asdict(settings),
        "model": model or "procedural",
        "tomograms": tomograms,
        "defocus_um": {r.tomogram.id: r.defocus_um for r in simulated},
        "true_sites": {r.tomogram.id: len(r.truth) for r in simulated},
        "contrast": {"tomograms": "protein dark", "true_map": "protein bright", "true_unit": "protein bright"},
    }
    write_json(path, record)
