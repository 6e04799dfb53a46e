# SPDX-License-Identifier: GPL-3.0-or-later
"""The align job: poses, files, groups that share nothing, a broken run that goes on, and what it refuses."""

import json

import numpy as np
import pytest

from stadyn.__main__ import main
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleBoxes, ParticleTable
from stadyn.io.mrc import read_header, read_volume, write_volume
from stadyn.io.results import read_result, write_result
from stadyn.jobs import align
from stadyn.jobs.common import box_pixels
from stadyn.tests.core.planted import FULL, misaligned, plant, rotation_errors_deg

from .planted_files import ROUND, written

BOX = 24


@pytest.fixture(scope="module")
def planted():
    return plant(8, BOX, snr=1.0, seed=3, tomogram_ids=("a", "b"))


@pytest.fixture(scope="module")
def start(planted):
    return misaligned(planted.truth, 5.0, 1.0)


def errors(found, truth):
    turn = rotation_errors_deg(found.rotations, truth.rotations)
    return turn.max(), np.linalg.norm(found.positions - truth.positions, axis=1).max()


def same(one, other):
    return all(np.array_equal(getattr(one, c), getattr(other, c)) for c in ("positions", "rotations", "cc", "ids"))


@pytest.mark.parametrize("engine", ["fast", "exhaustive"])
def test_poses_are_recovered_and_written(tmp_path, planted, start, engine, capsys):
    table = start.replace(ids=np.arange(8) + 50, cc=np.full(8, np.nan))
    rounds = [{**ROUND, "cone_range_deg": 12, "inplane_range_deg": 12, "inplane_sampling_deg": 3, "refine": 2}]
    settings = written(
        tmp_path, planted, table, rounds=rounds, reference={"*": str(tmp_path / "map.mrc")}, engine=engine
    )
    if engine == "exhaustive":
        settings["rounds"][0]["cone_sampling_deg"] = 3
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    assert main(["align", str(tmp_path / "settings.json")]) == 0
    found = read_result(tmp_path / "out" / "particles.npz", ParticleTable)
    turn, shift = errors(found, planted.truth)
    assert turn < (1.5 if engine == "fast" else 3.5) and shift < (0.15 if engine == "fast" else 0.4)
    assert np.array_equal(found.ids, table.ids) and np.array_equal(found.tomogram_ids, table.tomogram_ids)
    assert np.all(found.cc > 0.3)
    average = read_volume(tmp_path / "out" / "average_all.mrc")
    assert average.shape == (BOX,) * 3 and read_header(tmp_path / "out" / "average_all.mrc").pixel_size == 5.0
    assert np.corrcoef(average.ravel(), planted.reference.ravel())[0, 1] > 0.8  # dark stays dark
    records = json.loads((tmp_path / "out" / "convergence.json").read_text())
    assert [(r["group"], r["round"], r["iteration"], r["particles"]) for r in records] == [("all", 1, 1, 8)]
    printed = capsys.readouterr().out
    assert "round 1 iteration 1 done" in printed and "100 %" in printed


@pytest.mark.parametrize("name", ["checkpoint_all_001.npz", "checkpoint_all_round_000.npz", "checkpoint_all.json"])
@pytest.mark.parametrize("left", [0, 40, None])
def test_a_damaged_checkpoint_stops_no_run(tmp_path, planted, start, monkeypatch, capsys, name, left):
    settings = written(tmp_path, planted, start, rounds=[{**ROUND, "iterations": 2}])
    whole = align.run_settings({**settings, "output": str(tmp_path / "whole")})
    broken = {**settings, "output": str(tmp_path / "broken")}
    original = align.Checkpoint.save

    def save(self, done, *rest):
        original(self, done, *rest)
        raise KeyboardInterrupt

    monkeypatch.setattr(align.Checkpoint, "save", save)
    with pytest.raises(KeyboardInterrupt):
        align.run_settings(broken)
    monkeypatch.undo()
    path = tmp_path / "broken" / name
    path.unlink() if left is None else path.write_bytes(path.read_bytes()[:left])
    assert same(align.run_settings(broken), whole)
    assert (str(path) in capsys.readouterr().err) == (left is not None or path.suffix == ".npz")


def test_a_broken_run_goes_on_to_the_same_result_with_other_threads_too(tmp_path, planted, start, monkeypatch):
    rounds = [{**ROUND, "iterations": 2}, ROUND]
    settings = written(tmp_path, planted, start, rounds=rounds)
    whole = align.run_settings({**settings, "output": str(tmp_path / "whole")})
    original = align.Checkpoint.save
    for stop in (1, 2):
        broken = {**settings, "output": str(tmp_path / f"stop{stop}")}

        def save(self, done, *rest, stop=stop):
            original(self, done, *rest)
            if done == stop:
                raise KeyboardInterrupt

        monkeypatch.setattr(align.Checkpoint, "save", save)
        with pytest.raises(KeyboardInterrupt):
            align.run_settings(broken)
        monkeypatch.setattr(align.Checkpoint, "save", original)
        went_on = align.run_settings({**broken, "threads": 2})
        assert same(went_on, whole)
        files = [(tmp_path / o / "average_all.mrc").read_bytes() for o in ("whole", f"stop{stop}")]
        assert files[0] == files[1]
        records = json.loads((tmp_path / f"stop{stop}" / "convergence.json").read_text())
        assert [(r["round"], r["iteration"]) for r in records] == [(1, 1), (1, 2), (2, 1)]


def test_a_finished_run_is_not_repeated_but_other_settings_or_particles_are(tmp_path, planted, start, monkeypatch):
    done = []
    original = align.Checkpoint.save
    monkeypatch.setattr(
        align.Checkpoint, "save", lambda self, number, *rest: (done.append(number), original(self, number, *rest))
    )
    settings = written(tmp_path, planted, start, rounds=[{**ROUND, "iterations": 2}])
    first = align.run_settings(settings)
    assert done == [1, 2] and same(align.run_settings(settings), first) and done == [1, 2]
    align.run_settings({**settings, "fmin": 0.02})
    assert done == [1, 2, 1, 2]
    other = misaligned(planted.truth, 3.0, 0.5, seed=9)
    write_result(settings["particles"], other)
    again = align.run_settings(settings)
    assert done == [1, 2] * 3
    clean = align.run_settings({**settings, "output": str(tmp_path / "clean")})
    assert same(again, clean)
    state = align.Checkpoint(tmp_path / "out", "all", settings).load()
    assert np.array_equal(state[2].positions, other.positions)  # the round's start is this run's, not the first's


@pytest.mark.parametrize("keys, other", [(["half"], "half"), (["tomogram"], "tomogram_ids")])
def test_groups_share_nothing(tmp_path, planted, start, keys, other):
    settings = written(tmp_path, planted, start, rounds=[ROUND], group_by=keys)
    one = align.run_settings({**settings, "output": str(tmp_path / "one")})
    names = {"half": ("odd", "even"), "tomogram_ids": ("a", "b")}[other]
    values = {"half": (1, 2), "tomogram_ids": ("a", "b")}[other]
    touched = getattr(start, other) == values[1]
    moved = start.positions.copy()
    moved[touched] += 4.0
    spoiled = written(tmp_path, planted, start.replace(positions=moved), "spoiled", rounds=[ROUND], group_by=keys)
    two = align.run_settings({**spoiled, "output": str(tmp_path / "two")})
    assert same(one.select(~touched), two.select(~touched)) and not same(one, two)
    for name, equal in zip(names, (True, False), strict=True):
        files = [(tmp_path / o / f"average_{name}.mrc").read_bytes() for o in ("one", "two")]
        assert (files[0] == files[1]) is equal, name


def test_both_keys_make_four_groups_each_with_its_own_reference(tmp_path, planted, start):
    groups = ["a_odd", "a_even", "b_odd", "b_even"]
    for group in groups:
        write_volume(tmp_path / f"{group}.mrc", planted.reference, 5.0)
    references = {g: str(tmp_path / f"{g}.mrc") for g in groups}
    settings = written(tmp_path, planted, start, rounds=[ROUND], group_by=["tomogram", "half"], reference=references)
    found = align.run_settings(settings)
    assert errors(found, planted.truth)[1] < 0.3
    assert sorted(p.name for p in (tmp_path / "out").glob("average_*")) == sorted(f"average_{g}.mrc" for g in groups)
    with pytest.raises(InputError, match="no reference is given for group 'b_even'"):
        align.run_settings({**settings, "reference": {g: references[g] for g in groups[:3]}, "fmin": 0.02})


def test_particles_may_be_files_binned_and_off_centre(tmp_path):
    """Boxes of 10 Å/px cut around other voxels than the particles' own: positions stay in tomogram pixels."""
    planted = plant(4, BOX, seed=4, wedge=FULL, sigmas=2.0)
    truth = planted.truth
    boxes, centers = planted.source.boxes(truth, np.arange(4), 2 * BOX)
    paths = []
    for i, box in enumerate(boxes):
        shifted = np.roll(box, (-2, 0, 4), (0, 1, 2))  # the particle moves by (4, 0, -2) px within its box
        spectrum = np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(shifted)))[BOX // 2 : -BOX // 2, BOX // 2 : -BOX // 2]
        spectrum = spectrum[:, :, BOX // 2 : -BOX // 2]
        paths.append(str(tmp_path / f"box{i}.mrc"))
        write_volume(paths[-1], np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(spectrum))).real / 8, 10.0)
    write_result(tmp_path / "boxes.npz", ParticleBoxes(paths, np.zeros(4, int), centers + [-4, 0, 2], 10.0))
    table = misaligned(truth, 4.0, 1.0)
    settings = written(
        tmp_path,
        planted,
        table,
        boxes=str(tmp_path / "boxes.npz"),
        rounds=[{**ROUND, "lowpass_angst": 24}],
        reference={"*": str(tmp_path / "map.mrc")},
    )
    turn, shift = errors(align.run_settings(settings), truth)
    assert turn < 2.0 and shift < 0.3


def test_what_cannot_be_aligned_is_refused_with_its_remedy(tmp_path, planted, start):
    settings = written(tmp_path, planted, start, rounds=[ROUND])

    def refused(message, table=None, **changes):
        changed = {**settings, **changes}
        if table is not None:
            write_result(tmp_path / "bad.npz", table)
            changed["particles"] = str(tmp_path / "bad.npz")
        with pytest.raises(InputError, match=message):
            align.run_settings(changed)

    refused("bad.npz: the table is empty", ParticleTable.empty())
    outside = start.positions.copy()
    outside[0, 2] = 500
    refused(r"1 particles lie outside tomogram .*a\.mrc.*500.*axis order", start.replace(positions=outside))
    strange = start.tomogram_ids.copy()
    strange[0] = "c"
    refused("tomogram 'c' are in .*bad.npz, but the tomograms are a, b", start.replace(tomogram_ids=strange))
    mixed = [settings["tomograms"][0], {**settings["tomograms"][1], "pixel_size": 6.0}]
    refused(r"different pixel sizes \[5.0, 6.0\]", tomograms=mixed)
    refused(r"box of 1000 px is larger than tomogram .*a\.mrc", box_angst=5000)
    refused("give at least 80 Å", box_angst=20)
    refused("unknown round parameter 'itterations'", rounds=[{"itterations": 1}])
    refused("no rounds", rounds=[])
    refused("engine 'slow': choose one of fast", engine="slow")
    refused("not split into halves: run the even/odd split", start.replace(half=np.zeros(8, int)), group_by=["half"])
    refused("\"group_by\" holds 'surface'", group_by=["surface"])
    write_volume(tmp_path / "empty.mrc", np.zeros((BOX,) * 3), 5.0)
    refused("mask .*empty.mrc is empty", mask=str(tmp_path / "empty.mrc"))
    write_volume(tmp_path / "flat.mrc", np.ones((BOX, BOX, 8)), 5.0)
    refused("flat.mrc is .* must be a cube", reference={"*": str(tmp_path / "flat.mrc")})
    refused('unknown key "mask_path"', mask_path="x")


def test_a_box_is_an_even_number_of_pixels():
    assert [box_pixels(a, 5.4) for a in (345.6, 340, 100)] == [64, 62, 18]
    with pytest.raises(InputError, match="give at least 86 Å"):
        box_pixels(60, 5.4)
