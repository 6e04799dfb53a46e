# SPDX-License-Identifier: GPL-3.0-or-later
"""How far off particles may start and still be found: simulated tomograms, fast and exhaustive mode.

    python benchmarks/capture.py [--particles 240] [--tomograms 1] [--starts 1 2 3] [--exactly]

The tomograms have neighbours, CTF and noise as hard as real data. Every particle starts off by up
to so many degrees of its axis (evenly over the cap), degrees in plane, and Å (evenly in the ball);
with ``--exactly`` all of them by that much, in random directions. The reference is
the average of those misaligned particles at 30 Å, and each of 4 iterations averages anew. A
particle is found when it ends within 10 Å, 5 degrees of its axis and 5 in plane of its site, the
azimuth and the shift that all share taken out. The same particles go through both modes.
"""

import argparse

import numpy as np
from planted_particles import Errors, in_ball, tilted
from rows import Rows, errors_no_larger, in_turn

from stadyn.core.evaluation import pose_errors
from stadyn.core.masks import cylinder
from stadyn.core.particle_data import TomogramSource
from stadyn.core.particles import ParticleTable
from stadyn.core.refinement import Refinement
from stadyn.core.resample import box_fits
from stadyn.core.search import AlignmentRound
from stadyn.core.simulation import SimulationSettings, simulate_tomogram

STARTS = ((5.0, 5.0, 11.0), (10.0, 15.0, 22.0), (20.0, 30.0, 32.0))
"""Axis and in-plane, degrees; shift, Å."""
REACH = 1.25
"""The search reaches this much further than the starts are off."""
BOX_PX = 64
MASK_ANGST = (130.0, -54.0, 76.0)
"""Radius, bottom and top of a soft cylinder: the lattice about the site without the membrane."""
FOUND = (5.0, 5.0, 10.0)
ASKED = 0.01


def simulated(seed, tomograms):
    """(TomogramSource, true sites whose boxes fit, settings)."""
    settings = SimulationSettings(n_tomograms=tomograms, seed=seed)
    results = [simulate_tomogram(settings, i + 1, workers=2) for i in range(tomograms)]
    truth = ParticleTable.concatenate(
        r.truth.select(box_fits(r.tomogram.shape, r.truth.positions, BOX_PX)) for r in results
    )
    source = TomogramSource({r.tomogram.id: r.volume for r in results}, {r.tomogram.id: r.tomogram for r in results})
    return source, truth, settings


def off_by(truth, start, pixel_size, rng, exactly=False):
    """The particles with each pose off by up to `start`, or by exactly so much."""
    cone, inplane, shift = start
    turns = tilted(len(truth), cone, inplane, rng, exactly)
    step = in_ball(len(truth), shift / pixel_size, rng, exactly)
    return truth.replace(rotations=truth.rotations @ turns, positions=truth.positions + step)


def search(start):
    """Four iterations that reach a little further than the starts are off, down to a fine grid in three levels."""
    cone, inplane, shift = (REACH * v for v in start)
    return AlignmentRound(
        iterations=4,
        cone_range_deg=2 * cone,
        cone_sampling_deg=cone / 2,
        inplane_range_deg=2 * inplane,
        inplane_sampling_deg=inplane / 2,
        refine=2 if cone < 10 else 3,
        refine_factor=2.0,
        shift_limit_angst=(shift,) * 3,
        shift_modus=1,
        lowpass_angst=30.0,
        symmetry="C6",
    )


def found(table, truth, pixel_size):
    """(fraction found, `Errors` of all: axis and shift)."""
    e = pose_errors(table, truth, 6)
    right = (e.axis_deg < FOUND[0]) & (np.abs(e.inplane_deg) < FOUND[1]) & (e.position_px * pixel_size < FOUND[2])
    return float(np.mean(right)), Errors(np.hypot(e.axis_deg, e.inplane_deg), e.position_px)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--particles", type=int, default=240, help="of all sites, drawn at random")
    parser.add_argument("--tomograms", type=int, default=1)
    parser.add_argument("--starts", type=int, nargs="+", default=(1, 2, 3), help="which of the three, by number")
    parser.add_argument("--exactly", action="store_true", help="all particles start off by the most")
    parser.add_argument("--seed", type=int, default=4)
    args = parser.parse_args()
    rows = Rows()
    source, truth, simulation = simulated(args.seed, args.tomograms)
    pixel_size = simulation.pixel_size_angst
    rng = np.random.default_rng([args.seed, 0])
    truth = truth.select(np.sort(rng.permutation(len(truth))[: args.particles]))
    radius, bottom, top = (v / pixel_size for v in MASK_ANGST)
    mask = cylinder(BOX_PX, radius, bottom, top, 5)
    every = np.arange(len(truth))
    upto = "exactly" if args.exactly else "up to"
    for number in args.starts:
        start = STARTS[number - 1]
        rng = np.random.default_rng([args.seed, number])
        table = off_by(truth, start, pixel_size, rng, args.exactly)

        def run(engine, start=start, table=table):
            refinement = Refinement((search(start),), BOX_PX, pixel_size, engine=engine, threads=2)
            return refinement.run(source, table, every, mask=mask)

        mine, other, ours, theirs = in_turn(lambda r=run: r("fast"), lambda _, r=run: r("exhaustive"), 1)
        a, b = found(ours, truth, pixel_size), found(theirs[0], truth, pixel_size)
        name = f"capture from {upto} {start[0]:g}°, {start[1]:g}°, {start[2]:g} Å, {len(truth)} particles, 4 iterations"
        reached = errors_no_larger(a[1], b[1]) and a[0] >= b[0] - ASKED
        cells = [f"{f:.1%} found, {t[0]:.3g} s" for (f, _), t in ((a, mine), (b, other))]
        ratio = float(other[0] / mine[0])
        rows.add(name, *cells, ratio, a[1], b[1], "found within 1 % of theirs, no larger", reached)
    rows.end()


if __name__ == "__main__":
    main()
