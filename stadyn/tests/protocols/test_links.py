# SPDX-License-Identifier: GPL-3.0-or-later
"""Outputs say by protocol and name which tomograms they lie in, as the host's scheduler needs it."""

import sqlite3

import pytest

from stadyn.protocols import StadynProtAlign, StadynProtMask

from .project import configured


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


def test_an_optional_input_that_is_linked_is_waited_for(project, oversampled):
    mask = project.newProtocol(StadynProtMask)
    project.saveProtocol(mask)  # not run yet
    form = {"inputParticles": (oversampled, "coordinates"), "boxSize": 345.6}
    assert configured(project, StadynProtAlign, **form).validate() == []
    (error,) = configured(project, StadynProtAlign, **form, inputMask=(mask, "mask")).validate()
    assert error.startswith("Alignment mask") and "is not there yet" in error
