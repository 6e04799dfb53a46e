# SPDX-License-Identifier: GPL-3.0-or-later
"""MAT files with objects, byte by byte as MathWorks' MAT-File Format and the public descriptions of objects say."""

import struct
import zlib
from typing import NamedTuple

import numpy as np

CELL, STRUCT, CHAR, DOUBLE, UINT8, UINT32, OPAQUE = 1, 2, 4, 6, 9, 13, 17
MAGIC = 0xDD000000


class Ref(NamedTuple):
    """A value that stands for objects."""

    numbers: list
    class_id: int


class MatFile:
    """Builds a file: properties are rows of floats, texts, `Ref`s and lists (cells) of them."""

    def __init__(self, order="<", version=4):
        self.order, self.version = order, version
        self.names, self.classes, self.objects, self.saved, self.defaults = [], [], [], [], {}

    def element(self, kind, payload):
        return struct.pack(f"{self.order}2I", kind, len(payload)) + payload + bytes(-len(payload) % 8)

    def matrix(self, kind, dims, *parts, name=b""):
        flags = self.element(6, struct.pack(f"{self.order}2I", kind, 0))
        head = self.element(5, struct.pack(f"{self.order}{len(dims)}i", *dims)) + self.element(1, name)
        return self.element(14, flags + head + b"".join(parts))

    def numbers(self, values, kind=DOUBLE, code="f8", mi=9):
        values = np.array(values, f"{self.order}{code}")
        return self.matrix(kind, values.shape, self.element(mi, values.tobytes(order="F")))

    def column(self, values):
        return self.numbers(np.reshape(values, (-1, 1)), UINT32, "u4", 6)

    def cell(self, items):
        return self.matrix(CELL, (len(items), 1), *items)

    def struct(self, fields, dims=(1, 1)):
        names = b"".join(name.encode().ljust(32, b"\0") for name in fields)
        return self.matrix(
            STRUCT, dims, self.element(5, struct.pack(f"{self.order}i", 32)), self.element(1, names), *fields.values()
        )

    def opaque(self, name, class_name, array):
        flags = self.element(6, struct.pack(f"{self.order}2I", OPAQUE, 0))
        texts = b"".join(self.element(1, text.encode()) for text in (name, "MCOS", class_name))
        return self.element(14, flags + texts + array)

    def value(self, value):
        if isinstance(value, str):
            code = "utf-16-le" if self.order == "<" else "utf-16-be"
            return self.matrix(CHAR, (1, len(value)), self.element(4, value.encode(code)))
        if isinstance(value, Ref):
            return self.column([MAGIC, 2, len(value.numbers), 1, *value.numbers, value.class_id])
        if isinstance(value, list):
            return self.cell([self.value(item) for item in value])
        return self.numbers(np.atleast_2d(np.asarray(value, float)))

    def name(self, text):
        if text not in self.names:
            self.names.append(text)
        return self.names.index(text) + 1

    def class_id(self, class_name):
        package, _, name = class_name.rpartition(".")
        key = (self.name(package) if package else 0, self.name(name))
        if key not in self.classes:
            self.classes.append(key)
        return self.classes.index(key) + 1

    def add(self, class_name, flags=None, **properties):
        """A new object; the `Ref` to it. `flags` are stored as the integers themselves."""
        kind, triples = self.class_id(class_name), []
        for name, value in properties.items():
            triples.append((self.name(name), 1, len(self.saved)))
            self.saved.append(self.value(value))
        triples += [(self.name(name), 2, value) for name, value in (flags or {}).items()]
        self.objects.append((kind, triples))
        return Ref([len(self.objects)], kind)

    def metadata(self):
        """The first cell of FileWrapper__."""
        names = b"".join(name.encode() + b"\0" for name in self.names)
        names += bytes(-len(names) % 8)
        classes, objects, records = [0] * 4, [0] * 6, [0, 0]
        for package, name in self.classes:
            classes += [package, name, 0, 0]
        for number, (kind, triples) in enumerate(self.objects, 1):
            objects += [kind, 0, 0, 0, number, number]
            record = [len(triples), *(v for triple in triples for v in triple)]
            records += record + [0] * (len(record) % 2)
        regions = [classes, [], objects, records, [0, 0] * (1 + len(self.objects)), [], [0, 0]]
        offsets, start = [], 40 + len(names)
        for region in regions:
            offsets.append(start)
            start += 4 * len(region)
        numbers = [n for region in regions for n in region]
        pack = f"{self.order}{{}}I".format
        return (
            struct.pack(pack(10), self.version, len(self.names), *offsets, start)
            + names
            + struct.pack(pack(len(numbers)), *numbers)
        )

    def bytes(self, variables, compressed=False):
        """The file, `variables` by name."""
        metadata = np.frombuffer(self.metadata(), np.uint8)[:, None]
        defaults = [self.struct(self.defaults.get(i, {})) for i in range(len(self.classes) + 1)]
        tail = [self.cell(defaults), self.column([0] * len(defaults)), self.cell(defaults)][4 - self.version :]
        cells = [self.numbers(metadata, UINT8, "u1", 2), self.matrix(DOUBLE, (0, 0), self.element(9, b""))]
        wrapper = self.opaque("", "FileWrapper__", self.cell([*cells, *self.saved, *tail]))
        mark = struct.pack(f"{self.order}H", 0x0100) + struct.pack(f"{self.order}H", 0x4D49)
        inner = mark + bytes(4) + self.struct({"MCOS": wrapper})
        stored = self.numbers(np.frombuffer(inner, np.uint8)[None], UINT8, "u1", 2)
        body = [self.opaque(name, "class", self.value(ref)) for name, ref in variables.items()]
        start = sum(map(len, body)) + 128
        if compressed:
            body = [struct.pack(f"{self.order}2I", 15, len(z)) + z for z in map(zlib.compress, body)]
            stored = zlib.compress(stored)
            stored = struct.pack(f"{self.order}2I", 15, len(stored)) + stored
            start = sum(map(len, body)) + 128
        header = b"MATLAB 5.0 MAT-file, made by a test".ljust(116) + struct.pack(f"{self.order}Q", start) + mark
        return header + b"".join(body) + stored


def dipole_model(clicks, tomogram="/data/TS_01.mrc"):
    """Bytes of a dipole set, from (centre, north) pairs counted from 1."""
    file = MatFile()
    dipoles = [file.add("dmodels.dipole", center=center, north=north) for center, north in clicks]
    volume = file.add("dcatalogue.cvolume", file=tomogram)
    return file.bytes({"model": file.add("dmodels.dipoleSet", dipoles=dipoles, cvolume=volume)})
