# SPDX-License-Identifier: GPL-3.0-or-later
"""Fast mode against RELION 3.1 on the same particles: one iteration of local searches, wall clock of the process.

    python benchmarks/against_relion.py [--particles 2000] [--relion 100 300] [--all]

Needs ``relion_refine`` (Debian and Ubuntu: ``apt-get install relion``). RELION gets each box as
a subtomogram, protein bright, with its wedge as CTF volume; the true map on its absolute grey
scale; the same low-pass; its own choice for local searches in auto-refinement: 3.7 degrees apart, 1.9 after
oversampling, Gaussian priors of 3.75 degrees, shifts within 3 px, 2 px and then 1 px apart. The particles
start off by up to 5 degrees and 2 px, and our search reaches as far as RELION's. Both sides run as
a process of their own, from files to files: reading, one iteration with the average at its
end, writing. RELION takes some hundreds of particles, twice, and the straight line through both times (so
much to start, so much for each) is followed to all of them; with ``--all`` it takes all, which is half an
hour for each noise level. Both errors are those of the particles of its largest run.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from aligning import THREADS, local_search
from planted_particles import WEDGE, errors, frequencies, plant
from rows import Rows, errors_no_larger, per_particle, seconds
from two_processes import job_settings

from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import matrices_from_relion, relion_from_matrices
from stadyn.core.wedge import wedge_weights
from stadyn.io.mrc import write_volume
from stadyn.io.results import read_result
from stadyn.io.star import read_star, write_star

PROGRAM = "relion_refine"
ASKED = 30
START_DEG, START_PX = 5.0, 2.0
SIGMA_DEG, REACH_PX = 3.75, 3.0


def write_particles(folder, planted, snr, count):
    """Subtomograms, wedge, reference and STAR file as RELION 3.1 reads them."""
    size, n = planted.pixel_size, planted.box_px
    (folder / "sub").mkdir()
    (folder / "out").mkdir()
    for i, box in enumerate(planted.boxes(np.arange(count))):
        write_volume(folder / f"sub/{i:05d}.mrc", -box, size)
    write_volume(folder / "wedge.mrc", wedge_weights(WEDGE, frequencies(n)), size)
    scale = np.sqrt(snr) / planted.reference.std()
    write_volume(folder / "ref.mrc", -planted.reference * scale, size)
    angles = relion_from_matrices(planted.start.rotations[:count])
    columns = {"rlnImageName": [f"sub/{i:05d}.mrc" for i in range(count)], "rlnCtfImage": ["wedge.mrc"] * count}
    for name, values in zip(("Rot", "Tilt", "Psi"), angles, strict=True):
        columns[f"rlnAngle{name}"] = values
        if name != "Rot":
            columns[f"rlnAngle{name}Prior"] = values
    columns["rlnAngleRotPrior"] = angles[0]
    columns |= {f"rlnOrigin{axis}Angst": np.zeros(count) for axis in "XYZ"}
    columns |= {"rlnOpticsGroup": np.ones(count, int), "rlnRandomSubset": np.arange(count) % 2 + 1}
    optics = {
        "rlnOpticsGroup": [1],
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnSphericalAberration": [2.7],
        "rlnVoltage": [300.0],
        "rlnAmplitudeContrast": [0.07],
        "rlnImagePixelSize": [size],
        "rlnImageSize": [n],
        "rlnImageDimensionality": [3],
    }
    write_star(folder / "particles.star", {"optics": optics, "particles": columns})


def relion(folder, planted, settings):
    """Run RELION in `folder`; the table it found."""
    diameter = 0.92 * planted.box_px * planted.pixel_size
    command = [PROGRAM, "--i", "particles.star", "--ref", "ref.mrc", "--o", "out/run", "--iter", 1, "--K", 1]
    command += ["--ctf", "--ini_high", settings.lowpass_angst, "--particle_diameter", diameter, "--zero_mask"]
    command += ["--flatten_solvent", "--sym", settings.symmetry, "--healpix_order", 4, "--oversampling", 1]
    command += ["--sigma_ang", SIGMA_DEG, "--perturb", 0]
    command += ["--offset_range", REACH_PX, "--offset_step", 2, "--pad", 2, "--norm", "--scale", "--dont_check_norm"]
    command += ["--j", THREADS, "--pool", 16, "--random_seed", 1]
    ran = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"{PROGRAM} failed: {ran.stdout[-2000:]}{ran.stderr[-2000:]}")
    columns = read_star(folder / "out/run_it001_data.star")["particles"]
    number = np.argsort([int(Path(name).stem) for name in columns["rlnImageName"]])
    angles = (np.asarray(columns[f"rlnAngle{a}"], float)[number] for a in ("Rot", "Tilt", "Psi"))
    origin = np.stack([np.asarray(columns[f"rlnOrigin{a}Angst"], float)[number] for a in "XYZ"], -1)
    # RELION's origin is what is to be added to bring the particle to the middle: the particle sits at minus that.
    start = planted.start.select(np.arange(len(number)))
    positions = start.positions - origin / planted.pixel_size
    return start.replace(rotations=matrices_from_relion(*angles), positions=positions)


def relion_seconds(planted, settings, snr, counts, particles):
    """(seconds of RELION for all `particles`, what was measured in words, the table of its largest run).

    One run each for the `counts` of particles, ascending; if the last is not all of them, a straight line is followed.
    """
    spent = []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            write_particles(Path(folder), planted, snr, count)
            wall, table = seconds(relion, Path(folder), planted, settings)
        spent.append(wall)
    said = ", ".join(f"{count} in {wall:.1f} s" for count, wall in zip(counts, spent, strict=True))
    if counts[-1] == particles:
        return spent[-1], said, table
    each, once = np.polyfit(counts, spent, 1)
    return once + each * particles, f"{said}: {once:.1f} s and {1e3 * each:.0f} ms a particle", table


def stadyn(folder, planted):
    """Run ``python -m stadyn align`` on the same volume; the table it found."""
    shutil.rmtree(folder / "out", ignore_errors=True)  # or it would go on where the last run ended
    command = [sys.executable, "-m", "stadyn", "align", str(folder / "align.json")]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    if ran.returncode:
        sys.exit(f"stadyn failed: {ran.stdout[-2000:]}{ran.stderr[-2000:]}")
    return read_result(folder / "out" / "particles.npz", ParticleTable)


def write_job(folder, planted, settings):
    """The settings of our own job in `folder`."""
    write_volume(folder / "ours.mrc", planted.reference, planted.pixel_size)
    write_volume(folder / "mask.mrc", planted.mask, planted.pixel_size)
    given = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
    job = job_settings(folder, planted) | {"rounds": [given], "threads": THREADS}
    job |= {"reference": {"*": str(folder / "ours.mrc")}, "mask": str(folder / "mask.mrc")}
    (folder / "align.json").write_text(json.dumps(job))


def compare(rows, planted, snr, counts, repeats):
    """Both sides on one set of particles: one row."""
    settings = local_search(planted, reach_deg=3 * SIGMA_DEG, reach_box=REACH_PX / planted.box_px)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_job(folder, planted, settings)
        before = [seconds(stadyn, folder, planted) for _ in range(repeats // 2)]
        theirs, said, table = relion_seconds(planted, settings, snr, counts, len(planted))
        after = [seconds(stadyn, folder, planted) for _ in range(repeats - repeats // 2)]
    ours, found = np.median([s for s, _ in before + after]), after[-1][1]
    same = np.arange(counts[-1])
    a, b = errors(found, planted.truth, same), errors(table, planted.truth.select(same), same)
    ratio = float(theirs / ours)
    times = [f"{wall:.1f} s, {per_particle(wall, len(planted))}" for wall in (ours, theirs)]
    name = f"RELION 3.1, box {planted.box_px}, SNR {snr:g}, {len(planted)} particles, whole process"
    name = f"{name}, {' and '.join(map(str, counts))} by RELION"
    print(f"#   RELION: {said}", flush=True)
    reached = errors_no_larger(a, b) and ratio >= ASKED
    rows.add(name, *times, ratio, a, b, f">= {ASKED} x, no larger", reached)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--box", type=int, default=48)
    parser.add_argument("--particles", type=int, default=2000)
    parser.add_argument("--relion", type=int, nargs="+", default=(100, 300), help="of them by RELION, in its runs")
    parser.add_argument("--all", action="store_true", help="RELION takes all particles")
    parser.add_argument("--snr", type=float, nargs="+", default=(0.05, 0.01))
    parser.add_argument("--repeats", type=int, default=3, help="of ours; RELION runs between them")
    parser.add_argument("--seed", type=int, default=8)
    args = parser.parse_args()
    if not shutil.which(PROGRAM):
        sys.exit(f"{PROGRAM} is not installed: apt-get install relion")
    counts = [args.particles] if args.all else sorted(args.relion)
    if len(counts) < 2 and counts[-1] != args.particles:
        parser.error("--relion needs two numbers of particles for a line, or --all")
    rows = Rows()
    clean = plant(args.particles, args.box, args.seed, START_DEG, START_DEG, START_PX)
    for snr in args.snr:
        compare(rows, clean.at(snr), snr, counts, args.repeats)
    rows.end()


if __name__ == "__main__":
    main()
