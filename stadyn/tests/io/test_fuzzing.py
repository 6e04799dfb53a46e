# SPDX-License-Identifier: GPL-3.0-or-later
"""Two seconds of damaged files for every reader, and what longer runs of the same have found."""

import io
import json
import os
import time
import zipfile

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.io.convergence import read_convergence
from stadyn.io.models import read_model
from stadyn.io.mrc import write_volume
from stadyn.io.results import read_result, write_result
from stadyn.io.settings import read_settings
from stadyn.io.tables import read_particles
from stadyn.io.tomogram_lists import read_tomogram_list
from stadyn.io.tomogram_names import tomogram_id
from stadyn.workflow import read_workflow

from . import readers
from .fuzzing import Row, fuzz, read_state, write_state

DEEP = "[" * 20000
DIGITS = "9" * 5000
LONG = "A" * 10000
SIZES = "_rlnTomoName\n_rlnTomoTiltSeriesStarFile\nTS_01 "
STAR30 = readers.RELION_30.rpartition("1 0 -1")[0].replace("5.4", "5.4e4")
PYTOM = (
    '<ParticleList><Particle Filename="a_1.em"><Rotation Z1="0" Z2="0" X="0"/><PickPosition Origin="t" X="1" Y="2" '
    'Z="3"/><Class Name="%s"/></Particle></ParticleList>'
)
ATOM = "ATOM      1  CA  ALA A   1    "


@pytest.mark.parametrize("name", readers.READERS)
def test_reader_survives_two_seconds(tmp_path, name):
    row = fuzz(name, 2.0, tmp_path, guided=False)
    assert row.passed and row.inputs > 30, row.findings


def particles_of(path):
    """A reader that is told nothing."""
    return read_particles(path)


def convergence_of(path):
    """The record beside a file."""
    return read_convergence(path.parent)


def filled_of(path):
    """A template with its defaults."""
    return read_workflow(path).filled({})


def model_of(path):
    """A model, for pixels of 5 Å."""
    return read_model(path, 5.0)


FOUND = [
    (read_tomogram_list, "a.star", f"data_\nloop_\n{SIZES}{LONG}.star\n", None),
    (read_tomogram_list, "a.vll", f"a.mrc\n* ytilt = -45 {LONG}\n", "line 2 gives ytilt"),
    (read_tomogram_list, "a.vll", f"{LONG}\n", "begins a path of 10000 characters"),
    (read_tomogram_list, "a.doc", f"1 a.mrc\n2 {LONG}\n", "line 2 begins a path of 10000 characters"),
    (particles_of, "a.json", '{"boxes_3d": [[1, 2, %s]]}' % DIGITS, "is not JSON"),
    (particles_of, "a.lst", '0\ta__b.hdf\t{"coord": [%s]}\n' % DIGITS, "line 1 is not JSON"),
    (read_settings, "a.json", '{"a": %s}' % DEEP, "cannot be read"),
    (lambda p: read_settings(p, ("a",)), "a.json", '{"%s": 1}' % LONG, "unknown key"),
    (lambda p: read_settings(p, ("seed",)), "a.json", '{"seed": "%s"}' % LONG, '"seed" in settings'),
    (lambda p: read_settings(p, ("a",)), "a.json", '{"\\n": 1}', "unknown key '\\\\n'"),
    (convergence_of, "convergence.json", "[[]]", "is no record of an alignment"),
    (convergence_of, "convergence.json", DEEP, "is no record of an alignment"),
    (convergence_of, "convergence.json", '[{"%s": 1}]' % LONG, "is no record of an alignment"),
    (read_workflow, "w.json", DEEP, "not a workflow"),
    (read_workflow, "w.json", DIGITS, "not a workflow"),
    (read_workflow, "w.json", "[\udcff]", "is not text at byte 1"),
    (read_workflow, "w.json.template", '[\n {"a": "%%(%s)s"}]' % LONG, "set the environment variable"),
    (read_workflow, "w.json.template", '[\n {"a": "~%s|1|9|a~"}]' % LONG, "is not ~label"),
    (read_workflow, "w.json.template", '[\n {"a": "~S|1|²|a~"}]', "is not ~label"),
    (filled_of, "w.json.template", '[\n {"a": "~S|AAA\nB|1|a~"}]', "a=AAA B: S is true or false"),
    (particles_of, "a.xml", PYTOM % "²", None),
    (filled_of, "w.json.template", '[\n {"a": "~S|%s|3|a~"}]' % LONG, "S is an integer"),
    (particles_of, "a.tbl", f"{'1' * 200_000}x " + "0 " * 25 + "\n", "line 1 holds .*, which is not a number"),
    (particles_of, "a.csv", 'CCC,"' + "1" * 200_000, "is not CSV"),
    (read_workflow, "w.json.template", "[" * 200_000 + "\n", "no list of protocols"),
    (particles_of, "a.star", f"{STAR30}1e308 0 -1\n", "particle 1 lies at"),
    (model_of, "a.pdb", f"{ATOM}   1.000   2.000   nan\n", "has the coordinates"),
    (model_of, "a.pdb", f"{ATOM}   1.000   2.000  1e300\n", "has the coordinates"),
    (model_of, "a.pdb", "ATOM      1  CA\n", "has the coordinates"),
]
"""(reader, name of the file, its text, what is said; None: it is read)"""


@pytest.mark.parametrize(("read", "name", "text", "sentence"), FOUND, ids=[f"{n}-{s}" for _, n, _, s in FOUND])
def test_what_damaged_files_have_brought_to_light(tmp_path, read, name, text, sentence):
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    began = time.process_time()
    if sentence is None:
        read(path)
        return
    with pytest.raises(InputError, match=sentence) as error:
        read(path)
    message = str(error.value)
    assert time.process_time() - began < 2.0
    assert str(path) in message or "a=AAA" in message
    assert ": " in message and "\n" not in message and len(message) < 600


def test_names_that_are_nothing_but_an_ending(tmp_path):
    assert tomogram_id("/data/.mrc") == ".mrc"
    assert tomogram_id("a/TS_1.mrc.ali") == "TS_1" and tomogram_id("x.Mrc") == "x"
    (tmp_path / "a.doc").write_text("1 .mrc\n")
    assert read_tomogram_list(tmp_path / "a.doc")[0].id == ".mrc"


@pytest.mark.parametrize("size", [1e-6, 1e30])
def test_map_of_an_impossible_pixel_size(tmp_path, size):
    volume = np.random.default_rng(0).normal(size=(4, 4, 4))
    write_volume(tmp_path / "a.mrc", volume, size)
    if size > 1:
        assert np.isfinite(read_model(tmp_path / "a.mrc", 5.0)[0]).all()
        return
    with pytest.raises(InputError, match="less than two pixels"):
        read_model(tmp_path / "a.mrc", 5.0)


def test_our_own_tables_are_looked_at_too(tmp_path):
    path = tmp_path / "a.npz"
    good = ParticleTable([[1.0, 2.0, 3.0]], [np.eye(3)], ["a"])
    for table, sentence in (
        (good.replace(positions=[[1.0, 2.0, np.nan]]), "particle 1 lies at"),
        (good.replace(rotations=[2 * np.eye(3)]), "a matrix that is no rotation"),
        (good.replace(rotations=[np.full((3, 3), np.nan)]), "a matrix that is no rotation"),
        (good.replace(half=[7]), "half-sets other than 0, 1 and 2"),
        (good.select([]), "no particles"),
    ):
        write_result(path, table)
        with pytest.raises(InputError, match=sentence):
            read_particles(path)


def test_a_manifest_with_unknown_entries(tmp_path):
    path = tmp_path / "a.npz"
    tree = {"class": "stadyn.core.particles:ParticleTable", "fields": {"positions": {"\n": 1}}}
    np.savez(path, manifest=np.array(json.dumps({"format": "stadyn-result", "version": 1, "result": tree})))
    with pytest.raises(InputError, match="does not fit this version") as error:
        read_result(path)
    assert "\n" not in str(error.value)


def test_a_version_that_is_no_number_is_quoted_short(tmp_path):
    np.savez(tmp_path / "a.npz", manifest=np.array(json.dumps({"format": "stadyn-result", "version": [1] * 1000})))
    with pytest.raises(InputError, match="result format .*, not 1") as error:
        read_result(tmp_path / "a.npz")
    assert len(str(error.value)) < 300 + len(str(tmp_path))


def test_header_of_an_array_that_python_cannot_parse(tmp_path):
    path = tmp_path / "a.npz"
    write_result(path, readers.CURVE)
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    first = next(name for name in members if name != "manifest.npy")
    members[first] = members[first].replace(b"'shape': (6,)", b"'shape': (6( ")
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(InputError, match="is truncated or not a result"):
        read_result(path)


def crashing(path):
    """Refuses what is not valid with an error that nobody expects; hangs and dies on other first letters."""
    text = path.read_bytes()
    if text[:1] == b"h":
        while True:
            pass
    if text[:1] == b"d":
        os._exit(3)
    if text != b"valid":
        raise KeyError("a\nb")


def test_the_harness_finds_what_is_there(tmp_path, monkeypatch):
    reader = readers.Reader("f.txt", (readers.write_text("f.txt", "valid"),), crashing)
    monkeypatch.setitem(readers.READERS, "planted", reader)
    row = fuzz("planted", 0.5, tmp_path, guided=False)
    assert row.crashes and not row.passed and any("KeyError at" in line for line in row.findings)
    kept = [p for p in (tmp_path / "planted").iterdir() if (p / "f.txt").exists()]
    assert kept and all((p / "f.txt").read_bytes() != b"valid" for p in kept)
    write_state(tmp_path / "state", {"planted": row})
    assert read_state(tmp_path / "state") == {"planted": row} and read_state(tmp_path / "none") == {}


@pytest.mark.parametrize(("letter", "kind"), [("h", "hangs"), ("d", "crashes")])
def test_hangs_and_deaths_are_counted(tmp_path, monkeypatch, letter, kind):
    monkeypatch.setattr("stadyn.tests.io.trials.LONGEST_S", 0.2)
    monkeypatch.setattr("stadyn.tests.io.trials.damaged", lambda chance, content: letter.encode() + content)
    reader = readers.Reader("f.txt", (readers.write_text("f.txt", "valid"),), crashing)
    monkeypatch.setitem(readers.READERS, "planted", reader)
    began = time.monotonic()
    row = fuzz("planted", 0.3, tmp_path, guided=False)
    assert getattr(row, kind) and not row.passed and time.monotonic() - began < 30


def test_a_row_fails_on_memory_alone():
    assert Row("a", inputs=1, peak_mb=2000).passed and not Row("a", inputs=1, peak_mb=3000).passed
    assert not Row("a").passed
