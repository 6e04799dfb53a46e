# SPDX-License-Identifier: GPL-3.0-or-later
"""Dynamo's tables: the shapes that occur are read, poses survive, and bad cells are named with their line."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import axis_errors_deg, inplane_errors_deg
from stadyn.core.tomograms import MissingWedge
from stadyn.io.dynamo import read_table, write_table

FUZZ = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def rows_of(columns, n=3):
    """`n` rows of plain cells as Dynamo writes them, as lists of text."""
    row = [0] * 42
    row[:3], row[12:15], row[19:23] = [1, 1, 1], [1, -45, 60], [7, 4, 0, 0]
    row[3:10] = [0.5, -1.25, 2, 30, 60, 75, 0.155]
    row[23:26] = [101, 202, 303]
    rows = [[str(v) for v in row[:columns]] for _ in range(n)]
    for i, cells in enumerate(rows):
        cells[0] = str(43 + i)
    return rows


def save(path, rows):
    path.write_text("".join(" ".join(cells) + "\n" for cells in rows))
    return path


@pytest.mark.parametrize("columns", [26, 35, 41, 42, 45])
def test_tables_of_every_width(tmp_path, columns):
    rows = rows_of(42) if columns == 45 else rows_of(columns)
    rows = [cells + ["1"] * 3 for cells in rows] if columns == 45 else rows
    table = read_table(save(tmp_path / "t.tbl", rows))
    particles = table.particles
    np.testing.assert_allclose(particles.positions, [[100.5, 199.75, 304.0]] * 3)
    # The reference's z is the third row of E = Rz(75) Rx(60) Rz(30), the reference -> tomogram rotation its transpose.
    np.testing.assert_allclose(particles.normals()[0], [0.4330, 0.75, 0.5], atol=1e-4)
    np.testing.assert_allclose(particles.rotations[0].T[0], [-0.0173, -0.5477, 0.8365], atol=1e-4)
    assert particles.ids.tolist() == [43, 44, 45] and particles.cc[0] == 0.155
    assert particles.surface_ids.tolist() == [4, 4, 4] and set(particles.tomogram_ids) == {"7"}
    assert table.wedges == {"7": MissingWedge(-45, 60)} and table.pixel_sizes == {}
    assert (table.messages == ()) == (columns != 45)


def test_pixel_offset_is_the_one_of_matlab_unless_told(tmp_path):
    path = save(tmp_path / "t.tbl", rows_of(26))
    zero = read_table(path, pixel_offset=0).particles.positions
    np.testing.assert_allclose(zero - read_table(path).particles.positions, 1.0)


def test_complex_and_nan_cells(tmp_path):
    rows = rows_of(42)
    rows[0][9], rows[1][9], rows[2][9] = "1.5+0i", "NaN", "1e-05-2e-03i"
    rows[0][3], rows[1][27], rows[1][30], rows[2][30] = "-0.5-1.2e-16i", "NaN+0i", "NaN", "2.5"
    table = read_table(save(tmp_path / "t.tbl", rows))
    np.testing.assert_array_equal(table.particles.cc, [1.5, np.nan, 1e-5])
    assert table.particles.positions[0, 0] == 99.5
    assert any("4 complex cells" in m for m in table.messages)
    assert any("2 cells of column 31 (otag)" in m for m in table.messages)
    assert table.particles.parent.tolist() == [0, 0, 0]


def test_what_is_left_behind_is_said(tmp_path):
    rows = rows_of(42)
    rows[1][21], rows[2][40], rows[2][0] = "2", "0.5", "43"
    messages = " ".join(read_table(save(tmp_path / "t.tbl", rows)).messages)
    assert "left behind: 41 (eig1)" in messages and "tags occur more than once" in messages


def test_half_is_read_only_when_asked(tmp_path):
    rows = rows_of(35)
    rows[0][21], rows[1][21] = "1", "2"
    path = save(tmp_path / "t.tbl", rows)
    plain, halves = read_table(path).particles, read_table(path, half_from_class=True).particles
    assert plain.half.tolist() == [0, 0, 0] and plain.classes.tolist() == [1, 2, 0]
    assert halves.half.tolist() == [1, 2, 0] and halves.classes.tolist() == [0, 0, 0]
    rows[2][21] = "3"
    with pytest.raises(InputError, match=r"line 3 has class \(column 22\) 3"):
        read_table(save(path, rows), half_from_class=True)


def test_tomogram_names_and_mixed_wedges(tmp_path):
    rows = rows_of(36)
    rows[1][19], rows[1][35], rows[2][14] = "8", "5.4", "55"
    path = save(tmp_path / "t.tbl", rows)
    table = read_table(path, {7: "TS_07", 8: "TS_08"})
    assert table.particles.tomogram_ids.tolist() == ["TS_07", "TS_08", "TS_07"]
    assert table.wedges == {"TS_08": MissingWedge(-45, 60)} and table.pixel_sizes == {"TS_08": 5.4}
    assert any("the first is TS_07" in m for m in table.messages)
    with pytest.raises(InputError, match="line 2 is of tomogram 8"):
        read_table(path, {7: "TS_07"})


@pytest.mark.parametrize(
    "row, column, cell, reason",
    [
        (1, 0, "44.5", r"line 2 has tag \(column 1\) 44\.5"),
        (1, 0, "1e300", "line 2 has tag"),
        (2, 19, "NaN", "line 3 has tomo"),
        (0, 23, "NaN", r"line 1 has x \(column 24\) nan, not finite"),
        (1, 6, "Inf", "line 2 has tdrot"),
        (1, 30, "abc", 'line 2 holds "abc"'),
        (1, 30, "i", 'line 2 holds "i"'),
        (1, 30, "1_0", 'line 2 holds "1_0"'),
        (1, 30, "1+2+3i", 'line 2 holds "1\\+2\\+3i"'),
    ],
)
def test_bad_cells_are_named_with_their_line(tmp_path, row, column, cell, reason):
    rows = rows_of(35)
    rows[row][column] = cell
    with pytest.raises(InputError, match=reason):
        read_table(save(tmp_path / "t.tbl", rows))


def test_ragged_short_and_empty_tables(tmp_path):
    rows = rows_of(35)
    with pytest.raises(InputError, match="line 3 has 34 columns, not 35"):
        read_table(save(tmp_path / "t.tbl", [*rows[:2], rows[2][:-1]]))
    with pytest.raises(InputError, match="has 20 columns"):
        read_table(save(tmp_path / "t.tbl", rows_of(20)))
    (tmp_path / "t.tbl").write_text("\n \n")
    with pytest.raises(InputError, match="no rows"):
        read_table(tmp_path / "t.tbl")
    with pytest.raises(InputError, match="cannot be found"):
        read_table(tmp_path / "none.tbl")


@pytest.fixture
def particles():
    rng = np.random.default_rng(3)
    rotations = Rotation.random(200, random_state=4).as_matrix()
    rotations[0], rotations[1] = np.eye(3), np.diag([1.0, -1.0, -1.0])
    return ParticleTable(
        rng.uniform(0, 4000, (200, 3)), rotations, np.where(np.arange(200) % 2, "b", "a"),
        surface_ids=np.arange(200) % 7, cc=rng.uniform(-1, 1, 200), ids=np.arange(200) + 12_345_678_901,
        half=np.arange(200) % 3, parent=np.arange(200) + 5, marker=np.arange(200) % 4,
    )  # fmt: skip


@pytest.mark.parametrize("pixel_offset", [1, 0])
def test_round_trip_keeps_every_column(tmp_path, particles, pixel_offset):
    path = tmp_path / "t.tbl"
    wedges = {"a": MissingWedge(-45, 60), "b": MissingWedge(-60.5, 57.25)}
    write_table(path, particles, {"a": 3, "b": 12}, wedges, {"a": 5.4, "b": 1.35}, pixel_offset)
    table = read_table(path, {3: "a", 12: "b"}, pixel_offset, half_from_class=True)
    back = table.particles
    np.testing.assert_allclose(back.positions, particles.positions, atol=1e-6)
    assert axis_errors_deg(back.rotations, particles.rotations).max() < 1e-5
    assert np.abs(inplane_errors_deg(back.rotations, particles.rotations)).max() < 1e-4
    np.testing.assert_allclose(back.cc, particles.cc, atol=1e-9)
    for name in ("tomogram_ids", "surface_ids", "ids", "half", "parent", "marker"):
        np.testing.assert_array_equal(getattr(back, name), getattr(particles, name), err_msg=name)
    assert table.wedges == wedges and table.pixel_sizes == {"a": 5.4, "b": 1.35} and table.messages == ()


def test_columns_are_where_dynamo_looks_for_them(tmp_path, particles):
    path = tmp_path / "t.tbl"
    one = particles.select([5]).replace(positions=[[10.6, 20.4, 30.0]])
    write_table(path, one, {"b": 12}, {"b": MissingWedge(-45, 60)})
    (cells,) = [line.split() for line in path.read_text().splitlines()]
    assert len(cells) == 35 and cells[:3] == ["12345678906", "1", "1"]
    assert cells[23:26] == ["12", "21", "31"]  # whole pixels, counted from 1
    np.testing.assert_allclose([float(c) for c in cells[3:6]], [-0.4, 0.4, 0], atol=1e-9)
    # scipy's own reading of the ZXZ angles: particle -> reference.
    e = Rotation.from_euler("zxz", [float(c) for c in cells[6:9]], degrees=True).as_matrix()
    np.testing.assert_allclose(e.T, one.rotations[0], atol=1e-7)
    assert cells[12:15] == ["1", "-45", "60"] and cells[19:23] == ["12", "5", "2", "1"] and cells[30] == "10"
    write_table(path, one, {"b": 12})
    assert path.read_text().split()[12:15] == ["0", "0", "0"]


def test_tables_that_dynamo_could_not_use_are_not_written(tmp_path, particles):
    path = tmp_path / "t.tbl"
    with pytest.raises(InputError, match='tomogram "b" has no number'):
        write_table(path, particles, {"a": 1})
    with pytest.raises(InputError, match="more than once"):
        write_table(path, particles.replace(ids=np.ones(200)), {"a": 1, "b": 2})
    with pytest.raises(InputError, match="no particles"):
        write_table(path, ParticleTable.empty(), {})
    assert not path.exists()


CELLS = ["1", "-2.5", "NaN", "Inf", "1e999", "1+2i", "i", "1e5-NaNi", "x", "1e17", "--", "٣", "1.2.3", "."]


@FUZZ
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 41), st.sampled_from(CELLS)), max_size=4),
    st.binary(max_size=20),
)
def test_no_cell_raises_anything_else(tmp_path, changes, tail):
    rows = rows_of(42)
    for row, column, cell in changes:
        rows[row][column] = cell
    path = save(tmp_path / "t.tbl", rows)
    path.write_bytes(path.read_bytes() + tail)
    try:
        particles = read_table(path).particles
        assert np.isfinite(particles.positions).all() and np.isfinite(particles.rotations).all()
    except InputError:
        pass
