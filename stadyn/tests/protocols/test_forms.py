# SPDX-License-Identifier: GPL-3.0-or-later
"""Forms read well: each parameter says what it is, its unit and its range, is read, and is shown when it acts."""

import ast
import inspect
import re
from pathlib import Path

import pwem
import pytest
from pyworkflow.protocol import params

import stadyn
from stadyn.protocols.forms import EXHAUSTIVE
from stadyn.protocols.presets import CUSTOM
from stadyn.protocols.ranges import Within
from stadyn.protocols.rounds import ROUND_FIELDS
from stadyn.protocols.simulate import NUMBERS, RANGES

FOLDER = Path(stadyn.__file__).parent
PROTOCOLS = {name: cls for name, cls in pwem.Domain.getProtocols().items() if cls.__module__.split(".")[0] == "stadyn"}
HOST = {"runName", "runMode", "hostName", "numberOfThreads", "numberOfMpi", "gpuList", "useGpu", "runQueue"}
COUNTS = re.compile(r"iterations|rebuilds|terms|deviations|seed|number|binning|score|floor|factor|ratio|correlation"
                    r"|ellipticity|noise|coverage|defects|beads|junk|vlps|fraction|tomograms|picks|points|levels"
                    r"|particles|shells|neighbours|rounds|degree of the|threshold", re.I)  # fmt: skip
"""Numbers without a unit, by what their label calls them."""


def own_params(protocol, *classes):
    """(name, parameter) of a form, those of the host and mere lines left out."""
    for name, param in protocol.getDefinition().iterParams():
        skipped = name in HOST or isinstance(param, (params.Line, params.Group, params.LabelParam))
        if not skipped and (not classes or isinstance(param, classes)):
            yield name, param


def numbers(protocol):
    """(name, parameter) of the numbers that a form asks for."""
    for name, param in own_params(protocol, params.IntParam, params.FloatParam):
        if not isinstance(param, params.EnumParam):
            yield name, param


EVERY = [(cls, name) for _, cls in sorted(PROTOCOLS.items()) for name, _ in own_params(cls())]
EVERY_NUMBER = [(cls, name) for _, cls in sorted(PROTOCOLS.items()) for name, _ in numbers(cls())]
EVERY_CHOICE = [(cls, name) for _, cls in sorted(PROTOCOLS.items()) for name, _ in own_params(cls(), params.EnumParam)]
EVERY_TEXT = [
    (cls, name)
    for _, cls in sorted(PROTOCOLS.items())
    for name, param in own_params(cls(), params.StringParam)
    if not isinstance(param, params.PathParam)
]


def named(pairs):
    """Ids of parametrised cases."""
    return [f"{cls.__name__}-{name}" for cls, name in pairs]


def shown(protocol_class, name):
    """A form whose other choices are such that `name` is shown."""
    protocol = protocol_class()
    choices = [
        (other, value)
        for other, param in own_params(protocol, params.EnumParam, params.BooleanParam)
        for value in (range(len(param.choices)) if isinstance(param, params.EnumParam) else (False, True))
    ]
    texts = [(other, "x") for other, _ in own_params(protocol, params.FileParam)]
    both = {"preset": CUSTOM, "engine": EXHAUSTIVE} if hasattr(protocol, "engine") else {}
    for changed in ({}, *({other: value} for other, value in (*choices, *texts)), both):
        protocol = protocol_class()
        for other, value in changed.items():
            getattr(protocol, other).set(value)
        if protocol.evalParamCondition(name):
            return protocol
    raise AssertionError(f"{name} is shown by no choice")


@pytest.mark.parametrize(("protocol_class", "name"), EVERY, ids=named(EVERY))
def test_label_and_help(protocol_class, name):
    param = protocol_class().getParam(name)
    assert param.label.get(), "no label"
    text = param.help.get() or ""
    assert len(text) > 15 and text.rstrip()[-1] in '."' and "degrees)" not in param.label.get()


@pytest.mark.parametrize(("protocol_class", "name"), EVERY_NUMBER, ids=named(EVERY_NUMBER))
class TestNumber:
    """Every number of every form."""

    def test_says_its_unit(self, protocol_class, name):
        label = protocol_class().getParam(name).label.get()
        with_unit = re.search(r"\((Å|Å²|px|°|CC|µm)[^)]*\)|\(°\)|(Å\)|°\))$", label)
        assert with_unit or COUNTS.search(label), f"{name}: {label!r} says no unit"

    def test_range_is_said_with_the_value_and_the_remedy(self, protocol_class, name):
        protocol = shown(protocol_class, name)
        param = protocol.getParam(name)
        (allowed,) = [v for v in param.validators if isinstance(v, Within)]
        whole = isinstance(param, params.IntParam)
        step = 1 if whole else 0.125
        for value in (allowed.low - step, allowed.high + step, *(() if whole else (float("nan"),))):
            if value == allowed.off:
                continue
            getattr(protocol, name).set(value)
            said = [error for error in protocol.validate() if "cannot be EMPTY" not in error]
            assert len(said) == 1 and param.label.get() in said[0], said
            assert f"is {value:g}: give a value from {allowed.low:g} to {allowed.high:g}" in said[0]
        for value in (allowed.low, allowed.high, param.default.get(), *([] if allowed.off is None else [allowed.off])):
            assert param.validate(param.paramClass(value).get()) == [], value
        assert f"Takes {allowed.words()}." in param.help.get()


@pytest.mark.parametrize(("protocol_class", "name"), EVERY_CHOICE, ids=named(EVERY_CHOICE))
def test_a_choice_that_does_not_exist_is_named(protocol_class, name):
    """No window offers it, but a saved workflow may hold it."""
    protocol = protocol_class()
    count = len(protocol.getParam(name).choices)
    for value in (-1, count):
        getattr(protocol, name).set(value)
        said = [error for error in protocol.validate() if "cannot be EMPTY" not in error]
        assert len(said) == 1 and f"is {value}: choose a number from 0 to {count - 1}" in said[0]


# parameter: what cannot be, and what is said of it; of every form that has a parameter of this name
BAD_TEXT = {
    "symmetry": ("D3", "'D3'"),
    "axisSymmetry": ("D3", "'D3'"),
    "averageSymmetry": ("0", "'0'"),
    "cellSymmetry": ("C0", "'C0'"),
    "presetSymmetry": ("T", "round 1: symmetry 'T'"),
    "bFactor": ("-20000", "B-factor -20000: give a number from -10000 to 10000"),
    "point": ("1, 2", 'the point "1, 2" is not three numbers'),
    "markers": ("1,2", "marker '1,2' is not x,y,z"),
    "extent": ("100 100", 'Extent (Å) "100 100": give 3 numbers'),
    "radius": ("0 300", 'VLP radius (Å) "0 300": give smallest largest, numbers from 20 to 5000'),
    "defocus": ("4 2", 'Defocus (µm) "4 2": give smallest largest, numbers from 0 to 20'),
    "iterations": ("0", "Iterations is 0: give a value from 1"),
    "coneRange": ("400", "Cone range (°) is 400"),
    "coneSampling": ("0", "Cone sampling (°) is 0"),
    "inplaneRange": ("-1", "In-plane range (°) is -1"),
    "inplaneSampling": ("400", "In-plane sampling (°) is 400"),
    "refine": ("21", "Refine is 21"),
    "refineFactor": ("0", "Refine factor is 0"),
    "shiftLimit": ("-5", "Shift limit (Å) is (-5.0, -5.0, -5.0): give 1 or 3 lengths"),
    "shiftModus": ("5", "Shift modus is 5"),
    "lowpass": ("-1", "Low-pass (Å) is -1"),
    "highpass": ("3", "high-pass 3.0 Å is not coarser than the low-pass"),
    "binning": ("0", "Binning is 0"),
}
FREE_TEXT = {"tomogramIds"}
"""Names, which are checked against the input."""
BAD_TEXT_OF = {
    ("StadynProtSelectCC", "threshold"): ("1.5", "threshold 1.5 is no CC: type a number from -1 to 1"),
    ("StadynProtMask", "threshold"): ("high", "density threshold 'high': give a number"),
}


@pytest.mark.parametrize(("protocol_class", "name"), EVERY_TEXT, ids=named(EVERY_TEXT))
def test_numbers_that_are_typed_as_text_have_a_range_too(protocol_class, name):
    if name in FREE_TEXT:
        return
    text, sentence = BAD_TEXT_OF.get((protocol_class.__name__, name)) or BAD_TEXT[name]
    protocol = shown(protocol_class, name)
    getattr(protocol, name).set(text)
    said = [error for error in protocol.validate() if "cannot be EMPTY" not in error]
    assert len(said) == 1 and sentence in said[0], said


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_defaults_are_allowed(name):
    assert [error for error in PROTOCOLS[name]().validate() if "EMPTY" not in error and " given" not in error] == []


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_no_label_stands_twice_in_a_form(name):
    seen = {}
    for key, param in own_params(PROTOCOLS[name]()):
        place = (param.label.get(), str(param.condition.get() or ""))
        assert place not in seen, f"{key} and {seen[place]} are both called {place[0]!r}"
        seen[place] = key


def names_read(path):
    """Attributes and words that a file uses outside of the functions that define forms."""
    found = set()
    for node in ast.walk(_without_definitions(ast.parse(path.read_text()))):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


class _NoDefinitions(ast.NodeTransformer):
    def visit_FunctionDef(self, node):
        return None if node.name.startswith(("_define", "add_")) else self.generic_visit(node)


def _without_definitions(tree):
    return _NoDefinitions().visit(tree)


SHARED = ["averages.py", "rounds.py", "base.py", "chunks.py", "unit_cells.py"]
READ_BY_TABLE = {**ROUND_FIELDS, **NUMBERS, **RANGES}
"""Parameters that loops over these tables read."""


@pytest.mark.parametrize(("protocol_class", "name"), EVERY, ids=named(EVERY))
def test_every_parameter_is_read(protocol_class, name):
    if name in READ_BY_TABLE and ("preset" in EVERY_OF[protocol_class] or "noise" in EVERY_OF[protocol_class]):
        return
    own = Path(inspect.getfile(protocol_class))
    read = set().union(*(names_read(file) for file in [own, *(own.parent / shared for shared in SHARED)]))
    assert name in read, f"{name} is asked for and never read"


EVERY_OF = {cls: {name for name, _ in own_params(cls())} for cls in PROTOCOLS.values()}


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_main_inputs_come_first_and_the_seed_is_folded(name):
    protocol = PROTOCOLS[name]()
    pointers = (params.PointerParam, params.MultiPointerParam)
    order = [key for key, _ in own_params(protocol)]
    needed = [key for key, param in own_params(protocol, *pointers) if not param.allowsNull.get()]
    assert order[: len(needed)] == needed or needed == []
    for key in {"seed", "fmin", "viewingLowpass", "engine"} & set(order):
        assert protocol.getParam(key).isExpert(), f"{key} is not folded"
