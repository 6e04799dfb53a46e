# SPDX-License-Identifier: GPL-3.0-or-later
"""Two half-maps and their mask as read from files, checked to belong together."""

from dataclasses import dataclass

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.masks import CONTRASTS
from stadyn.io.mrc import read_header, read_volume

PIXEL_SIZE_TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class HalfMaps:
    """Half-maps with protein bright, and their mask."""

    half1: np.ndarray  # (n, n, n) float32
    half2: np.ndarray  # (n, n, n) float32
    mask: np.ndarray | None  # (n, n, n) float32
    pixel_size: float  # Å

    @property
    def mean(self):
        return 0.5 * (self.half1 + self.half2)


def read_half_maps(half1, half2, mask=None, contrast="bright"):
    """Read two half-maps and, if given, a mask.

    Parameters
    ----------
    half1, half2, mask : paths
    contrast : "bright" or "dark", of the protein in the files; dark maps are inverted

    Raises
    ------
    InputError
        Naming the file: missing, NaN, not a cube, another shape or pixel size, an empty mask, one map given twice.
    """
    if contrast not in CONTRASTS:
        raise InputError(f"contrast {contrast!r} is unknown: say bright or dark")
    first, pixel_size = read_cube(half1)
    maps = [first]
    for path in [half2] if mask is None else [half2, mask]:
        volume, other = read_cube(path)
        if volume.shape != first.shape:
            raise InputError(f"{path} has shape {volume.shape}, but {half1} {first.shape}: give maps of the same box")
        if abs(other / pixel_size - 1) > PIXEL_SIZE_TOLERANCE:
            raise InputError(f"{path} has {other:g} Å a pixel, but {half1} {pixel_size:g} Å: rescale one of them")
        maps.append(volume)
    if np.array_equal(maps[0], maps[1]):
        raise InputError(f"{half1} and {half2} are the same map, which agrees with itself: give two half-maps")
    if mask is not None and maps[2].max() <= 0:
        raise InputError(f"mask {mask} is empty: make it anew with a lower threshold")
    sign = CONTRASTS[contrast]
    return HalfMaps(sign * maps[0], sign * maps[1], maps[2] if mask is not None else None, pixel_size)


def read_cube(path):
    """(volume, pixel size in Å) of a map that must be a cube with a pixel size in its header."""
    volume, pixel_size = read_volume(path), read_header(path).pixel_size
    if len(set(volume.shape)) != 1:
        raise InputError(f"{path} has shape {volume.shape}, which is not a cube: crop or pad it to one")
    if not pixel_size > 0:
        raise InputError(f"{path} has no pixel size in its header: write it there (IMOD: alterheader -del)")
    return volume, pixel_size
