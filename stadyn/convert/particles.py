# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles as a protocol takes and gives them: coordinates or subtomograms in, the same class out."""

from dataclasses import dataclass

import numpy as np
from tomo.objects import SetOfCoordinates3D, SetOfSubTomograms

from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleBoxes, ParticleTable

from .coordinates import read_particles, write_coordinates
from .relion_particles import is_pseudo_subtomogram
from .subtomograms import read_subtomograms, stand_in_tomograms, write_refined_subtomograms
from .tomograms import read_tomograms


@dataclass(frozen=True, eq=False)
class ParticleInput:
    """What a job needs to know of its particles."""

    table: ParticleTable
    tomograms: list  # of stadyn.core.tomograms.Tomogram, those that the table names
    boxes: ParticleBoxes = None  # where they were cut out before; None when they are cropped from the tomograms


def precedents(particles):
    """The SetOfTomograms that coordinates or subtomograms lie in; None for subtomograms without coordinates."""
    if isinstance(particles, SetOfSubTomograms):
        particles = particles.getCoordinates3D() if particles.hasCoordinates3D() else None
    return None if particles is None else particles.getPrecedents()


def read_particle_input(particles):
    """Table, tomograms and boxes of a SetOfCoordinates3D or SetOfSubTomograms.

    Raises InputError for an empty set, one of another class, or particles whose tomograms are not there.
    """
    if not isinstance(particles, (SetOfCoordinates3D, SetOfSubTomograms)):
        raise InputError(f"a {type(particles).__name__} holds no particles: give 3D coordinates or subtomograms")
    if particles.isEmpty():
        raise InputError("the set of particles is empty: run the step before with other parameters")
    if isinstance(particles, SetOfCoordinates3D):
        table, boxes = read_particles(particles), None
    else:
        table, boxes = read_subtomograms(particles)
    tomograms = precedents(particles)
    if tomograms is None:
        if is_pseudo_subtomogram(particles.getFirstItem()):
            raise InputError("particles of RELION are no boxes: give them with the coordinates they were extracted at")
        return ParticleInput(table, stand_in_tomograms(particles), boxes)
    if boxes is not None and is_pseudo_subtomogram(particles.getFirstItem()):
        boxes = None  # stacks of tilt images, or turned volumes: the tomograms hold what can be used
    used = set(np.unique(table.tomogram_ids))
    return ParticleInput(table, read_tomograms([t.clone() for t in tomograms if t.getTsId() in used]), boxes)


def write_particles_like(source, table, output):
    """Append `table`, whose ids are among those of the set `source`, to a new set `output` of the same class."""
    if isinstance(source, SetOfSubTomograms):
        write_refined_subtomograms(table, source, output)
    else:
        output.copyInfo(source)
        write_coordinates(table, output, source.getPrecedents())
