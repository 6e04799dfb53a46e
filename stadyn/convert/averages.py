# SPDX-License-Identifier: GPL-3.0-or-later
"""Averages in files as Scipion's objects, and maps of any Scipion class as files."""

import os
import zlib
from pathlib import Path

from pwem.objects import Volume, VolumeMask
from tomo.objects import AverageSubTomogram

from stadyn.core.errors import InputError
from stadyn.io.mrc import read_header, read_volume, write_volume

from .subtomograms import project_path
from .tomograms import volume_path

TOLERANCE = 0.01
"""Part of a pixel size by which a header may differ from it: they are written with few digits."""


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

    Raises InputError for a map without file or pixel size, one whose header says another, or one volume of a stack.
    """
    path = volume_path(volume)
    if not volume.getSamplingRate():
        raise InputError(f"map {path} has no pixel size: import it again with one")
    if volume.getIndex() > 1:
        raise InputError(f"map {path} is volume {volume.getIndex()} of a stack: give it in a file of its own")
    header, pixel_size = read_header(path), float(volume.getSamplingRate())
    if not _says_nothing(header) and abs(header.pixel_size - pixel_size) > TOLERANCE * pixel_size:
        raise InputError(
            f"map {path} states {header.pixel_size:.4g} Å a pixel in its header, not {pixel_size:.4g} as in Scipion: "
            "import it with that pixel size, or correct the header (IMOD: alterheader)"
        )
    return path, pixel_size, header.shape


def map_for_jobs(volume, folder):
    """The path of a map whose header says the pixel size that Scipion knows: its own, or that of a copy in `folder`."""
    path, pixel_size, _ = map_path(volume)
    if not _says_nothing(read_header(path)) or pixel_size == 1.0:
        return path
    copy = os.path.abspath(os.path.join(folder, f"{Path(path).stem}_{zlib.crc32(path.encode()):08x}.mrc"))
    Path(folder).mkdir(parents=True, exist_ok=True)
    write_volume(copy, read_volume(path), pixel_size)
    return copy


def _says_nothing(header):
    """0 or 1 Å is what programs write into a header when they do not know; EM files have little else."""
    return header.pixel_size in (0.0, 1.0)


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
