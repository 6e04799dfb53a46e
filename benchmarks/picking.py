# SPDX-License-Identifier: GPL-3.0-or-later
"""Picking against the truth of simulated tomograms: shells, cleaning and expansion of the lattice, exclusion.

    python benchmarks/picking.py DATA [DATA ...] [--clicks OUT] [--workflow OUT]

DATA are folders that `python -m stadyn simulate` wrote. Without more words, minutes:

shells      found and false shells, worst error of centre and radius, against spheres through the true sites
cleaning    20 % strays: on the surface (10 Å and 8 degrees off it, as alignments end at empty places) at random places
            and azimuths; and a harder set exactly on it. True particles have the pose errors of an aligned set
expansion   15 % of the true sites taken from the list: what the geometry alone brings back, and what is left of it
            after a selection by CC
exclusion   seconds for a million candidates

--workflow OUT   the workflow without a click, through the host, up to the last selection (7 minutes)
--clicks OUT     recall after step 6 against the error of the clicks, 0, 27, 54 and 80 Å, of the first tomogram of
                 the first DATA, with a plot (15 minutes)
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from rows import Rows, seconds

from stadyn.core.evaluation import evaluate, match_to_truth
from stadyn.core.exclusion import exclude_within
from stadyn.core.lattice_expansion import expand_lattice
from stadyn.core.lattice_neighbours import fit_lattice, neighbour_pairs
from stadyn.core.lattice_quality import lattice_quality, select_by_order
from stadyn.core.masks import sphere
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import randomize_azimuth, rotation_vectors_to_matrices, rotations_from_normals
from stadyn.core.surfaces import fit_spheres, fit_surfaces
from stadyn.core.tomograms import Dipole
from stadyn.io.dipoles import write_dipoles
from stadyn.io.mrc import write_volume
from stadyn.io.results import read_result, write_result
from stadyn.jobs import find_shells, select

TOLERANCE_ANGST = 12.0
CLICK_ERRORS_ANGST = (0, 27, 54, 80)
BOX_ANGST = 259.2


class Data:
    """One simulated set."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.truth = read_result(self.folder / "truth.npz", ParticleTable)
        self.tomograms = json.loads((self.folder / "simulation.json").read_text())["tomograms"]
        self.pixel_size = self.tomograms[0]["pixel_size"]
        self.tolerance = TOLERANCE_ANGST / self.pixel_size


def disturbed(table, pixel_size, rng):
    """Pose errors with the medians of an aligned set: 2 Å, 1.3 degrees of the axis, 0.5 in plane."""
    vectors = np.radians(rng.normal(0, [1.1, 1.1, 0.74], (len(table), 3)))
    return table.replace(
        positions=table.positions + rng.normal(0, 1.3 / pixel_size, (len(table), 3)),
        rotations=table.rotations @ rotation_vectors_to_matrices(vectors),
    )


def strays(table, pixel_size, rng, across_angst, tilt_deg):
    """A fifth of the resulting set, at random on the surface of each VLP."""
    parts = []
    for (name, number), surface in fit_surfaces(table).items():
        n = round(0.25 * np.sum((table.tomogram_ids == name) & (table.surface_ids == number)))
        directions = rng.standard_normal((n, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        distance = surface.radii(directions) + rng.normal(0, across_angst / pixel_size, n)
        rotations = randomize_azimuth(rotations_from_normals(surface.normals(directions)), rng)
        tilts = np.radians(np.column_stack([rng.normal(0, tilt_deg, (n, 2)), np.zeros(n)]))
        parts.append(
            ParticleTable(
                surface.center + directions * distance[:, None],
                rotations @ rotation_vectors_to_matrices(tilts),
                np.full(n, name),
                np.full(n, number),
            )  # fmt: skip
        )
    return ParticleTable.concatenate(parts)


def shells(sets, rows):
    """Automatic shells: found, false, errors."""
    true, hits, false, center_errors, radius_errors = 0, 0, 0, [], []
    for data in sets:
        with tempfile.TemporaryDirectory() as out:
            found = find_shells.run_settings({"tomograms": data.tomograms, "output": out})
        spheres = fit_spheres(data.truth)
        true += len(spheres)
        for dipole in found:
            near = {
                key: np.linalg.norm(np.subtract(dipole.center, s.center)) * data.pixel_size
                for key, s in spheres.items()
                if key[0] == dipole.tomogram_id
            }
            key = min(near, key=near.get)
            if near[key] > 0.5 * spheres[key].radius * data.pixel_size:
                false += 1
                continue
            hits += 1
            center_errors.append(near[key])
            radius_errors.append(abs(dipole.radius / spheres[key].radius - 1))
    worst = max(center_errors), 100 * max(radius_errors)
    rows.add(
        f"shells of {true} VLPs", f"{hits / true:.3f} found", "", None,
        f"{false / true:.3f} false; worst centre {worst[0]:.0f} Å, radius {worst[1]:.1f} %", "",
        ">= 0.95, <= 0.02; <= 40 Å, <= 5 %",
        hits / true >= 0.95 and false / true <= 0.02 and worst[0] <= 40 and worst[1] <= 5,
    )  # fmt: skip


def cleaning(sets, rows, repeats=3):
    """Strays out and true particles lost, at the default threshold."""
    for kind, across, tilt in (("strays 10 Å and 8 degrees off the surface", 10, 8), ("strays on the surface", 0, 3)):
        out, lost = [], []
        for seed in range(repeats):
            rng = np.random.default_rng(seed)
            for data in sets:
                true = disturbed(data.truth, data.pixel_size, rng)
                planted = strays(true, data.pixel_size, rng, across, tilt)
                table = ParticleTable.concatenate([true, planted]).renumbered()
                kept = select_by_order(lattice_quality(table))
                out.append(np.mean(~kept[len(true) :]))
                lost.append(np.mean(~kept[: len(true)]))
        out, lost = np.mean(out), np.mean(lost)
        reached = out >= 0.99 and lost <= 0.01
        rows.add(f"cleaning: {kind}", f"{out:.4f} out", "", None, f"{lost:.4f} lost", "", ">= 0.99, <= 0.01", reached)


def expansion(sets, rows):
    """Removed sites: back by geometry alone, and after a selection by CC."""
    by_geometry, by_cc = [], []
    for data in sets:
        rng = np.random.default_rng(1)
        keep = rng.random(len(data.truth)) > 0.15
        listed, gone = disturbed(data.truth.select(keep), data.pixel_size, rng), data.truth.select(~keep)
        listed = listed.renumbered()
        new = expand_lattice(listed, rounds=2)
        geometry = match_to_truth(new, gone, data.tolerance)
        by_geometry.append((len(geometry.rows), len(gone), len(new)))
        kept = selected(data, ParticleTable.concatenate([listed, new]))
        kept = kept.select(np.isin(kept.ids, new.ids))
        # Sites that the simulation left out of its truth at random are as false as any.
        matched = match_to_truth(kept, gone, data.tolerance)
        by_cc.append((len(matched.rows), len(gone), len(kept)))
    for kind, counts, asked in (("geometry alone", by_geometry, "reported"), ("after CC", by_cc, ">= 0.90, <= 0.02")):
        right, true, made = np.sum(counts, axis=0)
        back, false = right / true, 1 - right / made
        reached = asked == "reported" or (back >= 0.9 and false <= 0.02)
        rows.add(
            f"expansion, 15 % removed: {kind}", f"{back:.3f} back", "", None, f"{false:.3f} false", "", asked, reached
        )


def selected(data, table):
    """The table after the selection of step 6, its reference made of the table itself."""
    with tempfile.TemporaryDirectory() as out:
        out = Path(out)
        write_result(out / "table.npz", table)
        box = 2 * round(BOX_ANGST / data.pixel_size / 2)
        mask = sphere(box, 50 / data.pixel_size, 20 / data.pixel_size)
        write_volume(out / "mask.mrc", mask, data.pixel_size)
        kept, _ = select.run_settings({
            "tomograms": data.tomograms, "particles": str(out / "table.npz"), "output": str(out / "select"),
            "box_angst": BOX_ANGST, "mask": str(out / "mask.mrc"), "lowpass_angst": 20.0, "symmetry": "C6",
            "rebuilds": 2, "exclusion_radius_angst": 45.0, "margin": 0.01, "threads": 2,
        })  # fmt: skip
    return kept


def exclusion(rows, n=1_000_000):
    """Time for a million candidates of ten tomograms, about three to each site."""
    rng = np.random.default_rng(0)
    sites = rng.uniform(0, 1600, (n // 3 + 1, 3))
    positions = (sites[:, None] + rng.normal(0, 2, (len(sites), 3, 3))).reshape(-1, 3)[:n]
    names = np.repeat([f"t{i}" for i in range(10)], n // 10)
    table = ParticleTable(positions, np.broadcast_to(np.eye(3), (n, 3, 3)), names, cc=rng.random(n))
    spent, kept = seconds(exclude_within, table, 8.0)
    rows.add("exclusion of 1,000,000", f"{spent:.1f} s", "", None, f"{kept.sum()} stay", "", "<= 20 s", spent <= 20)


def few_neighbours(found, truth):
    """Recall of the true sites with 0 or 1 neighbours."""
    pairs = neighbour_pairs(truth, fit_lattice(truth))
    lonely = np.bincount(pairs.first, minlength=len(truth)) <= 1
    reached = np.isin(np.flatnonzero(lonely), found.matching.truth_rows)
    return float(np.mean(reached)), int(lonely.sum())


def replayed(template, out, project, last, **answers):
    """Tables that the last run of a replayed workflow kept."""
    words = [f"{alias}={value}" for alias, value in answers.items()]
    command = [sys.executable, "-m", "stadyn", "replay", template, *words]
    subprocess.run([*command, "--projects", str(out), "--project", project, "--until", last], check=True)
    runs = sorted((Path(out) / "projects" / project / "Runs").glob("*SelectCC"))
    return read_result(runs[-1] / "extra" / "select" / "particles.npz", ParticleTable)


def workflow(data, out, rows):
    """No click and no marker."""
    table = replayed(
        "vlp_no_clicks", out, "no_clicks", "6 Select expanded by CC",
        tomograms=data.folder / "tomograms.vll", pixel_size=data.pixel_size, largest_radius=450,
    )  # fmt: skip
    report_table(rows, "no click, no marker", table, data.truth, data)


def report_table(rows, name, table, truth, data):
    """One row: recall and precision, and the recall of lonely sites."""
    found = evaluate(table, truth, data.tolerance)
    lonely, n = few_neighbours(found, truth)
    recall, precision = found.matching.recall, found.matching.precision
    rows.add(
        name, f"recall {recall:.4f}", "", None,
        f"precision {precision:.4f}; sites of 0 or 1 neighbours {lonely:.3f} of {n}",
        "", ">= 0.97, >= 0.99, >= 0.85", recall >= 0.97 and precision >= 0.99 and lonely >= 0.85,
    )  # fmt: skip
    return recall, precision


def clicks(data, out, rows):
    """Recall after step 6 against the error of both clicks, and its plot."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    name = data.tomograms[0]["id"]
    truth = data.truth.select(data.truth.tomogram_ids == name)
    (out / "one.vll").write_text(data.tomograms[0]["path"] + "\n")
    figures = []
    for error in CLICK_ERRORS_ANGST:
        write_dipoles(out / f"clicks_{error}.csv", missed_clicks(truth, error / data.pixel_size))
        table = replayed(
            "vlp_nine_steps", out, f"clicks_{error}", "6 Select by CC",
            tomograms=out / "one.vll", pixel_size=data.pixel_size, dipoles=out / f"clicks_{error}.csv",
        )  # fmt: skip
        figures.append(report_table(rows, f"clicks off by {error} Å", table, truth, data))
    plot_clicks(figures, out / "click_errors.png")


def missed_clicks(truth, error_px):
    """Dipoles whose two clicks both miss by `error_px`, in random directions."""
    rng, dipoles = np.random.default_rng(0), []
    for (name, number), true in fit_spheres(truth).items():
        off = rng.standard_normal((2, 3))
        off *= error_px / np.linalg.norm(off, axis=1, keepdims=True)
        north = true.center + [0, true.radius, 0] + off[1]
        dipoles.append(Dipole(name, number, tuple(true.center + off[0]), tuple(north)))
    return dipoles


def plot_clicks(figures, path):
    """Recall and precision against the error of the clicks."""
    figure, ax = plt.subplots(figsize=(4.5, 3))
    ax.plot(CLICK_ERRORS_ANGST, figures, "o-", label=["recall", "precision"])
    ax.axvline(54, color="0.7", linestyle=":")
    ax.set(xlabel="error of both clicks (Å)", ylim=(0.8, 1.01), title="after step 6")
    ax.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main():
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--workflow", metavar="OUT")
    parser.add_argument("--clicks", metavar="OUT")
    args = parser.parse_args()
    sets, rows = [Data(folder) for folder in args.data], Rows()
    if args.workflow:
        workflow(sets[0], args.workflow, rows)
    if args.clicks:
        clicks(sets[0], args.clicks, rows)
    if not args.workflow and not args.clicks:
        shells(sets, rows)
        cleaning(sets, rows)
        expansion(sets, rows)
        exclusion(rows)
    rows.end()


if __name__ == "__main__":
    main()
