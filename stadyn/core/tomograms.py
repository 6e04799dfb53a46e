# SPDX-License-Identifier: GPL-3.0-or-later
"""Tomograms, their missing wedge, and the dipoles that mark virus-like particles in them."""

from dataclasses import dataclass

import numpy as np

from .optics import Microscope


@dataclass(frozen=True)
class MissingWedge:
    """The wedge about the beam (z) that tilts ``[min_deg, max_deg]`` about y leave unsampled."""

    min_deg: float = -60.0
    max_deg: float = 60.0

    def __post_init__(self):
        if not (-90 <= self.min_deg < self.max_deg <= 90):
            raise ValueError(
                f"tilt range {self.min_deg} to {self.max_deg} degrees: it must rise and lie within -90 to 90"
            )


@dataclass(frozen=True, eq=False)  # == on arrays is ambiguous
class Weighting:
    """What is known of a tomogram beyond its tilt range, to weight the Fourier coefficients of its particles."""

    defocus_angst: float = None  # underfocus of phase-flipped data; None leaves the CTF's amplitude out
    microscope: Microscope = Microscope()
    tilts_deg: tuple = None  # with `doses`: radiation damage and thickness of the nearest tilt
    doses: tuple = None  # electrons per square Å at the middle of each tilt's exposure
    volume: np.ndarray = None  # (m, m, m) weights [z, y, x], frequency 0 at index m // 2, Nyquist at the border


@dataclass(frozen=True)
class Tomogram:
    """A reconstructed volume: protein is dark, z is the beam, y the tilt axis."""

    id: str  # the tsId, key of everything cut from it
    path: str
    pixel_size: float  # Å
    shape: tuple  # (z, y, x) voxels
    wedge: MissingWedge = MissingWedge()
    weighting: Weighting = None


@dataclass(frozen=True)
class Dipole:
    """One virus-like particle: its centre and one ("north") point of its surface."""

    tomogram_id: str
    surface_id: int  # unique within its tomogram, from 1
    center: tuple  # (x, y, z) pixels of the unbinned tomogram, 0-based
    north: tuple  # (x, y, z) the same

    @property
    def radius(self):
        """Distance from the centre to the north point, pixels."""
        return float(np.linalg.norm(np.subtract(self.north, self.center)))
