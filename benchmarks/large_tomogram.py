# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps 1 to 4, and extraction, on a tomogram of 6 GiB: the most memory that any process of theirs held."""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import mrcfile
import numpy as np

PIXEL, SIDE, DEPTH = 10.8, 1280, 983
"""Å a pixel; x and y, and z, in pixels: 6.0 GiB of float32."""
ALLOWED_MIB = 2048
SMALL = ["--tomograms", "1", "--vlps", "1", "--pixel-size", str(PIXEL), "--extent", "1040", "1040", "1000"]
SMALL += ["--radius", "290", "330", "--noise", "0.5", "--gold-beads", "1", "--junk", "4", "--seed", "5"]
LAST = "4 Align each tomogram"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", help="where to work; the large file is sparse (default: a temporary folder)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(args.folder or temporary).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        sys.exit(measure(folder))


def measure(folder):
    """Run the steps, print a row each; returns the exit code."""
    stadyn(folder, "simulate", "--out", str(folder / "small"), *SMALL)
    tomogram, dipoles = enlarged(folder)
    print(f"tomogram of {tomogram.stat().st_size / 2**30:.2f} GiB", flush=True)
    answers = [f"tomograms={tomogram}", f"dipoles={dipoles}", f"pixel_size={PIXEL}"]
    rows = [("simulation of the small one, for comparison", peak_mib())]
    stadyn(
        folder, "replay", "vlp_nine_steps", *answers, "--projects", str(folder), "--project", "large", "--until", LAST
    )
    rows.append((f"steps 1 to 4, until {LAST!r}", peak_mib()))
    (settings,) = sorted(folder.glob("projects/large/Runs/*ProtAlign/extra/align.json"))[-1:]
    settings = {
        k: v for k, v in json.loads(settings.read_text()).items() if k in ("tomograms", "particles", "box_angst")
    }
    (folder / "extract.json").write_text(json.dumps({**settings, "output": str(folder / "boxes")}))
    stadyn(folder, "extract", str(folder / "extract.json"))
    rows.append(("and extraction", peak_mib()))
    for name, peak in rows:
        print(f"{name} | peak so far {peak:.0f} MiB | asked at most {ALLOWED_MIB} MiB")
    return int(rows[-1][1] > ALLOWED_MIB)


def stadyn(folder, *words):
    """Run one command, its output in a log."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SCIPION_")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    with open(folder / "log.txt", "a") as log:
        subprocess.run([sys.executable, "-m", "stadyn", *words], check=True, env=environment, stdout=log, stderr=log)


def peak_mib():
    """The largest resident size of any process that has ended, descendants included; pages of mapped files count."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def enlarged(folder):
    """(tomogram, dipoles) of the small simulation within a volume that is otherwise a hole in the file."""
    (small,) = sorted((folder / "small").glob("tomo*.mrc"))
    path, offset = folder / "large" / small.name, np.array([900, 700, 500])  # x, y, z
    path.parent.mkdir(exist_ok=True)
    with mrcfile.open(small) as mrc, mrcfile.new_mmap(path, (DEPTH, SIDE, SIDE), 2, overwrite=True) as large:
        z, y, x = (slice(o, o + n) for o, n in zip(offset[::-1], mrc.data.shape, strict=True))
        large.data[z, y, x] = mrc.data
        large.voxel_size = PIXEL
    rows = list(csv.DictReader((folder / "small" / "dipoles.csv").open()))
    for row in rows:
        for point in ("center", "north"):
            for axis, shift in zip("xyz", offset, strict=True):
                row[f"{point}_{axis}"] = float(row[f"{point}_{axis}"]) + shift
    dipoles = folder / "large" / "dipoles.csv"
    with dipoles.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path, dipoles


if __name__ == "__main__":
    main()
