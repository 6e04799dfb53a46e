# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 8: the trend of CC with latitude does not decide who stays, and the mask follows the VLPs."""

import numpy as np
import pytest
from pwem.objects import VolumeMask

from stadyn.convert.coordinates import read_particles
from stadyn.core.particles import EVEN, ODD
from stadyn.core.selection import LatitudeFit
from stadyn.core.surfaces import fit_spheres
from stadyn.io.mrc import read_header, read_volume
from stadyn.io.results import read_result
from stadyn.protocols import StadynProtLatitudeFilter, StadynProtMask

from .planted import PIXEL_SIZE, plant, truth_of
from .project import configured, launch


@pytest.fixture(scope="session")
def poor(simulated):
    """True particles with a CC that falls towards the poles by more than the planted bad ones lack."""
    truth = truth_of(simulated)
    rng = np.random.default_rng(3)
    cosine = truth.normals()[:, 2]
    cc = 0.4 - 0.2 * cosine**2 + 0.005 * rng.standard_normal(len(truth))
    bad = rng.permutation(len(truth))[: len(truth) // 10]
    cc[bad] -= 0.08
    half = np.where(truth.ids % 2 == 1, ODD, EVEN)
    return plant(simulated, "poor", truth.replace(cc=cc, half=half)), set(truth.ids[bad])


def test_the_poor_go_whatever_their_latitude(project, poor):
    (particles, bad) = poor
    run = launch(project, StadynProtLatitudeFilter, inputParticles=particles)
    kept, excluded = read_particles(run.particles), read_particles(run.excludedParticles)
    assert bad <= set(excluded.ids) and len(kept) + len(excluded) == getattr(*particles).getSize()
    poles = np.abs(kept.normals()[:, 2]) > 0.9
    assert poles.any() and len(set(excluded.ids) - bad) < 0.1 * len(kept)
    figures = run.loadSummary()
    assert sorted(figures["groups"]) == ["tomo_001_even", "tomo_001_odd", "tomo_002_even", "tomo_002_odd"]
    fit = read_result(run.resultPath("latitude_tomo_001_odd.npz"), LatitudeFit)
    assert fit.trend(np.array([90.0]))[0] - fit.trend(np.array([0.0]))[0] == pytest.approx(0.2, abs=0.04)


def test_without_terms_the_poles_go_instead(project, poor):
    (particles, bad) = poor
    run = launch(project, StadynProtLatitudeFilter, inputParticles=particles, terms=0)
    assert not bad <= set(read_particles(run.excludedParticles).ids)


@pytest.fixture(scope="session")
def curved(project, simulated, true_average):
    """A slab that follows spheres fitted to the true particles."""
    return launch(
        project, StadynProtMask, inputMap=(true_average, "average"), shape=2, inputParticles=(simulated, "coordinates"),
        radius=110.0, zMin=-45.0, zMax=55.0, softEdge=20.0,
    )  # fmt: skip


def test_slab_is_bent_as_the_particles_are(simulated, true_average, curved):
    spheres = fit_spheres(truth_of(simulated))
    expected = np.median([sphere.radius for sphere in spheres.values()]) * PIXEL_SIZE
    assert curved.loadSummary()["surface_radius_angst"] == pytest.approx(expected, rel=1e-6)
    mask = read_volume(curved.mask.getFileName())
    assert isinstance(curved.mask, VolumeMask) and mask.shape == read_header(true_average.average.getFileName()).shape
    n = len(mask)
    heights = (np.arange(n) - n // 2) * PIXEL_SIZE
    middle, rim = (np.average(heights, weights=mask[:, n // 2, n // 2 + off]) for off in (0, 8))
    sagitta = expected - np.sqrt(expected**2 - (8 * PIXEL_SIZE) ** 2)
    assert middle == pytest.approx(5, abs=4) and middle - rim == pytest.approx(sagitta, abs=4)


@pytest.mark.parametrize("shape, inside, outside", [(0, (0, 0, 5), (0, 0, 9)), (1, (5, 0, 0), (0, 0, 8))])
def test_simple_shapes(project, true_average, shape, inside, outside):
    run = launch(
        project, StadynProtMask, inputMap=(true_average, "average"), shape=shape, radius=65.0, zMin=-40.0, zMax=40.0,
        softEdge=15.0,
    )  # fmt: skip
    mask = read_volume(run.mask.getFileName())
    n = len(mask)
    (x, y, z), (u, v, w) = inside, outside
    assert mask[n // 2 + z, n // 2 + y, n // 2 + x] > 0.9 and mask[n // 2 + w, n // 2 + v, n // 2 + u] < 0.05


def test_filtered_mask_holds_the_dark_cell(project, true_average):
    run = launch(project, StadynProtMask, inputMap=(true_average, "average"), shape=3, contrast=0, lowpass=25.0)
    mask = read_volume(run.mask.getFileName())
    average = read_volume(true_average.average.getFileName())
    assert 0.005 < mask.mean() < 0.5
    assert average[mask > 0.9].mean() < average[mask < 0.1].mean()


@pytest.mark.parametrize(
    "values, sentence",
    [
        ({"shape": 2}, "needs the radius of the VLPs"),
        ({"shape": 1, "zMin": 10.0, "zMax": -10.0}, "is not under the upper end"),
        ({"shape": 3, "threshold": "much"}, "'much'"),
    ],
)
def test_wrong_masks_are_named(project, true_average, values, sentence):
    run = configured(project, StadynProtMask, inputMap=(true_average, "average"), **values)
    assert any(sentence in error for error in run.validate())
