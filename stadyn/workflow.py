# SPDX-License-Identifier: GPL-3.0-or-later
"""What a saved workflow asks for, and how the answers are put into it.

A workflow is the JSON that the host exports. A template is the same text with
fields ``~label|default|type|alias~`` in place of values, an optional
description before the JSON, ``%(NAME)s`` for environment variables, and
therefore every literal ``%`` doubled.
"""

import glob
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from .core.errors import InputError
from .io.aside import read_text

STRING, BOOLEAN, PATH, INTEGER, DECIMAL, FILENAME, FOLDER = range(7)
"""The host's numbers for the type of a field."""

TYPE_NAMES = ("text", "yes/no", "path", "integer", "number", "file name", "folder")
TEMPLATES = Path(__file__).parent / "templates"
SUFFIX = ".json.template"
LONGEST_PATH = 4096
"""Characters, PATH_MAX of Linux."""
PERCENT = r"%(?:%|\((?P<name>[^()]*)\)s)?"
"""What the host replaces with Python's % operator, which also takes a width: of gigabytes, in a damaged file."""


@dataclass(frozen=True)
class Field:
    """One question of a template. Fields that share an alias take the same answer."""

    label: str
    default: str
    type: int
    alias: str

    def parse(self, text):
        """`text` as the host wants to read it, absolute if it is a path; raises InputError with the reason."""
        text = str(text).strip()
        readers = {
            BOOLEAN: self._boolean,
            INTEGER: self._number,
            DECIMAL: self._number,
            PATH: self._path,
            FOLDER: self._path,
        }
        return readers[self.type](text) if self.type in readers else text

    def _boolean(self, text):
        known = {"true": "True", "yes": "True", "1": "True", "false": "False", "no": "False", "0": "False"}
        if text.lower() not in known:
            raise InputError(f"{self.alias}={' '.join(text.split())[:40]}: {self.label} is true or false")
        return known[text.lower()]

    def _number(self, text):
        try:
            int(text) if self.type == INTEGER else float(text)
        except ValueError:
            what = "an integer" if self.type == INTEGER else "a number"
            shown = " ".join(text.split())[:40]
            raise InputError(f"{self.alias}={shown}: {self.label} is {what}") from None
        return text

    def _path(self, text):
        if not text:
            raise InputError(f"{self.alias}=... is missing: give {self.label}, a {TYPE_NAMES[self.type]}")
        path = os.path.abspath(os.path.expanduser(text))
        if self.type == FOLDER and os.path.exists(path) and not os.path.isdir(path):
            raise InputError(f"{self.alias}={text}: {self.label} is a folder, and this is a file")
        # Brackets take glob the square of their number, and no system opens a longer path.
        if len(path) > LONGEST_PATH or not (os.path.exists(path) or glob.glob(path)):
            raise InputError(f"{self.alias}={text}: no such {TYPE_NAMES[self.type]}")
        return path


class Workflow:
    """A workflow's protocols with the fields that are still open."""

    def __init__(self, path, pieces, description=""):
        self.path = Path(path)
        self.description = description
        self._pieces = pieces  # text, field, text, field, ..., text

    @property
    def name(self):
        """The file's name without its endings."""
        return self.path.name.removesuffix(".template").removesuffix(".json")

    @property
    def fields(self):
        """{alias: Field}, each alias once, in the order of the file."""
        fields = {}
        for piece in self._pieces[1::2]:
            fields.setdefault(piece.alias, piece)
        return fields

    def answers(self, values):
        """`values` {alias: text} as `filled` can read them from any folder.

        Raises InputError for an alias the workflow does not have, a value of the
        wrong type, and a path that is not there.
        """
        fields = self.fields
        for alias in values:
            if alias not in fields:
                known = ", ".join(fields) or "none, this workflow is not a template"
                raise InputError(f"{alias!r} is not asked by {self.path.name}; it asks for: {known}")
        return {alias: fields[alias].parse(text) for alias, text in values.items()}

    def filled(self, values):
        """The protocols, a list of dicts, with the `answers` to `values` over the defaults; raises their InputError."""
        answers = self.answers({**{alias: field.default for alias, field in self.fields.items()}, **values})
        text = list(self._pieces)
        # A value lands between the quotes of a JSON string, hence dumps without its own.
        text[1::2] = [json.dumps(answers[field.alias])[1:-1] for field in self._pieces[1::2]]
        return _protocols("".join(text), self.path)


def find_workflow(name):
    """The path of a workflow given by its path, or by the bare name of a template of this package."""
    for path in (Path(name), TEMPLATES / f"{name}{SUFFIX}", TEMPLATES / name):
        if path.is_file():
            return path.absolute()
    known = ", ".join(sorted(p.name.removesuffix(SUFFIX) for p in TEMPLATES.glob(f"*{SUFFIX}")))
    raise InputError(f"workflow {str(name)!r}: no such file, nor one of the templates ({known})")


def read_workflow(name):
    """Workflow from a JSON exported by the host, a template, or the bare name of a template."""
    path = find_workflow(name)
    text = read_text(path, "workflow")
    if path.name.endswith(".template"):
        return _read_template(path, text)
    _protocols(text, path)
    return Workflow(path, [text])


def parse_values(words):
    """{alias: text} from words ``alias=text``."""
    values = {}
    for word in words:
        alias, equals, value = word.partition("=")
        if not equals or not alias:
            raise InputError(f"{word!r}: values are given as alias=value")
        if alias in values:
            raise InputError(f"{alias}={value}: {alias} is given twice")
        values[alias] = value
    return values


def _read_template(path, text):
    # The host takes for the description every line above a "[" that a "{" follows.
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines[:-1]) if "[" in line and "{" in lines[i + 1]), None)
    if start is None:
        raise InputError(f"{path}: no list of protocols in this template")
    description, body = "\n".join(lines[:start]).strip(), "\n".join(lines[start:])
    body = re.sub(PERCENT, lambda found: _percent(path, found), body)
    pieces = body.split("~")
    if len(pieces) % 2 == 0:
        raise InputError(f"{path}: a field ~label|default|type|alias~ is not closed")
    pieces[1::2] = [_field(path, piece) for piece in pieces[1::2]]
    return Workflow(path, pieces, description)


def _percent(path, found):
    """What stands for one match of PERCENT."""
    if found[0] == "%%":
        return "%"
    name = found["name"]
    if name is None:
        at = found.string[found.start() : found.start() + 20].split("\n")[0]
        raise InputError(f"{path}: a literal % must be doubled in a template, and here is {at!r}")
    if name not in os.environ:
        raise InputError(f"{path}: set the environment variable {name[:40]!r}, which this template uses")
    return os.environ[name]


def _field(path, text):
    parts = text.split("|")
    if len(parts) != 4 or parts[2] not in map(str, range(len(TYPE_NAMES))) or not parts[3]:
        shown = " ".join(text.split())[:60]
        raise InputError(f"{path}: field ~{shown}~ is not ~label|default|type|alias~ with a type from 0 to 6")
    return Field(parts[0], parts[1], int(parts[2]), parts[3])


def _protocols(text, path):
    try:
        protocols = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a workflow exported by the host ({error})") from None
    if not isinstance(protocols, list) or not all(
        isinstance(p, dict) and isinstance(p.get("object.className"), str) and "object.id" in p for p in protocols
    ):
        raise InputError(f"{path}: not a workflow exported by the host, a JSON list of protocols")
    for protocol in protocols:  # links are text, and know protocols by these words
        for key in ("object.id", "object.label"):
            if protocol.get(key) is not None:
                protocol[key] = str(protocol[key])
    if not protocols:
        raise InputError(f"{path}: this workflow holds no protocols")
    return protocols
