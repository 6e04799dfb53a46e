# SPDX-License-Identifier: GPL-3.0-or-later
"""The converter as it is typed: formats told by name and content, messages on what is left behind, one-line errors."""

import numpy as np
import pytest

from stadyn.__main__ import main
from stadyn.io.dipoles import read_dipoles
from stadyn.io.mrc import write_volume
from stadyn.io.star import read_star
from stadyn.io.tables import read_particles, write_particles
from stadyn.tests.io.matlab_bytes import dipole_model
from stadyn.tests.io.planted_particles import CONTEXT, degrees_apart, thousand


@pytest.fixture
def table(tmp_path):
    """A Dynamo table of 100 particles with its .doc, and a list of tomograms with their files."""
    file = thousand(100)
    write_particles(tmp_path / "in.tbl", file, "dynamo", CONTEXT)
    for name in ("TS_01", "TS_07"):
        write_volume(tmp_path / f"{name}.mrc", np.zeros((4, 6, 8)), 5.4)
    (tmp_path / "list.doc").write_text("1 TS_01.mrc\n7 TS_07.mrc\n")
    return file.particles


def convert(*words):
    """The exit code of ``python -m stadyn convert WORDS``."""
    return main(["convert", *map(str, words)])


def test_there_and_back_over_the_command_line(tmp_path, table, capsys):
    assert convert(tmp_path / "in.tbl", tmp_path / "out.star", "--to", "relion4") == 0
    out, err = capsys.readouterr()
    assert "100 particles of 2 tomograms written to" in out and "RELION 4 has no place for: missing wedge" in err
    assert set(read_star(tmp_path / "out.star")["particles"]["rlnTomoName"]) == {"TS_01", "TS_07"}
    assert convert(tmp_path / "out.star", tmp_path / "back.tbl", "--tomograms", tmp_path / "list.doc") == 0
    back = read_particles(tmp_path / "back.tbl").particles
    assert np.abs(back.positions - table.positions).max() < 1e-3
    assert degrees_apart(back.rotations, table.rotations).max() < 1e-4
    assert back.tomogram_ids.tolist() == table.tomogram_ids.tolist()


def test_sizes_of_tomograms_come_from_their_files(tmp_path, table):
    listed = ("--tomograms", tmp_path / "list.doc")
    assert convert(tmp_path / "in.tbl", tmp_path / "out.star", "--to", "relion5", *listed) == 0
    x = read_star(tmp_path / "out.star")["particles"]["rlnCenteredCoordinateXAngst"]
    np.testing.assert_allclose(x, (table.positions[:, 0] - 4.0) * 5.4, atol=1e-6)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("out.star",), "may be relion5 or relion4 or relion3 or stopgap"),
        (("out.star", "--to", "relion5"), "whose size is not known"),
        (("out.tbl", "--from", "spider"), 'format "spider" is not known'),
        (("out.tbl", "--pixel-size", "-1"), "pixel size -1 Å"),
        (("out.tbl", "--pixel-size", "2.7"), "not the 2.7 given"),
        (("out.tbl", "--tomograms", "none.doc"), "none.doc cannot be found"),
        (("nowhere/out.tbl",), "create the folder"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path, table, capsys, words, sentence):
    assert convert(tmp_path / "in.tbl", tmp_path / words[0], *words[1:]) == 1
    error = capsys.readouterr().err
    assert error.startswith("stadyn convert: ") and error.count("\n") == 1 and sentence in error


def test_models_of_dipoles_become_a_csv(tmp_path, capsys):
    clicks = [((11, 21, 31), (11, 61, 31)), ((5, 6, 7), (9, 6, 7))]  # counted from 1
    (tmp_path / "m.omd").write_bytes(dipole_model(clicks, "/d/TS_07.mrc"))
    assert main(["convert", str(tmp_path / "m.omd"), str(tmp_path / "d.csv")]) == 0
    first, second = read_dipoles(tmp_path / "d.csv")
    assert first.center == (10, 20, 30) and second.radius == 4 and second.tomogram_id == "TS_07"
    assert main(["convert", str(tmp_path / "m.omd"), str(tmp_path / "p.star")]) == 1
    assert "holds dipoles" in capsys.readouterr().err
