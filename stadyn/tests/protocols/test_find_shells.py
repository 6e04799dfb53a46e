# SPDX-License-Identifier: GPL-3.0-or-later
"""Virus-like particles found without a click are where the simulation put them."""

import numpy as np

from stadyn.convert.coordinates import read_particles
from stadyn.convert.meshes import read_dipoles
from stadyn.core.surfaces import fit_spheres
from stadyn.protocols import StadynProtFindShells

from .project import configured, launch


def test_every_simulated_particle_is_found(project, simulated, tomograms):
    found = launch(
        project,
        StadynProtFindShells,
        inputTomograms=(tomograms, "tomograms"),
        smallestRadius=200.0,
        largestRadius=300.0,
    )
    spheres = fit_spheres(read_particles(simulated.coordinates))
    dipoles = read_dipoles(found.dipoles)
    assert {(d.tomogram_id, d.surface_id) for d in dipoles} == set(spheres)
    for dipole in dipoles:
        true = spheres[dipole.tomogram_id, dipole.surface_id]
        assert np.linalg.norm(dipole.center - true.center) * 10.8 < 20
        assert abs(dipole.radius / true.radius - 1) < 0.04
    figures = found.loadSummary()
    assert figures["vlps"] == 2 and all(len(scores) == 1 for scores in figures["scores"].values())
    assert len(found._summary()) == 3


def test_radii_that_cannot_be_are_refused(project, tomograms):
    protocol = configured(
        project,
        StadynProtFindShells,
        inputTomograms=(tomograms, "tomograms"),
        smallestRadius=500.0,
        largestRadius=300.0,
    )
    assert any("500 to 300" in error for error in protocol.validate())
