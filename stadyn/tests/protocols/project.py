# SPDX-License-Identifier: GPL-3.0-or-later
"""A real project of the host: protocols run in processes of their own and leave sqlite sets."""

from pyworkflow.project import Manager

SIMULATION = {
    "numberOfTomograms": 2, "pixelSize": 10.8, "extent": "950 950 760", "vlps": 1, "radius": "240 260",
    "tiltMin": -54.0, "tiltMax": 60.0, "tiltStep": 6.0, "noise": 0.2, "clickError": 15.0, "coverage": 0.9,
    "defects": 0.0, "goldBeads": 0, "junk": 3, "seed": 3,
}  # fmt: skip
"""Form of the simulation that is shared by the tests: two small tomograms with one VLP each, little noise."""


def new_project(name):
    """A project of that name, the current folder inside it."""
    Manager().createProject(name)
    return Manager().loadProject(name)


def configured(project, protocol_class, **values):
    """A new protocol with values of its form; ``(protocol, output)`` links a pointer to an output."""
    protocol = project.newProtocol(protocol_class)
    for name, value in values.items():
        parameter = getattr(protocol, name)
        if isinstance(value, tuple) and hasattr(value[0], "getObjId"):
            parameter.set(value[0])
            parameter.setExtended(value[1])
        else:
            parameter.set(value)
    return protocol


def launch(project, protocol_class, **values):
    """Run a protocol to its end and return it; fails with what it said when it did not finish."""
    protocol = configured(project, protocol_class, **values)
    errors = protocol.validate()
    assert not errors, errors
    project.launchProtocol(protocol, wait=True)
    if not protocol.isFinished():
        with open(protocol.getStdoutLog(), errors="replace") as log:
            raise AssertionError(f"{protocol.getErrorMessage()}\n{log.read()[-3000:]}")
    return protocol
