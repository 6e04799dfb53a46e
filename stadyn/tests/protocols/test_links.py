# SPDX-License-Identifier: GPL-3.0-or-later
"""Outputs say by protocol and name which tomograms they lie in, as the host's scheduler needs it."""

import sqlite3

import pytest


@pytest.mark.parametrize(
    "fixture, owner", [("simulated", "simulated"), ("oversampled", "tomograms"), ("aligned", "tomograms")]
)
def test_the_tomograms_are_named_not_numbered(request, project, fixture, owner):
    run, owner = request.getfixturevalue(fixture), request.getfixturevalue(owner)
    for name, output in run.iterOutputAttributes():
        pointer = getattr(output, "_precedentsPointer", None)
        if pointer is None:
            continue
        assert (pointer.getObjValue().getObjId(), pointer.getExtended()) == (owner.getObjId(), "tomograms"), name
        with sqlite3.connect(run.getDbPath()) as database:
            pattern = f"{run.getObjId()}.%._precedentsPointer"
            values = database.execute("SELECT value FROM Objects WHERE name LIKE ?", (pattern,)).fetchall()
        assert (str(owner.getObjId()),) in values
        assert {t.getTsId() for t in output.getPrecedents().iterItems()} == {"tomo_001", "tomo_002"}
