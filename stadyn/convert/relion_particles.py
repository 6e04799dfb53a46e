# SPDX-License-Identifier: GPL-3.0-or-later
"""What scipion-em-reliontomo keeps on a pseudo-subtomogram of RELION 5: where its pose is, and its half-set.

The particle was extracted with one rotation (rlnTomoSubtomogramRot, ...), which alone is in the matrix of the host's
object; the refined one (rlnAngleRot, ...) is in attributes. They compose as ``R = A_subtomogram @ A_particle``, and
the offset in the matrix is in the frame of the subtomogram (RELION, `ParticleSet::getPosition`). The files are stacks
of tilt images, or volumes in that frame: neither is a box cut from a tomogram.
"""

import numpy as np
from tomo.constants import SCIPION
from tomo.objects import Coordinate3D

from stadyn.core.errors import InputError
from stadyn.core.rotations import matrices_from_relion, relion_from_matrices

ANGLES = ("_rot", "_tilt", "_psi")
"""rlnAngleRot, rlnAngleTilt and rlnAnglePsi on the particle."""
COORDINATE_ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
"""The same on the coordinates that are imported from a STAR file of RELION 5."""
ORIGIN = ("_x", "_y", "_z")
"""rlnOriginXAngst and so on."""
CENTERED = ("_xInImg", "_yInImg", "_zInImg")
"""rlnCenteredCoordinateXAngst and so on."""


def is_pseudo_subtomogram(item):
    """Is `item`, of any class, a particle of RELION 5 as scipion-em-reliontomo keeps it?"""
    return item is not None and all(hasattr(item, name) for name in (*ANGLES, *CENTERED))


def refined_rotation(item, names=ANGLES):
    """(3, 3) rotation that follows the one in the matrix, identity without it."""
    values = [item.getAttributeValue(name) for name in names]
    return matrices_from_relion(*(value or 0.0 for value in values))


def picked_rotation(coordinate, rotation, shift):
    """The (rotation, shift) of a coordinate whose matrix says `rotation` and `shift`."""
    if hasattr(coordinate, COORDINATE_ANGLES[0]):
        rotation = rotation @ refined_rotation(coordinate, COORDINATE_ANGLES)
    return rotation, shift


def forget_refined_rotation(coordinate):
    """Of a coordinate that gets a new matrix, which says all: what followed the old one."""
    for name in COORDINATE_ANGLES:
        if hasattr(coordinate, name):
            getattr(coordinate, name).set(0.0)


def particle_pose(rotation, shift, item):
    """The (rotation, shift) in the frame of the tomogram; `rotation` and `shift` are those of the item's matrix."""
    return rotation @ refined_rotation(item), rotation @ shift


def set_particle_pose(item, extracted, rotation, shift, pixel_size):
    """Keep a pose in the attributes of `item`; returns the (rotation, shift) that its matrix has to have.

    Parameters
    ----------
    extracted : (3, 3) rotation it was extracted with, that of its matrix, which stays
    rotation, shift : (3, 3) and (3,) pose in the frame of the tomogram, pixels of `pixel_size` Å
    """
    kept = extracted.T @ shift
    angles = np.concatenate(relion_from_matrices((extracted.T @ rotation)[None]))
    for name, value in zip((*ANGLES, *ORIGIN), (*angles, *(-kept * pixel_size)), strict=True):
        getattr(item, name).set(float(value))
    return extracted, kept


def own_coordinate(item, tomogram, pixel_size):
    """A Coordinate3D in pixels of `pixel_size` Å where RELION says that `item` is, for items that have lost theirs.

    Raises InputError where RELION's table does not say it either.
    """
    centred = np.array([item.getAttributeValue(name) or 0.0 for name in CENTERED])
    if not centred.any():
        raise InputError(
            f"particle {item.getObjId()} of RELION does not say where it lies in tomogram {item.getVolName()}: give "
            "the coordinates that it was extracted at"
        )
    coordinate = Coordinate3D()
    coordinate.setVolume(tomogram)
    coordinate.setPosition(*map(float, centred / pixel_size), SCIPION)
    return coordinate
