# SPDX-License-Identifier: GPL-3.0-or-later
"""A wide first search against our own exhaustive mode: a full turn, a cone of 60 degrees, shifts of 15 % of the box.

    python benchmarks/wide_search.py [--particles 500] [--exhaustive 24 48]

C1 and C6, SNR 0.05 and 0.01. Angles 10 degrees apart at first, then 5, 2.5 and 1.25. A
particle is found when it ends within 5 degrees and a fortieth of the box of its truth.
"""

import argparse

import numpy as np
from against_exhaustive import compare
from planted_particles import plant
from rows import Rows

from stadyn.core.search import AlignmentRound

ASKED = 30
FOUND_DEG = 5.0
FOUND_BOX = 1 / 40
SHIFT = 0.15


def wide_search(planted):
    """The round that is searched."""
    return AlignmentRound(
        iterations=1,
        cone_range_deg=60.0,
        cone_sampling_deg=10.0,
        inplane_range_deg=360.0,
        inplane_sampling_deg=10.0,
        refine=3,
        refine_factor=2.0,
        shift_limit_angst=(SHIFT * planted.box_px * planted.pixel_size,) * 3,
        shift_modus=1,
        lowpass_angst=4 * planted.pixel_size,
        symmetry=planted.symmetry,
    )


def success(errors, box_px):
    """Fraction of particles found."""
    return float(np.mean((errors.angle_deg < FOUND_DEG) & (errors.shift_px < FOUND_BOX * box_px)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--box", type=int, default=48)
    parser.add_argument("--particles", type=int, default=500)
    parser.add_argument("--exhaustive", type=int, nargs=2, default=(24, 48), help="of them exhaustively, C1 and C6")
    parser.add_argument("--snr", type=float, nargs="+", default=(0.05, 0.01))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()
    rows = Rows()
    for symmetry, exhaustive in zip(("C1", "C6"), args.exhaustive, strict=True):
        shift = SHIFT * args.box
        clean = plant(args.particles, args.box, args.seed, 30.0, 180.0, shift, symmetry)
        for snr in args.snr:
            planted = clean.at(snr)
            name = f"wide search, {symmetry}, box {args.box}, SNR {snr:g}, {len(planted)} particles"
            name = f"{name}, {exhaustive} exhaustively"
            a, b = compare(rows, name, planted, wide_search(planted), exhaustive, args.repeats, ASKED)
            ours, theirs = success(a, args.box), success(b, args.box)
            found = f"{name}: found"
            rows.add(found, f"{ours:.1%}", f"{theirs:.1%}", None, "", "", "no fewer", ours >= theirs)
    rows.end()


if __name__ == "__main__":
    main()
