# SPDX-License-Identifier: GPL-3.0-or-later
"""Dynamo's lists of tomograms: .doc (number and path) and .vll (a path, then lines that tell more of it)."""

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from stadyn.core.errors import InputError
from stadyn.core.tomograms import MissingWedge

from .aside import read_text, written_aside

LONGEST_PATH = 1000
NUMBER = re.compile(r"\d{1,9}", re.ASCII)
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ListedVolume:
    """One tomogram of a .vll, with what the lines below its path say; None where they do not."""

    path: str
    number: int = None  # "* index": column 20 of tables
    label: str = None
    pixel_size: float = None  # Å, "* apix"
    wedge: MissingWedge = None  # "* ytilt"


def read_doc(path, must_exist=True):
    """The dict number -> absolute path of a .doc; relative paths start from its own folder.

    Raises InputError, naming the line, for a line that is no number and path, a number or path given twice and,
    unless `must_exist` is False, a path where there is no file.
    """
    found = {}
    for line, text in _content_lines(path):
        number, _, name = text.partition(" ")
        if not NUMBER.fullmatch(number) or not name.strip():
            raise InputError(f'{path}, line {line} is not "number path": write the number of a tomogram and its path')
        volume = _resolved(path, line, name.strip(), must_exist)
        if int(number) in found:
            raise InputError(f"{path}, line {line} gives number {int(number)} a second time: number each tomogram once")
        if volume in found.values():
            raise InputError(f"{path}, line {line} lists {volume} a second time: list each tomogram once")
        found[int(number)] = volume
    return found


def write_doc(path, volumes):
    """Write a dict number -> path as a .doc, in the order of the numbers."""
    if not volumes:
        raise InputError(f"there are no tomograms to write to {path}: select some")
    with written_aside(path) as aside:
        aside.write_text("".join(f"{int(n)} {volumes[n]}\n" for n in sorted(volumes)), encoding="utf-8")


def read_vll(path, must_exist=True):
    """The list of `ListedVolume` of a .vll; paths as in `read_doc`.

    Lines "* key = value" belong to the path above them (Dynamo wiki, "Volume list file"): index, label, apix and
    ytilt are kept, other keys and sources of particles ("> ...", "! ...") are left out with a warning.
    """
    volumes = []
    for line, text in _content_lines(path):
        if text[0] not in "*•>!":
            volume = _resolved(path, line, text, must_exist)
            if any(volume == other["path"] for other in volumes):
                raise InputError(f"{path}, line {line} lists {volume} a second time: list each tomogram once")
            volumes.append({"path": volume})
        elif not volumes:
            raise InputError(f"{path}, line {line} comes before any tomogram: put the path of the tomogram above it")
        elif text[0] in ">!":
            logger.warning("%s, line %d: particles are not imported with a list of tomograms", path, line)
        else:
            volumes[-1] |= _setting(path, line, text[1:])
    if not volumes:
        raise InputError(f"{path} lists no tomograms: write one path a line")
    return [ListedVolume(**volume) for volume in volumes]


def _content_lines(path):
    """(line number, stripped text) of the lines that are neither blank nor a comment."""
    lines = enumerate(read_text(path, "list").splitlines(), 1)
    stripped = [(number, " ".join(line.split("\t")).strip()) for number, line in lines]
    content = [(number, line) for number, line in stripped if line and not line.startswith("#")]
    if not content:
        raise InputError(f"{path} lists no tomograms: write one a line")
    return content


def _resolved(path, line, name, must_exist):
    if len(name) > LONGEST_PATH:
        raise InputError(f"{path}, line {line} begins a path of {len(name)} characters with {name[:40]}: correct it")
    volume = os.path.normpath(Path(path).absolute().parent / name)
    if must_exist and not os.path.isfile(volume):
        raise InputError(f"{path}, line {line} lists {volume}, which is not there: correct the path")
    return volume


def _setting(path, line, text):
    key, _, value = (part.strip() for part in text.partition("="))
    try:
        if key == "index":
            return {"number": int(value)}
        if key == "label":
            return {"label": value}
        if key == "apix":
            size = float(value)
            if not 0 < size < float("inf"):
                raise ValueError("it must be above 0")
            return {"pixel_size": size}
        if key == "ytilt":
            low, high = map(float, value.split())
            return {"wedge": MissingWedge(low, high)}
    except ValueError as error:
        shown, why = value[:40], str(error)[:100]
        raise InputError(f'{path}, line {line} gives {key} as "{shown}" ({why}): correct the value') from error
    logger.warning("%s, line %d: %s is not used", path, line, key or text)
    return {}
