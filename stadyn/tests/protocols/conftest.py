# SPDX-License-Identifier: GPL-3.0-or-later
"""One project for the tests of all steps: each step is run once and handed to the next."""

import pytest

from stadyn.protocols import (
    StadynProtAlign,
    StadynProtAverage,
    StadynProtImportDipoles,
    StadynProtImportTomograms,
    StadynProtOversample,
    StadynProtSimulate,
)

from .project import SIMULATION, launch, new_project

BOX = 345.6


@pytest.fixture(scope="session")
def project():
    """An empty project."""
    return new_project("stadyn-steps")


@pytest.fixture(scope="session")
def simulated(project):
    """The simulation's protocol."""
    return launch(project, StadynProtSimulate, **SIMULATION)


@pytest.fixture(scope="session")
def true_average(project, simulated):
    """All particles averaged at their true poses, with C6: a reference with dark protein."""
    return launch(project, StadynProtAverage, inputParticles=(simulated, "coordinates"), boxSize=BOX, symmetry="C6")


@pytest.fixture(scope="session")
def tomograms(project, simulated):
    """The simulated tomograms, imported by their .vll."""
    return launch(
        project, StadynProtImportTomograms, listFile=simulated.resultPath("simulation", "tomograms.vll"),
        pixelSize=10.8, tiltMin=-54.0, tiltMax=60.0,
    )


@pytest.fixture(scope="session")
def dipoles(project, simulated, tomograms):
    """Dipoles from the simulated CSV."""
    return launch(
        project, StadynProtImportDipoles, inputTomograms=(tomograms, "tomograms"),
        dipoleFile=simulated.resultPath("simulation", "dipoles.csv"),
    )


@pytest.fixture(scope="session")
def oversampled(project, dipoles):
    """Crop points, more of them than in the paper."""
    return launch(project, StadynProtOversample, inputDipoles=(dipoles, "dipoles"), spacing=75.0, boxSize=BOX, seed=4)


@pytest.fixture(scope="session")
def aligned(project, oversampled):
    """The crop points aligned without symmetry to their own average."""
    return launch(
        project, StadynProtAlign, inputParticles=(oversampled, "coordinates"), boxSize=BOX, preset=0, iterations="2",
        coneRange="20", coneSampling="10", inplaneRange="360", inplaneSampling="10", refine="1", refineFactor="2",
        shiftLimit="35", shiftModus="1", lowpass="40", highpass="0", symmetry="C1", binning="1",
    )
