# SPDX-License-Identifier: GPL-3.0-or-later
"""Dipoles as the output of a protocol: imported, found and picked ones look alike."""

import numpy as np
from tomo.objects import SetOfMeshes

from stadyn.convert.meshes import write_dipoles
from stadyn.io.dipoles import write_dipoles as write_dipole_file

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
        f"{figures['vlps']} virus-like particles in {figures['tomograms']} tomograms, mean radius "
        f"{figures['mean_radius_angst']:.0f} Å."
    ]
