# SPDX-License-Identifier: GPL-3.0-or-later
"""The only module that knows there are two array libraries, NumPy and CuPy.

The data decides: ``xp = array_module(a, b)`` is a function's first line. CuPy is
looked up among the modules already imported, so a CPU run never imports it.
"""

import sys

import numpy as np

from .errors import InputError


def array_module(*arrays):
    """CuPy if any of `arrays` lives on a device, else NumPy."""
    cupy = sys.modules.get("cupy")
    if cupy is not None and any(isinstance(a, cupy.ndarray) for a in arrays):
        return cupy
    return np


def to_host(array):
    """The same values as a NumPy array."""
    return array.get() if hasattr(array, "get") and not isinstance(array, np.ndarray) else np.asarray(array)


def device_array_module(gpu=None):
    """NumPy for `gpu` None, else CuPy with device `gpu` (int) made current.

    Raises InputError with a remedy when CuPy or the device is missing.
    """
    if gpu is None:
        return np
    try:
        import cupy

        cupy.cuda.Device(int(gpu)).use()
    except ImportError as error:
        raise InputError(
            "a GPU was asked for, but CuPy is not installed: pip install 'scipion-em-stadyn[gpu]',"
            " or switch the GPU off"
        ) from error
    except Exception as error:
        raise InputError(f"GPU {gpu} cannot be used ({error}): name another, or switch the GPU off") from error
    return cupy


def thread_start(xp):
    """What a new thread calls first, or None: CuPy's current device belongs to the thread that chose it."""
    return None if xp is np else xp.cuda.Device().use


def out_of_memory_errors():
    """Exceptions that mean "no memory left", of the host and of a device in use."""
    cupy = sys.modules.get("cupy")
    return (MemoryError,) if cupy is None else (MemoryError, cupy.cuda.memory.OutOfMemoryError)


def in_parts(function, count, size):
    """Call ``function(slice)`` for parts of at most `size` of `count` things, halved for as long as memory does not do.

    `function` changes nothing before it can no longer run out of memory, for a part that failed is done again.
    """
    start, size = 0, max(1, size)
    while start < count:
        try:
            function(slice(start, min(start + size, count)))
        except out_of_memory_errors():
            if size == 1:
                raise
            size //= 2
        else:
            start += size


def free_memory(xp=np):
    """Bytes that can still be had, on the host or on the current device."""
    if xp is not np:
        return xp.cuda.runtime.memGetInfo()[0]
    try:
        with open("/proc/meminfo") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # not Linux: a modest guess that every machine has
        return 4 * 2**30
