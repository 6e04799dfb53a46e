# SPDX-License-Identifier: GPL-3.0-or-later
"""A lipid tube and a vesicle with a protein coat, simulated, marked by clicks, oversampled, aligned; against the truth.

    python benchmarks/tubes.py [--noise 1] [--click-error 30] [--seed 1]

The tube's axis is bent; seven clicks on it, each off by up to the click error, and its radius are all that is known.
The vesicle is marked by its centre and one point of its coat. Prints `name | found | asked`, two minutes.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from picking import Table

from stadyn.core.evaluation import evaluate
from stadyn.core.exclusion import exclude_within
from stadyn.core.masks import sphere
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import axis_errors_deg, rotations_from_normals
from stadyn.core.simulation import SimulationSettings, reconstruct_scene
from stadyn.core.simulation_model import PointCloud, procedural_unit, render_map
from stadyn.core.simulation_scene import Scene
from stadyn.core.surfaces import fibonacci_directions, oversample
from stadyn.core.tomograms import Dipole
from stadyn.core.tubes import oversample_tubes
from stadyn.io.mrc import write_volume
from stadyn.io.results import write_result
from stadyn.jobs import align

TUBE_RADIUS, BEND, HALF_LENGTH = 190.0, 2600.0, 720.0
"""Å: of the coat; of the circle that the axis is a part of; of the axis, either side of the middle of the field."""
TUBE_AT, VESICLE_AT, VESICLE_RADIUS = np.array([0.0, -330.0, 20.0]), np.array([80.0, 380.0, -10.0]), 270.0
BELOW = 75.0
"""Å from the coat in to the middle of the bilayer."""
SPACING, PITCH_DEG, BOX = 75.0, 17.0, 48


def axis_frame(along):
    """Points of the tube's axis at arc lengths `along` (n,) Å, tangents, and the two directions across it."""
    angle = np.asarray(along) / BEND
    tilt = np.radians(12.0)  # out of the plane of the field
    sideways, up = np.array([0, np.cos(tilt), np.sin(tilt)]), np.array([0, -np.sin(tilt), np.cos(tilt)])
    points = TUBE_AT + BEND * (np.sin(angle)[:, None] * [1, 0, 0] + (1 - np.cos(angle))[:, None] * sideways)
    tangents = np.cos(angle)[:, None] * [1, 0, 0] + np.sin(angle)[:, None] * sideways
    across = np.cos(angle)[:, None] * sideways - np.sin(angle)[:, None] * [1, 0, 0]
    return points, tangents, across, np.broadcast_to(up, points.shape)


def on_tube(along, around, radius):
    """Places at an angle `around` (radians) the axis, outward normals, and the tangents of the axis there."""
    points, tangents, across, up = axis_frame(along)
    normals = np.cos(around)[:, None] * across + np.sin(around)[:, None] * up
    return points + radius * normals, normals, tangents


def tube_sites():
    """Positions, rotations of a coat whose units have a row at `PITCH_DEG` from the axis."""
    n = round(2 * np.pi * TUBE_RADIUS / SPACING)
    rings = np.arange(-HALF_LENGTH + 60, HALF_LENGTH - 60, SPACING * np.sqrt(0.75))
    along, around = (
        np.repeat(rings, n),
        np.tile(np.arange(n), len(rings)) + 0.5 * np.repeat(np.arange(len(rings)) % 2, n),
    )
    positions, normals, tangents = on_tube(along, 2 * np.pi / n * around, TUBE_RADIUS)
    turn = np.radians(PITCH_DEG)
    x_axes = np.cos(turn) * tangents + np.sin(turn) * np.cross(normals, tangents)
    return positions, np.stack([x_axes, np.cross(normals, x_axes), normals], axis=-1)


def vesicle_sites(rng):
    """Positions, rotations of units scattered on a sphere, apart from each other, at any azimuth."""
    n = int(0.65 * 4 * np.pi * VESICLE_RADIUS**2 / (0.866 * SPACING**2))
    directions = fibonacci_directions(n)
    directions = directions[rng.random(n) < 0.9]
    return VESICLE_AT + VESICLE_RADIUS * directions, rotations_from_normals(
        directions, rng.uniform(0, 360, len(directions))
    )


def membranes(rng):
    """Head groups of both bilayers."""
    area, parts = 120.0, []
    for offset in (-BELOW - 20, -BELOW + 20):
        n = int(2 * np.pi * (TUBE_RADIUS + offset) * 2 * HALF_LENGTH / area)
        parts.append(
            on_tube(rng.uniform(-HALF_LENGTH, HALF_LENGTH, n), rng.uniform(0, 2 * np.pi, n), TUBE_RADIUS + offset)[0]
        )
        n = int(4 * np.pi * (VESICLE_RADIUS + offset) ** 2 / area)
        parts.append(VESICLE_AT + (VESICLE_RADIUS + offset) * fibonacci_directions(n))
    points = np.concatenate(parts) + rng.normal(0, 2.5, (sum(map(len, parts)), 3))
    return PointCloud(points, np.full(len(points), 1.0), 4.0)


def simulated(settings):
    """The tomogram, and the truth of tube (surface 1) and vesicle (surface 2)."""
    rng, unit = np.random.default_rng(settings.seed), procedural_unit()
    sites = [tube_sites(), vesicle_sites(rng)]
    lipids = membranes(rng)
    weight = 120.0 * 9.0 * 0.0055  # residues of a head group, about that of the simulator's bilayer
    lipids = PointCloud(lipids.points, lipids.weights * weight, lipids.sigma)
    scene = Scene((), (*(unit.placed(*s) for s in sites), lipids))
    volume = reconstruct_scene(settings, scene, 1, 2.6, workers=2)
    size, middle = settings.pixel_size_angst, np.array(settings.shape[::-1]) // 2
    positions = np.concatenate([s[0] for s in sites]) / size + middle
    surfaces = np.repeat([1, 2], [len(s[0]) for s in sites])
    truth = ParticleTable(positions, np.concatenate([s[1] for s in sites]), np.full(len(surfaces), "t"), surfaces)
    inside = np.all((positions > BOX / 2) & (positions < 2 * middle - BOX / 2), axis=1)
    return volume, truth.select(inside).renumbered(), unit


def clicked(settings, error_angst):
    """Crop points on both, from clicks that miss by up to `error_angst`."""
    rng, size, middle = (
        np.random.default_rng(settings.seed + 1),
        settings.pixel_size_angst,
        np.array(settings.shape[::-1]) // 2,
    )

    def missed(points):
        off = rng.standard_normal(np.shape(points))
        off *= error_angst * rng.uniform(0, 1, (len(points), 1)) / np.linalg.norm(off, axis=1, keepdims=True)
        return (points + off) / size + middle

    axis = missed(axis_frame(np.linspace(-HALF_LENGTH, HALF_LENGTH, 7))[0])
    tube = oversample_tubes({("t", 1): (axis, TUBE_RADIUS / size)}, 50.0 / size)
    center, north = missed(np.array([VESICLE_AT, VESICLE_AT + [0, 0, VESICLE_RADIUS]]))
    vesicle = oversample([Dipole("t", 2, tuple(center), tuple(north))], 50.0 / size)
    table = ParticleTable.concatenate([tube, vesicle]).renumbered()
    inside = np.all((table.positions > BOX / 2) & (table.positions < 2 * middle - BOX / 2), axis=1)
    return table.select(inside)


def start_errors(table, settings):
    """Medians in degrees: normals of tube and vesicle, and x axes of the tube, against the surfaces' own."""
    size, middle = settings.pixel_size_angst, np.array(settings.shape[::-1]) // 2
    places, tube = (table.positions - middle) * size, table.surface_ids == 1
    fine = np.linspace(-HALF_LENGTH - 100, HALF_LENGTH + 100, 4001)
    points, tangents, *_ = axis_frame(fine)
    nearest = np.argmin(np.linalg.norm(places[tube][:, None] - points[None, ::20], axis=2), axis=1) * 20
    outward = places[tube] - points[nearest]
    normals = outward / np.linalg.norm(outward, axis=1, keepdims=True)
    axes = np.stack([tangents[nearest], np.cross(normals, tangents[nearest]), normals], axis=-1)
    between = np.degrees(np.arccos(np.clip(np.sum(table.rotations[tube][:, :, 0] * tangents[nearest], axis=1), -1, 1)))
    outward = places[~tube] - VESICLE_AT
    ball = rotations_from_normals(outward / np.linalg.norm(outward, axis=1, keepdims=True))
    return (
        np.median(axis_errors_deg(table.rotations[tube], axes)), np.median(between),
        np.median(axis_errors_deg(table.rotations[~tube], ball)),
    )  # fmt: skip


def aligned(volume, table, unit, settings, folder):
    """The table after one round against the bare unit."""
    size = settings.pixel_size_angst
    write_volume(folder / "t.mrc", volume, size)
    write_volume(folder / "unit.mrc", -render_map(unit, BOX, size), size)
    write_volume(folder / "mask.mrc", sphere(BOX, 50 / size, 12 / size), size)
    write_result(folder / "table.npz", table)
    low, high = settings.tilts_deg[[0, -1]]
    tomogram = {"id": "t", "path": str(folder / "t.mrc"), "pixel_size": size, "shape": list(settings.shape)}
    rounds = [
        {"iterations": 1, "cone_range_deg": 30, "inplane_range_deg": 360, "shift_limit_angst": 50, "symmetry": "C6",
         "lowpass_angst": 25},
        {"iterations": 1, "cone_range_deg": 10, "inplane_range_deg": 12, "shift_limit_angst": 12, "shift_modus": 2,
         "symmetry": "C6", "lowpass_angst": 18},
    ]  # fmt: skip
    found = align.run_settings({
        "tomograms": [{**tomogram, "tilt_min_deg": float(low), "tilt_max_deg": float(high)}],
        "particles": str(folder / "table.npz"), "output": str(folder / "out"), "box_angst": BOX * size,
        "reference": {"*": str(folder / "unit.mrc")}, "mask": str(folder / "mask.mrc"), "rounds": rounds, "threads": 2,
    })  # fmt: skip
    return found.select(exclude_within(found, 45 / size))


def main():
    """Simulate, mark, oversample, align, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--noise", type=float, default=1.0)
    parser.add_argument("--click-error", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    settings = SimulationSettings(extent_angst=(1700.0, 1500.0, 760.0), noise=args.noise, seed=args.seed)
    volume, truth, unit = simulated(settings)
    start = clicked(settings, args.click_error)
    table = Table()
    normals, azimuth, ball = start_errors(start, settings)
    words = f"normals {normals:.1f}°, x axes {azimuth:.1f}° from the axis"
    table.add(
        f"tube, {np.sum(start.surface_ids == 1)} points as oversampled", words, "<= 10°", max(normals, azimuth) <= 10
    )
    words = f"normals {ball:.1f}°"
    table.add(f"vesicle, {np.sum(start.surface_ids == 2)} points as oversampled", words, "<= 10°", ball <= 10)
    with tempfile.TemporaryDirectory() as folder:
        found = aligned(volume, start, unit, settings, Path(folder))
    for name, surface in (("tube", 1), ("vesicle", 2)):
        true, own = truth.select(truth.surface_ids == surface), found.select(found.surface_ids == surface)
        own = own.select(np.argsort(-own.cc)[: len(true)])  # as many of the best as there are sites
        result = evaluate(own, true, 12 / settings.pixel_size_angst)
        e, recall = result.errors, result.matching.recall
        position = np.median(e.position_px) * settings.pixel_size_angst
        plane = np.median(np.abs(e.inplane_deg))
        axis = np.median(e.axis_deg)
        words = f"{recall:.3f} of {len(true)} sites, {position:.1f} Å, axis {axis:.1f}°, in plane {plane:.1f}°"
        reached = recall >= 0.9 and axis <= 3 and plane <= 3
        table.add(f"{name}, aligned", words, ">= 0.9, <= 3°, <= 3°", reached)
    table.end()


if __name__ == "__main__":
    main()
