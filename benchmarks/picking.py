# SPDX-License-Identifier: GPL-3.0-or-later
"""Picking against the truth of simulated tomograms, from shells to whole workflows.

    python benchmarks/picking.py DATA [DATA ...] [--quick] [--out OUT]

DATA are folders that `python -m stadyn simulate` wrote; sets that the constants of the order score were not chosen on
tell more. Prints `name | found | asked`, leaves with status 1 where a row falls short, and takes half an hour; OUT
keeps workflows and the plot of click errors, and what it holds already is not run again.

shells      found and false shells, worst error of centre and radius, against spheres through the true sites
cleaning    20 % strays: near the surface (10 Å and 8 degrees off it, as alignments end at empty places) at random
            places and azimuths; and a harder set exactly on it. True particles have the pose errors of an aligned
            set; strays that happen to be right (12 Å, 10 degrees) are none
expansion   15 % of the true sites taken from the list: what the geometry alone brings back, and what is left of it
            after a selection by CC
exclusion   seconds for a million candidates
picker      its tests, which click in its window

Without --quick also, by `picking_workflows.py`: the workflow with clicks and without; errors of the clicks; ellipsoids.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from picking_workflows import TOLERANCE_DEG, Data, click_errors, shapes, without_clicks
from rows import seconds
from scipy.spatial import cKDTree

from stadyn.core.evaluation import match_to_truth
from stadyn.core.exclusion import exclude_within
from stadyn.core.lattice_expansion import expand_lattice
from stadyn.core.lattice_quality import lattice_quality, select_by_order
from stadyn.core.masks import sphere
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import (
    axis_errors_deg,
    inplane_errors_deg,
    randomize_azimuth,
    rotation_vectors_to_matrices,
    rotations_from_normals,
)
from stadyn.core.surfaces import fit_spheres, fit_surfaces
from stadyn.io.mrc import write_volume
from stadyn.io.results import write_result
from stadyn.jobs import find_shells, select

BOX_ANGST = 259.2


class Table:
    """The printed rows of one command."""

    def __init__(self):
        self.short = []
        print("name | found | asked", flush=True)

    def add(self, name, found, asked, reached):
        """Print one row; `reached` says whether it is what was asked for."""
        self.short += [] if reached else [name]
        print(f"{name} | {found} | {asked}{'' if reached else ': FALLS SHORT'}", flush=True)

    def end(self):
        """Leave with status 1 if any row fell short."""
        if self.short:
            sys.exit(f"{len(self.short)} rows fall short: {', '.join(self.short)}")


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


def right_by_chance(planted, truth, tolerance_px):
    """(n,) bool: which strays lie where a true site does, in its pose."""
    right = np.zeros(len(planted), bool)
    for name in np.unique(planted.tomogram_ids):
        mine, true = np.flatnonzero(planted.tomogram_ids == name), np.flatnonzero(truth.tomogram_ids == name)
        distance, nearest = cKDTree(truth.positions[true]).query(planted.positions[mine])
        here, there = planted.rotations[mine], truth.rotations[true[nearest]]
        turned = np.maximum(axis_errors_deg(here, there), np.abs(inplane_errors_deg(here, there, 6)))
        right[mine] = (distance < tolerance_px) & (turned < TOLERANCE_DEG)
    return right


def shells(sets, table):
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
    table.add(
        f"shells of {true} VLPs",
        f"{hits / true:.3f} found, {false / true:.3f} false, worst centre {worst[0]:.0f} Å, radius {worst[1]:.1f} %",
        ">= 0.95, <= 0.02, <= 40 Å, <= 5 %",
        hits / true >= 0.95 and false / true <= 0.02 and worst[0] <= 40 and worst[1] <= 5,
    )  # fmt: skip


def cleaning(sets, table, repeats=4):
    """Strays out and true particles lost, at the default threshold, all sets and seeds taken together."""
    for kind, across, tilt in (("10 Å and 8 degrees off the surface", 10, 8), ("on the surface", 0, 3)):
        out, lost = [], []
        for seed in range(repeats):
            rng = np.random.default_rng(seed)
            for data in sets:
                true = disturbed(data.truth, data.pixel_size, rng)
                planted = strays(true, data.pixel_size, rng, across, tilt)
                planted = planted.select(~right_by_chance(planted, data.truth, data.tolerance))
                kept = select_by_order(lattice_quality(ParticleTable.concatenate([true, planted]).renumbered()))
                out.append(~kept[len(true) :])
                lost.append(~kept[: len(true)])
        out, lost = np.mean(np.concatenate(out)), np.mean(np.concatenate(lost))
        reached = out >= 0.99 and lost <= 0.01
        table.add(f"cleaning, strays {kind}", f"{out:.4f} out, {lost:.4f} lost", ">= 0.99, <= 0.01", reached)


def expansion(sets, table):
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
        table.add(f"expansion, 15 % removed: {kind}", f"{back:.3f} back, {false:.3f} false", asked, reached)


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


def exclusion(table, n=1_000_000):
    """Time for a million candidates of ten tomograms, about three to each site."""
    rng = np.random.default_rng(0)
    sites = rng.uniform(0, 1600, (n // 3 + 1, 3))
    positions = (sites[:, None] + rng.normal(0, 2, (len(sites), 3, 3))).reshape(-1, 3)[:n]
    names = np.repeat([f"t{i}" for i in range(10)], n // 10)
    particles = ParticleTable(positions, np.broadcast_to(np.eye(3), (n, 3, 3)), names, cc=rng.random(n))
    spent, kept = seconds(exclude_within, particles, 8.0)
    table.add("exclusion among 1,000,000", f"{spent:.1f} s, {kept.sum()} stay", "<= 20 s", spent <= 20)


def picker(table):
    """The tests that click in the picker's window."""
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "stadyn/tests/picker"], capture_output=True, text=True)
    said = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "nothing ran"
    table.add("picker, docs/picker.png", said, "passed", done.returncode == 0 and "skipped" not in said)


def main():
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--quick", action="store_true", help="minutes: no workflows")
    parser.add_argument("--out", metavar="OUT", help="folder of workflows and plot; a temporary one by default")
    args = parser.parse_args()
    sets, table = [Data(folder) for folder in args.data], Table()
    shells(sets, table)
    cleaning(sets, table)
    expansion(sets, table)
    exclusion(table)
    picker(table)
    if not args.quick:
        with tempfile.TemporaryDirectory() as temporary:
            out = Path(args.out or temporary).resolve()
            out.mkdir(parents=True, exist_ok=True)
            without_clicks(sets[0], out, table)
            click_errors(sets[0], out, table)
            shapes(out, table, sets[0].settings["seed"] + 1)
    table.end()


if __name__ == "__main__":
    main()
