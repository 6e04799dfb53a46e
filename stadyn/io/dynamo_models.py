# SPDX-License-Identifier: GPL-3.0-or-later
"""Dynamo's dipole models (.omd): the `Dipole`s in the objects that Dynamo saves, in 0-based pixels.

What is public of Dynamo's classes are scripts that use them: a `dmodels.dipoleSet` has `dipoles`, a cell array of
`dmodels.dipole`, each with `center` and `north`, and `cvolume`, an object whose `file` is the tomogram.
"""

from pathlib import PurePosixPath

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.tomograms import Dipole

from .matlab_objects import read_objects, references

SET, DIPOLE = "dipoleset", "dipole"
"""Ends of class names, in lower case: packages have moved between versions of Dynamo."""
FIRST_PIXEL = 1.0
"""MATLAB counts from 1."""
REMEDY = (
    "in MATLAB write, for each VLP i of the model m = dread('{name}'), tomogram, i, m.dipoles{{i}}.center - 1, "
    "m.dipoles{{i}}.north - 1 to a .csv (pixels count from 0 here), and import that"
)


def read_dynamo_dipoles(path, tomogram_id=None):
    """The `Dipole`s of a model, numbered from 1 in Dynamo's order; those that lack a click are left out.

    Parameters
    ----------
    path : .omd of one or more dipole sets, or of single dipoles
    tomogram_id : str, for models that name no tomogram; by default the name of the file

    Raises
    ------
    InputError
        for another file, or one without dipoles: it lists what was found, and how to export from MATLAB
    """
    path = PurePosixPath(path)
    objects = read_objects(path)
    sets = [o for o in objects.values() if _kind(o) == SET]
    groups = [(_tomogram(o, objects), references(o.properties.get("dipoles"))) for o in sets]
    if not sets:
        groups = [(None, [o.number for o in objects.values() if _kind(o) == DIPOLE])]
    dipoles, numbers = [], {}
    for name, members in groups:
        name = name or tomogram_id or path.stem
        for number in members:
            points = [_point(objects, number, key) for key in ("center", "north")]
            if all(points):
                numbers[name] = numbers.get(name, 0) + 1
                dipoles.append(Dipole(name, numbers[name], *points))
    if not dipoles:
        raise InputError(f"{path} holds no dipoles ({_inventory(objects)}): {REMEDY.format(name=path.name)}")
    return dipoles


def _kind(item):
    return item.class_name.rpartition(".")[2].lower()


def _tomogram(dipole_set, objects):
    """Name of the file that the catalogue's volume of a set refers to, without folder and ending, or None."""
    for number in references(dipole_set.properties.get("cvolume")):
        if number in objects:
            file = objects[number].properties.get("file")
            if isinstance(file, str) and file:
                return PurePosixPath(file.replace("\\", "/")).stem
    return None


def _point(objects, number, key):
    """(x, y, z) of a click, 0-based, or None where the object has none."""
    value = np.asarray(objects[number].properties.get(key)) if number in objects else np.empty(0)
    if value.dtype.kind not in "fiu" or value.size != 3 or not np.isfinite(value).all():
        return None
    return tuple(float(v) - FIRST_PIXEL for v in value.ravel())


def _inventory(objects):
    """What a file holds, in words."""
    kinds = {}
    for item in objects.values():
        kinds.setdefault(item.class_name, (set(), []))[0].update(item.properties)
        kinds[item.class_name][1].append(item.number)
    if not kinds:
        return "no MATLAB objects at all"
    words = [f"{len(n)} {name} with {', '.join(sorted(p)[:8]) or 'nothing'}" for name, (p, n) in kinds.items()]
    return "found " + "; ".join(words[:4])
