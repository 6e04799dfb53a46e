# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes in ChimeraX and napari: what is handed over, where the programs are found, and what is said without them."""

import importlib.util
import json
import os
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest
from pwem.viewers.viewer_chimera import Chimera

from stadyn.core.refinement import IterationRecord
from stadyn.io.mrc import read_header, read_volume, write_volume
from stadyn.io.settings import write_json
from stadyn.protocols import StadynProtAlign, StadynProtHalfMaps
from stadyn.viewers import programs

PIXEL = 3.0
RECORDER = """#!{python}
import json, os, sys
with open("{told}.part", "w") as file:
    json.dump([os.getcwd(), sys.argv[1:], os.environ.get("PATH", "")], file)
os.rename("{told}.part", "{told}")
"""


def record_calls(program, told):
    """An executable that writes down where and with what it was called."""
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(RECORDER.format(python=sys.executable, told=told))
    program.chmod(0o755)


def told_by(path, seconds=10):
    """(folder, arguments, PATH) of the call, once the program has written them."""
    end = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.02)
    return json.loads(path.read_text())


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch, tmp_path):
    """Neither program is anywhere, whatever this machine has."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(Chimera, "_program", str(tmp_path / "none" / "ChimeraX"))
    find_spec = importlib.util.find_spec

    def without_napari(name, *rest):
        return None if name == "napari" else find_spec(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without_napari)


@pytest.fixture
def averages(make_run):
    """An alignment with the dark averages of two tomograms, whose files cannot be mistaken for each other."""
    run = make_run(StadynProtAlign)
    for name, value in (("a", -1.0), ("b", -2.0)):
        volume = np.zeros((16, 16, 16), np.float32)
        volume[8 + 4, 8 - 5, 8 + 3] = value
        write_volume(run.resultPath("align", f"average_{name}.mrc"), volume, PIXEL)
    return run


def press(viewer, button):
    """The one View of a button."""
    (view,) = viewer._getVisualizeDict()[button](button)
    return view


def test_maps_go_to_chimerax_bright_about_their_common_centre(averages, open_viewer, tmp_path):
    record_calls(tmp_path / "bin" / "ChimeraX", tmp_path / "told")
    press(open_viewer(averages, mapVolumesInChimeraX=2), "showVolumesInChimeraX").show()
    folder, (script,), _ = told_by(tmp_path / "told")
    lines = open(os.path.join(folder, script), encoding="utf-8").read().splitlines()
    opened = [line.split('"')[1] for line in lines if line.startswith("open")]
    assert opened == ["a_bright.mrc", "b_bright.mrc"]
    assert [line.split()[:5] for line in lines if "originIndex" in line] == [
        ["volume", f"#{number}", "originIndex", "8,8,8", "step"] for number in (1, 2)
    ]
    volume = read_volume(os.path.join(folder, opened[1]))
    assert volume.max() == 2 and np.unravel_index(np.argmax(volume), volume.shape) == (12, 3, 11)
    assert read_header(os.path.join(folder, opened[1])).pixel_size == PIXEL


def test_other_programs_come_last_in_every_form(averages, open_viewer):
    write_json(averages.resultPath("align", "convergence.json"), [asdict(IterationRecord("a", 1, 1, 2, 0.1, 1, 1, 1))])
    labels = [section.getLabel() for section in open_viewer(averages)._definition.iterSections()]
    assert labels[1:] == ["Averages", "Alignment", "3D programs"]  # behind the host's own section


def test_half_maps_are_bright_already_and_open_from_where_they_are(make_run, open_viewer):
    run = make_run(StadynProtHalfMaps)
    names = ("stadyn_class001.mrc", "stadyn_half1_class001_unfil.mrc", "stadyn_half2_class001_unfil.mrc")
    for name in names:
        write_volume(run.resultPath(name), np.ones((8, 8, 8), np.float32), PIXEL)
    view = press(open_viewer(run, mapVolumesInChimeraX=3), "showVolumesInChimeraX")
    lines = open(os.path.join(view.folder, view.files[0]), encoding="utf-8").read().splitlines()
    opened = [line.split('"')[1] for line in lines if line.startswith("open")]
    assert opened == [os.path.realpath(run.resultPath(name)) for name in names]


def test_without_the_programs_it_is_said_where_the_files_are(averages, open_viewer):
    view = press(open_viewer(averages), "showVolumesInChimeraX")
    said = view.otherwise().getMessage()
    assert view.command is None and "scipion-em-chimera" in said
    script = said.split("chimerax ")[-1].strip()
    assert os.path.isabs(script) and os.path.exists(script)
    napari = press(open_viewer(averages, mapVolumesInNapari=1), "showVolumesInNapari")
    said = napari.otherwise().getMessage()
    assert napari.command is None and "pip install napari" in said
    assert read_volume(said.split()[-1]).max() == 2  # the second map


def test_napari_of_another_environment_is_found_on_the_path(averages, open_viewer, tmp_path):
    record_calls(tmp_path / "bin" / "napari", tmp_path / "told")
    press(open_viewer(averages), "showVolumesInNapari").show()
    folder, files, _ = told_by(tmp_path / "told")
    assert files == ["a_bright.mrc"] and os.path.exists(os.path.join(folder, files[0]))


def test_napari_beside_the_host_is_run_in_its_python(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: name == "napari")
    (program, flag, script), _ = programs.napari()
    assert (program, flag) == (sys.executable, "-c")
    compile(script, "napari", "exec")


@pytest.mark.skipif(importlib.util.find_spec("chimera") is None, reason="scipion-em-chimera is not installed")
def test_the_plugin_says_where_chimerax_is(averages, open_viewer, tmp_path, monkeypatch):
    plugin = importlib.import_module("chimera").Plugin
    home = tmp_path / "chimerax-home"
    record_calls(home / "bin" / "ChimeraX", tmp_path / "told")
    monkeypatch.setattr(plugin, "getHome", classmethod(lambda cls, *names: os.path.join(home, *names)))
    monkeypatch.setattr(Chimera, "_program", None)
    press(open_viewer(averages), "showVolumesInChimeraX").show()
    folder, files, path = told_by(tmp_path / "told")
    assert files == ["maps.cxc"] and os.path.exists(os.path.join(folder, files[0]))
    assert path.split(os.pathsep)[0] == str(home / "bin")  # the environment that the plugin gives
