# SPDX-License-Identifier: GPL-3.0-or-later
"""Fast mode against our own exhaustive mode (band-cropped, batched, every shift), same particles and settings.

    python benchmarks/against_exhaustive.py [--particles 500] [--exhaustive 48]

375 angles down to a 1 degree grid. The exhaustive mode's time per particle does not depend
on the particle: it takes fewer of them, and both errors are those of exactly these.
"""

import argparse

from aligning import align, compare_on_some, local_search
from planted_particles import SNRS, plant
from rows import Rows

ASKED = 25


def compare(rows, name, planted, settings, exhaustive, repeats, asked):
    """One row on one set of particles; returns the `Errors` of both modes."""

    def theirs(part):
        return align(planted, settings, "exhaustive", part)

    return compare_on_some(rows, name, planted, settings, theirs, exhaustive, repeats, asked)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--box", type=int, default=48)
    parser.add_argument("--particles", type=int, default=500)
    parser.add_argument("--exhaustive", type=int, default=48, help="particles of the exhaustive mode")
    parser.add_argument("--snr", type=float, nargs="+", default=SNRS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    rows = Rows()
    clean = plant(args.particles, args.box, args.seed)
    for snr in args.snr:
        planted = clean.at(snr)
        name = f"exhaustive mode, box {args.box}, SNR {snr:g}, {len(planted)} particles"
        name = f"{name}, {args.exhaustive} exhaustively"
        compare(rows, name, planted, local_search(planted), args.exhaustive, args.repeats, ASKED)
    rows.end()


if __name__ == "__main__":
    main()
