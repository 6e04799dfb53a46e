# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of other plugins that turn or move particles: the installed ones are asked what they make of a known pose.

What such a reader has stored looks like any other pose: only the protocol that made it tells.
"""

import importlib
import importlib.metadata
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from pyworkflow.protocol import Protocol
from tomo.objects import SetOfCoordinates3D, SetOfSubTomograms

from stadyn.core.errors import InputError
from stadyn.core.rotations import matrices_from_av3, matrices_from_dynamo, matrices_from_relion

from .coordinates import pose_from_matrix
from .particles import precedents

logger = logging.getLogger(__name__)

ANGLES, SHIFT = (30.0, 60.0, 75.0), (1.0, 2.0, 3.0)
SAME = 1e-6
HANDS_ON = ("pwem", "tomo", "pyworkflow")
"""Packages of the host, whose protocols pick, split, join and move sets, poses and all."""


@dataclass(frozen=True)
class Reader:
    """How a plugin reads poses: `asks(module, tomogram)` gives its (4, 4) matrix and the right rotation."""

    package: str
    module: str
    asks: Callable
    reads: str

    def faults(self, tomogram):
        """(rotation wrong, shift wrong) of what is installed; neither where nothing is."""
        try:
            matrix, expected = self.asks(importlib.import_module(self.module), tomogram)
        except Exception:  # a plugin that is not there, or whose version reads in another way: nothing is known of it
            logger.debug("%s is not asked how it reads poses", self.package, exc_info=True)
            return False, False
        rotation, shift = pose_from_matrix(matrix)
        moved = bool(shift.any()) and not np.allclose(shift, SHIFT, atol=SAME)
        return not np.allclose(rotation, expected, atol=SAME), moved

    def named(self):
        """Its package and version."""
        return f"{self.package} {importlib.metadata.version(self.package)}"


def _dynamo(module, _):
    return module.eulerAngles2matrix(*ANGLES, *SHIFT), matrices_from_dynamo(*ANGLES)


def _gapstop(module, _):
    return module.ProtGapStopExtractCoords.eulerAngles2matrix(*ANGLES, *SHIFT), matrices_from_av3(*ANGLES)


def _pytom(module, _):
    return module.ProtPytomExtractCoordinates.eulerAngles2matrix(*ANGLES), matrices_from_relion(*ANGLES)


def _relion4(module, tomogram):
    names = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi", *(f"rlnOrigin{axis}Angst" for axis in "XYZ"))
    row = dict(zip(names, (*ANGLES, *(-s for s in SHIFT)), strict=True), rlnTomoName="one")
    coordinate, _ = module.Reader.gen3dCoordFromStarRow(row, 1.0, {"one": tomogram})
    return coordinate.getMatrix(), matrices_from_relion(*ANGLES)


DYNAMO = Reader("scipion-em-dynamo", "dynamo.convert.convert", _dynamo, "Dynamo's tables")
GAPSTOP = Reader("scipion-em-gapstop", "gapstop.protocols.protocol_extract_coordinates", _gapstop, "motive lists")
PYTOM = Reader("scipion-em-pytom-tm", "pytom_tm.protocols.protocol_extract_coordinates", _pytom, "PyTom's STAR files")
RELION4 = Reader("scipion-em-reliontomo", "reliontomo.convert.convert40_tomo", _relion4, "offsets of RELION 3 and 4")
READERS = {
    "DynamoImportSubtomos": DYNAMO, "DynamoSubTomoMRA": DYNAMO, "DynamoModelWorkflow": DYNAMO, "DynamoBoxing": DYNAMO,
    "ProtGapStopExtractCoords": GAPSTOP, "ProtPytomExtractCoordinates": PYTOM,
    "ProtImportCoordinates3DFromStar": RELION4, "ProtImportSubtomogramsFromStar": RELION4,
}  # fmt: skip
"""Protocols, by the name of their class, whose outputs a reader filled."""


def reader_checks(protocol):
    """A `check_reader` for each input of a protocol."""
    return [partial(check_reader, pointer) for _, pointer in protocol.iterInputAttributes()]


def check_reader(pointer):
    """InputError if particles behind a pointer were read by a reader, of what is installed, that misreads their poses.

    Looked for are the protocol that made them and, before protocols of the host, those that they were made from.
    """
    particles = pointer.get()
    if not isinstance(particles, (SetOfCoordinates3D, SetOfSubTomograms)) or particles.isEmpty():
        return
    producer = _producer(pointer)
    if producer is None:
        return
    reader = _reader_of(producer)
    turned, moved = reader.faults(_tomogram(particles))
    if (turned and _any(particles, _is_turned)) or (moved and _any(particles, _is_moved)):
        raise InputError(
            f"the poses of '{producer.getObjLabel() or producer.getClassLabel()}' are not those of its file, for "
            f"{reader.named()} misreads {reader.reads}: import that file with 'import particles from a table'"
        )


def _producer(pointer, depth=20):
    """The protocol with a `Reader` that an object comes from, itself or through protocols of the host, or None."""
    owner = pointer.getObjValue()
    if not isinstance(owner, Protocol) or depth == 0:
        return None
    if _reader_of(owner) is not None:
        return owner
    if type(owner).__module__.split(".")[0] not in HANDS_ON:
        return None
    found = (_producer(source, depth - 1) for _, source in owner.iterInputAttributes())
    return next((producer for producer in found if producer is not None), None)


def _reader_of(protocol):
    if protocol.getClassName() == "ProtImportCoordinates3D":  # the host's, which asks the plugin of the format
        return DYNAMO if protocol.getImportFrom() == "dynamo" else None
    return READERS.get(protocol.getClassName())


def _tomogram(particles):
    tomograms = precedents(particles)
    return None if tomograms is None else tomograms.getFirstItem()


def _any(particles, question):
    """Is it so of the pose of any particle?"""
    for item in particles.iterItems():
        transform = item.getTransform() if isinstance(particles, SetOfSubTomograms) else item._eulerMatrix
        if transform is not None and question(*pose_from_matrix(transform.getMatrix())):
            return True
    return False


def _is_turned(rotation, _):
    return not np.allclose(rotation, np.eye(3), atol=SAME)


def _is_moved(_, shift):
    return not np.allclose(shift, 0, atol=SAME)
