# SPDX-License-Identifier: GPL-3.0-or-later
"""Averages in files as Scipion's objects, and maps of any Scipion class as files."""

from pwem.objects import Volume, VolumeMask
from tomo.objects import AverageSubTomogram

from stadyn.core.errors import InputError
from stadyn.io.mrc import read_header

from .subtomograms import project_path
from .tomograms import volume_path


def average_from_file(path, pixel_size, half_maps=None, tomogram_id=None):
    """An AverageSubTomogram of the volume at `path`.

    Parameters
    ----------
    pixel_size : float, Å
    half_maps : (path, path) of the two half-maps, odd first
    tomogram_id : tsId of the one tomogram it was averaged from
    """
    average = AverageSubTomogram()
    average.setFileName(project_path(str(path)))
    average.setSamplingRate(float(pixel_size))
    if half_maps is not None:
        average.setHalfMaps([project_path(str(half)) for half in half_maps])
    if tomogram_id is not None:
        average.setVolName(tomogram_id)
    return average


def append_averages(output, paths, pixel_size):
    """Append one average per tomogram, `paths` {tsId: path}, to a SetOfAverageSubTomograms; ids 1, 2, ... in order."""
    output.setSamplingRate(float(pixel_size))
    for tomogram_id, path in paths.items():
        output.append(average_from_file(path, pixel_size, tomogram_id=tomogram_id))


def volume_from_file(path, pixel_size, item_class=Volume):
    """A Volume (or VolumeMask, the only class that other packages take as a mask) of the file at `path`."""
    volume = item_class()
    volume.setFileName(project_path(str(path)))
    volume.setSamplingRate(float(pixel_size))
    return volume


def mask_from_file(path, pixel_size):
    """A VolumeMask of the file at `path`."""
    return volume_from_file(path, pixel_size, VolumeMask)


def map_path(volume):
    """(absolute path, pixel size in Å, (z, y, x) shape) of any single map of Scipion.

    Raises InputError for a map without file or pixel size, or one volume of a stack.
    """
    path = volume_path(volume)
    if not volume.getSamplingRate():
        raise InputError(f"map {path} has no pixel size: import it again with one")
    if volume.getIndex() > 1:
        raise InputError(f"map {path} is volume {volume.getIndex()} of a stack: give it in a file of its own")
    return path, float(volume.getSamplingRate()), read_header(path).shape


def average_paths(averages):
    """{tsId: absolute path} of a SetOfAverageSubTomograms that holds one average per tomogram.

    Raises InputError for two of one tomogram.
    """
    paths = {}
    for average in averages.iterItems():
        name = average.getVolName()
        if name in paths:
            raise InputError(f"two averages belong to tomogram {name}: give a set with one each")
        paths[name] = map_path(average)[0]
    return paths
