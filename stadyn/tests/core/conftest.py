# SPDX-License-Identifier: GPL-3.0-or-later
"""The array libraries that the engine's tests run over; NumPy is the oracle."""

import numpy as np
import pytest


@pytest.fixture(params=["numpy", "cupy"])
def xp(request):
    """NumPy, and CuPy where there is a device."""
    if request.param == "numpy":
        return np
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"no device: {error}")
    return cupy
