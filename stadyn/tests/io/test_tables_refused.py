# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are damaged, of another kind, or lack what they need: one sentence with the file and the remedy each."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stadyn.core.errors import InputError
from stadyn.io.em import write_em
from stadyn.io.imod_models import write_model
from stadyn.io.particle_files import Context
from stadyn.io.tables import read_particles, write_particles
from stadyn.io.tomogram_lists import read_tomogram_list

from .planted_particles import CONTEXT, thousand

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
STAR = "data_particles\nloop_\n_rlnTomoName\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n"
MOTL = "data_stopgap_motivelist\nloop_\n" + "".join(
    f"_{name}\n" for name in "tomo_num subtomo_num halfset orig_x orig_y orig_z phi psi the".split()
)
XML = '<ParticleList><Particle Filename="a_1.em"><Rotation Z1="0" Z2="0" X="0"/>%s</Particle></ParticleList>'
PICK = '<PickPosition Origin="%s" X="1" Y="2" Z="%s"/>'
LST = '0\tparticles3d/TS_01__a.hdf\t{"coord":%s,"xform.align3d":{"matrix":"%s"}}\n'
ONES = "[1,0,0,0,0,1,0,0,0,0,1,0]"
EMCLARITY = [1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 10, 20, 30, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1]


def row(values, changes=None, separator=" "):
    """A line of cells, some of them exchanged by their 0-based number."""
    cells = [str(v) for v in values]
    for i, cell in (changes or {}).items():
        cells[i] = cell
    return separator.join(cells) + "\n"


TEXTS = [
    ("a.star", "data_particles\nloop_\n_rlnAngleRot\n1\n", "holds no particles with coordinates"),
    ("a.star", STAR.replace("_rlnCoordinateY\n", "") + "a 1 2\n", "has no column rlnCoordinateY"),
    ("a.star", STAR + "a 1 2 x\n", 'row 1 has rlnCoordinateZ "x", not a number'),
    ("a.star", STAR + "a 1 2 3\na 1 nan 3\n", "row 2 has rlnCoordinateY nan, not a finite number"),
    ("a.star", STAR, "has a table without rows"),
    ("a.star", MOTL, "has a table without rows"),
    ("a.star", STAR + "a 1 2\n", "line 7 has 3 cells, not 4"),
    ("a.star", STAR.replace("TomoName", "Nothing") + "a 1 2 3\n", "has no column rlnMicrographName"),
    ("a.star", STAR + "_rlnRandomSubset\na 1 2 3 4\n", "rlnRandomSubset 4, not 1 or 2"),
    ("a.star", STAR + "_rlnClassNumber\na 1 2 3 1.5\n", "rlnClassNumber 1.5, not a whole number"),
    ("a.star", MOTL + "1 1 C 1 2 3 0 0 0\n", 'has the half-set "C"'),
    ("a.star", MOTL + "1.5 1 A 1 2 3 0 0 0\n", "tomo_num 1.5, not a whole number"),
    ("a.star", MOTL.replace("_phi\n", "") + "1 1 A 1 2 3 0 0\n", "has no column phi"),
    ("a.xml", "<ParticleList><Particle>", "is not XML"),
    ("a.xml", "<Other/>", "holds no ParticleList"),
    ("a.xml", '<!DOCTYPE x [<!ENTITY a "b">]><ParticleList/>', "declares a document type"),
    ("a.xml", XML % "", "particle 1 has no PickPosition X"),
    ("a.xml", XML % (PICK % ("t.mrc", "deep")), 'particle 1 has z "deep", not a number'),
    ("a.xml", XML % (PICK % ("", "3")), "does not name the tomogram"),
    ("a.csv", "CCC,reserved\n1,2\n", "row 1 has 2 columns, not 20"),
    ("a.csv", "CCC,reserved\n", "lists no particles"),
    ("a.csv", "CCC,reserved\n1," + "0," * 18 + "9" * 60000 + "\n", "row 1 has a number of 60000 characters"),
    ("a.csv", row(EMCLARITY) + row(EMCLARITY[:-1]), "row 2 has 25 columns, not 26"),
    ("a.csv", row(EMCLARITY, {16: "2"}), "particle 1 has a matrix that is no rotation"),
    ("a.csv", row(EMCLARITY, {16: "-1"}), "particle 1 has a matrix that is no rotation"),
    ("a.csv", row(EMCLARITY, {10: "1" * 101}), "row 1 has a number of 101 characters"),
    ("a.csv", row(EMCLARITY, {10: "x"}), 'row 1 has x "x", not a number'),
    ("a.csv", row(EMCLARITY, {25: "-9999"}), "has removed all its particles"),
    ("a.csv", "a,b,c\n1,2,3\n", "say its format"),
    ("a.lst", "#LSX\n", "lists no particles"),
    ("a.lst", "0\tparticles3d/a.hdf\n", 'line 1 has no "coord"'),
    ("a.lst", "0\tparticles3d/a.hdf\t{oops\n", "line 1 is not JSON"),
    ("a.lst", LST % ("[1,2]", ONES), "line 1 has a coord that is not 3 numbers"),
    ("a.lst", LST % ("[1,2,3]", "[1,0]"), "has a xform.align3d that is not 12 numbers"),
    ("a.lst", LST % ("[1,2,3]", ONES.replace("1", "2")), "particle 1 has a matrix that is no rotation"),
    ("a.lst", LST % ("[1,2,3]", ONES.replace("1", "-1")), "is no rotation"),
    ("a.json", "{}", "has no boxes_3d"),
    ("a.json", "[", "is not JSON"),
    ("a.json", json.dumps({"boxes_3d": [[1, 2]]}), "box 1 is not x, y, z"),
    ("a.tbl", "1 2 3\n", "has 3 columns"),
    ("a.npz", "no zip", "is truncated or not a result"),
    ("a.txt", "hello\n", "say its format"),
    ("a.em", "short", "is no table of particles"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "sentence"), TEXTS, ids=[f"{n}-{s[:30]}" for n, _, s in TEXTS])
def test_damaged_tables_are_refused(tmp_path, name, text, sentence):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_particles(path, None, CONTEXT if path.suffix == ".lst" else None)
    message = str(error.value)
    assert sentence in message and str(path) in message and ": " in message and "\n" not in message


def test_binary_files_of_another_kind(tmp_path):
    write_em(tmp_path / "v.em", np.zeros((4, 4, 4)))
    with pytest.raises(InputError, match="is no table of particles"):
        read_particles(tmp_path / "v.em")
    with pytest.raises(InputError, match="no motive list, which is 20 x particles"):
        read_particles(tmp_path / "v.em", "av3")
    write_em(tmp_path / "n.em", np.full((1, 2, 20), np.nan))
    with pytest.raises(InputError, match="particle 1 has phi nan"):
        read_particles(tmp_path / "n.em")


def test_peet_list_and_model_must_belong_together(tmp_path):
    file = thousand(8)
    one = file.select(file.particles.tomogram_ids == "TS_01")
    write_particles(tmp_path / "TS_01.csv", one, "peet")
    write_model(tmp_path / "TS_01.mod", one.particles.positions[:2])
    with pytest.raises(InputError, match="lists 4 particles, .* 2 points"):
        read_particles(tmp_path / "TS_01.csv")
    (tmp_path / "TS_01.mod").write_bytes((tmp_path / "TS_01.mod").read_bytes()[:-20])
    with pytest.raises(InputError, match="is cut off in a contour of 2 points"):
        read_particles(tmp_path / "TS_01.csv")
    (tmp_path / "TS_01.mod").write_bytes(b"MOD")
    with pytest.raises(InputError, match="is no IMOD model"):
        read_particles(tmp_path / "TS_01.csv")
    (tmp_path / "TS_01.mod").unlink()
    with pytest.raises(InputError, match="copy it there as TS_01.mod"):
        read_particles(tmp_path / "TS_01.csv")


def test_folders_and_formats_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be found"):
        read_particles(tmp_path / "none.star")
    with pytest.raises(InputError, match="folder without crop.tbl"):
        read_particles(tmp_path)
    with pytest.raises(InputError, match='format "spider" is not known'):
        read_particles(tmp_path / "a", "spider")
    with pytest.raises(InputError, match="need a size: give it in pixels"):
        write_particles(tmp_path / "a", thousand(4), "dynamo-folder")
    with pytest.raises(InputError, match='boxes of tomogram "TS_01" need its file'):
        write_particles(tmp_path / "a", thousand(4), "dynamo-folder", Context(box_px=8))
    with pytest.raises(InputError, match="cannot be found"):
        write_particles(tmp_path / "a", thousand(4), "dynamo-folder", Context(CONTEXT.tomograms, box_px=8))
    with pytest.raises(InputError, match="no particles to write"):
        write_particles(tmp_path / "a.star", thousand(4).select([]), "relion4", CONTEXT)
    twice = thousand(4).select([0, 0])
    with pytest.raises(InputError, match="occur more than once"):
        write_particles(tmp_path / "a.star", twice, "relion4", CONTEXT)
    with pytest.raises(InputError, match="no list of tomograms"):
        read_tomogram_list(tmp_path / "a.txt")


NASTY = [b"nan", b"1e400", b"-", b"1e30", b"\n", b"[", b"\t"]
SOURCES = {"dynamo": ".tbl", "relion4": ".star", "stopgap": ".star", "av3": ".em", "pytom": ".xml", "eman2": ".lst"}
SOURCES |= {"emclarity": ".csv", "peet": ".csv"}


@pytest.mark.parametrize("name", SOURCES)
@FUZZ
@given(st.data())
def test_no_damage_raises_anything_else(tmp_path, name, data):
    path = tmp_path / f"p{SOURCES[name]}"
    file = thousand(3).select([0])
    write_particles(path, file, name, CONTEXT)
    path = path.with_suffix(".mod") if name == "peet" and data.draw(st.booleans()) else path
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = start + data.draw(st.integers(0, 12))
        content[start:end] = data.draw(st.binary(max_size=12) | st.sampled_from(NASTY))
    path.write_bytes(bytes(content))
    try:
        table = read_particles(tmp_path / f"p{SOURCES[name]}", name, Context(CONTEXT.tomograms, 5.4)).particles
        assert np.isfinite(table.positions).all() and np.isfinite(table.rotations).all()
    except InputError as error:
        assert "\n" not in str(error)
