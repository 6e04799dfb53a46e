# SPDX-License-Identifier: GPL-3.0-or-later
"""The results sheet: numbers and pictures of a project, an export and a job's folder on a page that loads nothing."""

import base64
import io
import json
import re
import shutil
import sqlite3
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from stadyn.__main__ import main
from stadyn.core.errors import InputError
from stadyn.core.masks import sphere
from stadyn.core.particles import EVEN, ODD, ParticleTable
from stadyn.core.refinement import IterationRecord
from stadyn.core.selection import fit_cc_threshold
from stadyn.io.mrc import write_volume
from stadyn.io.results import write_result
from stadyn.io.settings import write_json
from stadyn.jobs.postprocess import run_postprocess
from stadyn.records import read_records
from stadyn.sheet import write_sheet

BOX, PIXEL = 32, 3.0


class Loads(HTMLParser):
    """Everything a page would fetch, and whether its tags close."""

    def __init__(self):
        super().__init__()
        self.sources, self.scripts, self.images = [], 0, []

    def handle_starttag(self, tag, attributes):
        self.scripts += tag in ("script", "link", "iframe")
        for name, value in attributes:
            if name in ("src", "href"):
                (self.images if value.startswith("data:image/png;base64,") else self.sources).append(value)


@pytest.fixture(scope="module")
def processed(tmp_path_factory):
    """A folder that postprocess wrote."""
    folder = tmp_path_factory.mktemp("halves")
    rng = np.random.default_rng(0)
    signal = 3 * rng.standard_normal((BOX,) * 3) * sphere(BOX, 8, 3)
    for name in ("half1", "half2"):
        write_volume(folder / f"{name}.mrc", signal + 0.3 * rng.standard_normal(signal.shape), PIXEL)
    write_volume(folder / "mask.mrc", sphere(BOX, 10, 4), PIXEL)
    out = folder / "out"
    run_postprocess(folder / "half1.mrc", folder / "half2.mrc", out, folder / "mask.mrc", b_factor=-77.0)
    return out


def objects_of(runs):
    """Rows of the host's table of objects: [(label, class, {name: (type, value)})] of protocols."""
    rows, key = [(1, None, "CreationTime", "String", "now", "")], 10
    for label, class_name, values in runs:
        parent, key = key, key + 1
        rows.append((parent, None, "", class_name, None, label))
        for name, (kind, value) in values.items():
            rows.append((key, parent, f"{parent}.{name}", kind, value, ""))
            key += 1
    return rows


@pytest.fixture
def project(tmp_path, processed):
    """A project of the host with a selection, an alignment, half-maps and a failed protocol, as its files tell it."""
    runs = []
    classes = ("StadynProtSelectCC", "StadynProtAlign", "StadynProtHalfMaps", "StadynProtPostprocess")
    for number, name in enumerate(classes, 6):
        values = {
            "status": ("String", "finished"), "initTime": ("String", "2026-01-01 10:00:00.5"),
            "endTime": ("String", "2026-01-01 10:01:30.5"), "workingDir": ("String", f"Runs/{name}"),
            "symmetry": ("String", "C6"), "useGpu": ("Boolean", "0"), "randomAzimuth": ("Boolean", "1"),
            "inputParticles": ("Pointer", "10"), "_hidden": ("String", "x"),
        }  # fmt: skip
        runs.append((f"{number} {name[10:]} <of & all>", name, values))
        (tmp_path / "Runs" / name / "extra").mkdir(parents=True)
    runs.append(("9 Broken", "StadynProtAlign", {"status": ("String", "failed"), "workingDir": ("String", "Runs/no")}))
    with sqlite3.connect(tmp_path / "project.sqlite") as database:
        database.execute("CREATE TABLE Objects (id, parent_id, name, classname, value, label)")
        database.executemany("INSERT INTO Objects VALUES (?, ?, ?, ?, ?, ?)", objects_of(runs))
    select, align, half_maps, post = (tmp_path / "Runs" / name / "extra" for name in classes)
    (select / "select").mkdir()
    (align / "align").mkdir()
    rng = np.random.default_rng(1)
    scores = np.append(rng.normal(0.1, 0.02, 300), rng.normal(0.3, 0.03, 300))
    write_result(select / "select" / "threshold_TS_1.npz", fit_cc_threshold(scores))
    write_json(select / "summary.json", {"particles": 300, "warnings": ["look <here>"]})
    records = [IterationRecord("all", 1, i, 300, 0.1 * i, 3.0 / i, 9.0 / i, 1.0) for i in (1, 2)]
    write_json(align / "align" / "convergence.json", [vars(record) for record in records])
    write_json(align / "align.json", {"particles": "p", "output": "o", "box_angst": 260.0, "rounds": [{"cone": 20}]})
    grid = np.mgrid[0:5, 0:4, 0:1].reshape(3, -1).T * 25.0
    halves = np.where(np.arange(20) % 2, EVEN, ODD)
    table = ParticleTable(grid, np.tile(np.eye(3), (20, 1, 1)), ["t"] * 20, half=halves)
    write_result(half_maps / "particles.npz", table)
    write_volume(half_maps / "stadyn_class001.mrc", np.zeros((BOX,) * 3), PIXEL)
    write_json(half_maps / "summary.json", {"final_particles": 20})
    shutil.copytree(processed, post / "postprocess")
    write_json(post / "summary.json", {"resolution_angst": 7.125, "b_factor": -77.0})
    return tmp_path


def page_of(source, path):
    text = write_sheet(source, path).read_text(encoding="utf-8")
    loads = Loads()
    loads.feed(text)
    assert loads.sources == [] and loads.scripts == 0 and "url(" not in text
    pictures = [Image.open(io.BytesIO(base64.b64decode(image.partition(",")[2]))) for image in loads.images]
    assert all(min(picture.size) > 200 and np.ptp(np.asarray(picture.convert("L"))) > 100 for picture in pictures)
    return text, re.findall(r"<figcaption>(.*?)</figcaption>", text)


def test_page_of_a_project(project, tmp_path):
    before = sorted(p.name for p in project.rglob("*"))
    text, captions = page_of(project, tmp_path / "sheet.html")
    assert sorted(p.name for p in project.rglob("*")) == sorted([*before, "sheet.html"])
    wanted = ["Fourier shell correlation", "Guinier", "final map", "in space", "lattice", "CC of", "Convergence"]
    assert [any(want in caption for caption in captions) for want in wanted] == [True] * len(wanted)
    assert "Post" in captions[0]  # results come before the way to them
    assert "7.12 Å" in text and "-77 Å²" in text and ">90 s<" in text
    assert "look &lt;here&gt;" in text and "&lt;of &amp; all&gt;" in text and "9 Broken (failed)" in text
    assert "Castaño-Díez" in text and "10.1016/j.ultramic.2013.06.004" in text and "{" not in text.split("Citations")[1]
    assert re.search(r"numpy</th><td>\d", text)


def test_parameters_are_those_of_the_protocols(project):
    title, records = read_records(project)
    assert title == project.name and [record.status for record in records] == ["finished"] * 4 + ["failed"]
    align = records[1]
    assert align.step == "7" and align.seconds == 90.0
    assert align.parameters == {
        "symmetry": "C6", "randomAzimuth": "yes", "inputParticles": "6 SelectCC <of & all>",
        "align: box_angst": 260.0, "align: rounds": [{"cone": 20}],
    }  # fmt: skip


def test_page_of_a_jobs_folder_through_the_command(processed, tmp_path, capsys):
    out = tmp_path / "job.html"
    assert main(["sheet", str(processed), "--out", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    _, captions = page_of(processed, out)
    assert len(captions) == 3 and "-77 Å²" in out.read_text(encoding="utf-8")


def test_page_of_an_export_shows_its_pictures(processed, tmp_path):
    export = tmp_path / "export"
    export.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 400), np.uint8)).save(export / "fsc.png")
    protocols = [{"step": "9", "protocol": "9 Post", "class": "StadynProtPostprocess", "resolution_angst": 9.876}]
    (export / "summary.json").write_text(json.dumps({"project": "demo", "protocols": protocols}))
    text, captions = page_of(export, tmp_path / "export.html")
    assert captions == ["fsc"] and "9.88 Å" in text and "<h1>demo</h1>" in text


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="project.sqlite"):
        write_sheet(tmp_path, tmp_path / "sheet.html")
    (tmp_path / "project.sqlite").write_text("nothing")
    with pytest.raises(InputError, match="cannot be read"):
        write_sheet(tmp_path, tmp_path / "sheet.html")
    assert not (tmp_path / "sheet.html").exists()
