# SPDX-License-Identifier: GPL-3.0-or-later
"""Dipoles of any file that holds them, told apart by their endings."""

from pathlib import Path

from .dipoles import read_dipoles
from .dynamo_models import read_dynamo_dipoles
from .imod import read_imod_dipoles

MODELS = (".mod", ".omd")
"""Endings of models of other programs; everything else is CSV."""


def read_dipole_file(path, tomograms=()):
    """The list of `Dipole` of a file, in 0-based pixels.

    Parameters
    ----------
    path : .csv; .mod of the tomogram of the same name (of any name where there is one tomogram only); or .omd, where
        this holds only for models without a volume of a catalogue
    tomograms : list of Tomogram
    """
    suffix = Path(path).suffix.lower()
    if suffix not in MODELS:
        return read_dipoles(path)
    only = tomograms[0].id if len(tomograms) == 1 else None
    if suffix == ".omd":
        return read_dynamo_dipoles(path, only)
    name = only or Path(path).stem
    return read_imod_dipoles(path, name, next((t for t in tomograms if t.id == name), None))
