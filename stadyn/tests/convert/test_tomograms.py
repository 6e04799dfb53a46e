# SPDX-License-Identifier: GPL-3.0-or-later
"""Tomograms come over with shape, wedge and absolute path, or with a sentence that says what is missing."""

import os

import numpy as np
import pytest
from tomo.objects import TomoAcquisition

from stadyn.convert.tomograms import pixel_size_mismatch, read_tomogram, read_tomograms
from stadyn.core.errors import InputError
from stadyn.core.tomograms import MissingWedge
from stadyn.io.mrc import write_volume

from .sets import SHAPE, make_tomograms


@pytest.fixture
def first(tmp_path):
    tomograms = make_tomograms(tmp_path)
    return tomograms.getFirstItem().clone()


def test_all_fields(tmp_path):
    tomograms = read_tomograms(make_tomograms(tmp_path))
    assert [t.id for t in tomograms] == ["ts_01", "ts_02"]
    assert all(t.shape == SHAPE and t.pixel_size == 5.4 for t in tomograms)
    assert tomograms[0].wedge == MissingWedge(-45.0, 60.0)
    assert tomograms[1].path == str(tmp_path / "ts_02.mrc")


def test_path_is_absolute_and_bare(first, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first.setFileName("ts_01.mrc:mrc")
    path = read_tomogram(first).path
    assert os.path.isabs(path) and os.path.samefile(path, tmp_path / "ts_01.mrc")


def test_tilt_range_is_asked_for(first):
    first.setAcquisition(TomoAcquisition())
    with pytest.raises(InputError, match="ts_01 does not say its tilt range: import"):
        read_tomogram(first)


def test_tilt_range_must_rise(first):
    first.setAcquisition(TomoAcquisition(angleMin=60.0, angleMax=-60.0))
    with pytest.raises(InputError, match="ts_01 has tilts from 60 to -60"):
        read_tomogram(first)


def test_missing_file_is_named(first, tmp_path):
    os.remove(tmp_path / "ts_01.mrc")
    with pytest.raises(InputError, match=r"ts_01 is not at .*ts_01\.mrc"):
        read_tomogram(first)


def test_one_ts_id_twice_is_refused(first):
    with pytest.raises(InputError, match="two tomograms have the tsId ts_01"):
        read_tomograms([first, first])


@pytest.mark.parametrize(("stated", "refused"), [(5.4, False), (5.41, False), (2.7, True)])
def test_pixel_size_of_the_header(first, tmp_path, stated, refused):
    write_volume(tmp_path / "ts_01.mrc", np.zeros(SHAPE, np.float32), stated)
    sentence = pixel_size_mismatch(read_tomogram(first))
    assert (sentence is not None) == refused
    if refused:
        assert "2.7 Å" in sentence and "5.4" in sentence


def test_a_header_of_one_says_nothing(first, tmp_path):
    write_volume(tmp_path / "ts_01.mrc", np.zeros(SHAPE, np.float32), 1.0)
    assert pixel_size_mismatch(read_tomogram(first)) is None
