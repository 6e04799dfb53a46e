# SPDX-License-Identifier: GPL-3.0-or-later
"""What the wizards read from a form that is being filled in: maps, the first particle, points to lay out."""

from functools import partial

import numpy as np
from tomo.objects import SetOfAverageSubTomograms

from stadyn.convert.averages import map_path
from stadyn.convert.meshes import read_dipoles, read_point_groups
from stadyn.convert.particles import precedents, read_particle_input
from stadyn.core.errors import InputError
from stadyn.core.surfaces import fit_surfaces, oversample, resample_surfaces
from stadyn.core.tubes import oversample_tubes
from stadyn.io.mrc import open_volume, read_header, read_volume
from stadyn.protocols.forms import PER_HALF, PER_TOMOGRAM, TOGETHER

THICKNESS = 3
"""z slices of a tomogram that are averaged on each side of a particle."""


def groups_of(protocol):
    """How many groups of particles align apart, as far as the form knows."""
    choice = protocol.groups.get() if hasattr(protocol, "groups") else TOGETHER
    if choice == PER_TOMOGRAM:
        tomograms = precedents(protocol.inputParticles.get())
        return 1 if tomograms is None else tomograms.getSize()
    return 2 if choice == PER_HALF else 1


def given(protocol, name):
    """What a pointer of the form leads to; InputError if it is empty."""
    value = getattr(protocol, name).get()
    if value is None:
        label = protocol.getParam(name).label.get()
        raise InputError(f"give {label.lower()} first")
    return value


def bright_map(protocol):
    """(volume with bright protein, Å per pixel) of the map that a form works on, or of the average of its particles."""
    for name in ("inputMap", "inputAverage", "inputReference", "inputAverages"):
        value = getattr(protocol, name).get() if hasattr(protocol, name) else None
        if value is not None:
            return _bright(value)
    if hasattr(protocol, "inputParticles"):
        given(protocol, "inputParticles")
        for _, output in protocol.inputParticles.getObjValue().iterOutputAttributes():
            if output.getClassName() in ("AverageSubTomogram", "SetOfAverageSubTomograms"):
                return _bright(output)
    raise InputError("give a map, or particles that were averaged")


def _bright(value):
    value = value.getFirstItem() if isinstance(value, SetOfAverageSubTomograms) else value
    path, pixel_size, _ = map_path(value)
    volume = read_volume(path)
    return (volume if is_bright(volume) else -volume), pixel_size


def is_bright(volume):
    """Whether protein is bright: the tails of a map are longer on the side of the protein."""
    return float(np.mean((volume - volume.mean()) ** 3)) > 0


def first_particle(protocol):
    """(path of its tomogram, Å per pixel, (3,) position in px) of the first particle, VLP or point of the input.

    The middle of the first tomogram where nothing is marked yet.
    """
    if hasattr(protocol, "inputTomograms"):
        tomogram = given(protocol, "inputTomograms").getFirstItem()
        middle = np.array(read_header(tomogram.getFileName()).shape[::-1]) // 2
        return tomogram.getFileName(), float(tomogram.getSamplingRate()), middle
    for name in ("inputDipoles", "inputPoints"):
        if hasattr(protocol, name):
            points = given(protocol, name)
            (name, _), marked = next(iter(read_point_groups(points).items()))
            tomogram = next(t for t in points.getPrecedents() if t.getTsId() == name)
            return tomogram.getFileName(), float(tomogram.getSamplingRate()), marked[-1]
    particles = read_particle_input(given(protocol, "inputParticles"))
    tomogram = next(t for t in particles.tomograms if t.id == particles.table.tomogram_ids[0])
    if not tomogram.path:
        raise InputError("these subtomograms have no tomograms to show a box in")
    return tomogram.path, tomogram.pixel_size, particles.table.positions[0]


def section_through(path, z):
    """[y, x] mean of a few slices of the tomogram at `path` about height `z` (px)."""
    volume = open_volume(path)
    z = int(np.clip(round(z), 0, volume.shape[0] - 1))
    return np.asarray(volume[max(0, z - THICKNESS) : z + THICKNESS + 1], np.float32).mean(axis=0)


def on_spheres(protocol):
    """(maker of the points of a spacing in px, Å per pixel) for the VLPs of the first tomogram that dipoles mark."""
    meshes = given(protocol, "inputDipoles")
    dipoles = read_dipoles(meshes)
    first = [d for d in dipoles if d.tomogram_id == dipoles[0].tomogram_id]
    return partial(oversample, first), meshes.getPrecedents().getSamplingRate()


def on_surfaces(protocol):
    """The same for surfaces that are fitted to particles."""
    particles = read_particle_input(given(protocol, "inputParticles"))
    first = particles.table.select(particles.table.tomogram_ids == particles.table.tomogram_ids[0])
    surfaces = fit_surfaces(first, protocol.degree.get())
    if not surfaces:
        raise InputError("give particles that know their VLP: those of the first tomogram determine no surface")
    return partial(resample_surfaces, surfaces), particles.tomograms[0].pixel_size


def on_tubes(protocol):
    """The same for tubes."""
    points = given(protocol, "inputPoints")
    groups, pixel_size = read_point_groups(points), points.getPrecedents().getSamplingRate()
    first, radius = next(iter(groups))[0], protocol.radius.get() / pixel_size
    return partial(oversample_tubes, {k: (axis, radius) for k, axis in groups.items() if k[0] == first}), pixel_size
