# SPDX-License-Identifier: GPL-3.0-or-later
"""When memory does not suffice, work is done in smaller parts, with the result it would have had."""

import numpy as np
import pytest

from stadyn.core import averaging, particle_data, passes
from stadyn.core.arrays import in_parts
from stadyn.core.averaging import AverageSum
from stadyn.core.particle_data import ParticleData, prepare

from .planted import plant

BOX, HIGH = 24, 8.0


def short_of_memory(monkeypatch, module, name, size_of, most):
    """Let a function of a module fail with MemoryError whenever `size_of(*arguments)` exceeds `most`; its calls."""
    real, calls = getattr(module, name), []

    def limited(*arguments, **named):
        calls.append(size_of(*arguments))
        if calls[-1] > most:
            raise MemoryError
        return real(*arguments, **named)

    monkeypatch.setattr(module, name, limited)
    return calls


def test_parts_are_halved_until_they_do_and_cover_everything_once():
    done, tried = [], []

    def work(part):
        size = part.stop - part.start
        tried.append(size)
        if size > 3:
            raise MemoryError
        done.extend(range(part.start, part.stop))

    in_parts(work, 11, 8)
    assert done == list(range(11)) and tried[:3] == [8, 4, 2]
    with pytest.raises(MemoryError):
        in_parts(lambda part: (_ for _ in ()).throw(MemoryError), 2, 2)


def test_boxes_are_transformed_fewer_at_a_time(monkeypatch):
    planted = plant(5, BOX)
    arguments = (planted.source, planted.truth, np.arange(5), BOX, HIGH, 0.0, True)
    expected = prepare(*arguments)
    calls = short_of_memory(monkeypatch, particle_data, "half_cube_samples", lambda boxes, *_: len(boxes), 1)
    found = prepare(*arguments)
    assert max(calls) > 1 and np.allclose(found.data, expected.data, rtol=1e-5, atol=1e-3)
    assert np.array_equal(found.centers, expected.centers) and np.allclose(found.cubes, expected.cubes, atol=1e-2)


def test_a_sum_takes_fewer_particles_at_a_time_and_none_twice(monkeypatch):
    planted = plant(6, BOX)
    batch = prepare(planted.source, planted.truth, np.arange(6), BOX, HIGH, 0.0, False)
    expected, found = AverageSum(BOX, HIGH), AverageSum(BOX, HIGH)
    whole = (batch.data, batch.weight, planted.truth.rotations, batch.frequencies)
    expected.add(*whole)
    m = batch.data.shape[1]
    calls = short_of_memory(monkeypatch, averaging, "_added_up", lambda where, *_: len(where), 2 * m)
    found.add(*whole)
    assert max(calls) > 2 * m and found.n == expected.n == 6
    assert np.allclose(found.sums, expected.sums, rtol=1e-9, atol=1e-9 * np.abs(expected.sums).max())


def test_scores_are_taken_of_fewer_particles_at_a_time(monkeypatch):
    planted = plant(6, BOX, snr=0.5)
    rows = np.arange(6)
    data = ParticleData(planted.source, planted.truth, rows, BOX, HIGH, 0.0, False)
    arguments = (planted.source, planted.truth, rows, BOX, planted.reference, None, HIGH)
    expected = passes.score_group(*arguments, data=data)
    calls = short_of_memory(monkeypatch, passes, "score_poses", lambda _, values, *__: len(values), 2)
    assert np.allclose(passes.score_group(*arguments, data=data), expected, atol=1e-6) and max(calls) > 2


def test_what_there_is_no_room_to_keep_is_made_anew_each_time(monkeypatch):
    planted = plant(3, BOX, tomogram_ids=("a", "b", "c"))
    arguments = (planted.source, planted.truth, np.arange(3), BOX, HIGH, 0.0, True)
    expected, data = ParticleData(*arguments), ParticleData(*arguments)
    first = data.batch(0)
    monkeypatch.setattr(data, "_empty", lambda *_: (_ for _ in ()).throw(MemoryError))
    assert data.batch(0) is first and data.batch(1) is not data.batch(1)
    for index in range(3):
        assert np.array_equal(data.batch(index).data, expected.batch(index).data)
