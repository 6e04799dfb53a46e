# SPDX-License-Identifier: GPL-3.0-or-later
"""How the cost grows with the number of particles and with the box, as a table and a plot.

    python benchmarks/scaling.py [--plot docs/performance_scaling.png]

Particles at box 48, then boxes at one number of particles; the low-pass is half of Nyquist
throughout, SNR 0.01. Linear in particles: the cost per particle of the largest set is no more
than 1.15 times that of the smallest.
"""

import argparse

import numpy as np
from aligning import align, local_search
from planted_particles import errors, plant
from rows import Rows, per_particle, seconds

ASKED = 1.15
SNR = 0.01


def measure(planted, counts, repeats):
    """{count: (median seconds, `Errors`)} of the first particles, every count in turn."""
    settings = local_search(planted)
    align(planted, settings, rows=np.arange(64))
    runs = [{c: seconds(align, planted, settings, rows=np.arange(c)) for c in counts} for _ in range(repeats)]
    return {
        c: (float(np.median([run[c][0] for run in runs])), errors(runs[0][c][1], planted.truth, np.arange(c)))
        for c in counts
    }


def draw(path, by_count, by_box):
    """Write the plot: seconds against particles, and milliseconds a particle against the box."""
    from matplotlib.figure import Figure

    figure = Figure((9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    counts, boxes = np.array(sorted(by_count)), np.array(sorted(by_box))
    spent = np.array([by_count[c] for c in counts])
    slope = np.sum(spent * counts) / np.sum(counts**2)
    left.plot(counts, spent, "o", label="measured")
    left.plot([0, counts[-1]], [0, slope * counts[-1]], "-", lw=1, label=f"{1e3 * slope:.2f} ms a particle")
    left.set(xlabel="particles, box 48", ylabel="seconds, 2 threads", xlim=0, ylim=0)
    left.legend()
    each = 1e3 * np.array([by_box[b] for b in boxes])
    right.loglog(boxes, each, "o", label="measured")
    right.loglog(boxes, each[0] * (boxes / boxes[0]) ** 3.0, "-", lw=1, label="box³")
    right.set(xlabel="box, px", ylabel="ms a particle, 2 threads", xticks=boxes, xticklabels=boxes)
    right.minorticks_off()
    right.legend()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[500, 1000, 2000, 4000])
    parser.add_argument("--boxes", type=int, nargs="+", default=[32, 48, 64, 96, 128])
    parser.add_argument("--box-particles", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--plot")
    parser.add_argument("--seed", type=int, default=5)
    args = parser.parse_args()
    rows, by_count, by_box = Rows(), {}, {}
    planted = plant(max(args.counts), 48, args.seed).at(SNR)
    for count, (spent, error) in measure(planted, args.counts, args.repeats).items():
        by_count[count] = spent
        grown = by_count[count] / count / (by_count[args.counts[0]] / args.counts[0])
        name, asked = f"{count} particles, box 48", f"<= {ASKED} x the cost of a particle of the smallest set"
        rows.add(name, per_particle(by_count[count], count), "", grown, error, "", asked, grown <= ASKED)
    for box_px in args.boxes:
        planted = plant(args.box_particles, box_px, args.seed).at(SNR)
        spent, error = measure(planted, [args.box_particles], args.repeats)[args.box_particles]
        by_box[box_px] = spent / args.box_particles
        grown = by_box[box_px] / by_box[args.boxes[0]]
        name = f"box {box_px}, {args.box_particles} particles"
        rows.add(name, per_particle(spent, args.box_particles), "", grown, error, "", "stated", True)
    if args.plot:
        draw(args.plot, by_count, by_box)
    rows.end()


if __name__ == "__main__":
    main()
