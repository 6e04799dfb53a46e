# SPDX-License-Identifier: GPL-3.0-or-later
"""Forms read well: numbers say their unit and their range, each parameter is read, and nobody is shown twice."""

import re
from pathlib import Path

import pwem
import pytest
from pyworkflow.protocol import params

import stadyn
from stadyn.protocols.rounds import ROUND_FIELDS
from stadyn.protocols.simulate import NUMBERS, RANGES

FOLDER = Path(stadyn.__file__).parent
PROTOCOLS = {
    name: cls for name, cls in pwem.Domain.getProtocols().items() if cls.__module__.split(".")[0] == "stadyn"
}
HOST = {"runName", "runMode", "hostName", "numberOfThreads", "numberOfMpi", "gpuList", "useGpu", "runQueue"}
COUNTS = re.compile(r"iterations|rebuilds|terms|deviations|seed|number|binning|score|floor|factor|ratio|correlation"
                    r"|ellipticity|noise|coverage|defects|beads|junk|vlps|fraction|tomograms|picks|points|levels"
                    r"|particles|shells|neighbours|rounds|degree of the|threshold", re.I)  # fmt: skip
"""Numbers without a unit, by what their label calls them."""


def numbers(protocol_class):
    """(name, parameter) of the numbers that a form asks for."""
    for name, param in protocol_class().getDefinition().iterParams():
        number = isinstance(param, (params.IntParam, params.FloatParam))
        if number and not isinstance(param, params.EnumParam) and name not in HOST:
            yield name, param


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_numbers_say_their_unit(name):
    for key, param in numbers(PROTOCOLS[name]):
        label = param.label.get()
        with_unit = re.search(r"\((Å|Å²|px|degrees|°|CC|µm|%|e/Å²)[^)]*\)", label)
        assert with_unit or COUNTS.search(label), f"{key}: {label!r} says no unit"


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_no_label_stands_twice_in_a_form(name):
    definition = PROTOCOLS[name]().getDefinition()
    seen = {}
    for key, param in definition.iterParams():
        if key in HOST or isinstance(param, (params.Line, params.Group)) or not param.label.get():
            continue
        place = (param.label.get(), str(param.condition.get() or ""))
        assert place not in seen, f"{key} and {seen[place]} are both called {place[0]!r}"
        seen[place] = key


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_every_parameter_is_read(name):
    sources = "\n".join(file.read_text() for file in (FOLDER / "protocols").glob("*.py"))
    read_by_name = {*ROUND_FIELDS, *NUMBERS, *RANGES}  # in loops over these tables
    for key, param in PROTOCOLS[name]().getDefinition().iterParams():
        if key in HOST or key in read_by_name or isinstance(param, (params.Line, params.Group, params.LabelParam)):
            continue
        used = re.findall(rf"(?:self|protocol|form|v)\.{key}\b", sources)
        quoted = re.findall(rf"[\"']{key}[\"']", sources)
        assert used or len(quoted) > 1, f"{name}.{key} is asked for and never read"
