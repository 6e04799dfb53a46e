# SPDX-License-Identifier: GPL-3.0-or-later
"""What is changed in a form reaches the job: its settings differ."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from pyworkflow.protocol import params

from stadyn.core.particles import ParticleTable
from stadyn.core.tomograms import MissingWedge, Tomogram
from stadyn.protocols import StadynProtAlign, StadynProtAverage, StadynProtExtract, StadynProtSelectCC
from stadyn.protocols.ranges import Within

TABLE = ParticleTable(np.full((4, 3), 50.0), np.tile(np.eye(3), (4, 1, 1)), ["t"] * 4, half=np.array([1, 2, 1, 2]))
INPUT = SimpleNamespace(
    table=TABLE, boxes=None, tomograms=[Tomogram("t", "t.mrc", 10.8, (99, 99, 99), MissingWedge(-60, 60))]
)
STEPS = {
    StadynProtAlign: "alignStep",
    StadynProtAverage: "averageStep",
    StadynProtExtract: "extractStep",
    StadynProtSelectCC: "selectStep",
}
AFTERWARDS = {"viewingLowpass"}
"""Read when the outputs are defined."""
HOST = {"runMode", "useGpu", "numberOfThreads", "numberOfMpi", "gpuList"}


def handed_over(protocol_class, folder, **values):
    """The settings of the jobs of one step, as text."""
    protocol, said = protocol_class(), []
    for name, value in values.items():
        getattr(protocol, name).set(value)
    protocol.readInput = lambda name="inputParticles": INPUT
    protocol.pixelSize = lambda name="inputParticles": 10.8
    protocol.resultPath = lambda *names: str(folder.joinpath(*names))
    protocol.readTable = lambda *names: TABLE
    protocol.jobSettings = lambda particles, output="job", **more: more
    protocol.runStadynJob = lambda name, settings: said.append(settings)
    try:
        getattr(protocol, STEPS[protocol_class])()
    except FileNotFoundError:
        assert said  # what the job would have written is not there
    return json.dumps(said, default=str, sort_keys=True)


def others(param):
    """Other values that a form takes for a parameter."""
    if isinstance(param, params.EnumParam):
        return range(len(param.choices))
    if isinstance(param, params.BooleanParam):
        return (False, True)
    (allowed,) = [validator for validator in param.validators if isinstance(validator, Within)]
    default = param.paramClass(param.default.get()).get()
    near = default + 1 if isinstance(param, params.IntParam) else 1.25 * default
    return [value for value in (near, allowed.low) if allowed.low <= value <= allowed.high]


CASES = [
    (cls, name)
    for cls in STEPS
    for name, param in cls().getDefinition().iterParams()
    if isinstance(param, (params.IntParam, params.FloatParam, params.BooleanParam))
    and name not in AFTERWARDS | HOST
    and getattr(param, "choices", True)
]


@pytest.mark.parametrize(("protocol_class", "name"), CASES, ids=[f"{cls.__name__}-{name}" for cls, name in CASES])
def test_a_change_reaches_the_job(protocol_class, name, tmp_path):
    param = protocol_class().getParam(name)
    before = handed_over(protocol_class, tmp_path)
    assert any(handed_over(protocol_class, tmp_path, **{name: value}) != before for value in others(param))
