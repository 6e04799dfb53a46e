# SPDX-License-Identifier: GPL-3.0-or-later
"""Dipoles as the output of a protocol: imported, found and picked ones look alike."""

import numpy as np
from tomo.objects import SetOfMeshes

from stadyn.convert.meshes import write_dipoles
from stadyn.io.dipoles import write_dipoles as write_dipole_file

from .words import counted

POINT_SIZE = 20
"""Pixels; only how large viewers draw a point."""


def define_dipoles(protocol, dipoles, *sources):
    """Define the output `dipoles` of `protocol`, whose tomograms are its `inputTomograms`; keep a CSV and figures.

    Parameters
    ----------
    protocol : StadynProtocol
    dipoles : list of Dipole, in pixels of the input tomograms
    sources : names of further pointer parameters they came from
    """
    tomograms = protocol.given("inputTomograms")
    write_dipole_file(protocol.resultPath("dipoles.csv"), dipoles)
    output = protocol.createSet(SetOfMeshes)
    output.setPrecedents(protocol.inputTomograms)
    output.setSamplingRate(tomograms.getSamplingRate())
    output.setBoxSize(POINT_SIZE)
    write_dipoles(dipoles, output, tomograms)
    protocol.defineOutput("dipoles", output, "inputTomograms", *sources)
    radii = [dipole.radius * tomograms.getSamplingRate() for dipole in dipoles]
    protocol.saveSummary(
        vlps=len(dipoles), tomograms=len({d.tomogram_id for d in dipoles}), mean_radius_angst=float(np.mean(radii))
    )


def dipole_lines(figures):
    """The summary of figures that `define_dipoles` kept."""
    if "vlps" not in figures:
        return []
    return [
        f"{counted(figures['vlps'], 'virus-like particle')} in {counted(figures['tomograms'], 'tomogram')}, mean "
        f"radius {figures['mean_radius_angst']:.0f} Å."
    ]


def dipole_methods(figures):
    """How VLPs were marked, with the figures that `define_dipoles` kept."""
    if "vlps" not in figures:
        return ["Each virus-like particle was marked by its centre and a point of its surface."]
    return [
        f"In {counted(figures['tomograms'], 'tomogram')}, {counted(figures['vlps'], 'virus-like particle')} with a "
        f"mean radius of {figures['mean_radius_angst']:.0f} Å were marked, each by its centre and a point of its "
        "surface."
    ]
