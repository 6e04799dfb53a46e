# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole small simulation against its own truth."""

import dataclasses

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.resample import box_coordinates, crop, rotate_volume
from stadyn.core.rotations import rotation_z
from stadyn.core.simulation import SimulationSettings, simulate_tomogram, true_map
from stadyn.core.simulation_model import procedural_unit

SMALL = SimulationSettings(
    n_tomograms=1,
    pixel_size_angst=9.0,
    extent_angst=(760.0, 740.0, 780.0),
    vlps_per_tomogram=1,
    radius_angst=(200.0, 200.0),
    tilt_step_deg=6.0,
    noise=0.0,
    gold_beads=0,
    junk=0,
    seed=3,
)


@pytest.fixture(scope="module")
def simulated():
    return simulate_tomogram(SMALL, 1)


def average(result, turn=lambda r: r, box=24):
    """Protein-bright mean of the particles at `turn`ed true rotations."""
    total = 0
    for position, rotation in zip(result.truth.positions, result.truth.rotations, strict=True):
        center = np.rint(position).astype(int)
        total = total - rotate_volume(crop(result.volume, center, box), turn(rotation), position - center)
    return total


def inner_correlation(a, b):
    inside = np.linalg.norm(box_coordinates(len(a)), axis=0) * 9.0 < 70
    return np.corrcoef(a[inside], b[inside])[0, 1]


def test_the_volume_has_the_asked_shape_and_scale(simulated):
    assert simulated.volume.shape == simulated.tomogram.shape == (86, 82, 84)
    assert simulated.volume.dtype == np.float32
    assert simulated.volume.mean() == pytest.approx(0, abs=1e-4) and simulated.volume.std() == pytest.approx(
        1, abs=1e-3
    )


def test_the_average_at_the_true_poses_is_the_true_map_and_no_mirror_of_it(simulated):
    expected = true_map(SMALL, simulated.truth, procedural_unit(), 24)
    right = inner_correlation(average(simulated), expected)
    transposed = inner_correlation(average(simulated, lambda r: r.T), expected)
    inverted = inner_correlation(average(simulated, lambda r: r @ np.diag([1.0, -1.0, -1.0])), expected)
    turned = inner_correlation(average(simulated, lambda r: r @ rotation_z(30.0)), expected)
    mirrored = inner_correlation(np.roll(average(simulated)[:, :, ::-1], 1, axis=2), expected)
    assert right > 0.75
    assert max(transposed, inverted, turned, mirrored) < right - 0.05
    assert max(transposed, inverted) < 0.5


def test_normals_point_away_from_the_centre(simulated):
    dipole_center = np.array(simulated.dipoles[0].center)
    outward = simulated.truth.positions - dipole_center
    assert np.all(np.sum(outward * simulated.truth.normals(), axis=1) > 0)


def test_clicks_miss_by_no_more_than_asked():
    exact = simulate_dipole(dataclasses.replace(SMALL, click_error_angst=0.0))
    missed = simulate_dipole(dataclasses.replace(SMALL, click_error_angst=54.0))
    assert exact.radius * 9.0 == pytest.approx(200, abs=200 * 0.1)
    for name in ("center", "north"):
        error = np.linalg.norm(np.subtract(getattr(exact, name), getattr(missed, name))) * 9.0
        assert 0.1 < error <= 54


def simulate_dipole(settings):
    few_tilts = dataclasses.replace(settings, tilt_step_deg=60.0)
    return simulate_tomogram(few_tilts, 1).dipoles[0]


def test_the_same_seed_gives_the_same_tomogram_whatever_the_workers():
    settings = dataclasses.replace(SMALL, tilt_step_deg=20.0, noise=1.0)
    first, second = simulate_tomogram(settings, 1, workers=1), simulate_tomogram(settings, 1, workers=2)
    assert np.array_equal(first.volume, second.volume)
    assert np.array_equal(first.truth.positions, second.truth.positions)
    other = simulate_tomogram(dataclasses.replace(settings, seed=4), 1)
    assert np.abs(np.corrcoef(first.volume.ravel(), other.volume.ravel())[0, 1]) < 0.5


def test_noise_hides_the_lattice(simulated):
    noisy = simulate_tomogram(dataclasses.replace(SMALL, noise=1.0), 1)
    correlation = np.corrcoef(noisy.volume.ravel(), simulated.volume.ravel())[0, 1]
    assert 0.1 < correlation < 0.8


def test_asymmetric_tilts_are_recorded():
    settings = dataclasses.replace(SMALL, tilt_min_deg=-45.0, tilt_step_deg=15.0)
    wedge = simulate_tomogram(settings, 1).tomogram.wedge
    assert (wedge.min_deg, wedge.max_deg) == (-45, 60)


def test_defoci_lie_in_their_range_and_differ():
    defoci = SimulationSettings(n_tomograms=5, defocus_um=(2.0, 4.0)).defoci_um()
    assert defoci.min() > 2 and defoci.max() < 4 and np.diff(defoci).min() > 0.1


@pytest.mark.parametrize(
    "wrong",
    [
        {"tilt_min_deg": 70.0},
        {"tilt_step_deg": 0.0},
        {"click_error_angst": 60.0},
        {"radius_angst": (300.0, 200.0)},
        {"n_tomograms": 0},
        {"pixel_size_angst": -1.0},
        {"noise": -1.0},
        {"coverage": 0.0},
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(InputError, match=str(next(iter(wrong.values()))).strip("()").split(",")[0].split(".")[0]):
        SimulationSettings(**wrong)


def test_vlps_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="do not fit"):
        simulate_tomogram(dataclasses.replace(SMALL, vlps_per_tomogram=8), 1)
