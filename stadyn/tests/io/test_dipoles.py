# SPDX-License-Identifier: GPL-3.0-or-later
"""Dipoles: read as people write them, and refused with line and tomogram where they cannot be meant."""

import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stadyn.core.errors import InputError
from stadyn.core.tomograms import Dipole, Tomogram
from stadyn.io.dipoles import check_dipoles, read_dipoles, write_dipoles

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HEAD = "tomogram, vlp, center_x, center_y, center_z, north_x, north_y, north_z\n"
TOMOGRAMS = [Tomogram("TS_01", "a.mrc", 5.4, (100, 200, 300)), Tomogram("TS_02", "b.mrc", 5.4, (50, 60, 70))]


def dipole(name="TS_01", vlp=1, center=(10.0, 20.0, 30.0), north=(10.0, 20.0, 90.5)):
    return Dipole(name, vlp, center, north)


def test_round_trip(tmp_path):
    dipoles = [dipole(), dipole("TS, 02", 7, (1.25, 2.5, 3.125), (-4.0, 5.0, 6.0))]
    write_dipoles(tmp_path / "d.csv", dipoles)
    assert read_dipoles(tmp_path / "d.csv") == dipoles
    assert dipoles[0].radius == 60.5


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_any_order_blanks_semicolons_and_extra_columns(tmp_path, caplog, delimiter):
    rows = [["North_Z", "note", "vlp", "tomogram", "north_x", "north_y", "center_x ", "center_y", "center_z"]]
    rows += [["6", "nice", "3", " TS_01", "4", "5", "1", " 2.5", "3"], [""] * 9]
    (tmp_path / "d.csv").write_text("\ufeff\n" + "\r\n".join(delimiter.join(row) for row in rows), encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert read_dipoles(tmp_path / "d.csv") == [Dipole("TS_01", 3, (1, 2.5, 3), (4, 5, 6))]
    assert "left out: note" in caplog.text


@pytest.mark.parametrize(
    "text, reason",
    [
        ("tomogram,vlp,center_x\na,1,2\n", 'lacks the column "center_y"'),
        (HEAD.replace("north_x", "center_x"), 'more than one column "center_x"'),
        (HEAD, "holds no dipoles"),
        (HEAD + "a,1,1,2,3,4,5,6\na,2,1,2,x,4,5,6\n", 'line 3 has center_z "x"'),
        (HEAD + "a,1,1,2,3,4,5,inf\n", 'line 2 has north_z "inf"'),
        (HEAD + "a,1,1,2,3,4,5\n", "line 2 has 7 cells under 8 headings"),
        (HEAD + "a,0,1,2,3,4,5,6\n", 'line 2 has vlp "0"'),
        (HEAD + "a,1.5,1,2,3,4,5,6\n", 'line 2 has vlp "1.5"'),
        (HEAD + ",1,1,2,3,4,5,6\n", "line 2 names no tomogram"),
        ("", "is empty"),
    ],
)
def test_wrong_files(tmp_path, text, reason):
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(InputError, match=reason):
        read_dipoles(tmp_path / "d.csv")


def test_good_dipoles_pass():
    """Centres on the last voxel, a VLP cut by the border, and the same number in two tomograms."""
    check_dipoles([dipole(center=(299, 199, 99)), dipole("TS_02", 1, (1, 2, 3), (-9, 2, 3)), dipole(vlp=2)], TOMOGRAMS)


@pytest.mark.parametrize(
    "wrong, reason",
    [
        (dipole("TS_1"), '"TS_1", which is not among the input: did you mean "TS_01"'),
        (dipole("other"), "known are TS_01, TS_02"),
        (dipole(center=(30.0, 20.0, 100.0)), r"\(30, 20, 100\), outside the 300 x 200 x 100 pixels"),
        (dipole(center=(-0.5, 20.0, 10.0)), "outside"),
        (dipole(north=(10.0, 20.0, 30.4)), "north point at its centre"),
    ],
)
def test_dipoles_that_do_not_fit(wrong, reason):
    with pytest.raises(InputError, match=reason):
        check_dipoles([dipole(vlp=9), wrong], TOMOGRAMS)


def test_the_same_vlp_twice():
    with pytest.raises(InputError, match='VLP 1 of tomogram "TS_01" is given twice'):
        check_dipoles([dipole(), dipole(center=(50.0, 50.0, 50.0))], TOMOGRAMS)


@FUZZ
@given(st.one_of(st.binary(max_size=60), st.text(',;"\n1a.e-nx\r', max_size=60).map(lambda t: (HEAD + t).encode())))
def test_random_content_never_raises_anything_else(tmp_path, content):
    (tmp_path / "d.csv").write_bytes(content)
    try:
        assert all(d.radius >= 0 for d in read_dipoles(tmp_path / "d.csv"))
    except InputError:
        pass
