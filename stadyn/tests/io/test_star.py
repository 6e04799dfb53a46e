# SPDX-License-Identifier: GPL-3.0-or-later
"""STAR files and curves: every digit comes back, and the reader of other programs agrees."""

import csv

import numpy as np
import pytest
from emtable import Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stadyn.core.errors import InputError
from stadyn.io.curves import write_curves_csv
from stadyn.io.star import read_star, write_star

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_round_trip_of_columns_and_single_values(tmp_path):
    fsc = np.array([1.0, 0.143, 1e-9])
    blocks = {
        "general": {"rlnFinalResolution": 8.1234567891, "rlnBoxSize": 64, "rlnMaskName": "my mask.mrc"},
        "fsc": {"rlnSpectralIndex": np.arange(3), "rlnFourierShellCorrelation": fsc, "rlnName": ["a", "b c", "007"]},
    }
    write_star(tmp_path / "f.star", blocks)
    back = read_star(tmp_path / "f.star")
    assert back["general"] == blocks["general"] and list(back) == ["general", "fsc"]
    np.testing.assert_array_equal(back["fsc"]["rlnFourierShellCorrelation"], fsc)
    assert back["fsc"]["rlnSpectralIndex"].dtype.kind == "i" and back["fsc"]["rlnName"].tolist() == ["a", "b c", "007"]
    other = Table(fileName=str(tmp_path / "f.star"), tableName="fsc", types={"rlnName": str})
    assert [row.rlnFourierShellCorrelation for row in other] == fsc.tolist()
    assert [row.rlnName for row in other] == ["a", "b c", "007"]


def test_float32_is_written_as_short_as_it_is(tmp_path):
    write_star(tmp_path / "f.star", {"a": {"x": np.array([5.4, np.nan], np.float32)}})
    assert "5.4 " in (tmp_path / "f.star").read_text() and np.isnan(read_star(tmp_path / "f.star")["a"]["x"][1])


def test_relion_layout_with_comments_numbers_and_quotes(tmp_path):
    (tmp_path / "f.star").write_text(
        "\n# version 30001\n\ndata_\n\nloop_ \n_rlnA #1 \n_rlnB #2 \n  1  'x y'\n2.5 z\n\n# version 30001\n\n"
        "data_empty\n\nloop_\n_rlnC\n\ndata_pairs\n_rlnD   3\n_rlnE 'a b'\n"
    )
    back = read_star(tmp_path / "f.star")
    assert back[""]["rlnA"].tolist() == [1.0, 2.5] and back[""]["rlnB"].tolist() == ["x y", "z"]
    assert len(back["empty"]["rlnC"]) == 0 and back["pairs"] == {"rlnD": 3, "rlnE": "a b"}


@pytest.mark.parametrize(
    "text, reason",
    [
        ("hello", "line 1 comes before any data_ block"),
        ("# nothing", "has no data_ block"),
        ("data_a\nloop_\n_x\n_y\n1 2\n1 2 3\n", "line 6 has 3 cells, not 2"),
        ("data_a\nloop_\n_x\n1 2\n", "line 4 has 2 cells, not 1"),
        ("data_a\n_x\n", "line 2 is not a label and its value"),
        ("data_a\n_x 1\n3 4\n", "line 3 has 2 cells"),
        ("data_a\nloop_\n_x\n_x\n1 2\n", "block at line 1 has no labels, or one twice"),
        ("data_a\nloop_\n_x\n'1\n", "line 4 has an open quote"),
        ("data_a\n_x 1\ndata_a\n_x 1\n", "two blocks named data_a"),
    ],
)
def test_wrong_files(tmp_path, text, reason):
    (tmp_path / "f.star").write_text(text)
    with pytest.raises(InputError, match=reason):
        read_star(tmp_path / "f.star")


def test_what_star_cannot_hold_is_not_written(tmp_path):
    for columns in ({}, {"x": [1, 2], "y": 3}, {"x": ["it's"]}, {"x": [1, 2], "y": [1]}):
        with pytest.raises(ValueError):
            write_star(tmp_path / "f.star", {"a": columns})
    assert list(tmp_path.iterdir()) == []


@FUZZ
@given(st.one_of(st.binary(max_size=60), st.text("_a1 '\"#\n", max_size=60).map(lambda t: f"data_\n{t}".encode())))
def test_random_content_never_raises_anything_else(tmp_path, content):
    (tmp_path / "f.star").write_bytes(content)
    try:
        assert all(read_star(tmp_path / "f.star").values())
    except InputError:
        pass


def test_curves_as_csv(tmp_path):
    frequency = np.linspace(0, 0.1, 3)
    write_curves_csv(tmp_path / "c.csv", {"frequency_per_angst": frequency, "fsc, masked": frequency**3})
    with open(tmp_path / "c.csv", newline="") as handle:
        rows = list(csv.reader(handle))
    assert rows[0] == ["frequency_per_angst", "fsc, masked"]
    np.testing.assert_array_equal(np.array(rows[1:], float), np.stack([frequency, frequency**3], -1))
    with pytest.raises(ValueError, match="one length"):
        write_curves_csv(tmp_path / "c.csv", {"a": [1, 2], "b": [1]})
