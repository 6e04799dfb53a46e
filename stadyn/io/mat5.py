# SPDX-License-Identifier: GPL-3.0-or-later
"""MAT files of version 5, read into arrays: the format of MathWorks' "MAT-File Format", and MATLAB's opaque objects.

SciPy's reader is not used: it does not tell objects apart, and a damaged file can end the process (seen with 1.10).
"""

import struct
import zlib
from dataclasses import dataclass

import numpy as np

MATRIX, COMPRESSED, UTF8 = 14, 15, 16
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""How numbers are stored, which may be smaller than what they are: element type -> dtype."""
NUMBERS = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
"""Class of array -> dtype."""
CELL, STRUCT, OLD_OBJECT, TEXT, OPAQUE = 1, 2, 3, 4, 17
TEXT_CODES = {1: "latin-1", 2: "latin-1", 3: "utf-16", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
DAMAGE = (ValueError, TypeError, LookupError, ArithmeticError, MemoryError, RecursionError, struct.error, zlib.error)
"""What these functions raise on bytes that are none of the format."""


@dataclass(frozen=True, eq=False)
class Opaque:
    """An object of a MATLAB class as a variable: what it holds points elsewhere."""

    class_name: str
    value: object


def read_arrays(data, order, start=0):
    """[(name, value)] of the arrays from byte `start` of `data` on.

    A value is a numpy array in MATLAB's shape (of objects for a cell array), a str, a list of {field: value} for a
    struct, an `Opaque`, or None for what is not read: functions and sparse arrays.

    Parameters
    ----------
    data : bytes
    order : "<" or ">"

    Raises
    ------
    one of DAMAGE
    """
    return [_array(payload, order) for kind, payload in _elements(data, order, start) if kind == MATRIX]


def _elements(data, order, start=0):
    """(type, payload) of one data element after the other, uncompressed."""
    while start + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}2I", data, start)
        if kind >> 16:  # up to four bytes are put into the tag itself
            kind, size = kind & 0xFFFF, kind >> 16
            begin, after = start + 4, start + 8
        else:
            begin = start + 8
            after = begin + size + (-size % 8 if kind != COMPRESSED else 0)
        if begin + size > len(data):
            raise ValueError(f"it ends within an element of {size} bytes")
        payload, start = data[begin : begin + size], after
        if kind == COMPRESSED:
            yield from _elements(zlib.decompress(payload), order)
        else:
            yield kind, payload


def _array(data, order):
    """(name, value) of one array."""
    parts = list(_elements(data, order))
    if not parts:
        return "", np.empty((0, 0))
    kind = struct.unpack_from(f"{order}I", parts[0][1])[0] & 0xFF
    if kind == OPAQUE:
        name, _, class_name = (payload.decode("ascii") for _, payload in parts[1:4])
        return name, Opaque(class_name, _array(parts[4][1], order)[1])
    shape = np.frombuffer(parts[1][1], f"{order}i4").astype(int)
    name, rest = parts[2][1].decode("latin-1"), parts[3:]
    if kind in NUMBERS:
        return name, _numbers(*rest[0], order).astype(NUMBERS[kind]).reshape(shape, order="F")
    if kind == TEXT:
        return name, _text(*rest[0], order) if rest else ""
    if kind == CELL:
        items = np.empty(len(rest), object)
        items[:] = [_array(payload, order)[1] for _, payload in rest]
        return name, items.reshape(shape, order="F")
    if kind in (STRUCT, OLD_OBJECT):
        return name, _struct(rest[kind == OLD_OBJECT :], order)
    return name, None


def _numbers(kind, payload, order):
    return np.frombuffer(payload, f"{order}{STORED[kind]}")


def _text(kind, payload, order):
    code = TEXT_CODES[kind]
    return payload.decode(code if code in ("latin-1", "utf-8") else f"{code}-{'le' if order == '<' else 'be'}")


def _struct(parts, order):
    """[{field: value}] of the elements of a struct array."""
    width = struct.unpack_from(f"{order}i", parts[0][1])[0]
    packed = parts[1][1]
    names = [packed[i : i + width].split(b"\0")[0].decode("ascii") for i in range(0, len(packed), width)]
    values = [_array(payload, order)[1] for _, payload in parts[2:]]
    return [dict(zip(names, values[i:], strict=False)) for i in range(0, len(values), len(names))] if names else []
