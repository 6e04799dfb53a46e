# SPDX-License-Identifier: GPL-3.0-or-later
"""The paper's alignment by extrapolation from measured costs: 17,000 particles, box 192, 38 Fourier px, 9 iterations.

    python benchmarks/paper_sizes.py [--particles 64]

Measured on fewer particles of that box: preparing one (once), adding it to the averages and
aligning it (every iteration), and what an iteration costs whatever the number of particles.
The peer's loop is timed at some angles of one particle. Nothing is asked of this row but its arithmetic.
"""

import argparse

import numpy as np
import scipy.fft
from against_peer_loop import PeerLoop
from aligning import THREADS, local_search
from planted_particles import errors, plant
from rows import Rows, seconds

from stadyn.core.averaging import finish
from stadyn.core.crew import LocalCrew
from stadyn.core.passes import map_in_order, round_radii
from stadyn.core.search import rotation_grid

BOX_PX, PIXEL_SIZE, HIGH = 192, 1.35, 38
PARTICLES, ITERATIONS = 17000, 9
FINISHES = 3
"""Averages an iteration makes: all, and the two halves its resolution is measured from."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--particles", type=int, default=64)
    parser.add_argument("--angles", type=int, default=25, help="angles of the peer that are timed")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    rows = Rows()
    n = args.particles
    planted = plant(n, BOX_PX, args.seed, box_angst=BOX_PX * PIXEL_SIZE).at(0.01)
    settings = local_search(planted, BOX_PX * PIXEL_SIZE / HIGH)
    high, low = round_radii(settings, BOX_PX, PIXEL_SIZE)
    every, first = np.arange(n), np.arange(n) % 2 == 0
    crew = LocalCrew(planted.source, BOX_PX, PIXEL_SIZE, threads=THREADS)
    crew.begin(planted.start, every, high, low, True)
    prepared, _ = seconds(map_in_order, crew.data.batch, len(crew.data), THREADS)
    added, sums = seconds(crew.sums, planted.start, first)
    finished, _ = seconds(finish, sums[0], settings.symmetry)
    places = planted.start.positions
    aligned, found = seconds(crew.align, planted.start, places, planted.reference, planted.mask, settings)
    each = ITERATIONS * (added + aligned) / n + prepared / n
    total = PARTICLES * each + ITERATIONS * FINISHES * finished
    steps = (("prepare", prepared), ("add", added), ("align", aligned))
    each = ", ".join(f"{name} {1e3 * t / n:.1f} ms" for name, t in steps)
    print(f"# {n} particles, {THREADS} threads: {each} a particle; {finished:.1f} s an average")
    averages = ITERATIONS * FINISHES
    print(f"# {PARTICLES} x (prepare + {ITERATIONS} x (add + align)) + {averages} averages = {total:.0f} s")
    loop = PeerLoop(planted, settings)
    data = loop.transform(planted.boxes(every[:1])[0])
    angles = rotation_grid(24, 8, 24, 8)[: args.angles]
    with scipy.fft.set_workers(THREADS):
        spent, _ = seconds(lambda: [loop.correlate(data, rotation) for rotation in angles])
    count = 375
    theirs = PARTICLES * ITERATIONS * count * spent / len(angles)
    angle = 1e3 * spent / len(angles)
    print(f"# peer: {angle:.0f} ms an angle x {count} x {PARTICLES} x {ITERATIONS} = {theirs:.3g} s")
    name = f"paper's sizes: {PARTICLES} particles, box {BOX_PX}, {HIGH} Fourier px, {ITERATIONS} iterations"
    times = f"{total / 3600:.2f} h", f"{theirs / 86400:.0f} days"
    rows.add(name, *times, theirs / total, errors(found, planted.truth, every), "", "stated", True)
    rows.end()


if __name__ == "__main__":
    main()
