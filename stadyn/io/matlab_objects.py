# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of MATLAB classes in MAT files of version 5, which store their properties apart from the variables.

MathWorks does not document how. This follows the public descriptions of mat-io
(https://github.com/foreverallama/matio, docs/subsystem_data_format.md) and MAT.jl (src/MAT_subsys.jl): a nameless
array at the end of the file is a MAT file itself and holds one cell array, `FileWrapper__`. Its first cell lists the
names, the classes and, for each object, which property is in which further cell; its last has the defaults of each
class. A property that is an object is a column of uint32: `MAGIC`, number of dimensions, dimensions, objects, class.
"""

import struct
from dataclasses import dataclass

import numpy as np

from stadyn.core.errors import InputError

from .aside import existing_file
from .mat5 import DAMAGE, Opaque, read_arrays

HEADER_BYTES, NAMES_START = 128, 40
INNER_START = 8
"""The MAT file within the file has a short header: version, byte order and zeros."""
MAGIC = 0xDD000000
TAIL = {2: 1, 3: 2, 4: 3}
"""Cells after the last property, by the version of the format."""


@dataclass(frozen=True, eq=False)
class MatlabObject:
    """One object, its properties; what refers to other objects among them, `references` reads."""

    number: int  # from 1, in the order in which MATLAB met them
    class_name: str  # with its package: dmodels.dipole
    properties: dict  # name -> value as of `read_arrays`, and defaults of the class where the object has none


def read_objects(path):
    """{number: MatlabObject} of all objects in a file.

    Raises InputError for another kind of file, a damaged one, and MATLAB's newer files, which are HDF5.
    """
    data = existing_file(path, "MATLAB file").read_bytes()
    if data.startswith(b"MATLAB 7.3"):
        raise InputError(f"{path} is a MATLAB file of version 7.3 (HDF5): save it again in MATLAB with the option -v7")
    if len(data) < HEADER_BYTES or data[126:128] not in (b"IM", b"MI"):
        raise InputError(f"{path} is no MATLAB file of version 5: give one that MATLAB or Dynamo saved")
    order = "<" if data[126:128] == b"IM" else ">"
    try:
        stored = [v for name, v in read_arrays(data, order, HEADER_BYTES) if name == "" and isinstance(v, np.ndarray)]
        if not stored:
            return {}
        inner = stored[-1].astype(np.uint8).tobytes(order="F")
        wrappers = [f["MCOS"] for _, v in read_arrays(inner, order, INNER_START) for f in v if "MCOS" in f]
        return _objects(wrappers[0].value.ravel(order="F"), order) if wrappers else {}
    except (*DAMAGE, AttributeError) as error:
        raise InputError(f"{path} is damaged or not as MATLAB writes objects ({error}): save it again") from error


def references(value):
    """Numbers of the objects that a property refers to: itself, or the cells and fields within it, in their order."""
    if isinstance(value, Opaque):
        return references(value.value)
    if isinstance(value, list):
        return [n for item in value for field in item.values() for n in references(field)]
    if not isinstance(value, np.ndarray):
        return []
    if value.dtype == object:
        return [n for item in value.ravel(order="F") for n in references(item)]
    if value.dtype == np.uint32 and value.size >= 3 and value.flat[0] == MAGIC:
        first = 2 + int(value.flat[1])
        return [int(n) for n in value.ravel()[first:-1] if n]  # 0: deleted
    return []


def _objects(cells, order):
    """{number: MatlabObject} from the cells of FileWrapper__."""
    metadata = np.asarray(cells[0], np.uint8).tobytes()
    version, count, *offsets = struct.unpack_from(f"{order}10I", metadata)
    if version not in TAIL:
        raise ValueError(f"version {version} of the format is not known")
    names = [name.decode() for name in metadata[NAMES_START : offsets[0]].split(b"\0")[:count]]
    regions = [
        np.frombuffer(metadata, f"{order}u4", (end - begin) // 4, begin).astype(int)
        for begin, end in zip(offsets[:4], offsets[1:5], strict=True)
    ]
    classes, objects = regions[0].reshape(-1, 4), regions[2].reshape(-1, 6)
    returned, plain = _records(regions[1]), _records(regions[3])
    saved, defaults = cells[2 : len(cells) - TAIL[version]], cells[-1].ravel()
    found = {}
    for number, (kind, _, _, by_saveobj, by_class, _) in enumerate(objects[1:], 1):
        record = returned[by_saveobj] if by_saveobj else plain[by_class]
        values = dict(defaults[kind][0]) if defaults[kind] else {}
        for name, source, value in record:
            # 0: the name of an enumeration's member, 1: a cell, 2: a logical value or small integer itself
            values[names[name - 1]] = (
                names[value - 1] if source == 0 else saved[value] if source == 1 else np.array([[value]])
            )
        package, name = (names[i - 1] if i else "" for i in classes[kind, :2])
        found[number] = MatlabObject(number, f"{package}.{name}" if package else name, values)
    return found


def _records(region):
    """Rows (name, source, value) of each object: a count and as many triples, filled up to an even length."""
    records, place = [], 0
    while place < len(region):
        end = place + 1 + 3 * region[place]
        records.append(region[place + 1 : end].reshape(-1, 3))
        place = end + end % 2
    return records
