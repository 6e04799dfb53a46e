# SPDX-License-Identifier: GPL-3.0-or-later
"""Odd and even share nothing: what each half reads, and what becomes of one when the other's data are destroyed."""

from collections import defaultdict

import numpy as np
import pytest

from stadyn.core import refinement
from stadyn.core.exclusion import exclude_within
from stadyn.core.halves import SPLITS, split_halves
from stadyn.core.particle_data import TomogramSource
from stadyn.core.particles import EVEN, ODD, ParticleTable
from stadyn.io.mrc import read_volume, write_volume
from stadyn.io.results import read_result, write_result
from stadyn.jobs import align, average
from stadyn.tests.core.planted import misaligned, plant

from .planted_files import ROUND, written

BOX, RIM = 20, 3
ROUNDS = [{**ROUND, "iterations": 2}, {**ROUND, "lowpass_angst": 12}]


@pytest.fixture(scope="module")
def planted():
    return plant(12, BOX, snr=1.0, seed=6, tomogram_ids=("a", "b"))


@pytest.fixture(scope="module")
def halves(planted):
    """The particles off their places, in halves by parity of the ids; one tomogram holds particles of both."""
    table = misaligned(planted.truth, 4.0, 0.8)
    table = split_halves(table.replace(ids=np.array([1, 2, 4, 3, 5, 6, 8, 7, 9, 10, 12, 11])))
    assert all(set(table.half[table.tomogram_ids == name]) == {ODD, EVEN} for name in ("a", "b"))
    return table


def wiped(folder, planted, table, half):
    """Overwrite with other noise what the tomograms in `folder` hold in the boxes of one half, but for their rims.

    Boxes of neighbours that are off by a pixel overlap by one; nothing but whole tomograms apart can help that.
    """
    rng = np.random.default_rng(99)
    for name in ("a", "b"):
        path = folder / f"{name}.mrc"
        volume = read_volume(path).copy()
        for position in planted.truth.positions[(table.tomogram_ids == name) & (table.half == half)]:
            x = round(position[0])
            place = np.s_[:, :, max(0, x - BOX // 2 + RIM) : x + BOX // 2 - RIM]
            volume[place] = 9 * rng.standard_normal(volume[place].shape)
        write_volume(path, volume, 5.0)


def results(folder, half):
    """(positions, rotations, cc, average) of one half of a finished alignment."""
    table = read_result(folder / "out" / "particles.npz", ParticleTable)
    rows = table.half == half
    average_map = read_volume(folder / "out" / f"average_{'odd' if half == ODD else 'even'}.mrc")
    return table.positions[rows], table.rotations[rows], table.cc[rows], average_map


def aligned(folder, planted, table, half_to_wipe=None):
    folder.mkdir(exist_ok=True)
    settings = written(folder, planted, table, rounds=ROUNDS, group_by=["half"])
    if half_to_wipe:
        wiped(folder, planted, table, half_to_wipe)
    align.run_settings(settings)
    return settings


@pytest.fixture(scope="module")
def whole(tmp_path_factory, planted, halves):
    folder = tmp_path_factory.mktemp("whole") / "run"
    aligned(folder, planted, halves)
    return folder


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("kept", "lost"), [(ODD, EVEN), (EVEN, ODD)])
def test_one_half_does_not_feel_that_the_other_is_destroyed(tmp_path, planted, halves, whole, kept, lost):
    aligned(tmp_path / "run", planted, halves, lost)
    assert_same(results(tmp_path / "run", kept), results(whole, kept))
    assert np.abs(results(tmp_path / "run", lost)[3] - results(whole, lost)[3]).max() > 0.1


def test_each_half_reads_its_own_boxes_only(tmp_path, planted, halves, monkeypatch):
    """Every box that is cut, by the half that is aligned at the time, also in the average at the end."""
    read, group_now = defaultdict(set), []
    boxes, run = TomogramSource.boxes, refinement.Refinement.run

    def spied_boxes(self, table, rows, box_px):
        read[group_now[-1]].update(table.ids[rows].tolist())
        return boxes(self, table, rows, box_px)

    def spied_run(self, source, table, rows, reference, mask, group, *rest):
        group_now.append(group)
        return run(self, source, table, rows, reference, mask, group, *rest)

    monkeypatch.setattr(TomogramSource, "boxes", spied_boxes)
    monkeypatch.setattr(refinement.Refinement, "run", spied_run)
    aligned(tmp_path / "run", planted, halves)
    assert read == {"odd": set(halves.ids[halves.half == ODD]), "even": set(halves.ids[halves.half == EVEN])}


@pytest.mark.parametrize("broken_in", ["even", "odd"])
def test_nothing_is_shared_after_a_broken_run_goes_on(tmp_path, planted, halves, whole, broken_in, monkeypatch):
    """The run breaks after an iteration; before it goes on, the data of the even half are destroyed."""
    folder = tmp_path / "run"
    folder.mkdir()
    settings = written(folder, planted, halves, rounds=ROUNDS, group_by=["half"])
    save = align.Checkpoint.save

    def broken_save(self, done, *rest):
        save(self, done, *rest)
        if rest[-1].group == broken_in and done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(align.Checkpoint, "save", broken_save)
    with pytest.raises(KeyboardInterrupt):
        align.run_settings(settings)
    monkeypatch.setattr(align.Checkpoint, "save", save)
    wiped(folder, planted, halves, EVEN)
    align.run_settings(settings)
    assert_same(results(folder, ODD), results(whole, ODD))
    assert np.abs(results(folder, EVEN)[3] - results(whole, EVEN)[3]).max() > 0.1


def test_averages_of_the_halves_are_apart(tmp_path, planted, halves):
    maps = {}
    for name, lost in (("whole", None), ("wiped", EVEN)):
        folder = tmp_path / name
        folder.mkdir()
        settings = written(folder, planted, halves, group_by=["half"])
        if lost:
            wiped(folder, planted, halves, lost)
        average.run_settings(settings)
        maps[name] = [read_volume(folder / "out" / f"average_{half}.mrc") for half in ("odd", "even")]
    np.testing.assert_array_equal(maps["whole"][0], maps["wiped"][0])
    assert np.abs(maps["whole"][1] - maps["wiped"][1]).max() > 0.1


@pytest.mark.parametrize("by", SPLITS)
def test_a_particle_that_is_there_twice_is_in_one_half(tmp_path, by):
    """Duplicates go before the split: no place of a tomogram is in both halves. The column survives files."""
    rng = np.random.default_rng(2)
    n = 240
    single = ParticleTable(
        rng.uniform(0, 400, (n, 3)), np.tile(np.eye(3), (n, 1, 1)), rng.choice(["t1", "t2"], n),
        surface_ids=rng.integers(1, 5, n), cc=rng.random(n),
    )  # fmt: skip
    twins = single.replace(positions=single.positions + 0.5, cc=single.cc - 0.1)
    table = ParticleTable.concatenate([single, twins]).renumbered()
    split = split_halves(table.select(exclude_within(table, 3.0)), by)
    write_result(tmp_path / "split.npz", split)
    found = read_result(tmp_path / "split.npz", ParticleTable)
    for name in ("t1", "t2"):
        odd, even = (found.positions[(found.tomogram_ids == name) & (found.half == half)] for half in (ODD, EVEN))
        if len(odd) and len(even):
            assert np.linalg.norm(odd[:, None] - even[None], axis=-1).min() >= 3.0
    assert set(found.half) == {ODD, EVEN} and len(found) <= n
