# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles with a planted fault as an output of the simulation, so that a protocol can take them as its input."""

import numpy as np
from tomo.objects import SetOfAverageSubTomograms, SetOfCoordinates3D

from stadyn.convert.averages import append_averages
from stadyn.convert.coordinates import read_particles, write_coordinates

PIXEL_SIZE = 10.8


def plant(simulated, name, table):
    """(simulated, name): a pointer to a new set of coordinates that holds `table`."""
    output = simulated.createSet(SetOfCoordinates3D, name)
    output.copyInfo(simulated.coordinates)
    write_coordinates(table, output, simulated.tomograms)
    return _attach(simulated, name, output)


def plant_averages(simulated, name, paths):
    """(simulated, name): a pointer to a new set of averages, `paths` {tsId: path}."""
    output = simulated.createSet(SetOfAverageSubTomograms, name)
    append_averages(output, paths, PIXEL_SIZE)
    return _attach(simulated, name, output)


def _attach(simulated, name, output):
    simulated._defineOutputs(**{name: output})
    simulated._store()
    return simulated, name


def truth_of(simulated):
    """The true particles, all of them known as one population of CC 0.5."""
    table = read_particles(simulated.coordinates)
    return table.replace(cc=np.full(len(table), 0.5))


def own_truth(truth, found):
    """The rows of `truth` that have the ids of `found`, in its order."""
    return truth.select(np.searchsorted(truth.ids, found.ids))
