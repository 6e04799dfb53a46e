# SPDX-License-Identifier: GPL-3.0-or-later
"""Two processes against one on two cores: the part of an iteration that is done particle by particle.

    python benchmarks/two_processes.py [--particles 2000]

Both crews are started and warmed first. Timed is one iteration: cut the boxes, transform,
search. The same poses are asked of both, to 1e-3 degrees and pixels.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from aligning import local_search
from planted_particles import WEDGE, errors, plant
from rows import Rows, in_turn, per_particle

from stadyn.core.passes import GLOBAL
from stadyn.core.refinement import Refinement
from stadyn.io.mrc import write_volume
from stadyn.io.results import write_result
from stadyn.jobs.processes import ProcessCrew

ASKED = 1.8
SAME = 1e-3


def job_settings(folder, planted):
    """The planted particles as files, and the settings of an align job on them."""
    write_volume(folder / "planted.mrc", planted.volume, planted.pixel_size)
    write_result(folder / "particles.npz", planted.start)
    tomogram = {
        "id": "planted",
        "path": str(folder / "planted.mrc"),
        "pixel_size": planted.pixel_size,
        "shape": list(planted.volume.shape),
        "tilt_min_deg": WEDGE.min_deg,
        "tilt_max_deg": WEDGE.max_deg,
    }
    box = planted.box_px * planted.pixel_size
    return {
        "tomograms": [tomogram],
        "particles": str(folder / "particles.npz"),
        "output": str(folder / "out"),
        "box_angst": box,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--box", type=int, default=48)
    parser.add_argument("--particles", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=6)
    args = parser.parse_args()
    rows = Rows()
    planted = plant(args.particles, args.box, args.seed).at(0.01)
    search, every = local_search(planted), np.arange(args.particles)
    with tempfile.TemporaryDirectory() as folder:
        settings = job_settings(Path(folder), planted)

        def crew(processes):
            return ProcessCrew(settings, args.box, planted.pixel_size, "fast", GLOBAL, [None] * processes)

        def run(crew, chosen=every):
            refinement = Refinement((search,), args.box, planted.pixel_size)
            return refinement.run(None, planted.start, chosen, planted.reference, planted.mask, crew=crew)

        with crew(2) as two, crew(1) as one:
            run(two, every[:64]), run(one, every[:64])
            mine, other, found, tables = in_turn(lambda: run(two), lambda _: run(one), args.repeats)
    a, b = errors(found, planted.truth, every), errors(tables[-1], planted.truth, every)
    apart = errors(found, tables[-1], every)
    same = max(apart.angle_deg.max(), apart.shift_px.max()) < SAME
    ratio = float(np.median(other / mine))
    times = [per_particle(np.median(t), args.particles) for t in (mine, other)]
    name = f"2 processes against 1, box {args.box}, {args.particles} particles"
    rows.add(name, *times, ratio, a, b, f">= {ASKED} x, the same poses", ratio >= ASKED and same)
    print(f"#   poses differ by at most {apart.angle_deg.max():.1e}° {apart.shift_px.max():.1e} px", flush=True)
    rows.end()


if __name__ == "__main__":
    main()
