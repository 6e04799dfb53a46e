# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration: simulate tomograms, run the nine steps through the host, compare what comes out with the truth."""

import argparse
import json
import operator
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pictures
import truth

from stadyn.io.settings import write_json

WORKFLOW = "vlp_nine_steps"
PROJECT = "vlp_nine_steps"
SYMMETRY = "C6"
SPACING_ANGST = 75.0

# what, (section, key) of the summary, comparison, asked
ASKED = (
    ("recall after step 6", ("picking_after_step_6", "recall"), ">=", 0.95),
    ("precision after step 6", ("picking_after_step_6", "precision"), ">=", 0.98),
    ("closest pair after step 6 (Å)", ("picking_after_step_6", "closest_pair_angst"), ">=", 40.0),
    ("median axis error (°)", ("poses_at_the_end", "median_axis_error_deg"), "<=", 2.0),
    ("median in-plane error modulo C6 (°)", ("poses_at_the_end", "median_inplane_error_deg"), "<=", 1.5),
    ("median position error (Å)", ("poses_at_the_end", "median_position_error_angst"), "<=", 3.5),
    ("half-map FSC 0.143 over FSC 0.5 with the true map", ("map", "half_maps_over_truth"), "within 15 % of", 1.0),
    ("correlation with the true map less with its mirror", ("map", "hand_margin"), ">", 0.0),
    ("minutes, without the installation", ("wall", "minutes"), "<=", 15.0),
)

MEETS = {
    ">": operator.gt,
    ">=": operator.ge,
    "<=": operator.le,
    "within 15 % of": lambda value, asked: abs(value / asked - 1) <= 0.15,
}


def main():
    """Run everything; the exit code is 0 only when every figure is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for everything (default: demo)")
    parser.add_argument("--seed", type=int, default=1, help="of the simulation (default: 1)")
    args = parser.parse_args()
    out = args.out.absolute()
    began = time.monotonic()
    seconds = {}
    data = out / "data"
    seconds["simulate"] = timed("simulate two tomograms", simulate, data, args.seed)
    seconds["replay"] = timed("run the nine steps through the host", replay, data, out)
    figures = compare(data, out)
    seconds["compare"] = round(time.monotonic() - began - sum(seconds.values()), 1)
    figures["wall"] = {"minutes": round((time.monotonic() - began) / 60, 2), "seconds": seconds}
    met = conclude(out, figures)
    return 0 if met else 1


def timed(what, function, *args):
    """Announce, call, and return the seconds."""
    print(f"\n== {what}", flush=True)
    began = time.monotonic()
    function(*args)
    return round(time.monotonic() - began, 1)


def stadyn(*words):
    """``python -m stadyn ...``; a failure ends the demonstration with its exit code."""
    command = [sys.executable, "-m", "stadyn", *map(str, words)]
    print("python", *command[1:], flush=True)
    code = subprocess.run(command, check=False).returncode
    if code:
        sys.exit(code)


def simulate(data, seed):
    """Two tomograms as hard as real data, with their truth."""
    stadyn("simulate", "--out", data, "--tomograms", 2, "--spacing", SPACING_ANGST, "--seed", seed)


def replay(data, out):
    """The template, unattended: no marker, no click on the lattice."""
    shutil.rmtree(out / "projects", ignore_errors=True)  # of an earlier demonstration
    record = simulation(data)
    first = record["tomograms"][0]
    answers = {
        "tomograms": data / "tomograms.vll",
        "pixel_size": first["pixel_size"],
        "tilt_min": first["tilt_min_deg"],
        "tilt_max": first["tilt_max_deg"],
        "dipoles": data / "dipoles.csv",
        "lattice_spacing": SPACING_ANGST,
        "symmetry": SYMMETRY,
    }
    words = [f"{alias}={value}" for alias, value in answers.items()]
    stadyn(
        "replay", WORKFLOW, *words, "--projects", out / "projects", "--project", PROJECT, "--export", out,
        "--log", out / "replay.jsonl",
    )  # fmt: skip


def simulation(data):
    """What the simulation wrote about itself."""
    return json.loads((data / "simulation.json").read_text())


def project_folder(out):
    """Where the host keeps the project."""
    return out / "projects" / "projects" / PROJECT


def compare(data, out):
    """Everything that is measured against the truth, as a dict; writes the pictures on the way."""
    print("\n== compare with the truth", flush=True)
    project, pixel_size = project_folder(out), simulation(data)["tomograms"][0]["pixel_size"]
    exported = json.loads((out / "summary.json").read_text())
    half_maps = exported["resolution_angst"]
    picked = truth.run_file(project, "StadynProtCommonHeight", "particles.npz")
    against_map, curve, true_map = truth.compare_map(
        out / "average.mrc", data / "true_map.mrc", out / "mask.mrc", half_maps, SYMMETRY
    )
    pictures.draw_all(project, out, true_map, curve)
    return {
        "exported": exported,
        "picking_after_step_6": truth.compare_particles(picked, data / "truth.npz", pixel_size, SYMMETRY),
        "poses_at_the_end": truth.compare_particles(
            out / "particles_all.tbl", data / "truth.npz", pixel_size, SYMMETRY
        ),
        "map": {
            "half_maps_0143_angst": round(half_maps, 3),
            **against_map,
            "half_maps_over_truth": round(half_maps / against_map["resolution_05_angst"], 4),
            "hand_margin": round(against_map["correlation"] - against_map["correlation_mirrored"], 4),
        },
    }


def conclude(out, figures):
    """Print what ran and every figure, write summary.json; returns whether all figures were met."""
    exported = figures.pop("exported")
    checks = [
        check(what, figures[section][key], comparison, asked) for what, (section, key), comparison, asked in ASKED
    ]
    met = all(c["met"] for c in checks)
    write_json(out / "summary.json", {**exported, **figures, "figures": checks, "met": met})
    print_protocols(exported["protocols"])
    print_figures(checks)
    verdict = "every figure met" if met else "a figure was MISSED"
    print(f"\n{verdict}; maps, tables, pictures and summary.json are in {out}")
    return met


def print_protocols(protocols):
    """What ran through the host: one line each."""
    keys = ("step", "protocol", "particles_in", "particles_out", "seconds")
    rows = [["" if p[key] is None else str(p[key]) for key in keys] for p in protocols]
    for row in rows:
        row[1] = row[1].removeprefix(f"{row[0]} ")
    print_table(("step", "protocol", "particles in", "out", "seconds"), rows)


def print_figures(checks):
    """What was measured, and what was asked."""
    rows = [
        (c["what"], f"{c['value']:g}", f"{c['comparison']} {c['asked']:g}", "" if c["met"] else "MISSED")
        for c in checks
    ]
    print_table(("figure", "value", "asked", ""), rows)


def check(what, value, comparison, asked):
    """One row of the figures: a value and whether it is as good as asked. A value that is not a number is not."""
    if value is None:
        value = float("nan")
    met = MEETS[comparison](value, asked)
    return {"what": what, "value": value, "comparison": comparison, "asked": asked, "met": bool(met)}


def print_table(heading, rows):
    """Columns as wide as they need to be, after a blank line."""
    print()
    rows = [heading, *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(heading))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
