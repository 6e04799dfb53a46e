# SPDX-License-Identifier: GPL-3.0-or-later
"""The selection job on a small planted tomogram: empty places and duplicates go, particles stay."""

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.masks import sphere
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import axis_errors_deg
from stadyn.core.selection import CCThreshold
from stadyn.io.mrc import read_volume, write_volume
from stadyn.io.results import read_result, write_result
from stadyn.jobs.select import run_settings
from stadyn.tests.core.planted import misaligned, plant

PIXEL, BOX = 5.0, 20


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """120 particles, 100 empty places and 20 duplicates of particles in two tomograms, with the settings to select."""
    folder = tmp_path_factory.mktemp("select")
    world = plant(120, box_px=BOX, snr=0.25, tomogram_ids=("TS_1", "TS_2"), pixel_size=PIXEL)
    rng = np.random.default_rng(1)
    tomograms = []
    for tomogram_id, volume in world.volumes.items():
        empty = np.random.default_rng(7).standard_normal((volume.shape[0], volume.shape[1], 1000)).astype(np.float32)
        whole = np.concatenate([volume, empty * volume.std()], axis=2)
        write_volume(folder / f"{tomogram_id}.mrc", whole, PIXEL)
        path = str(folder / f"{tomogram_id}.mrc")
        tomograms.append(
            {"id": tomogram_id, "path": path, "pixel_size": PIXEL, "tilt_min_deg": -90, "tilt_max_deg": 90}
        )
    edge = world.volumes["TS_1"].shape[2]
    places = np.column_stack([edge + 15 + rng.uniform(0, 970, 100), rng.uniform(11, 12.9, (100, 2))])
    nothing = ParticleTable(places, world.truth.rotations[:100], world.truth.tomogram_ids[:100])
    real = misaligned(world.truth, 2.0, 0.2)
    twins = misaligned(world.truth.select(slice(0, 20)), 8.0, 1.2, seed=9)
    table = ParticleTable.concatenate([real, twins, nothing]).renumbered()
    write_result(folder / "in.npz", table)
    write_volume(folder / "mask.mrc", sphere(BOX, 8, 2), PIXEL)
    settings = dict(
        tomograms=tomograms, particles=str(folder / "in.npz"), output=str(folder / "out"), box_angst=BOX * PIXEL,
        mask=str(folder / "mask.mrc"), lowpass_angst=20.0, exclusion_radius_angst=20.0, rebuilds=2, seed=1,
    )  # fmt: skip
    return folder, table, settings, world.reference


def test_particles_stay_and_the_rest_is_named(planted):
    folder, table, settings, reference = planted
    run_settings(settings)
    kept, excluded = (read_result(folder / "out" / f"{name}.npz", ParticleTable) for name in ("particles", "excluded"))
    np.testing.assert_array_equal(np.sort(np.append(kept.ids, excluded.ids)), table.ids)
    real = kept.ids <= 120
    assert real.sum() >= 117 and (~real).sum() <= 3
    assert not np.any(kept.ids > 140)  # no empty place
    at = kept.ids - 1
    np.testing.assert_array_equal(kept.positions, table.positions[at])
    assert axis_errors_deg(kept.rotations, table.rotations[at]).max() < 1e-6
    assert np.isfinite(kept.cc).all() and np.median(kept.cc) > 3 * np.median(excluded.cc[excluded.ids > 140])
    for tomogram_id in ("TS_1", "TS_2"):
        fit = read_result(folder / "out" / f"threshold_{tomogram_id}.npz", CCThreshold)
        assert fit.two_populations
        assert kept.cc[kept.tomogram_ids == tomogram_id].min() >= fit.threshold
        average = read_volume(folder / "out" / f"average_{tomogram_id}.mrc")
        assert np.corrcoef(average.ravel(), reference.ravel())[0, 1] > 0.9


def test_without_rebuilds_the_given_reference_decides(planted, tmp_path):
    folder, _, settings, reference = planted
    write_volume(tmp_path / "true.mrc", reference, PIXEL)
    given = {"reference": {"*": str(tmp_path / "true.mrc")}, "rebuilds": 0, "output": str(tmp_path / "out")}
    kept, excluded = run_settings({**settings, **given})
    assert np.mean(kept.ids <= 120) > 0.97 and len(kept) >= 117
    upside_down = np.flip(reference, axis=(0, 2))  # the wrong reference must not do as well
    write_volume(tmp_path / "wrong.mrc", np.ascontiguousarray(upside_down), PIXEL)
    wrong, _ = run_settings({**settings, **given, "reference": {"*": str(tmp_path / "wrong.mrc")}})
    assert np.median(wrong.cc) < 0.7 * np.median(kept.cc)


def test_unusable_settings_are_named(planted):
    _, _, settings, _ = planted
    with pytest.raises(InputError, match="-1 rebuilds"):
        run_settings({**settings, "rebuilds": -1})
    with pytest.raises(InputError, match="rebuild"):
        run_settings({**settings, "rebuidls": 2})


def test_a_typed_threshold_takes_the_place_of_the_fitted_one(planted, tmp_path):
    _, table, settings, _ = planted
    automatic, _ = run_settings({**settings, "output": str(tmp_path / "auto")})
    typed = float(np.median(automatic.cc[automatic.tomogram_ids == "TS_1"]))
    options = {"output": str(tmp_path / "typed"), "thresholds": {"TS_1": typed}}
    kept, _ = run_settings({**settings, **options})
    one, other = kept.tomogram_ids == "TS_1", automatic.tomogram_ids == "TS_1"
    assert kept.cc[one].min() >= typed and one.sum() == pytest.approx(other.sum() / 2, abs=1)
    np.testing.assert_array_equal(kept.ids[~one], automatic.ids[~other])
    fit = read_result(tmp_path / "typed" / "threshold_TS_1.npz", CCThreshold)
    assert fit.threshold == typed and "as typed" in fit.message and fit.two_populations
    everyone, excluded = run_settings({**settings, **options, "thresholds": {"*": -1}, "exclusion_radius_angst": 0})
    assert len(everyone) == len(table) and len(excluded) == 0
    with pytest.raises(InputError, match="TS_9"):
        run_settings({**settings, **options, "thresholds": {"TS_9": 0.1}})
