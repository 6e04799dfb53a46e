# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what a saved workflow says can be what its protocols ask for; the host turns much of it into nothing."""

import difflib
import json

from .core.errors import InputError

LARGEST = 2**63 - 1
"""What the host's database can hold."""
TRUTH = {"true", "false", "1", "0"}
"""As the host reads a truth value that is text; all else it takes for false."""


def check_values(path, protocols, known):
    """Raise InputError for the first value that its parameter cannot hold, and for links that lead nowhere.

    Parameters
    ----------
    path : of the workflow
    protocols : list of dict, of the workflow
    known : {class name: class}, each protocol's among them
    """
    classes = {}
    for protocol in protocols:
        key = protocol["object.id"]
        if key in classes:
            raise InputError(
                f"{path}: {_name(protocol)}: its object.id {key} is another protocol's too: give it its own"
            )
        classes[key] = known[protocol["object.className"]]
    for protocol in protocols:
        run = classes[protocol["object.id"]]()
        for name, attribute in run.iterDefinitionAttributes():
            if protocol.get(name) is not None:
                wrong = _wrong(attribute, protocol[name], classes, protocol["object.id"])
                if wrong:
                    raise InputError(f"{path}: {_name(protocol)}: {name} {_shown(protocol[name])} {wrong}")


def strangers(protocol, parameters):
    """Sentences about the keys of a protocol of a workflow that are none of its `parameters`, and are not used."""
    sentences = []
    for name in protocol:
        if not name.startswith(("object.", "_")) and name not in parameters:
            near = difflib.get_close_matches(name, parameters, 1)
            instead = f"; is {near[0]} meant?" if near else ""
            said = f"{protocol['object.className']} has no parameter {name}, {_shown(protocol[name])} is not used"
            sentences.append(f"{_name(protocol)}: {said}{instead}")
    return sentences


def wrong_links(run):
    """Sentences about links of a protocol, about to run, to what was not made."""
    from pyworkflow.object import PointerList

    sentences = []
    for name, param in run.getDefinition().iterPointerParams():
        links = getattr(run, name)
        for link in links if isinstance(links, PointerList) else [links]:
            source = link.getObjValue()
            if source is not None and link.get() is None and run.evalParamCondition(name):
                made = ", ".join(key for key, _ in source.iterOutputAttributes()) or "nothing"
                where = source.getObjLabel() or source.getClassName()
                sentences.append(f"{param.label.get()}: {where} made no {link.getExtended()!r}, but {made}")
    return sentences


def _wrong(attribute, value, classes, own):
    """Why `value` cannot be that of a parameter; None if it can."""
    from pyworkflow.object import Boolean, Float, Integer, PointerList, String

    if isinstance(attribute, PointerList):
        if not isinstance(value, list):
            return "is not a list of links"
        return next(filter(None, (_wrong_link(item, classes, own) for item in value)), None)
    if attribute.isPointer():
        return _wrong_link(value, classes, own)
    if isinstance(attribute, Boolean):
        fits = value in (0, 1) if isinstance(value, (int, float)) else str(value).strip().lower() in TRUTH
        return None if fits else "is neither true nor false"
    if isinstance(attribute, (Integer, Float)):
        return _wrong_number(attribute, value, classes, own)
    return "is not text" if isinstance(attribute, String) and isinstance(value, (dict, list)) else None


def _wrong_number(attribute, value, classes, own):
    from pyworkflow.object import Integer

    if value == "":
        return None  # none given
    if isinstance(value, str) and "." in value and value.partition(".")[0] in classes and _number(value) is None:
        return _wrong_link(value, classes, own)  # a number may be another protocol's output
    number = _number(value)
    if number is None:
        return "is not a number"
    if not isinstance(attribute, Integer):
        return None
    if number != number or abs(number) > LARGEST:
        return "is too large"
    whole = isinstance(number, int) or (not isinstance(value, str) and number.is_integer())
    return None if whole else "is not an integer"


def _number(value):
    """A number, an int where it is written so; None for what is none."""
    if isinstance(value, (int, float)):
        return value
    if not isinstance(value, str):
        return None
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return None


def _wrong_link(value, classes, own):
    if value in (None, ""):
        return None
    key, *path = value.split(".") if isinstance(value, str) else [value]
    if key not in classes:
        return "leads to none of the protocols of this workflow: export that one too, or leave the value empty"
    if key == own:
        return "leads to the protocol itself"
    outputs = _outputs(classes[key])
    if outputs and path and path[0] not in outputs:
        return f"leads to no output of {classes[key].__name__}, which has: {', '.join(outputs)}"
    return None


def _outputs(kind):
    """Names of what a protocol of this package makes; of others' it is not known for sure."""
    made = getattr(kind, "_possibleOutputs", None)
    if not kind.__module__.startswith("stadyn.") or not made:
        return []
    return list(made) if isinstance(made, dict) else [output.name for output in made]


def _name(protocol):
    return protocol.get("object.label") or protocol["object.className"]


def _shown(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return repr(text[:40])
