# SPDX-License-Identifier: GPL-3.0-or-later
"""What the microscope does to a signal: contrast transfer and radiation damage as functions of spatial frequency."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Microscope:
    """Optics and dose. The defaults are those of EMPIAR-10164 and the like."""

    voltage_kv: float = 300.0
    cs_mm: float = 2.7
    amplitude_contrast: float = 0.07
    dose_per_tilt: float = 3.4  # electrons per square Å

    @property
    def wavelength(self):
        """Of the electrons, Å."""
        volts = self.voltage_kv * 1e3
        return 12.2639 / np.sqrt(volts + 0.97845e-6 * volts**2)


def accumulated_dose(tilts_deg, dose_per_tilt):
    """(t,) dose at the middle of each exposure, taken dose-symmetrically (Hagen et al. 2017): nearest to 0 first."""
    order = np.argsort(np.argsort(np.abs(tilts_deg), kind="stable"), kind="stable")
    return (order + 0.5) * dose_per_tilt


def contrast_transfer(frequency, defocus_angst, microscope):
    """CTF at spatial frequencies (1/Å): negative near 0, so protein is dark; underfocus positive."""
    s2 = frequency**2
    wavelength = microscope.wavelength
    phase = np.pi * wavelength * s2 * defocus_angst - 0.5 * np.pi * microscope.cs_mm * 1e7 * wavelength**3 * s2**2
    amplitude = microscope.amplitude_contrast
    return -(np.sqrt(1 - amplitude**2) * np.sin(phase) + amplitude * np.cos(phase))


def dose_envelope(frequency, dose):
    """What radiation leaves of the signal: critical dose of Grant and Grigorieff (2015), doi:10.7554/eLife.06980."""
    critical = 0.24499 * np.maximum(frequency, 1e-3) ** -1.6649 + 2.8141
    return np.exp(-0.5 * dose / critical)
