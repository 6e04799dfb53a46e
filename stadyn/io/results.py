# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's frozen dataclasses to and from .npz files, without pickle.

A file holds the arrays of an object and a JSON manifest of all else: the class by
module and name, its fields, and which array belongs where. A file can therefore
only ever make dataclasses of this package, and never runs code of its own.
"""

import dataclasses
import importlib
import io
import json
import re
import struct
import tokenize
import zipfile
import zlib

import numpy as np

from stadyn.core.errors import InputError

from .aside import existing_file, written_aside

FORMAT = "stadyn-result"
VERSION = 1
MANIFEST = "manifest"
CLASS_NAME = re.compile(r"(stadyn(?:\.[A-Za-z_]\w*)+):([A-Za-z_]\w*)", re.ASCII)
# Everything that zipfile and NumPy raise on bytes that are not what they claim to be.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, MemoryError, OverflowError, IndexError)
UNREADABLE += (SyntaxError, AttributeError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error)


def write_result(path, obj):
    """Write a dataclass of this package to `path` (.npz), whole or not at all.

    Its fields may be None, str, bool, numbers, NumPy arrays (not of objects), further
    dataclasses of this package, and tuples, lists or str-keyed dicts of these.

    Raises TypeError for anything else: what cannot be read back is not written.
    """
    arrays = {}
    tree = _encode(obj, "", arrays)
    if "class" not in tree:
        raise TypeError(f"a result is a dataclass, not {type(obj).__name__}")
    manifest = json.dumps({"format": FORMAT, "version": VERSION, "result": tree})
    archive = io.BytesIO()  # on a full disk, zipfile would speak up once more on its way out
    np.savez(archive, **{MANIFEST: np.array(manifest)}, **arrays)
    with written_aside(path) as aside:
        aside.write_bytes(archive.getbuffer())


def read_result(path, expected=None):
    """The object that `write_result` wrote to `path`.

    Parameters
    ----------
    expected : a class or tuple of classes; a result of another class is then an InputError

    Raises InputError for a file that is missing, truncated, damaged, not a result or of a newer format.
    """
    path = existing_file(path, "result")
    manifest, arrays = _load(path)
    if manifest.get("version") != VERSION:
        version = str(manifest.get("version"))[:40]
        raise InputError(f"{path} has result format {version}, not {VERSION}: update stadyn or write the file again")
    try:
        obj = _decode(manifest.get("result"), arrays)
    except (ValueError, TypeError, KeyError, AttributeError, ImportError, RecursionError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{path} does not fit this version of stadyn ({why}): write it again") from error
    if expected is not None and not isinstance(obj, expected):
        wanted = " or ".join(c.__name__ for c in (expected if isinstance(expected, tuple) else (expected,)))
        raise InputError(f"{path} holds a {type(obj).__name__}, not a {wanted}: give the file of the right step")
    return obj


def _load(path):
    try:
        # Reading a member to its end checks its CRC, so every array is loaded here and now.
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: _readable(archive[name]) for name in archive.files}
        manifest = json.loads(str(arrays.pop(MANIFEST)[()]))
        if manifest["format"] == FORMAT:
            return manifest, arrays
    except UNREADABLE as error:
        raise InputError(f"{path} is truncated or not a result of stadyn: run the step that makes it again") from error
    raise InputError(f"{path} is not a result of stadyn: give the .npz that one of its steps wrote")


def _readable(array):
    """`array`; UnicodeDecodeError where its text holds numbers that are no characters, on which NumPy would fail."""
    if array.dtype.kind == "U":
        array.astype(array.dtype.newbyteorder("<")).tobytes().decode("utf-32-le")
    return array


def _encode(value, name, arrays):
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        stored = [f.name for f in dataclasses.fields(value) if f.init]
        children = {f: _encode(getattr(value, f), f"{name}.{f}" if name else f, arrays) for f in stored}
        return {"class": _class_name(type(value)), "fields": children}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return {"value": value}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufcUS":
        key = f"{len(arrays)}:{name}"
        arrays[key] = np.asarray(value)
        return {"array": key}
    if isinstance(value, (tuple, list)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_encode(v, f"{name}.{i}", arrays) for i, v in enumerate(value)]}
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {"dict": {k: _encode(v, f"{name}.{k}", arrays) for k, v in value.items()}}
    raise TypeError(f"field {name or 'result'} holds a {type(value).__name__}, which a result file cannot keep")


def _decode(node, arrays):
    ((kind, content), *rest) = node.items()
    if kind == "class":
        return _find_class(content)(**{k: _decode(v, arrays) for k, v in node["fields"].items()})
    if rest:
        raise ValueError(f"unexpected entries beside {kind}")
    if kind == "value":
        return content
    if kind == "array":
        return arrays[content]
    if kind in ("tuple", "list"):
        return (tuple if kind == "tuple" else list)(_decode(v, arrays) for v in content)
    if kind == "dict":
        return {k: _decode(v, arrays) for k, v in content.items()}
    raise ValueError(f"unknown entry {kind}")


def _class_name(cls):
    name = f"{cls.__module__}:{cls.__qualname__}"
    if not CLASS_NAME.fullmatch(name):
        raise TypeError(f"{name} is not a dataclass at the top level of a module of stadyn")
    return name


def _find_class(name):
    match = CLASS_NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name} is not a class of stadyn")
    cls = getattr(importlib.import_module(match[1]), match[2], None)
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls) and cls.__module__ == match[1]):
        raise ValueError(f"{name} is not a result of stadyn")
    return cls
