# SPDX-License-Identifier: GPL-3.0-or-later
"""An alignment whose device runs out of memory goes on with smaller batches, and gives what it would have given."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from stadyn.core import passes
from stadyn.core.particles import ParticleTable
from stadyn.io.results import read_result
from stadyn.jobs import align
from stadyn.tests.core.planted import misaligned, plant

from .planted_files import ROUND, written

BOX = 24


class DeviceOutOfMemory(Exception):
    """What CuPy raises: no MemoryError."""


def test_a_device_without_memory_gets_smaller_batches(tmp_path, monkeypatch):
    memory = SimpleNamespace(OutOfMemoryError=DeviceOutOfMemory)
    fake = SimpleNamespace(ndarray=type("ndarray", (), {}), cuda=SimpleNamespace(memory=memory))
    planted = plant(12, BOX, snr=1.0, seed=3)
    settings = written(tmp_path, planted, misaligned(planted.truth, 5.0, 1.0), rounds=[{**ROUND, "iterations": 2}])
    align.run_settings({**settings, "output": str(tmp_path / "plenty")})
    real, sizes = passes.refine_poses, []

    def limited(prepared, data, *arguments, **named):
        sizes.append(len(data))
        if len(data) > 4:
            raise DeviceOutOfMemory("out of memory allocating 1,073,741,824 bytes")
        return real(prepared, data, *arguments, **named)

    monkeypatch.setattr(passes, "refine_poses", limited)
    with pytest.raises(DeviceOutOfMemory):  # nobody who does not know the device's errors goes on
        align.run_settings({**settings, "output": str(tmp_path / "unknown")})
    monkeypatch.setitem(sys.modules, "cupy", fake)
    align.run_settings({**settings, "output": str(tmp_path / "scarce")})
    plenty, scarce = (read_result(tmp_path / n / "particles.npz", ParticleTable) for n in ("plenty", "scarce"))
    assert max(sizes) > 4 and min(sizes) <= 4
    assert np.allclose(plenty.rotations, scarce.rotations, atol=1e-5)
    assert np.allclose(plenty.positions, scarce.positions, atol=1e-4) and np.allclose(plenty.cc, scarce.cc, atol=1e-5)
