# SPDX-License-Identifier: GPL-3.0-or-later
"""Dynamo's dipole models: points, order and tomogram of each, and what is said of files without them."""

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.io.dynamo_models import read_dynamo_dipoles
from stadyn.io.matlab_objects import read_objects

from .matlab_bytes import MatFile, Ref

CLICKS = [((11, 21, 31), (11, 61, 31)), ((5, 6, 7), (25.5, 6, 7)), ((40, 41, 42), (40, 41, 52))]


def dipole_set(file, clicks=CLICKS, as_cell=True, tomogram="/data/tomo_002.mrc"):
    """A set in the file, its dipoles made last first: the order that counts is that of the set."""
    dipoles = [file.add("dmodels.dipole", {"shown": 1}, center=c, north=n, name="a name") for c, n in clicks[::-1]]
    dipoles = dipoles[::-1]
    members = dipoles if as_cell else Ref([d.numbers[0] for d in dipoles], dipoles[0].class_id)
    more = {"cvolume": file.add("dcatalogue.cvolume", file=tomogram, index=2)} if tomogram else {}
    return file.add("dmodels.dipoleSet", dipoles=members, name="set", **more)


def omd(path, file, compressed=False, **variables):
    path.write_bytes(file.bytes(variables, compressed))
    return path


@pytest.mark.parametrize("order, version", [("<", 4), ("<", 3), ("<", 2), (">", 4)])
@pytest.mark.parametrize("as_cell", [True, False])
def test_clicks_come_back_counted_from_0_in_the_order_of_the_set(tmp_path, order, version, as_cell):
    file = MatFile(order, version)
    path = omd(tmp_path / "a.omd", file, compressed=version == 3, model=dipole_set(file, as_cell=as_cell))
    dipoles = read_dynamo_dipoles(path, "other")
    assert [d.center for d in dipoles] == [(10, 20, 30), (4, 5, 6), (39, 40, 41)]
    assert [d.north for d in dipoles] == [(10, 60, 30), (24.5, 5, 6), (39, 40, 51)]
    assert [(d.tomogram_id, d.surface_id) for d in dipoles] == [("tomo_002", 1), ("tomo_002", 2), ("tomo_002", 3)]


def test_sets_of_two_tomograms_in_one_file_are_numbered_apart(tmp_path):
    file = MatFile()
    sets = {"a": dipole_set(file), "b": dipole_set(file, CLICKS[:2], tomogram="C:\\data\\tomo_007.rec")}
    dipoles = read_dynamo_dipoles(omd(tmp_path / "a.omd", file, **sets))
    numbers = [(d.tomogram_id, d.surface_id) for d in dipoles]
    assert numbers == [("tomo_002", 1), ("tomo_002", 2), ("tomo_002", 3), ("tomo_007", 1), ("tomo_007", 2)]


def test_without_a_volume_the_caller_or_the_file_name_says_which_tomogram(tmp_path):
    file = MatFile()
    path = omd(tmp_path / "tomo_009.omd", file, model=dipole_set(file, tomogram=""))
    assert read_dynamo_dipoles(path)[0].tomogram_id == "tomo_009"
    assert read_dynamo_dipoles(path, "tomo_001")[0].tomogram_id == "tomo_001"


def test_single_dipoles_are_taken_and_those_without_both_clicks_left_out(tmp_path):
    file = MatFile()
    first = file.add("dmodels.dipole", center=(2, 3, 4), north=(2, 3, 9))
    file.add("dmodels.dipole", center=(2, 3, 4), north=())
    (dipole,) = read_dynamo_dipoles(omd(tmp_path / "a.omd", file, model=first))
    assert dipole.center == (1, 2, 3) and dipole.radius == 5


def test_properties_that_an_object_does_not_set_are_those_of_its_class(tmp_path):
    file = MatFile()
    model = file.add("dmodels.dipole", center=(2, 3, 4))
    file.defaults[model.class_id] = {"center": file.value((0, 0, 0)), "north": file.value((2, 3, 9))}
    path = omd(tmp_path / "a.omd", file, model=model)
    assert read_objects(path)[1].class_name == "dmodels.dipole"
    assert read_dynamo_dipoles(path)[0].north == (1, 2, 8)


def test_models_of_another_kind_are_listed_with_the_way_out(tmp_path):
    file = MatFile()
    path = omd(tmp_path / "v.omd", file, model=file.add("dmodels.vesicle", center=(1, 2, 3), radius=50))
    with pytest.raises(InputError, match=r"1 dmodels.vesicle with center, radius.*dread\('v.omd'\).*\.csv"):
        read_dynamo_dipoles(path)


def test_other_and_damaged_files_are_refused_in_a_sentence(tmp_path):
    file = MatFile()
    good = file.bytes({"model": dipole_set(file)})
    unknown = MatFile().bytes({}).replace(b"\x04\0\0\0\0\0\0\0\x28", b"\x09\0\0\0\0\0\0\0\x28")
    cases = {
        "text": (b"MATLAB 5.0", "no MATLAB file"),
        "v73": (b"MATLAB 7.3 MAT-file".ljust(600), "-v7"),
        "empty": (good[:128], "no MATLAB objects"),
        "version": (unknown, "version 9"),
    }
    for name, (content, words) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=words):
            read_dynamo_dipoles(tmp_path / name)
    for end in range(200, len(good), 97):
        (tmp_path / "cut").write_bytes(good[:end])
        with pytest.raises(InputError):
            read_dynamo_dipoles(tmp_path / "cut")


def test_no_damage_ends_in_anything_but_a_sentence(tmp_path):
    file, rng = MatFile(), np.random.default_rng(0)
    good = file.bytes({"model": dipole_set(file)})
    refused = 0
    for _ in range(150):
        damaged = bytearray(good)
        for place in rng.integers(124, len(good), 4):
            damaged[place] = rng.integers(256)
        (tmp_path / "a.omd").write_bytes(damaged)
        try:
            read_dynamo_dipoles(tmp_path / "a.omd")
        except InputError:
            refused += 1
    assert refused > 50
