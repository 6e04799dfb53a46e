# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of an average to look at: protein bright, and low-passed."""

from stadyn.core.fourier import bandpass
from stadyn.io.mrc import read_header, read_volume, write_volume


def write_inverted(source, target, lowpass_angst=0.0):
    """Write the map at `source`, protein dark, to `target` with protein bright; low-passed unless 0 Å."""
    pixel_size = read_header(source).pixel_size
    volume = bandpass(read_volume(source), pixel_size, lowpass_angst=lowpass_angst)
    label = f"inverted, low-pass {lowpass_angst:g} Å" if lowpass_angst else "inverted"
    write_volume(target, -volume, pixel_size, label=f"stadyn {label}, protein bright")
