# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with the input of each command, and what is said: one sentence with the value and the remedy."""

import json
import os

import numpy as np
import pytest

from stadyn.__main__ import main
from stadyn.core.particles import ParticleTable
from stadyn.io.mrc import read_volume, write_volume
from stadyn.io.results import write_result
from stadyn.tests.core.planted import plant

from .jobs.planted_files import ROUND, written

BOX = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Good inputs of every job, and bad files of every kind."""
    folder = tmp_path_factory.mktemp("inputs")
    planted = plant(8, BOX, snr=1.0, seed=3, tomogram_ids=("a", "b"))
    (folder / "good.json").write_text(json.dumps(written(folder, planted)))
    truth, rng = planted.truth, np.random.default_rng(0)
    strange, outside = truth.tomogram_ids.copy(), truth.positions.copy()
    strange[0], outside[0, 2] = "c", 500.0
    write_result(folder / "none.npz", ParticleTable.empty())
    write_result(folder / "strange.npz", truth.replace(tomogram_ids=strange))
    write_result(folder / "outside.npz", truth.replace(positions=outside))
    write_result(folder / "unsplit.npz", truth.replace(half=np.zeros(8, int)))
    write_result(folder / "twice.npz", truth.replace(ids=np.ones(8, int)))
    write_result(folder / "unscored.npz", truth.replace(cc=np.full(8, np.nan)))
    (folder / "cut.npz").write_bytes((folder / "particles.npz").read_bytes()[:300])
    holed = read_volume(folder / "a.mrc")
    x, y, z = np.rint(truth.positions[truth.tomogram_ids == "a"][1]).astype(int)
    holed[z, y, x] = np.nan
    write_volume(folder / "holed.mrc", holed, 5.0)
    write_volume(folder / "level.mrc", np.full(holed.shape, 7.0), 5.0)
    write_volume(folder / "flat.mrc", rng.normal(size=(8, BOX, BOX)), 5.0)
    write_volume(folder / "zeros.mrc", np.zeros((BOX,) * 3), 5.0)
    for name in ("half1.mrc", "half2.mrc"):
        write_volume(folder / name, planted.reference + rng.normal(0, 0.01, (BOX,) * 3), 5.0)
    write_volume(folder / "small.mrc", rng.normal(size=(16,) * 3), 5.0)
    write_volume(folder / "other.mrc", rng.normal(size=(BOX,) * 3), 6.0)
    volume = rng.normal(size=(BOX,) * 3)
    volume[3, 4, 5] = np.nan
    write_volume(folder / "nan.mrc", volume, 5.0)
    content = (folder / "half1.mrc").read_bytes()
    (folder / "cut.mrc").write_bytes(content[:5000])
    (folder / "packed.mrc").write_bytes(b"\x1f\x8b" + content)
    (folder / "empty.mrc").touch()
    (folder / "text.mrc").write_text("not a map\n" * 200)
    (folder / "mode.mrc").write_bytes(content[:12] + (4).to_bytes(4, "little") + content[16:])
    (folder / "nosize.mrc").write_bytes(content[:40] + bytes(12) + content[52:])
    (folder / "list.json").write_text("[1, 2]")
    (folder / "broken.json").write_text('{"output": "x",}')
    (folder / "double.json").write_text('{"output": "x", "output": "y"}')
    (folder / "binary.json").write_bytes(b"\xff\xfe\x00{")
    (folder / "nan.json").write_text('{"output": NaN}')
    (folder / "short.tbl").write_text("1 2 3\n")
    (folder / "words.tbl").write_text("one two three\n" * 3)
    (folder / "a.star").write_text("data_\nloop_\n_rlnCoordinateX\n1\n")
    (folder / "a.json").write_text("{}")
    (folder / "a.json.template").write_text("nothing\n")
    (folder / "file").write_text("x")
    (folder / "list.vll").write_text(f"{folder / 'a.mrc'}\n{folder / 'b.mrc'}\n")
    heading = "tomogram,vlp,center_x,center_y,center_z,north_x,north_y,north_z\n"
    (folder / "dipoles.csv").write_text(heading + "a,1,20,20,20,20,20,40\n")
    return folder


def one_sentence(words, folder, capsys, monkeypatch, *fragments):
    """Run a command in-process; it must end with 1 and say one line that holds each fragment."""
    monkeypatch.chdir(folder)
    assert main(words) == 1
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if not line.startswith("warning: ")]
    assert len(lines) == 1 and lines[0].startswith(f"stadyn {words[0]}: ") and "Traceback" not in error, error
    assert all(fragment in lines[0] for fragment in fragments), lines[0]


HOLED, LEVEL = ([{"id": i, "path": f"{name}.mrc", "pixel_size": 5.0} for i in "ab"] for name in ("holed", "level"))
B = {"id": "b", "path": "b.mrc", "pixel_size": 5.0}
TOMOGRAM = {"id": "a", "path": "a.mrc", "pixel_size": 5.0, "shape": [60, 60, 60]}
# job, what is changed in its good settings (None: left out), what the sentence names
SETTINGS = [
    ("align", {"rounds": None}, ('lack "rounds"', "add it")),
    ("align", {"rounds": []}, ("no rounds", "at least one")),
    ("align", {"rounds": "many"}, ('"rounds"', "many")),
    ("align", {"rounds": [{"itterations": 1}]}, ("itterations", "iterations")),
    ("align", {"rounds": [{**ROUND, "iterations": 0}]}, ("iterations is 0", "give a value from")),
    ("align", {"rounds": [{**ROUND, "iterations": "two"}]}, ("wrong type", "two", "correct it")),
    ("align", {"rounds": [{**ROUND, "cone_range_deg": 400}]}, ("cone_range_deg is 400", "give a value from")),
    ("align", {"rounds": [{**ROUND, "shift_limit_angst": [1, 2]}]}, ("shift_limit_angst", "give 1 or 3 lengths")),
    ("align", {"rounds": [{**ROUND, "shift_modus": 9}]}, ("shift_modus", "9")),
    ("align", {"rounds": [{**ROUND, "lowpass_angst": -3}]}, ("lowpass_angst", "-3")),
    ("align", {"rounds": [{**ROUND, "symmetry": "D7"}]}, ("D7", "C")),
    ("align", {"rounds": [{**ROUND, "binning": 0}]}, ("binning is 0", "give a value from")),
    ("align", {"engine": "slow"}, ("engine 'slow'", "choose one of fast")),
    ("align", {"score": "best"}, ("score 'best'", "choose one of")),
    ("align", {"reference_filter": "none"}, ("reference filter 'none'", "choose one of")),
    ("align", {"reference": {"odd": "map.mrc"}}, ("no reference is given for group 'all'", "given are odd")),
    ("align", {"reference": {"*": "missing.mrc"}}, ("missing.mrc cannot be found", "check the path")),
    ("align", {"reference": {"*": "flat.mrc"}}, ("flat.mrc", "must be a cube")),
    ("align", {"reference": {"*": "nosize.mrc"}}, ("nosize.mrc has no pixel size", "alterheader")),
    ("align", {"reference": "map.mrc"}, ('"reference"', "map.mrc")),
    ("align", {"mask": "zeros.mrc"}, ("mask zeros.mrc is empty", "make it anew")),
    ("align", {"mask_path": "x"}, ('unknown key "mask_path"',)),
    ("align", {"processes": "all"}, ('"processes"', "all")),
    ("average", {"particles": "none.npz"}, ("none.npz", "the table is empty")),
    ("average", {"particles": "missing.npz"}, ("missing.npz cannot be found", "check the path")),
    ("average", {"particles": "cut.npz"}, ("cut.npz is truncated", "run the step")),
    ("average", {"particles": "map.mrc"}, ("map.mrc is truncated or not a result", "run the step")),
    ("average", {"particles": "strange.npz"}, ("tomogram 'c'", "the tomograms are a, b", "drop its particles")),
    ("average", {"particles": "outside.npz"}, ("a.mrc", "500", "axis order")),
    (
        "average",
        {"particles": "unsplit.npz", "group_by": ["half"]},
        ("not split into halves", "run the even/odd split"),
    ),
    ("average", {"group_by": ["surface"]}, ("'surface'", 'give "tomogram"')),
    ("average", {"symmetry": "C0"}, ("C0",)),
    ("average", {"symmetry": 6}, ('"symmetry"', "is 6: give text")),
    ("average", {"weight_by_cc": True, "particles": "unscored.npz"}, ("have no cc", "align or score them first")),
    ("average", {"box_angst": 20}, ("box of 20 Å", "give at least 80 Å")),
    ("average", {"box_angst": 5000}, ("box of 1000 px", "choose a smaller box")),
    ("average", {"box_angst": "big"}, ('"box_angst"', "big", "number")),
    ("average", {"box_angst": None}, ('lack "box_angst"', "add it")),
    ("average", {"output": None}, ('lack "output"', "add it")),
    ("average", {"output": "file"}, ("file", "check the path")),
    ("average", {"output": 5}, ('"output"', "5")),
    ("average", {"threads": "many"}, ('"threads"', "many")),
    ("average", {"seed": "x"}, ('"seed"', "x")),
    ("average", {"fmin": "low"}, ('"fmin"', "low")),
    ("average", {"gpu": "all"}, ('"gpu"', "all")),
    ("average", {"boxes": "particles.npz"}, ("particles.npz holds a ParticleTable", "give the file")),
    ("average", {"tomograms": []}, ("tomogram", "add it")),
    ("average", {"tomograms": "a.mrc"}, ('"tomograms"', "a.mrc")),
    ("average", {"tomograms": ["a.mrc"]}, ("tomogram of the settings hold 'a.mrc'", "write {")),
    ("average", {"tomograms": [{"id": "a"}]}, ('lack "pixel_size"', "add it")),
    ("average", {"tomograms": [{**TOMOGRAM, "pixel_size": "fine"}, B]}, ("pixel_size", "fine")),
    ("average", {"tomograms": [{**TOMOGRAM, "pixel_size": -5}, B]}, ("-5",)),
    ("average", {"tomograms": [{**TOMOGRAM, "tilt_min_deg": 70, "tilt_max_deg": -70}, B]}, ("70",)),
    ("average", {"tomograms": [{**TOMOGRAM, "path": "missing.mrc"}, B]}, ("missing.mrc cannot be found",)),
    (
        "average",
        {"tomograms": [{**TOMOGRAM, "path": "cut.mrc"}, B]},
        ("cut.mrc is truncated", "copy or write it again"),
    ),
    ("average", {"tomograms": [{**TOMOGRAM, "path": "packed.mrc"}, B]}, ("packed.mrc is compressed", "unpack it")),
    ("average", {"tomograms": [{**TOMOGRAM, "path": "empty.mrc"}, B]}, ("empty.mrc is empty", "copy it again")),
    ("average", {"tomograms": [{**TOMOGRAM, "path": "text.mrc"}, B]}, ("text.mrc",)),
    ("average", {"tomograms": [{**TOMOGRAM, "path": "mode.mrc"}, B]}, ("mode.mrc has MRC mode 4", "newstack -mode 2")),
    ("average", {"tomograms": [{**TOMOGRAM, "defocus_um": "deep"}, B]}, ("tomogram a", "'deep'", "correct it")),
    ("average", {"tomograms": HOLED}, ("the box of particle 3", "NaN or infinite", "write holed.mrc again")),
    ("align", {"tomograms": HOLED}, ("the box of particle 3", "NaN or infinite", "write holed.mrc again")),
    ("extract", {"tomograms": HOLED}, ("the box of particle 3", "NaN or infinite", "write holed.mrc again")),
    ("average", {"tomograms": LEVEL}, ("average of the 8 particles", "boxes are constant", "look at the tomograms")),
    ("find-shells", {"tomograms": HOLED}, ("holed.mrc", "NaN or infinite", "write it again")),
    ("find-shells", {"tomograms": LEVEL}, ("level.mrc", "one value only", "write it again")),
    ("score", {"reference": {"*": "map.mrc"}, "mask": "missing.mrc"}, ("missing.mrc cannot be found",)),
    ("score", {"reference": {"*": "map.mrc"}, "lowpass_angst": "low"}, ('"lowpass_angst"', "low")),
    ("select", {"rebuilds": -1}, ("-1 rebuilds", "give 0 or more")),
    ("select", {"rebuilds": "few"}, ('"rebuilds"', "few")),
    ("select", {"thresholds": {"z": 0.2}}, ("given for z", "the tomograms are a, b")),
    ("select", {"thresholds": {"*": "high"}}, ('"thresholds"', "high")),
    ("select", {"margin": "wide"}, ('"margin"', "wide")),
    ("select", {"exclusion_radius_angst": "far"}, ('"exclusion_radius_angst"', "far")),
    ("extract", {"binning": 9}, ("binning 9", "give 1 to")),
    ("extract", {"binning": "half"}, ('"binning"', "half")),
    ("extract", {"particles": "twice.npz"}, ("twice.npz share ids", "renumber the particles")),
    ("find-shells", {"tomograms": "a.mrc"}, ('"tomograms"', "a.mrc")),
    ("find-shells", {"radius_angst": 300}, ('"radius_angst"', "300")),
    ("find-shells", {"radius_angst": [500, 400]}, ("500", "400")),
    ("find-shells", {"membrane_angst": "thin"}, ('"membrane_angst"', "thin")),
]

HALVES = ["half1.mrc", "half2.mrc"]
COMMANDS = [
    (["align", "missing.json"], ("missing.json cannot be found", "check the path")),
    (["align", "list.json"], ("list.json hold a list", "write {")),
    (["align", "broken.json"], ("broken.json are not JSON at line 1", "correct them")),
    (["align", "double.json"], ('give "output" twice', "keep one")),
    (["align", "binary.json"], ("binary.json is not text", "plain text")),
    (["align", "nan.json"], ("NaN", "use null or a number")),
    (["align", "."], ("is a folder", "name a file in it")),
    (["simulate"], ('lack "output"', "add it")),
    (["simulate", "--out", "file"], ("file", "check the path")),
    (["simulate", "--out", "s", "--pixel-size", "-1"], ("-1",)),
    (["simulate", "--out", "s", "--tomograms", "0"], ("0",)),
    (["simulate", "--out", "s", "--model", "missing.pdb"], ("missing.pdb",)),
    (["evaluate", "missing.npz", "particles.npz", "--pixel-size", "5"], ("missing.npz cannot be found",)),
    (["evaluate", "particles.npz", "cut.npz", "--pixel-size", "5"], ("cut.npz is truncated", "run the step")),
    (["evaluate", "particles.npz", "particles.npz", "--pixel-size", "0"], ("0",)),
    (["evaluate", "particles.npz", "particles.npz", "--pixel-size", "5", "--symmetry", "X"], ("X",)),
    (["mask", "missing.mrc", "--out", "m.mrc"], ("missing.mrc cannot be found",)),
    (["mask", "flat.mrc", "--out", "m.mrc"], ("flat.mrc",)),
    (["mask", "nan.mrc", "--out", "m.mrc"], ("nan.mrc holds 1 voxels that are NaN", "without them")),
    (["mask", "half1.mrc", "--out", "nowhere/m.mrc"], ("create the folder nowhere first",)),
    (["mask", "half1.mrc", "--out", "m.mrc", "--shape", "cylinder"], ("--radius",)),
    (["mask", "half1.mrc", "--out", "m.mrc", "--lowpass", "-2"], ("-2",)),
    (["postprocess", "half1.mrc", "half1.mrc", "--out", "p"], ("the same map", "give two half-maps")),
    (["postprocess", "half1.mrc", "small.mrc", "--out", "p"], ("small.mrc has shape", "same box")),
    (["postprocess", "half1.mrc", "other.mrc", "--out", "p"], ("other.mrc has 6 Å a pixel", "rescale one of them")),
    (["postprocess", *HALVES, "--mask", "zeros.mrc", "--out", "p"], ("zeros.mrc is empty", "make it anew")),
    (["postprocess", *HALVES, "--symmetry", "I", "--out", "p"], ("I",)),
    (["postprocess", *HALVES, "--out", "file"], ("file", "check the path")),
    (["postprocess", *HALVES, "--mtf", "a.star", "--out", "p"], ("a.star",)),
    (["postprocess", *HALVES, "--directional", "200", "--out", "p"], ("200",)),
    (["local-resolution", *HALVES, "--window", "5000", "--out", "l"], ("5000",)),
    (["local-resolution", *HALVES, "--threshold", "3", "--out", "l"], ("3",)),
    (["local-resolution", "flat.mrc", "half2.mrc", "--out", "l"], ("flat.mrc",)),
    (["convert", "missing.tbl", "b.star"], ("missing.tbl", "check the path")),
    (["convert", "short.tbl", "b.star", "--pixel-size", "5"], ("short.tbl",)),
    (["convert", "words.tbl", "b.star", "--pixel-size", "5"], ("words.tbl",)),
    (["convert", "a.star", "b.tbl"], ("a.star",)),
    (["convert", "particles.npz", "b.nothing"], ("b.nothing",)),
    (["convert", "particles.npz", "b.tbl", "--to", "excel"], ("excel",)),
    (["plot", "missing.npz"], ("missing.npz",)),
    (["plot", "cut.npz"], ("cut.npz is truncated",)),
    (["sheet", "nowhere", "--out", "s.html"], ("nowhere",)),
    (["replay", "nowhere"], ("'nowhere'", "templates")),
    (["replay", "a.json"], ("a.json", "not a workflow")),
    (["replay", "broken.json"], ("broken.json", "not a workflow")),
    (["replay", "a.json.template"], ("a.json.template", "no list of protocols")),
    (["replay", "vlp_nine_steps", "tomograms=nowhere"], ("tomograms=nowhere: no such",)),
    (["replay", "vlp_nine_steps", "colour=red"], ("'colour' is not asked",)),
    (["replay", "vlp_nine_steps", "red"], ("'red': values are given as alias=value",)),
    (["replay", "vlp_nine_steps", "--resume"], ("--resume needs --project NAME",)),
]  # fmt: skip

# What the protocols of the nine steps refuse before anything runs: an answer of the template, what the sentence names.
ANSWERS = [
    ("tomograms=missing.vll", ("tomograms=missing.vll: no such",)),
    ("tomograms=text.mrc", ("text.mrc",)),
    ("dipoles=missing.csv", ("dipoles=missing.csv: no such",)),
    ("dipoles=a.star", ("a.star",)),
    ("pixel_size=fine", ("pixel_size=fine", "is a number")),
    ("pixel_size=0", ("1 Import tomograms", "0")),
    ("tilt_min=80", ("1 Import tomograms", "80")),
    ("spacing=-4", ("2 Oversample surfaces", "-4")),
    ("box=-3", ("Box", "-3")),
    ("preset=9", ("9",)),
    ("symmetry=D7", ("symmetry 'D7'", "C1, C2")),
    ("lattice_spacing=-1", ("-1",)),
    ("centre_marker=missing.cmm", ("missing.cmm",)),
    ("threads=some", ("threads=some", "is an integer")),
    ("gpu=perhaps", ("gpu=perhaps", "is true or false")),
    ("b_factor=sharp", ("sharp",)),
]


@pytest.mark.parametrize("job, changes, fragments", SETTINGS, ids=lambda v: str(v)[:60])
def test_settings(folder, capsys, monkeypatch, job, changes, fragments):
    settings = json.loads((folder / "good.json").read_text())
    if job == "find-shells":
        settings = {"tomograms": settings["tomograms"], "output": settings["output"]}
    if job == "align":
        settings["rounds"] = [ROUND]
    settings.update(changes)
    kept = {key: value for key, value in settings.items() if value is not None}
    (folder / "bad.json").write_text(json.dumps(kept))
    one_sentence([job, "bad.json"], folder, capsys, monkeypatch, *fragments)


@pytest.mark.parametrize("words, fragments", COMMANDS, ids=lambda v: " ".join(map(str, v))[:60])
def test_command_lines(folder, capsys, monkeypatch, words, fragments):
    for name in ("SCIPION_USER_DATA", "PYTHONPATH"):
        monkeypatch.setenv(name, os.environ[name])
    one_sentence(words, folder, capsys, monkeypatch, *fragments)


@pytest.mark.parametrize("answer, fragments", ANSWERS, ids=lambda v: v if isinstance(v, str) else "")
def test_answers_of_the_nine_steps(folder, capsys, monkeypatch, answer, fragments):
    for name in ("SCIPION_USER_DATA", "PYTHONPATH"):
        monkeypatch.setenv(name, os.environ[name])
    answers = {"tomograms": "list.vll", "dipoles": "dipoles.csv", "pixel_size": "5", **dict([answer.split("=")])}
    words = [
        "replay",
        "vlp_nine_steps",
        *map("=".join, answers.items()),
        "--projects",
        "projects",
        "--project",
        "p",
        "--until",
        "1 Import tomograms",
    ]
    one_sentence(words, folder, capsys, monkeypatch, *fragments)
    assert not (folder / "projects" / "projects" / "p").exists()
