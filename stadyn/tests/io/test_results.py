# SPDX-License-Identifier: GPL-3.0-or-later
"""Results come back as what they were, and a file that is anything else is refused in one sentence."""

import json
from dataclasses import dataclass, fields

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stadyn.core.errors import InputError
from stadyn.core.particles import EVEN, ParticleBoxes, ParticleTable
from stadyn.core.tomograms import Dipole, MissingWedge, Tomogram
from stadyn.io import results
from stadyn.io.results import read_result, write_result

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True, eq=False)
class Nested:
    """Every kind of field at once."""

    wedge: MissingWedge
    tomograms: tuple
    values: list
    names: np.ndarray
    volume: np.ndarray
    by_name: dict
    note: str = "none"
    nothing: object = None


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    rotations = np.linalg.qr(rng.normal(size=(3, 3, 3)))[0]
    return ParticleTable(
        rng.uniform(0, 900, (3, 3)), rotations, ["TS_01", "TS_1", "α"], surface_ids=[1, 2, 2], cc=[0.1, np.nan, 0.3],
        ids=[7, 8, 9], half=[0, 1, EVEN], parent=[3, 3, 4], marker=[1, 2, 0], classes=[0, 4, 2],
    )  # fmt: skip


def test_every_column_of_a_table_survives(tmp_path, table):
    write_result(tmp_path / "t.npz", table)
    back = read_result(tmp_path / "t.npz", ParticleTable)
    for field in fields(ParticleTable):
        before, after = getattr(table, field.name), getattr(back, field.name)
        np.testing.assert_array_equal(after, before, err_msg=field.name)
        assert after.dtype == before.dtype


def test_a_table_written_before_it_had_classes_has_none(tmp_path, table):
    write_result(tmp_path / "t.npz", table)
    with np.load(tmp_path / "t.npz") as archive:
        arrays = dict(archive)
    manifest = json.loads(str(arrays["manifest"]))
    column = manifest["result"]["fields"].pop("classes")["array"]
    del arrays[column]
    np.savez(tmp_path / "old.npz", **{**arrays, "manifest": np.array(json.dumps(manifest))})
    back = read_result(tmp_path / "old.npz", ParticleTable)
    assert back.classes.tolist() == [0, 0, 0] and back.marker.tolist() == [1, 2, 0]


def test_an_empty_table_and_boxes(tmp_path):
    write_result(tmp_path / "t.npz", ParticleTable.empty())
    assert len(read_result(tmp_path / "t.npz")) == 0
    boxes = ParticleBoxes(["a.mrc", "b.mrc"], [0, 3], np.ones((2, 3)), 2.7)
    write_result(tmp_path / "b.npz", boxes)
    back = read_result(tmp_path / "b.npz", ParticleBoxes)
    assert back.paths.tolist() == ["a.mrc", "b.mrc"] and back.indices.tolist() == [0, 3] and back.pixel_size == 2.7


def test_nested_dataclasses_tuples_and_none(tmp_path):
    tomogram = Tomogram("TS_01", "/data/a.mrc", 5.4, (100, 200, 300), MissingWedge(-45, 60))
    dipole = Dipole("TS_01", 2, (1.5, 2.0, 3.0), (1.5, 2.0, 9.0))
    volume = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    nested = Nested(
        MissingWedge(-45.5, 60), (tomogram, dipole, None), [1, np.int64(2), np.float32(0.5), True, float("nan")],
        np.array(["a", "bcd"]), volume, {"all": volume[0], "none": None},
    )  # fmt: skip
    write_result(tmp_path / "n.npz", nested)
    back = read_result(tmp_path / "n.npz", (Nested, ParticleTable))
    assert back.wedge == MissingWedge(-45.5, 60) and back.tomograms == (tomogram, dipole, None)
    assert back.values[:4] == [1, 2, 0.5, True] and np.isnan(back.values[4])
    assert back.names.tolist() == ["a", "bcd"] and back.note == "none" and back.nothing is None
    np.testing.assert_array_equal(back.volume, volume)
    assert back.volume.dtype == np.float32
    np.testing.assert_array_equal(back.by_name["all"], volume[0])


def test_same_object_same_bytes_and_no_other_file(tmp_path, table):
    write_result(tmp_path / "a.npz", table)
    write_result(tmp_path / "b.npz", table)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_what_cannot_be_read_back_is_not_written(tmp_path, table):
    for obj in ({"a": 1}, np.ones(3), Nested(None, (), [], None, None, {1: 2}), Nested({3}, (), [], None, None, {})):
        with pytest.raises(TypeError):
            write_result(tmp_path / "x.npz", obj)
    with pytest.raises(TypeError, match="cannot keep"):
        write_result(tmp_path / "x.npz", Nested(None, (), [], np.array([None]), None, {}))
    assert list(tmp_path.iterdir()) == []


def test_wrong_class_names_both(tmp_path, table):
    write_result(tmp_path / "t.npz", table)
    with pytest.raises(InputError, match="holds a ParticleTable, not a Dipole or Tomogram"):
        read_result(tmp_path / "t.npz", (Dipole, Tomogram))


def test_truncated_damaged_and_foreign_files(tmp_path, table):
    path = tmp_path / "t.npz"
    write_result(path, table)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    place = whole.index(table.positions.tobytes())
    flipped[place + 5] ^= 1
    for content in (whole[:-1], whole[: len(whole) // 2], bytes(flipped), b"text", b"PK\x03\x04" + bytes(40)):
        path.write_bytes(content)
        with pytest.raises(InputError, match="truncated or not a result"):
            read_result(path)
    np.savez(path, a=np.ones(3))
    with pytest.raises(InputError, match="not a result"):
        read_result(path)
    np.savez(path, manifest=np.array([{}], object))
    with pytest.raises(InputError, match="not a result"):
        read_result(path)
    with pytest.raises(InputError, match="cannot be found"):
        read_result(tmp_path / "none.npz")


@pytest.mark.parametrize(
    "tree",
    [
        {"class": "os:stat_result", "fields": {}},
        {"class": "stadyn.core.rotations:rotation_z", "fields": {"angle_deg": {"value": 1}}},
        {"class": "stadyn.io.results:InputError", "fields": {}},
        {"class": "stadyn.no.such:Thing", "fields": {}},
        {"class": "stadyn.core.tomograms:MissingWedge", "fields": {"min": {"value": 1}}},
        {"class": "stadyn.core.tomograms:MissingWedge", "fields": {"min_deg": {"value": 70}}},
        {"class": "stadyn.core.tomograms:MissingWedge", "fields": {"min_deg": {"array": "gone"}}},
        {"tuple": [{"lambda": 1}]},
        None,
    ],
)
def test_a_manifest_makes_only_dataclasses_of_the_package(tmp_path, tree):
    manifest = json.dumps({"format": results.FORMAT, "version": results.VERSION, "result": tree})
    np.savez(tmp_path / "t.npz", manifest=np.array(manifest))
    with pytest.raises(InputError, match="does not fit"):
        read_result(tmp_path / "t.npz")


@pytest.mark.parametrize("code", [0x110000, 0xFFFFFFFF, 0xD800, 0xDFFF])
@pytest.mark.parametrize("order", "<>")
def test_text_that_is_no_unicode_is_refused(tmp_path, table, code, order):
    write_result(tmp_path / "t.npz", table)
    with np.load(tmp_path / "t.npz") as archive:
        arrays = dict(archive)
    names = next(key for key in arrays if key.endswith("tomogram_ids"))
    arrays[names] = arrays[names].astype(arrays[names].dtype.newbyteorder(order))
    np.savez(tmp_path / "t.npz", **arrays)
    np.testing.assert_array_equal(read_result(tmp_path / "t.npz").tomogram_ids, table.tomogram_ids)
    arrays[names].view(f"{order}u4")[1] = code
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(InputError, match="t.npz is truncated or not a result of stadyn"):
        read_result(tmp_path / "t.npz")


def test_a_later_format_says_so(tmp_path):
    manifest = json.dumps({"format": results.FORMAT, "version": 99, "result": {"value": 1}})
    np.savez(tmp_path / "t.npz", manifest=np.array(manifest))
    with pytest.raises(InputError, match="format 99"):
        read_result(tmp_path / "t.npz")


@FUZZ
@given(st.binary(max_size=300))
def test_random_bytes_never_raise_anything_else(tmp_path, content):
    (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises(InputError):
        read_result(tmp_path / "t.npz")


@FUZZ
@given(st.lists(st.tuples(st.floats(0, 0.999), st.binary(min_size=1, max_size=4)), min_size=1, max_size=3))
def test_a_damaged_file_is_read_whole_or_refused(tmp_path, patches):
    path = tmp_path / "t.npz"
    write_result(path, MissingWedge(-45, 60))
    content = bytearray(path.read_bytes())
    for place, data in patches:
        start = int(place * len(content))
        content[start : start + len(data)] = data
    path.write_bytes(content)
    try:
        assert read_result(path) == MissingWedge(-45, 60)
    except InputError:
        pass
