# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes in MRC files (.mrc .rec .map .mrcs), memory-mapped; .em files are handed to `stadyn.io.em`.

Arrays are [z, y, x] whatever the axis order in the header, and a tomogram larger
than the memory is no trouble: only what is cropped is read.
"""

from dataclasses import dataclass

import mrcfile
import numpy as np
from mrcfile.dtypes import HEADER_DTYPE

from stadyn.core.errors import InputError

from .aside import existing_file, written_aside
from .em import map_em

HEADER_BYTES = 1024
DTYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
"""MRC2014 modes that hold one real number a voxel."""
OTHER_MODES = (3, 4, 16, 101)
"""Modes that there are, of complex numbers, colours and half bytes."""
WANTED = "give a .mrc, .rec, .map, .mrcs or .em volume"
IMOD_STAMP = 1146047817  # "IMOD" at byte 152: byte 156 then says whether mode 0 is signed (IMOD's mrc_format.txt)


@dataclass(frozen=True)
class VolumeHeader:
    """What a volume file says of itself."""

    shape: tuple  # (z, y, x) voxels of one volume
    pixel_size: float  # Å along x; 0 when the header does not say
    mode: int  # MRC mode; for .em the mode of the same number type
    voxel_size: tuple = (0.0, 0.0, 0.0)  # (x, y, z) Å
    volumes: int = 1  # in a stack of volumes (space group 401)


def open_volume(path, index=None):
    """A read-only memory-mapped array [z, y, x] in the file's own number type.

    Parameters
    ----------
    path : an MRC (modes 0, 1, 2, 6, 12) or EM file
    index : int, 0-based volume of a stack of volumes; may be left out where there is only one

    Raises InputError for a file that is missing, compressed, not a volume, truncated or empty.
    """
    header, array = _map(path)
    if index is None and header.volumes > 1:
        raise InputError(f"{path} is a stack of {header.volumes} volumes: say which one")
    index = index or 0
    if not 0 <= index < header.volumes:
        raise InputError(f"{path} has no volume {index + 1}: it holds {header.volumes}")
    return array[index]


def read_volume(path, index=None):
    """A float32 array [z, y, x] in memory; NaN or infinite voxels are an InputError."""
    volume = np.array(open_volume(path, index), np.float32)
    bad = volume.size - int(np.count_nonzero(np.isfinite(volume)))
    if bad:
        raise InputError(f"{path} holds {bad} voxels that are NaN or infinite: write the volume again without them")
    return volume


def read_header(path):
    """The `VolumeHeader` of an MRC or EM file; InputError as in `open_volume`."""
    return _map(path)[0]


def write_volume(path, array, pixel_size, label=""):
    """Write an array [z, y, x] as one float32 volume, origin 0, whole or not at all.

    Parameters
    ----------
    array : (z, y, x) real array
    pixel_size : float, Å
    label : str, at most 80 characters, first label of the header
    """
    array = np.asarray(array)
    if array.ndim != 3 or array.size == 0 or np.iscomplexobj(array):
        raise ValueError(f"a volume has three axes and real voxels, not shape {array.shape} and type {array.dtype}")
    if not (np.isfinite(pixel_size) and pixel_size > 0):
        raise ValueError(f"pixel size {pixel_size} for {path}: it must be above 0")
    with written_aside(path) as aside, mrcfile.new(aside) as mrc:
        mrc.set_data(np.ascontiguousarray(array, np.float32))
        mrc.set_volume()
        mrc.voxel_size = float(pixel_size)
        mrc.header.nxstart = mrc.header.nystart = mrc.header.nzstart = 0
        mrc.header.origin = (0.0, 0.0, 0.0)
        # mrcfile's own label carries the time of day: the same result would never be the same file.
        mrc.header.label[:] = b""
        mrc.header.label[0] = (label or "stadyn").encode("ascii", "replace")[:80]
        mrc.header.nlabl = 1


def _map(path):
    """(VolumeHeader, memory-mapped array (volumes, z, y, x))."""
    path = existing_file(path, "volume")
    with open(path, "rb") as handle:
        start = handle.read(HEADER_BYTES)
    if start[:2] in (b"\x1f\x8b", b"BZ") or path.suffix.lower() in (".gz", ".bz2"):
        raise InputError(f"{path} is compressed and cannot be read in part: unpack it first (gunzip, bunzip2)")
    if start[:8] == b"\x89HDF\r\n\x1a\n":
        raise InputError(f"{path} is an HDF volume of EMAN2 or Chimera: write it as .mrc (e2proc3d.py)")
    if path.suffix.lower() == ".em":
        array, pixel_size, mode = map_em(path)
        return VolumeHeader(array.shape, pixel_size, mode, (pixel_size,) * 3), array[None]
    return _map_mrc(path, start)


def _map_mrc(path, start):
    size = path.stat().st_size
    if size < HEADER_BYTES:
        raise InputError(f"{path} is not an MRC file (only {size} bytes): {WANTED}")
    header = _parse(start)
    dtype = _dtype(path, header, start)
    dims = [int(header[n]) for n in ("nz", "ny", "nx")]
    if min(dims) <= 0:
        raise InputError(f"{path} is empty: its header says {dims[2]} x {dims[1]} x {dims[0]} voxels; write it again")
    offset = HEADER_BYTES + max(int(header.nsymbt), 0)
    wanted = offset + dims[0] * dims[1] * dims[2] * dtype.itemsize
    has_id = header.map.tobytes()[:3] == b"MAP"
    if not has_id and wanted != size:  # without the mark only an exact fit tells an old MRC from anything else
        raise InputError(f"{path} is not an MRC file (no MAP mark in its header): {WANTED}")
    if wanted > size:
        raise InputError(f"{path} is truncated ({size} bytes, its header asks for {wanted}): copy or write it again")
    array = np.memmap(path, dtype, "r", offset, tuple(dims))
    volumes = _volumes(header, dims[0])
    array = array.reshape(volumes, dims[0] // volumes, dims[1], dims[2]).transpose(0, *_zyx(path, header))
    voxel = _voxel_size(header)
    return VolumeHeader(array.shape[1:], voxel[0], int(header.mode), voxel, volumes), array


def _parse(start):
    """The header in the byte order of its machine stamp, or in the other one where only that has a known mode."""
    stamp = "<>" if start[212] != 0x11 else "><"  # MRC2014 word 54: 0x44 little, 0x11 big
    orders = [HEADER_DTYPE.newbyteorder(order) for order in stamp]
    headers = [np.frombuffer(start, order).view(np.recarray)[0] for order in orders]
    return next((h for h in headers if int(h.mode) in DTYPES), headers[0])


def _dtype(path, header, start):
    mode, order = int(header.mode), header.dtype["nx"].byteorder
    if mode not in (*DTYPES, *OTHER_MODES):
        raise InputError(f"{path} is not an MRC file (mode {mode} in its header): {WANTED}")
    if mode not in DTYPES:
        raise InputError(f"{path} has MRC mode {mode}, not a map of real numbers: convert it (IMOD: newstack -mode 2)")
    dtype = np.dtype(DTYPES[mode]).newbyteorder(order)
    stamp, flags = np.frombuffer(start, np.dtype("i4").newbyteorder(order), 2, 152)
    if mode == 0 and stamp == IMOD_STAMP and not flags & 1:
        return np.dtype("u1")
    return dtype


def _volumes(header, nz):
    mz = int(header.mz)
    return nz // mz if int(header.ispg) >= 401 and 0 < mz <= nz and nz % mz == 0 else 1


def _zyx(path, header):
    """Axes 1 to 3 of the stored (volumes, section, row, column) in the order z, y, x."""
    stored = [int(header.maps), int(header.mapr), int(header.mapc)]
    if stored == [0, 0, 0]:  # older writers left them out
        stored = [3, 2, 1]
    if sorted(stored) != [1, 2, 3]:
        raise InputError(f"{path} has MAPC, MAPR, MAPS {stored[::-1]}, not an order of 1, 2, 3: correct its header")
    return [1 + stored.index(axis) for axis in (3, 2, 1)]


def _voxel_size(header):
    cell = [float(header.cella[axis]) for axis in "xyz"]
    samples = [int(header[name]) for name in ("mx", "my", "mz")]
    return tuple(round(c / m, 6) if m > 0 and np.isfinite(c) else 0.0 for c, m in zip(cell, samples, strict=True))
