# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of tomograms: paths are found from the list's own folder, and every wrong line is named."""

import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stadyn.core.errors import InputError
from stadyn.core.tomograms import MissingWedge
from stadyn.io.volume_lists import ListedVolume, read_doc, read_vll, write_doc

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tomograms").mkdir()
    for name in ("a.mrc", "b c.mrc"):
        (tmp_path / "tomograms" / name).touch()
    return tmp_path


def test_doc_round_trip_and_relative_paths(folder, monkeypatch):
    a, b = (str(folder / "tomograms" / name) for name in ("a.mrc", "b c.mrc"))
    path = folder / "t.doc"
    path.write_text("# number path\n\n12\ttomograms/b c.mrc\n 3  tomograms/../tomograms/a.mrc \r\n")
    monkeypatch.chdir("/")
    assert read_doc(path) == {12: b, 3: a}
    write_doc(folder / "u.doc", read_doc(path))
    assert (folder / "u.doc").read_text() == f"3 {a}\n12 {b}\n"
    assert read_doc(folder / "u.doc") == {3: a, 12: b}


@pytest.mark.parametrize(
    "text, reason",
    [
        ("1 tomograms/a.mrc\n2 gone.mrc", r"line 2 lists .*gone\.mrc, which is not there"),
        ("1 tomograms/a.mrc\n1 tomograms/b c.mrc", "line 2 gives number 1 a second time"),
        ("1 tomograms/a.mrc\n2 tomograms/a.mrc", "line 2 lists .*a.mrc a second time"),
        ("tomograms/a.mrc", "line 1 is not"),
        ("1.5 tomograms/a.mrc", "line 1 is not"),
        ("4", "line 1 is not"),
        ("# nothing", "lists no tomograms"),
    ],
)
def test_wrong_docs(folder, text, reason):
    (folder / "t.doc").write_text(text)
    with pytest.raises(InputError, match=reason):
        read_doc(folder / "t.doc")


def test_a_doc_may_name_tomograms_that_are_elsewhere(folder):
    (folder / "t.doc").write_text("1 gone.mrc\n")
    assert read_doc(folder / "t.doc", must_exist=False) == {1: str(folder / "gone.mrc")}


def test_vll_with_all_that_may_follow_a_path(folder, caplog):
    (folder / "t.vll").write_text(
        "# tomogram 4 was awful\ntomograms/a.mrc\n* index = 4\n* label = TS_01\n* apix = 5.4\n* ytilt = -45 60\n"
        "* defocus = 2.4\n> table.tbl\n\ntomograms/b c.mrc\n"
    )
    with caplog.at_level(logging.WARNING):
        first, second = read_vll(folder / "t.vll")
    assert first == ListedVolume(str(folder / "tomograms/a.mrc"), 4, "TS_01", 5.4, MissingWedge(-45, 60))
    assert second == ListedVolume(str(folder / "tomograms/b c.mrc"))
    assert "line 7: defocus is not used" in caplog.text and "line 8: particles" in caplog.text


@pytest.mark.parametrize(
    "text, reason",
    [
        ("gone.mrc", "line 1 lists .*gone.mrc, which is not there"),
        ("tomograms/a.mrc\ntomograms/a.mrc", "line 2 lists .* a second time"),
        ("* apix = 1", "line 1 comes before any tomogram"),
        ("tomograms/a.mrc\n* ytilt = 60 -60", 'line 2 gives ytilt as "60 -60"'),
        ("tomograms/a.mrc\n* ytilt = 60", "line 2 gives ytilt"),
        ("tomograms/a.mrc\n* apix = 0", "line 2 gives apix"),
        ("# only a comment", "lists no tomograms"),
    ],
)
def test_wrong_vlls(folder, text, reason):
    (folder / "t.vll").write_text(text)
    with pytest.raises(InputError, match=reason):
        read_vll(folder / "t.vll")


@FUZZ
@given(st.one_of(st.binary(max_size=60), st.text("1a/.~*>=# \n\t", max_size=60).map(str.encode)))
def test_random_content_never_raises_anything_else(tmp_path, content):
    (tmp_path / "t.doc").write_bytes(content)
    for read in (read_doc, read_vll):
        for must_exist in (True, False):
            try:
                assert read(tmp_path / "t.doc", must_exist)
            except InputError:
                pass


def test_a_volume_named_as_a_list_is_refused_from_its_first_bytes(tmp_path, monkeypatch):
    volume = tmp_path / "tomogram.vll"
    with open(volume, "wb") as handle:
        handle.write(bytes(4096))
        handle.truncate(2**40)  # sparse: reading it whole would never end
    with pytest.raises(InputError, match="not text"):
        read_vll(volume)
