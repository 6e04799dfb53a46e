# SPDX-License-Identifier: GPL-3.0-or-later
"""The job that compares a particle table with the known truth of a simulation."""

from pathlib import Path

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.evaluation import evaluate
from stadyn.core.particles import ParticleTable
from stadyn.core.symmetry import symmetry_order
from stadyn.io.dynamo import read_table
from stadyn.io.results import read_result
from stadyn.io.settings import write_json


def add_arguments(parser):
    """The command line of the job."""
    parser.add_argument("table", help="particles: .npz, or a Dynamo .tbl numbered as the truth's tomograms in order")
    parser.add_argument("truth", help="truth.npz of the simulation")
    parser.add_argument("--pixel-size", type=float, required=True, metavar="A", help="of the tomograms, unbinned")
    parser.add_argument("--tolerance", type=float, default=20.0, metavar="A", help="default 20 Angstrom")
    parser.add_argument("--symmetry", default="C6", help="default C6")
    parser.add_argument("--json", metavar="FILE", help="default: evaluation.json beside the table")


def run(args):
    """Evaluate, print and write."""
    if args.pixel_size <= 0:
        raise InputError(f"--pixel-size {args.pixel_size:g}: give the Å a pixel of the tomograms, above 0")
    truth = read_result(args.truth, ParticleTable)
    numbers = dict(enumerate(np.unique(truth.tomogram_ids).tolist(), 1))
    table = read_particles(args.table, numbers)
    result = evaluate(table, truth, args.tolerance / args.pixel_size, symmetry_order(args.symmetry))
    figures = summary(result, args.pixel_size)
    for name, value in figures.items():
        print(f"{name:28s} {value}")
    write_json(args.json or Path(args.table).with_name("evaluation.json"), figures)


def read_particles(path, tomogram_names):
    """The ParticleTable in a result file or a Dynamo table."""
    if str(path).endswith(".tbl"):
        return read_table(path, tomogram_names).particles
    return read_result(path, ParticleTable)


def summary(result, pixel_size):
    """The figures of an Evaluation as a flat dict; lengths in Angstrom, medians and 90th percentiles."""
    errors = result.errors
    figures = {
        "particles": result.n_particles,
        "true_sites": result.n_truth,
        "matched": len(result.matching.rows),
        "recall": round(result.matching.recall, 4),
        "precision": round(result.matching.precision, 4),
        "closest_pair_angst": round(result.closest_pair_px * pixel_size, 2),
        "frame_turn_deg": round(errors.frame_turn_deg, 3),
        "frame_shift_angst": [round(float(v) * pixel_size, 3) for v in errors.frame_shift_px],
    }
    columns = {
        "axis_error_deg": errors.axis_deg,
        "inplane_error_deg": np.abs(errors.inplane_deg),
        "position_error_angst": errors.position_px * pixel_size,
        "raw_inplane_error_deg": np.abs(errors.raw_inplane_deg),
        "raw_position_error_angst": errors.raw_position_px * pixel_size,
    }
    for name, values in columns.items():
        for label, percent in (("median", 50), ("p90", 90)):
            figures[f"{label}_{name}"] = round(float(np.percentile(values, percent)), 3) if len(values) else None
    return figures
