# SPDX-License-Identifier: GPL-3.0-or-later
"""What every form asks of its inputs before anything runs: their classes, what is in the maps, room for the boxes."""

import numpy as np
from pwem.objects import EMSet, Volume, VolumeMask
from pyworkflow.object import PointerList
from tomo.objects import SetOfAverageSubTomograms

from stadyn.convert.averages import average_paths, map_for_jobs, map_path
from stadyn.convert.particles import precedents
from stadyn.convert.tomograms import read_tomograms
from stadyn.core.errors import InputError
from stadyn.core.resample import inside
from stadyn.io.mrc import open_volume
from stadyn.jobs.common import box_pixels, check_room

LARGEST_LOOKED_AT = 2**25
"""Voxels of a map that is looked through; a larger one, 320 a side, would keep the window waiting."""


class ChecksInputs:
    """A protocol that asks, before anything runs, for what its jobs will ask."""

    def mapFile(self, volume):
        """The path of a Scipion map, for a job: a copy in this run where the file does not say its pixel size."""
        return map_for_jobs(volume, self.resultPath("maps"))

    def checkTomograms(self, name="inputParticles"):
        """InputError unless particles can be read, and their tomograms are there, have a tilt range, and hold them."""
        particles, tomograms = self.readInput(name), precedents(self.given(name))
        if tomograms is not None:
            read_tomograms(tomograms)
            check_places(particles)

    def checkCrops(self, particles=None):
        """InputError unless boxes of the form's size can be cut around the input particles, or some of them."""
        check_crops(self.readInput() if particles is None else particles, self.boxSize.get())


def shown_inputs(protocol):
    """[(label, classes, object)] of the inputs that the form shows and that are set."""
    found = []
    for name, param in protocol.getDefinition().iterPointerParams():
        value = getattr(protocol, name)
        pointers = value if isinstance(value, PointerList) else [value]
        if protocol.evalParamCondition(name):
            classes = [word.strip() for word in str(param.pointerClass.get()).split(",")]
            found += [(param.label.get(), classes, p.get()) for p in pointers if p.get() is not None]
    return found


def wrong_classes(protocol):
    """Sentences about inputs of a class that the form does not take: the host does not check a saved workflow."""
    return [
        f"*{label}* is a {item.getClassName()}: give a {' or '.join(classes)}."
        for label, classes, item in shown_inputs(protocol)
        if not {kind.__name__ for kind in type(item).__mro__} & set(classes)
    ]


def map_checks(protocol):
    """Checks of the maps among the inputs, single ones and sets of averages, to be called one by one."""
    given = [item for _, _, item in shown_inputs(protocol)]
    maps = [item for item in given if isinstance(item, Volume) and not isinstance(item, EMSet)]
    sets = [item for item in given if isinstance(item, SetOfAverageSubTomograms)]
    return [
        *(lambda item=item: check_map(item) for item in maps),
        *(lambda item=item: check_averages(item) for item in sets),
    ]


def check_averages(averages):
    """InputError for a set of averages that is empty, names a tomogram twice, or holds one that `check_map` refuses."""
    if averages.isEmpty():
        raise InputError("the set of averages is empty: average the particles of each tomogram first")
    average_paths(averages)
    for average in averages.iterItems():
        check_map(average)


def check_map(volume):
    """InputError for a map that is no cube, holds voxels that are no numbers, or has nothing in it."""
    path, _, shape = map_path(volume)
    if len(set(shape)) != 1:
        raise InputError(f"{path} is {shape[::-1]} voxels, no cube: give a cubic map")
    if np.prod(shape) > LARGEST_LOOKED_AT:
        return
    voxels = np.asarray(open_volume(path))
    bad = voxels.size - int(np.count_nonzero(np.isfinite(voxels)))
    if bad:
        raise InputError(f"{path} holds {bad} voxels that are NaN or infinite: write the volume again without them")
    if isinstance(volume, VolumeMask) and voxels.max() <= 0:
        raise InputError(f"mask {path} is empty, its largest voxel is {voxels.max():g}: make it anew")
    if not isinstance(volume, VolumeMask) and voxels.max() == voxels.min():
        raise InputError(f"every voxel of {path} is {voxels.max():g}: give a map with something in it")


def check_places(particles):
    """InputError where most particles of a `ParticleInput` lie outside of their tomograms: they count other pixels.

    A few at the border are no reason to stop; jobs that cut boxes ask for all of them.
    """
    table, outside, first = particles.table, 0, None
    for tomogram in particles.tomograms:
        rows = table.tomogram_ids == tomogram.id if tomogram.path else np.zeros(len(table), bool)
        lost = rows & ~inside(tomogram.shape, table.positions)
        outside += int(lost.sum())
        if first is None and lost.any():
            first = tomogram.path, np.round(table.positions[lost][0], 1).tolist()
    if outside > len(table) / 2:
        raise InputError(
            f"{outside} of {len(table)} particles lie outside of their tomograms, the first at {first[1]} px of "
            f"{first[0]}: check pixel size, binning and axis order of the coordinates"
        )


def check_turned(particles):
    """InputError for several particles that all have the orientation of the tomogram: nobody gave them any."""
    rotations = particles.table.rotations
    if len(rotations) > 1 and np.allclose(rotations, np.eye(3)):
        raise InputError(f"the {len(rotations)} particles have no orientations: give those of an alignment")


def check_scored(particles):
    """InputError for particles without CC."""
    missing = int(np.sum(~np.isfinite(particles.table.cc)))
    if missing:
        raise InputError(f"{missing} of {len(particles.table)} particles have no CC: align or select them first")


def check_mask_fits(mask, shape, pixel_size):
    """InputError for a mask of another box or pixel size than maps of `shape` and `pixel_size`; None is no mask."""
    path, own, own_shape = map_path(mask) if mask is not None else ("", pixel_size, shape)
    if own_shape != shape or abs(own - pixel_size) > 0.01 * pixel_size:
        raise InputError(
            f"mask {path} has {own_shape[::-1]} voxels of {own:g} Å, the map {shape[::-1]} of {pixel_size:g} Å: make "
            "it in the box of the map"
        )


def check_crops(particles, box_angst):
    """InputError where a job could not cut boxes of `box_angst` Å around a `ParticleInput`."""
    box_px = box_pixels(box_angst, particles.tomograms[0].pixel_size)
    for tomogram in particles.tomograms if particles.boxes is None else []:
        rows = particles.table.tomogram_ids == tomogram.id
        check_room(tomogram, tomogram.shape, particles.table.positions[rows], box_px)
