# SPDX-License-Identifier: GPL-3.0-or-later
"""Files appear whole or not at all: written under another name in the same folder, then renamed."""

import contextlib
import os
import secrets
from pathlib import Path

from stadyn.core.errors import InputError


@contextlib.contextmanager
def written_aside(path):
    """A `Path` to write to; it becomes `path` when the block ends well, and is removed when it does not.

    Raises InputError when the folder of `path` is missing or not writable, or `path` is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: create the folder {path.parent} first")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"cannot write {path}: the folder {path.parent} is not writable, choose another")
    # Not tempfile.mkstemp: its files are readable by their owner only, and results are shared in a lab.
    aside = path.with_name(f".{secrets.token_hex(6)}.part")
    try:
        yield aside
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def existing_file(path, what="file"):
    """`path` as a `Path` of a readable, non-empty file; `what` names it in the InputError otherwise."""
    path = Path(path)
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise InputError(f"{what} {path} cannot be found: check the path") from error
    if path.is_dir():
        raise InputError(f"{what} {path} is a folder: name a file in it")
    if not os.access(path, os.R_OK):
        raise InputError(f"{what} {path} is not readable: change its rights")
    if size == 0:
        raise InputError(f"{what} {path} is empty: write or copy it again")
    return path


def read_text(path, what="file"):
    """The text of a file in UTF-8; anything else is an InputError."""
    path = existing_file(path, what)
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets like to add a byte-order mark
    except UnicodeDecodeError as error:
        raise InputError(f"{what} {path} is not text at byte {error.start}: give a plain text file in UTF-8") from error
    if "\0" in text:
        raise InputError(f"{what} {path} is not text (it holds a null byte): give a plain text file in UTF-8")
    return text
