# SPDX-License-Identifier: GPL-3.0-or-later
"""Cyclic symmetry about the reference's z axis, as Dynamo's and RELION's "C6"."""

import re

import numpy as np

from .errors import InputError
from .rotations import rotation_z


def symmetry_order(symmetry):
    """The n of "Cn"; raises InputError for anything else."""
    match = re.fullmatch(r"[cC]([1-9][0-9]*)", str(symmetry).strip())
    if not match:
        raise InputError(f"symmetry {symmetry!r}: only cyclic groups, C1, C2, C3, ... are known")
    return int(match.group(1))


def symmetry_matrices(symmetry):
    """(n, 3, 3) the rotations of "Cn" about z, the identity first."""
    order = symmetry_order(symmetry)
    return rotation_z(np.arange(order) * 360.0 / order)
