# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings: nothing is silently ignored, and what is wrong is named with its place."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stadyn.core.errors import InputError
from stadyn.io.settings import check_keys, read_settings, write_json

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_round_trip_makes_numpy_plain(tmp_path):
    path = tmp_path / "s.json"
    obj = {"n": np.int64(3), "x": np.float32(0.5), "a": np.eye(2), "p": Path("a/b")}
    obj |= {"bad": [np.nan, np.inf], "t": (1, "Å")}
    write_json(path, obj)
    assert read_settings(path) == {
        "n": 3, "x": 0.5, "a": [[1.0, 0.0], [0.0, 1.0]], "p": "a/b", "bad": [None, None], "t": [1, "Å"],
    }  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["s.json"]


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "s.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}


@pytest.mark.parametrize(
    "text, reason",
    [
        ('{"a": 1,\n "b": }', "line 2, column 7"),
        ('{"a": 1, "a": 2}', '"a" twice'),
        ('{"a": NaN}', "NaN"),
        ("[1]", "a list, not an object"),
        ("[" * 100000, "cannot be read"),
        ('{"a": ' + "9" * 5000 + "}", "cannot be read"),
        ("", "is empty"),
    ],
)
def test_malformed_settings(tmp_path, text, reason):
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises(InputError, match=reason):
        read_settings(path)


def test_missing_file_and_binary_file(tmp_path):
    with pytest.raises(InputError, match="cannot be found"):
        read_settings(tmp_path / "none.json")
    (tmp_path / "s.json").write_bytes(b"{\xff\xfe}")
    with pytest.raises(InputError, match="not text at byte 1"):
        read_settings(tmp_path / "s.json")


def test_keys_are_checked(tmp_path):
    path = tmp_path / "s.json"
    write_json(path, {"box_angst": 300, "sed": 1})
    with pytest.raises(InputError, match='unknown key "sed": did you mean "seed"'):
        read_settings(path, allowed=["seed"], required=["box_angst"])
    with pytest.raises(InputError, match='lack "output"'):
        read_settings(path, allowed=["seed", "sed"], required=["box_angst", "output"])
    with pytest.raises(InputError, match='round 2 hold an unknown key "zzz": known are cone'):
        check_keys({"zzz": 1}, ["cone"], where="settings of round 2")
    assert read_settings(path, allowed=["sed"], required=["box_angst"]) == {"box_angst": 300, "sed": 1}


@FUZZ
@given(st.one_of(st.binary(max_size=60), st.text('{}[]":,0n ae\\', max_size=30).map(str.encode)))
def test_random_content_never_raises_anything_else(tmp_path, content):
    path = tmp_path / "s.json"
    path.write_bytes(content)
    try:
        assert isinstance(read_settings(path), dict)
    except InputError:
        pass
