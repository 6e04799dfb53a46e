# SPDX-License-Identifier: GPL-3.0-or-later
"""Which number is which tomogram, where tables know them by number: the list beside a table, read and kept true."""

import os
from dataclasses import replace
from pathlib import Path

from stadyn.core.errors import InputError

from .aside import existing_file
from .particle_files import ListedTomogram
from .tomogram_lists import read_tomogram_list
from .volume_lists import read_doc, write_doc

BESIDE = (".doc", ".vll")


def with_numbers_beside(path, context):
    """The context with the numbers that the .doc or .vll beside a table gives, unless it has numbers already.

    A tomogram that the context knows under another name, or by a link to the same file, keeps the name of the context.
    """
    beside = next((b for b in map(Path(path).with_suffix, BESIDE) if b.is_file()), None)
    if beside is None or any(t.number is not None for t in context.tomograms):
        return context
    files = {os.path.realpath(t.path): t for t in context.tomograms if t.path}
    numbers, added = {}, []
    for listed in read_tomogram_list(beside, headers=False):
        known = files.get(os.path.realpath(listed.path)) or context.tomogram(listed.id)
        if known is None or known.id in numbers:
            added.append(listed)
        else:
            numbers[known.id] = listed.number
    known = [replace(t, number=numbers.get(t.id)) for t in context.tomograms]
    return replace(context, tomograms=(*known, *added))


def with_numbers_for(path, names, context):
    """The context that numbers the tomograms `names` of a new table at `path`.

    A .doc that is there already may belong to other tables: its numbers are kept, and new tomograms get others.
    Raises InputError where the context asks for other numbers than that .doc.
    """
    doc = Path(path).with_suffix(".doc")
    there = {}
    if doc.is_file() and existing_file(doc, "list"):
        there = {t.id: t.number for t in read_tomogram_list(doc, headers=False)}
    listed = {name: context.tomogram(name) for name in names}
    wanted = {name: t.number for name, t in listed.items() if t is not None and t.number is not None}
    if not wanted and all(name.isdecimal() for name in names):
        wanted = context.numbers(names)
    owners = {number: name for name, number in there.items()}
    for name, number in wanted.items():
        if there.get(name, number) != number or owners.get(number, name) != name:
            raise InputError(
                f'{doc} is there already and does not say that tomogram {number} is "{name}": choose another name for '
                f"{path}, or remove that list"
            )
    kept = {name: number for name, number in there.items() if name not in wanted}
    known = [replace(t, number=kept.pop(t.id, t.number)) for t in context.tomograms]
    added = [ListedTomogram(name, number) for name, number in kept.items()]
    return replace(context, tomograms=(*known, *added))


def write_numbers(path, names, context):
    """Leave a .doc beside the table at `path` that names its tomograms, unless the names are numbers; messages."""
    doc, numbers = Path(path).with_suffix(".doc"), context.numbers(names)
    if all(name == str(number) for name, number in numbers.items()):
        return ()
    there = read_doc(doc, must_exist=False) if doc.is_file() else {}
    if not set(numbers.values()) <= set(there):
        listed = {name: context.tomogram(name) for name in names}
        paths = {name: t.path if t is not None and t.path else f"{name}.mrc" for name, t in listed.items()}
        write_doc(doc, {**{number: paths[name] for name, number in numbers.items()}, **there})
    return (f"tomograms are known by number: {doc.name} says which is which",)
