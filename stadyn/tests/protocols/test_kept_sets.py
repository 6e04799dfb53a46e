# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of finished runs that were lost or damaged since are named, and never taken for empty ones."""

import os
import sqlite3
from pathlib import Path

import pytest

from stadyn.protocols import StadynProtAlign, StadynProtOversample

from .project import configured


def emptied(path):
    path.write_bytes(b"")


def truncated(path):
    os.truncate(path, path.stat().st_size // 2)


def cleared(path):
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM Objects")


@pytest.fixture
def kept(simulated):
    """A function that damages one of the simulation's sets; it is put back afterwards."""
    contents = {}

    def change(name, how):
        path = Path(simulated._getPath(name)).absolute()
        contents[path] = path.read_bytes()
        how(path)
        return path

    yield change
    for path, content in contents.items():
        path.write_bytes(content)


@pytest.mark.parametrize(
    "how, words",
    [
        (os.unlink, "is not there any more"),
        (emptied, "is damaged (no such table: Objects)"),
        (truncated, "is damaged ("),
        (cleared, "is empty"),
    ],
)
def test_a_lost_or_damaged_set_is_named_with_its_maker(project, simulated, kept, how, words):
    protocol = configured(project, StadynProtAlign, inputParticles=(simulated, "coordinates"))
    assert not protocol.validate()
    path = kept("coordinates3d.sqlite", how)
    (said,) = protocol.validate()
    assert said.startswith(f"{path} {words}") and "Traceback" not in said
    assert said.endswith(f"restart {simulated.getObjLabel()!r}, which made it")
    assert path.exists() != (how is os.unlink)  # a look makes no empty database


def test_the_tomograms_that_points_lie_in_are_looked_at(project, simulated, kept):
    protocol = configured(project, StadynProtOversample, inputDipoles=(simulated, "dipoles"))
    assert not protocol.validate()
    path = kept("tomograms.sqlite", truncated)
    (said,) = protocol.validate()
    assert said.startswith(f"{path} is damaged")
