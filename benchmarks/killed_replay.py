# SPDX-License-Identifier: GPL-3.0-or-later
"""The nine steps, killed (-9) with all their processes at random moments and resumed, beside an unbroken run."""

import argparse
import filecmp
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

ALONE = {"summary.json", "sheet.html", "tomograms.doc"}
"""Exported files that hold times, or the folder of their own project."""
SMALL = ["--tomograms", "2", "--vlps", "1", "--pixel-size", "10.8", "--extent", "1040", "1040", "1000"]
SMALL += ["--radius", "290", "330", "--noise", "0.5", "--gold-beads", "1", "--junk", "4", "--seed", "5"]


def workplace(args, temporary):
    """(folder to work in, folder of a simulation, which is made if need be) as the options --folder and --data say."""
    folder = Path(args.folder or temporary).absolute()
    data = Path(args.data or folder / "data").absolute()
    if not (data / "dipoles.csv").exists():
        subprocess.run([sys.executable, "-m", "stadyn", "simulate", "--out", str(data), *SMALL], check=True)
    return folder, data


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="how often, default 20")
    parser.add_argument("--longest", type=float, default=25.0, help="most seconds before a kill, default 25")
    parser.add_argument("--data", help="folder of a simulation; default: one is made")
    parser.add_argument("--until", help="label of the last protocol; default: all nine steps")
    parser.add_argument("--folder", help="where to work; default: a temporary folder")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, data = workplace(args, temporary)
        sys.exit(compare(folder, data, args))


def compare(folder, data, args):
    """Run both, print how they differ; returns the exit code."""
    began = time.monotonic()
    code = start(folder / "whole", data, args.until).wait()
    print(f"unbroken: exit {code}, {time.monotonic() - began:.0f} s", flush=True)
    rng = np.random.default_rng(args.seed)
    killed, replays, failed = 0, 0, code != 0
    while killed < args.kills and not failed:
        replays += 1
        project = folder / f"broken{replays}"
        code, count = run_broken(project, data, args, rng, args.kills - killed)
        killed += count
        differing = differences(folder / "whole", project)
        left = list(project.rglob(".*.part"))
        print(f"replay {replays}: {count} kills, exit {code}, {len(differing)} files differ, {len(left)} half-written")
        print(*differing, *left, sep="\n", flush=True)
        failed = code != 0 or bool(differing or left)
    print(f"{killed} kills in {replays} replays: {'FALLS SHORT' if failed else 'finished every time, identical'}")
    return int(failed)


def run_broken(folder, data, args, rng, most):
    """(exit code, kills) of a replay that is killed up to `most` times."""
    for count in range(most + 1):
        process = start(folder, data, args.until)
        moment = rng.uniform(1, args.longest)
        try:
            code = process.wait(None if count == most else moment)
        except subprocess.TimeoutExpired:
            kill_with_descendants(process.pid)
            process.wait()
            print(f"  killed after {moment:.1f} s: {last_line(folder)}", flush=True)
            continue
        return code, count
    return process.returncode, most


def kill_with_descendants(pid):
    """SIGKILL to a process and all it started, the parents first so that none can say goodbye."""
    process = psutil.Process(pid)
    for member in [process, *process.children(recursive=True)]:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue


def start(folder, data, until):
    """Begin a replay in `folder`, or go on with the one that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "stadyn", "replay", "vlp_nine_steps"]
    begun = (folder / "projects" / "one").exists() or (folder / ".one.unfinished").exists()
    command += [f"tomograms={data / 'tomograms.vll'}", f"dipoles={data / 'dipoles.csv'}", "pixel_size=10.8"]
    command += ["--projects", str(folder), "--project", "one", "--export", str(folder / "out")]
    command += [*(["--resume"] if begun else []), *(["--until", until] if until else [])]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SCIPION_")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    with open(folder / "replay.log", "a") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def last_line(folder):
    """Where the replay was."""
    lines = (folder / "replay.log").read_text().splitlines()
    return next((line.strip() for line in reversed(lines) if line.startswith("[")), "before the first protocol")


def differences(whole, broken):
    """Names of results that are not the same, byte by byte, in two replays."""
    names = {p.name for p in (whole / "out").iterdir()} | {p.name for p in (broken / "out").glob("*")}
    differing = [n for n in sorted(names - ALONE) if not same(whole / "out" / n, broken / "out" / n)]
    runs = [folder / "projects" / "one" / "Runs" for folder in (whole, broken)]
    tables = {p.relative_to(run) for run in runs for p in run.glob("*/extra/**/*") if p.suffix in (".npz", ".mrc")}
    kept = sorted(t for t in tables if not t.name.startswith(("checkpoint", "input_boxes")))
    return differing + [str(t) for t in kept if not same(runs[0] / t, runs[1] / t)]


def same(one, other):
    """Are two files there, and equal? Tables by their content, since archives hold the time."""
    if not (one.exists() and other.exists()):
        return False
    if one.suffix != ".npz":
        return filecmp.cmp(one, other, shallow=False)
    with np.load(one) as first, np.load(other) as second:
        if set(first.files) != set(second.files):
            return False
        return all(equal(first[name], second[name]) for name in first.files)


def equal(one, other):
    """Are two arrays the same, with NaN in the same places?"""
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


if __name__ == "__main__":
    main()
