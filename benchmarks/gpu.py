# SPDX-License-Identifier: GPL-3.0-or-later
"""Fast mode on a GPU: against the peers' loop in CuPy, against the CPU, and against what the device can do at best.

    python benchmarks/gpu.py [--box 48] [--particles 4000]

Needs a GPU and CuPy (``pip install 'scipion-em-stadyn[gpu]'``). The peers' loop is the one of
against_peer_loop.py with CuPy's rotation and transforms. The device's own ceilings, copying memory and
multiplying matrices, are measured first; then where the time of one pass goes.
"""

import argparse
import sys

import cupy
import cupyx.scipy.fft
import cupyx.scipy.ndimage
import numpy as np
from against_peer_loop import PeerLoop, peer_table
from aligning import align, compare_on_some, local_search
from planted_particles import SNRS, errors, plant
from rows import Rows, errors_no_larger, in_turn, per_particle, seconds

from stadyn.core.crew import LocalCrew
from stadyn.core.passes import round_radii

ASKED = 1000
COPIED = 2**30
SIDE = 8192


def timed(function, repeats=5):
    """Median seconds of work on the device, after one call that is not counted."""
    function()
    cupy.cuda.Device().synchronize()
    spent = []
    for _ in range(repeats):
        spent.append(seconds(lambda: (function(), cupy.cuda.Device().synchronize()))[0])
    return float(np.median(spent))


def ceilings():
    """(bytes read and written a second, single-precision operations a second) of the device."""
    source = cupy.zeros(COPIED, np.uint8)
    target = cupy.empty_like(source)
    copied = timed(lambda: cupy.copyto(target, source))
    matrix = cupy.random.random((SIDE, SIDE), dtype=np.float32)
    product = cupy.empty_like(matrix)
    multiplied = timed(lambda: cupy.matmul(matrix, matrix, out=product))
    return 2 * COPIED / copied, 2 * SIDE**3 / multiplied


def stages(planted, settings):
    """Print how long preparing, aligning and averaging take, and how near the first is to the speed of copying."""
    n = len(planted)
    high, low = round_radii(settings, planted.box_px, planted.pixel_size)
    crew = LocalCrew(planted.source, planted.box_px, planted.pixel_size, xp=cupy)
    crew.begin(planted.start, np.arange(n), high, low, True)

    def prepare():
        for index in range(len(crew.data)):
            crew.data.batch(index)
        cupy.cuda.Device().synchronize()

    prepared, _ = seconds(prepare)
    start = planted.start
    arguments = (start, start.positions, planted.reference, planted.mask, settings)
    aligned = timed(lambda: crew.align(*arguments), 3)
    added = timed(lambda: crew.sums(start, np.arange(n) % 2 == 0), 3)
    each = [f"{name} {1e3 * t / n:.3g} ms" for name, t in (("prepare", prepared), ("align", aligned), ("add", added))]
    bandwidth, operations = ceilings()
    moved = planted.volume.nbytes / prepared / bandwidth
    print(f"# box {planted.box_px}, a particle: {', '.join(each)}; preparing reaches {moved:.1%} of copying")
    print(f"# ceilings: copying {bandwidth / 1e9:.0f} GB/s, matrix products {operations / 1e12:.1f} Tflop/s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boxes", type=int, nargs="+", default=[48, 64, 96])
    parser.add_argument("--particles", type=int, default=2000)
    parser.add_argument("--peer", type=int, default=12, help="particles of the peers' loop")
    parser.add_argument("--snr", type=float, nargs="+", default=SNRS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=10)
    args = parser.parse_args()
    if not cupy.cuda.is_available():
        sys.exit("no GPU is at hand")
    print(f"# {cupy.cuda.runtime.getDeviceProperties(0)['name'].decode()}, CuPy {cupy.__version__}")
    rows = Rows()
    for box_px in args.boxes:
        clean = plant(args.particles, box_px, args.seed)
        for snr in args.snr:
            planted = clean.at(snr)
            settings = local_search(planted)
            loop = PeerLoop(planted, settings, cupy, cupyx.scipy.fft, cupyx.scipy.ndimage)
            loop.correlate(loop.transform(planted.reference), np.eye(3))
            name = f"peer loop in CuPy, box {box_px}, SNR {snr:g}, {args.particles} particles, {args.peer} by the peer"

            def theirs(part, loop=loop, planted=planted):
                return peer_table(loop, planted, part)

            compare_on_some(rows, name, planted, settings, theirs, args.peer, args.repeats, ASKED, cupy)
        every = np.arange(args.particles)


        def run(xp, planted=planted, settings=settings):
            return align(planted, settings, xp=xp)

        mine, other, found, tables = in_turn(lambda r=run: r(cupy), lambda _, r=run: r(np), args.repeats)
        a, b = (errors(table, planted.truth, every) for table in (found, tables[-1]))
        times = [per_particle(np.median(t), args.particles) for t in (mine, other)]
        ratio = float(np.median(other / mine))
        rows.add(f"GPU against CPU, box {box_px}", *times, ratio, a, b, "no larger", errors_no_larger(a, b))
        stages(planted, settings)
    rows.end()


if __name__ == "__main__":
    main()
