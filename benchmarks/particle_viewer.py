# SPDX-License-Identifier: GPL-3.0-or-later
"""20,000 particles of 5 tomograms in the 3D viewer: seconds until the window is drawn, and for each turn of it.

On a screen of its own where Xvfb is installed (with xvfb-run), else on the one that there is.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import rotations_from_normals
from stadyn.io.results import read_result, write_result
from stadyn.plots.figures import by_tomogram, particles_figure
from stadyn.viewers.base import FigureView

ASKED_TO_OPEN, ASKED_TO_TURN = 5.0, 1.0
"""Seconds."""
SCREEN = "1600x1000x24"
TURNS = 5
VLPS, RADIUS_PX, SIDE_PX = 4, 300.0, 4000.0
ON_OWN_SCREEN = "--on-this-screen"


def main():
    """Print one row a view; the exit code is 1 when one is slower than asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--particles", type=int, default=20000)
    parser.add_argument("--tomograms", type=int, default=5)
    parser.add_argument(ON_OWN_SCREEN, action="store_true", dest="here", help="use the display that there is")
    args = parser.parse_args()
    if not args.here and shutil.which("xvfb-run"):
        words = ["xvfb-run", "--auto-servernum", "--server-args", f"-screen 0 {SCREEN}", sys.executable, __file__]
        os.execvp(words[0], [*words, *sys.argv[1:], ON_OWN_SCREEN])
    if not os.environ.get("DISPLAY"):
        sys.exit("no display: apt-get install xvfb, or log in with X forwarding (ssh -X)")
    os.environ["MPLBACKEND"] = "TkAgg"
    print(f"load {os.getloadavg()[0]:.1f}; {args.particles} particles, {args.tomograms} tomograms, screen {SCREEN}")
    table, excluded = planted(args.particles, args.tomograms)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("particles.npz", "excluded.npz")]
        for path, part in zip(paths, (table, excluded), strict=True):
            write_result(path, part)
        views = {
            "all tomograms, by CC": ("cc", 0.0, slice(None)),
            "all tomograms, by VLP, with discs": ("surface", 12.0, slice(None)),
            "one tomogram, by CC": ("cc", 0.0, slice(1)),
        }
        slow = [name for name, (color, disc, shown) in views.items() if not row(name, paths, color, disc, shown)]
    return 1 if slow else 0


def planted(particles, tomograms):
    """(ParticleTable on a few spheres of each tomogram, a tenth as many that were excluded)."""
    rng = np.random.default_rng(0)

    def table(count):
        normals = rng.standard_normal((count, 3))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        vlp = rng.integers(VLPS, size=count)
        centers = SIDE_PX * np.stack([(vlp % 2 + 0.5) / 2, (vlp // 2 + 0.5) / 2, np.full(count, 0.2)], axis=1)
        names = np.array([f"tomo_{i % tomograms:02d}" for i in range(count)])
        rotations = rotations_from_normals(normals)
        return ParticleTable(centers + RADIUS_PX * normals, rotations, names, 1 + vlp, cc=rng.random(count))

    return table(particles), table(particles // 10)


def row(name, paths, color_by, disc_px, shown):
    """Open one window from the result files, turn it, and print; was it as fast as asked?"""
    began = time.perf_counter()
    tables, excluded = (by_tomogram(read_result(path, ParticleTable)) for path in paths)
    tables = dict(list(tables.items())[shown])
    figure = particles_figure(tables, color_by, {key: excluded[key] for key in tables}, disc_px)
    windows = []
    FigureView(figure, "particles", ".", name, windows.append).show()
    (window,) = windows
    window.update()
    opened = time.perf_counter() - began
    began = time.perf_counter()
    for turn in range(TURNS):
        figure.axes[0].view_init(azim=10.0 * turn)
        window.canvas.draw()
        window.update()
    turned = (time.perf_counter() - began) / TURNS
    window.destroy()
    met = opened <= ASKED_TO_OPEN and turned <= ASKED_TO_TURN
    asked = f"asked {ASKED_TO_OPEN:g} and {ASKED_TO_TURN:g} s"
    print(f"{name:36} opens in {opened:5.2f} s | a turn takes {turned:5.2f} s | {asked}{'' if met else '  MISSED'}")
    return met


if __name__ == "__main__":
    sys.exit(main())
