# SPDX-License-Identifier: GPL-3.0-or-later
"""The job that writes simulated tomograms and their truth to a folder."""

import dataclasses
import json
import time
from pathlib import Path

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.simulation import SimulationSettings, simulate_tomogram, true_map
from stadyn.core.simulation_model import procedural_unit
from stadyn.io.mrc import write_volume
from stadyn.io.results import write_result

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
    parser.add_argument("--model", help="density of one lattice unit instead of the procedural one: .pdb, .cif or .mrc, six-fold axis along z")
    parser.add_argument("--threads", type=int)
    defaults = SimulationSettings()
    for option, (field, kind, count) in OPTIONS.items():
        parser.add_argument(f"--{option}", dest=field, type=kind, nargs=count, help=f"default {getattr(defaults, field)}")


def run(args):
    """The subcommand: merge file and options, simulate."""
    settings = json.loads(Path(args.settings).read_text()) if args.settings else {}
    given = {"output": args.out, "model": args.model, "threads": args.threads}
    given.update({field: getattr(args, field) for field, _, _ in OPTIONS.values()})
    settings.update({key: value for key, value in given.items() if value is not None})
    run_settings(settings)


def run_settings(settings):
    """Simulate as `settings` (dict) says: fields of SimulationSettings, "output", "model", "threads", "box_angst"."""
    settings = dict(settings)
    output, model = settings.pop("output", None), settings.pop("model", None)
    threads, box_angst = settings.pop("threads", 2), settings.pop("box_angst", 345.6)
    if not output:
        raise InputError("no output folder: give --out DIR, or \"output\" in the settings")
    known = {f.name for f in dataclasses.fields(SimulationSettings)}
    unknown = sorted(set(settings) - known)
    if unknown:
        raise InputError(f"unknown setting {unknown[0]}: choose from {', '.join(sorted(known))}")
    simulate_folder(SimulationSettings(**settings), Path(output), model, threads, box_angst)


def simulate_folder(settings, folder, model=None, threads=2, box_angst=345.6):
    """Write tomograms, dipoles, `.vll`, `.doc`, truth, true map and a record of the settings to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    unit = procedural_unit()
    start = time.perf_counter()
    simulated, paths = [], []
    for number in range(1, settings.n_tomograms + 1):
        result = simulate_tomogram(settings, number, unit, threads, _reporter(number, settings.n_tomograms, start))
        path = (folder / f"{result.tomogram.id}.mrc").resolve()
        write_volume(path, result.volume, settings.pixel_size_angst, "stadyn simulation, protein dark")
        simulated.append(dataclasses.replace(result, volume=None))  # one tomogram in memory at a time
        paths.append(path)
        print(f"{path.name}  defocus {result.defocus_um:.2f} um  {len(result.dipoles)} VLPs  {len(result.truth)} true sites", flush=True)
    truth = ParticleTable.concatenate(r.truth for r in simulated).renumbered()
    write_result(folder / "truth.npz", truth)
    _write_dipoles(folder / "dipoles.csv", simulated)
    (folder / "tomograms.vll").write_text("".join(f"{p}\n" for p in paths))
    (folder / "tomograms.doc").write_text("".join(f"{i} {p}\n" for i, p in enumerate(paths, 1)))
    box = 2 * round(box_angst / settings.pixel_size_angst / 2)
    write_volume(folder / "true_map.mrc", true_map(settings, truth, unit, box), settings.pixel_size_angst, "stadyn simulation, true map, protein bright")
    _write_record(folder / "simulation.json", settings, simulated, paths, model, box)


def _reporter(number, of, start):
    def report(done, total):
        if done % 10 and done != total:
            return
        fraction = (number - 1 + done / total) / of
        seconds = (time.perf_counter() - start) * (1 - fraction) / fraction
        print(f"tomogram {number}/{of}  tilts {done}/{total}  {100 * fraction:3.0f} %  left {int(seconds) // 60:02d}:{int(seconds) % 60:02d}", flush=True)

    return report


def _write_dipoles(path, simulated):
    lines = ["tomogram,vlp,center_x,center_y,center_z,north_x,north_y,north_z"]
    for dipole in (d for r in simulated for d in r.dipoles):
        values = ",".join(f"{v:.3f}" for v in (*dipole.center, *dipole.north))
        lines.append(f"{dipole.tomogram_id},{dipole.surface_id},{values}")
    path.write_text("\n".join(lines) + "\n")


def _write_record(path, settings, simulated, paths, model, box):
    record = {
        "settings": dataclasses.asdict(settings),
        "model": model or "procedural",
        "tomograms": [
            {
                "id": r.tomogram.id,
                "path": str(p),
                "pixel_size": settings.pixel_size_angst,
                "shape": list(r.tomogram.shape),
                "tilt_min_deg": r.tomogram.wedge.min_deg,
                "tilt_max_deg": r.tomogram.wedge.max_deg,
                "defocus_um": r.defocus_um,
                "vlps": len(r.dipoles),
                "true_sites": len(r.truth),
            }
            for r, p in zip(simulated, paths)
        ],
        "true_map": {"box_px": box, "contrast": "protein bright"},
    }
    path.write_text(json.dumps(record, indent=2) + "\n")
