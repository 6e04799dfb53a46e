# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the results of a run lie that pictures are made of."""

import os
from glob import glob

from tomo.objects import SetOfCoordinates3D, SetOfMeshes, SetOfSubTomograms

from stadyn.convert.particles import read_particle_input
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.io.mrc import read_header, read_volume
from stadyn.io.results import read_result

TABLES = ("particles.npz", "align/particles.npz", "select/particles.npz", "recentred/particles.npz",
          "average/particles.npz", "simulation/truth.npz")  # fmt: skip
"""Where a run keeps the particles that it gives out."""
EXCLUDED = ("excluded.npz", "select/excluded.npz")
INPUT = "input_particles.npz"


def existing(protocol, names):
    """The first of `names` in a run's results that exists, or None."""
    paths = (protocol.resultPath(name) for name in names)
    return next((path for path in paths if os.path.exists(path)), None)


def read_existing(protocol, names):
    """The ParticleTable in the first file of `names` that exists, or None."""
    path = existing(protocol, names)
    return None if path is None else read_result(path, ParticleTable)


def particles_of(protocol):
    """The ParticleTable that a run gave out; InputError if there is none."""
    table = read_existing(protocol, TABLES)
    if table is None:
        output = output_particles(protocol)
        if output is None:
            raise InputError("this run has given out no particles yet: look again when it has finished")
        table = read_particle_input(output).table
    return table


def excluded_of(protocol):
    """The ParticleTable of those a run excluded, or None."""
    table = read_existing(protocol, EXCLUDED)
    if table is None and getattr(protocol, "excludedParticles", None) is not None:
        table = read_particle_input(protocol.excludedParticles).table
    return table


def output_particles(protocol):
    """The set of particles among a run's outputs, those it excluded left aside; None without any."""
    for name, output in protocol.iterOutputAttributes():
        if isinstance(output, (SetOfCoordinates3D, SetOfSubTomograms)) and "xcluded" not in name:
            if not isinstance(output, SetOfMeshes):
                return output
    return None


def has_particles(protocol):
    """Whether `particles_of` finds any."""
    return existing(protocol, TABLES) is not None or output_particles(protocol) is not None


def pixel_size_of(protocol):
    """Å per unbinned pixel of the tomograms that a run's particles lie in."""
    output = output_particles(protocol)
    if hasattr(protocol, "inputParticles") and getattr(protocol.inputParticles, "get", lambda: None)() is not None:
        return protocol.pixelSize()
    if output is None:
        raise InputError("this run has given out no particles yet: look again when it has finished")
    return float(output.getSamplingRate())


def maps_of(protocol, pattern, leave_out=("_inverted",)):
    """{short name: path} of the maps in a run's results that `pattern` finds, by name."""
    paths = sorted(p for p in glob(protocol.resultPath(pattern)) if not any(word in p for word in leave_out))
    return {os.path.splitext(os.path.basename(p))[0].removeprefix("average_"): p for p in paths}


def read_map(path, bright):
    """(volume with bright protein, pixel size in Å) of a map file; `bright` says that it is so in the file."""
    volume = read_volume(path)
    return (volume if bright else -volume), read_header(path).pixel_size
