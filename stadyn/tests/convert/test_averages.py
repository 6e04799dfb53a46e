# SPDX-License-Identifier: GPL-3.0-or-later
"""Averages and curves keep what the host and other packages look for on them."""

from types import SimpleNamespace

import numpy as np
import pytest
from pwem.objects import SetOfFSCs, VolumeMask
from tomo.objects import AverageSubTomogram, SetOfAverageSubTomograms

from stadyn.convert.averages import append_averages, average_from_file, average_paths, map_path, mask_from_file
from stadyn.convert.fscs import write_fscs
from stadyn.core.errors import InputError
from stadyn.io.mrc import write_volume

from .sets import reopened


@pytest.fixture
def maps(tmp_path):
    paths = {name: str(tmp_path / f"average_{name}.mrc") for name in ("ts_02", "ts_01")}
    for path in paths.values():
        write_volume(path, np.ones((6, 8, 10), np.float32), 5.4)
    return paths


def test_average_with_half_maps(maps):
    average = average_from_file(maps["ts_01"], 5.4, half_maps=(maps["ts_02"], maps["ts_01"]))
    assert isinstance(average, AverageSubTomogram)
    assert average.getHalfMaps().split(",") == [maps["ts_02"], maps["ts_01"]]
    assert map_path(average) == (maps["ts_01"], 5.4, (6, 8, 10))


def test_files_inside_the_project_are_stored_relative(maps, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert average_from_file(maps["ts_01"], 5.4).getFileName() == "average_ts_01.mrc"


def test_one_average_per_tomogram(maps, tmp_path):
    output = SetOfAverageSubTomograms.create(str(tmp_path))
    append_averages(output, maps, 5.4)
    again = reopened(output)
    assert average_paths(again) == maps and again.getSamplingRate() == 5.4
    twice = SetOfAverageSubTomograms.create(str(tmp_path), suffix="twice")
    append_averages(twice, maps, 5.4)
    append_averages(twice, {"ts_01": maps["ts_01"]}, 5.4)
    with pytest.raises(InputError, match="tomogram ts_01"):
        average_paths(twice)


def test_mask_is_of_the_class_that_others_take(maps):
    assert type(mask_from_file(maps["ts_01"], 5.4)) is VolumeMask


def test_map_without_pixel_size_is_refused(maps):
    average = AverageSubTomogram()
    average.setFileName(maps["ts_01"])
    with pytest.raises(InputError, match="no pixel size"):
        map_path(average)


def test_fsc_curves_lose_the_origin_and_keep_their_resolution(tmp_path):
    frequency = np.arange(20) / (20 * 5.4 * 2)
    values = np.linspace(1.0, 0.0, 20)
    curve = SimpleNamespace(
        frequency=frequency, unmasked=values, masked=values * np.nan, randomised=values * np.nan, corrected=values
    )
    output = SetOfFSCs.create(str(tmp_path))
    write_fscs(curve, output)
    again = reopened(output)
    stored = [item.clone() for item in again.iterItems()]
    assert [item.getObjLabel() for item in stored] == ["unmasked", "corrected"]
    x, y = stored[0].getData()
    assert len(x) == len(y) == 19 and float(x[0]) > 0
    crossing = np.interp(-0.143, -values, frequency)
    assert abs(float(stored[0].calculateResolution(0.143)) - 1 / crossing) < 0.01 / crossing
