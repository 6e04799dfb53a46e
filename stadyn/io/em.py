# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes in the EM format of the TOM toolbox and Dynamo: 512 bytes of header, then x fastest."""

import numpy as np

from stadyn.core.errors import InputError

from .aside import written_aside

HEADER_BYTES = 512
DTYPES = {1: ("i1", 0), 2: ("i2", 1), 4: ("i4", 2), 5: ("f4", 2), 9: ("f8", 2)}
"""EM number type -> (NumPy type, MRC mode that holds such numbers)."""
BYTE_ORDERS = {0: ">", 3: ">", 5: ">", 6: "<"}
"""First byte, the machine that wrote it: OS-9, SGI, Mac, PC (tom_emread of the TOM toolbox)."""


def map_em(path):
    """(memory-mapped array [z, y, x], pixel size in Å or 0, MRC mode) of a non-empty .em file.

    Raises InputError for another format, an unsupported number type, or a truncated file.
    """
    size = path.stat().st_size
    with open(path, "rb") as handle:
        header = handle.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES or header[0] not in BYTE_ORDERS:
        raise InputError(f"{path} is not an EM file: give an .em volume as Dynamo or TOM writes it, or an MRC file")
    if header[3] not in DTYPES:
        raise InputError(f"{path} has EM number type {header[3]}: write it as float32 (type 5)")
    order = BYTE_ORDERS[header[0]]
    name, mode = DTYPES[header[3]]
    dtype = np.dtype(order + name)
    x, y, z = (int(n) for n in np.frombuffer(header, order + "i4", 3, 4))
    if min(x, y, z) <= 0:
        raise InputError(f"{path} is empty or not an EM file: its header says {x} x {y} x {z} voxels; write it again")
    wanted = HEADER_BYTES + x * y * z * dtype.itemsize
    if wanted > size:
        raise InputError(f"{path} is truncated ({size} bytes, its header asks for {wanted}): copy or write it again")
    # The 7th of 40 parameters from byte 96 is the pixel size of the object in thousandths of a nanometre.
    picometres = int(np.frombuffer(header, order + "i4", 1, 96 + 6 * 4)[0])
    return np.memmap(path, dtype, "r", HEADER_BYTES, (z, y, x)), max(picometres, 0) / 100.0, mode


def write_em(path, array):
    """Write an array [z, y, x] as a float32 EM file in a PC's byte order, whole or not at all."""
    array = np.ascontiguousarray(array, "<f4")
    if array.ndim != 3 or array.size == 0:
        raise ValueError(f"an EM volume has three axes, not shape {array.shape}")
    header = bytearray(HEADER_BYTES)
    header[0], header[3] = 6, 5
    header[4:16] = np.array(array.shape[::-1], "<i4").tobytes()
    with written_aside(path) as aside, open(aside, "wb") as handle:
        handle.write(header)
        handle.write(array.tobytes())
