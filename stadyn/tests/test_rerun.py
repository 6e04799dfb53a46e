# SPDX-License-Identifier: GPL-3.0-or-later
"""A project replayed with other values: what does not depend on them stays, the rest is as in a new project."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from stadyn import host
from stadyn.__main__ import main
from stadyn.core.particles import ParticleTable
from stadyn.io.mrc import write_volume
from stadyn.io.results import read_result

PIXEL = 10.0
# 2 tomograms -> 3 dipoles -> 4 points -> 5 thinned -> 7 joined, and 6 beside it; the file is not in that order.
TEMPLATE = """[
  {"object.className": "StadynProtImportTomograms", "object.id": "2", "object.label": "1 Tomograms",
   "listFile": "~Tomograms||2|tomograms~", "pixelSize": "10", "tiltMin": "-60", "tiltMax": "60"},
  {"object.className": "StadynProtImportDipoles", "object.id": "3", "object.label": "2 Dipoles",
   "inputTomograms": "2.tomograms", "source": 0, "dipoleFile": "~Dipoles||2|dipoles~"},
  {"object.className": "StadynProtSplitHalves", "object.id": "7", "object.label": "5 Joined",
   "inputParticles": ["5.particles", "6.particles"], "exclusionRadius": "1"},
  {"object.className": "StadynProtOversample", "object.id": "4", "object.label": "2 Points", "boxSize": "160",
   "inputDipoles": "3.dipoles", "spacing": "~Spacing|60|4|spacing~", "seed": "~Seed|1|3|seed~"},
  {"object.className": "StadynProtSplitHalves", "object.id": "5", "object.label": "3 Thinned",
   "inputParticles": ["4.coordinates"], "exclusionRadius": "~Radius|40|4|radius~"},
  {"object.className": "StadynProtSplitHalves", "object.id": "6", "object.label": "4 Beside it",
   "inputParticles": ["4.coordinates"], "exclusionRadius": "90"}
]
"""
UPSTREAM, DOWNSTREAM = ["1 Tomograms", "2 Dipoles", "2 Points", "4 Beside it"], ["3 Thinned", "5 Joined"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a finished project "p" of radius 40, and one "fresh" of radius 80."""
    folder = tmp_path_factory.mktemp("replayed")
    with pytest.MonkeyPatch.context() as patch:
        _enter(folder, patch)
        rng = np.random.default_rng(0)
        write_volume(folder / "a.mrc", rng.normal(size=(60, 60, 60)), PIXEL)
        (folder / "dipoles.csv").write_text(
            "tomogram,vlp,center_x,center_y,center_z,north_x,north_y,north_z\na,1,30,30,30,30,30,48\n"
        )
        (folder / "w.json.template").write_text(TEMPLATE)
        assert replay("p", "tomograms=a.mrc", "dipoles=dipoles.csv") == 0
        assert replay("fresh", "tomograms=a.mrc", "--set", "dipoles=dipoles.csv", "radius=80") == 0
    return folder


@pytest.fixture
def folder(finished, tmp_path, monkeypatch):
    """A copy of the finished projects, in which we are."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True, symlinks=True)
    _enter(tmp_path, monkeypatch)
    return tmp_path


def _enter(folder, patch):
    for name in ("SCIPION_USER_DATA", "PYTHONPATH"):
        patch.setenv(name, os.environ[name])
    patch.chdir(folder)


def replay(project, *words, workflow="w.json.template"):
    return main(["replay", workflow, "--projects", "work", "--project", project, *words])


def state(folder, project="p"):
    """{label: (run id, {file: time of its last change})} and {label: the table it made}."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        loaded = host.open_project(folder / "work", project, create=False)
        files, tables = {}, {}
        for run in host.runs_in_order(loaded):
            here = folder / "work" / "projects" / project / run.getWorkingDir()
            times = {path.name: path.stat().st_mtime_ns for path in here.rglob("*") if path.is_file()}
            files[run.getObjLabel()] = run.getObjId(), run.getStatus(), times
            if (here / "extra" / "particles.npz").exists():
                tables[run.getObjLabel()] = read_result(here / "extra" / "particles.npz", ParticleTable)
        loaded.closeMapper()
    return files, tables


def same(one, other):
    assert one.keys() == other.keys()
    return all(
        np.array_equal(getattr(one[label], column), getattr(other[label], column))
        for label in one
        for column in ("positions", "rotations", "ids", "half", "surface_ids")
    )


def events(folder, *kinds):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [event for event in lines if event["event"] in kinds]


def test_what_does_not_depend_on_the_value_is_not_touched_and_the_rest_is_as_in_a_new_project(folder, capsys):
    before, old = state(folder)
    assert replay("p", "--resume", "--set", "radius=80", "--log", "log.jsonl") == 0
    after, tables = state(folder)
    assert {label: run[0] for label, run in after.items()} == {label: run[0] for label, run in before.items()}
    assert all(after[label] == before[label] for label in UPSTREAM)
    assert not any(after[label][2].items() & before[label][2].items() for label in DOWNSTREAM)
    assert same(tables, state(folder, "fresh")[1]) and len(tables["3 Thinned"]) < len(old["3 Thinned"])
    printed = capsys.readouterr().out
    assert "3 Thinned    runs again  exclusionRadius 40 -> 80" in printed
    assert "5 Joined     runs again  depends on 3 Thinned\n" in printed
    assert [event["protocol"] for event in events(folder, "kept")] == UPSTREAM
    assert [event["protocol"] for event in events(folder, "skipped")] == UPSTREAM
    first, second = events(folder, "rerun")
    assert (first["protocol"], first["changes"], first["depends_on"]) == (
        "3 Thinned",
        {"exclusionRadius": [40.0, 80.0]},
        [],
    )
    assert (second["protocol"], second["changes"], second["depends_on"]) == ("5 Joined", {}, ["3 Thinned"])


def test_the_plan_changes_nothing(folder, capsys):
    before, record = state(folder)[0], (folder / "work/projects/p/replay.json").read_text()
    assert replay("p", "--resume", "--plan", "spacing=90", "--log", "log.jsonl") == 0
    printed = capsys.readouterr().out
    assert "2 Dipoles    kept\n" in printed and "2 Points     runs again  spacing 60 -> 90\n" in printed
    assert "5 Joined     runs again  depends on 3 Thinned, 4 Beside it\n" in printed
    assert state(folder)[0] == before and (folder / "work/projects/p/replay.json").read_text() == record
    assert not list((folder / "work").glob(".*changed"))
    assert [event["event"] for event in events(folder, "started", "finished", "skipped")] == []


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["--resume", "--set", "colour=red"], "'colour' is not asked by w.json.template; it asks for: tomograms,"),
        (["--resume", "radius=wide"], "radius=wide: Radius is a number"),
        (["--resume", "radius=-1"], "3 Thinned: Exclusion radius"),
        (["--resume", "dipoles=gone.csv"], "dipoles=gone.csv: no such path"),
        (["--plan"], "--plan needs --resume"),
        (["--update"], "--update needs --resume"),
    ],
)
def test_a_wrong_value_is_one_sentence_and_nothing_is_undone(folder, capsys, words, sentence):
    before = state(folder)[0]
    capsys.readouterr()
    assert replay("p", *words) == 1
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert state(folder)[0] == before


def test_a_project_of_another_workflow_is_refused(folder, capsys):
    (folder / "other.json.template").write_text(TEMPLATE.replace('"2 Points"', '"Points"').replace('"7"', '"8"'))
    assert replay("p", "--resume", "radius=80", workflow="other.json.template") == 1
    assert "not those replayed in project p: make another" in capsys.readouterr().err
    (folder / "work/projects/p/replay.json").unlink()
    assert replay("p", "--resume", "radius=80") == 1
    assert "project p does not say what replay made it from" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("project.sqlite", b"no database", "cannot be opened (Error creating SqliteMapper, "),
        ("settings.sqlite", b"no database", "cannot be opened (Error creating SqliteMapper, "),
        ("project.sqlite", None, "cannot be opened (Project database not found at "),
        ("project.sqlite", b"", "holds no protocols: put its project.sqlite back"),
    ],
)
def test_a_project_whose_databases_are_damaged_is_one_sentence(folder, capsys, name, content, said):
    path = folder / "work/projects/p" / name
    path.unlink() if content is None else path.write_bytes(content)
    assert replay("p", "--resume") == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_an_edited_workflow_is_taken_over_when_asked(folder, capsys):
    before = state(folder)[0]
    edited = TEMPLATE.replace('"5.particles", "6.particles"', '"6.particles"').replace('"5 Joined"', '"5 Called else"')
    (folder / "w.json.template").write_text(edited.replace('"exclusionRadius": "1"', '"exclusionRadius": "140"'))
    assert replay("p", "--resume") == 0
    assert state(folder)[0] == before
    capsys.readouterr()
    assert replay("p", "--resume", "--update") == 0
    assert re.search(r"5 Joined +29 -> ", capsys.readouterr().out)
    after, tables = state(folder)
    assert [label for label in before if after[label] != before[label]] == ["5 Joined"]
    assert 0 < len(tables["5 Joined"]) < len(tables["4 Beside it"])


@pytest.mark.parametrize("resets", [1, 2])
def test_a_change_that_was_cut_short_goes_on(folder, monkeypatch, resets):
    reset, done = host.reset, []

    def killed(*about):
        if len(done) == resets - 1:
            shutil.rmtree(about[1].getWorkingDir())  # in its midst
            raise KeyboardInterrupt
        done.append(reset(*about))

    monkeypatch.setattr(host, "reset", killed)
    assert replay("p", "--resume", "radius=80") == 130
    monkeypatch.undo()
    _enter(folder, monkeypatch)
    before = state(folder)[0]
    assert replay("p", "--resume") == 0
    assert not json.loads((folder / "work/projects/p/replay.json").read_text())["changing"]
    after, tables = state(folder)
    assert all(after[label] == before[label] for label in UPSTREAM)
    assert same(tables, state(folder, "fresh")[1])


def test_a_killed_replay_goes_on_with_the_new_values(folder):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "stadyn", "replay", "w.json.template", "--projects", "work", "--project", "p"]
    process = subprocess.Popen([*command, "--resume", "radius=80", "--log", "log.jsonl"], env=environment, text=True)
    deadline = time.monotonic() + 60
    while not (Path("log.jsonl").exists() and events(folder, "started")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)  # its process has begun
    for member in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        member.send_signal(signal.SIGKILL)
    process.wait()
    assert events(folder, "started") and not events(folder, "finished")
    assert replay("p", "--resume") == 0
    assert same(state(folder)[1], state(folder, "fresh")[1])


def test_what_a_user_added_runs_again_with_what_it_depends_on(folder, capsys):
    project = host.open_project(folder / "work", "p", create=False)
    thinned = next(run for run in project.getRuns() if run.getObjLabel() == "3 Thinned")
    added = project.newProtocol(type(thinned), exclusionRadius=1.0)
    added.inputParticles.append(thinned)
    added.inputParticles[0].setExtended("particles")
    project.saveProtocol(added)
    added.setObjLabel("Added")
    project.mapper.store(added)
    project.mapper.commit()
    project.closeMapper()
    os.chdir(folder)
    assert replay("p", "--resume") == 0 and replay("p", "--resume", "--plan", "seed=2") == 0
    printed = capsys.readouterr().out
    assert re.search(r"Added +113 -> 113 ", printed)
    assert re.search(r"Added +runs again +depends on 3 Thinned\n", printed)


def test_threads_undo_nothing_and_serve_what_is_open(folder, capsys):
    words = ["tomograms=a.mrc", "dipoles=dipoles.csv", "pixel_size=10", "--until", "1 Import tomograms"]
    assert replay("nine", *words, workflow="vlp_nine_steps") == 0
    assert replay("nine", "threads=3", "--resume", *words[3:], workflow="vlp_nine_steps") == 0
    assert "runs again" not in capsys.readouterr().out
    project = host.open_project(folder / "work", "nine", create=False)
    aligning = [run for run in project.getRuns() if run.getClassName() == "StadynProtAlign"]
    assert [run.numberOfThreads.get() for run in aligning] == [3] * 5
    for run in project.getRuns():
        run.setFinished()
        project.mapper.store(run)
    project.mapper.commit()
    project.closeMapper()
    os.chdir(folder)
    assert replay("nine", "threads=4", "gpu=true", "--resume", "--plan", workflow="vlp_nine_steps") == 0
    assert capsys.readouterr().out.count(" kept\n") == 20
    assert replay("nine", "threads=4", "preset=2", "--resume", "--plan", workflow="vlp_nine_steps") == 0
    assert re.search(r"3 Align first reference +runs again +preset 1 -> 2\n", capsys.readouterr().out)


def test_what_still_works_on_the_old_value_is_ended(folder):
    project = folder / "work" / "projects" / "p"
    number = state(folder)[0]["3 Thinned"][0]
    database = f"Runs/{number:06d}_StadynProtSplitHalves/logs/run.db"
    command = [sys.executable, "-c", "import time; time.sleep(120)", project, database]
    working, beside = subprocess.Popen(command), subprocess.Popen([*command[:-1], database.replace("Split", "Joined")])
    try:
        assert replay("p", "--resume", "radius=80", "--until", "2 Points") == 0
        assert working.poll() is not None and beside.poll() is None
    finally:
        beside.kill()
        beside.wait()
    assert state(folder)[0]["3 Thinned"][1] == "saved"
