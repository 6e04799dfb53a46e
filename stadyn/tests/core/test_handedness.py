# SPDX-License-Identifier: GPL-3.0-or-later
"""Each convention is broken on purpose, and the check names the one that was."""

import numpy as np
import pytest

from stadyn.core.handedness import (
    AS_GIVEN,
    READINGS,
    GeometryCheck,
    TiltRange,
    check_geometry,
    findings,
    read_otherwise,
    tilt_range,
)
from stadyn.core.resample import rotate_volume
from stadyn.core.tomograms import MissingWedge

from .planted import blob_map, plant, random_rotations, seen_through

WEDGE = MissingWedge(-42, 60)
PIXEL_SIZE = 5.0


@pytest.fixture(scope="module")
def planted():
    """Thirty particles in noise as strong as they are, in the middle of a tomogram with room on all sides."""
    made = plant(30, box_px=24, snr=1.0, wedge=WEDGE, seed=2)
    rng = np.random.default_rng(5)
    volume = rng.standard_normal((90, 88, made.volumes["TS_1"].shape[2])).astype(np.float32)
    volume *= made.reference.std()
    volume[30:60, 30:58] = made.volumes["TS_1"]
    table = made.truth.replace(positions=made.truth.positions + [0, 30, 30])
    return {"TS_1": volume}, table, made.reference


def best(volumes, table, reference):
    """(the check, the reading of the largest similarity)."""
    check = check_geometry(volumes, table, reference, PIXEL_SIZE, 25.0)
    return check, max(check.scores, key=lambda name: abs(check.scores[name]))


def test_consistent_data_are_found_so(planted):
    check, name = best(*planted)
    assert name == AS_GIVEN and check.scores[AS_GIVEN] > 0.5
    assert check.scores[AS_GIVEN] > check.scores["map mirrored"] + 0.1
    assert findings(check, WEDGE)[0].startswith("Nothing contradicts")


# Applying these a second time undoes them: the reading that is found is the one that was broken.
@pytest.mark.parametrize("broken", list(READINGS)[1:3] + list(READINGS)[4:7])
def test_the_broken_convention_is_named(planted, broken):
    volumes, table, reference = planted
    positions, rotations = read_otherwise(broken, table.positions, table.rotations, volumes["TS_1"].shape)
    check, name = best(volumes, table.replace(positions=positions, rotations=rotations), reference)
    assert name == broken
    assert READINGS[broken] in findings(check, WEDGE)[1]


@pytest.mark.parametrize(("factor", "name"), [(2.0, "positions halved"), (0.5, "positions doubled")])
def test_positions_of_another_binning(planted, factor, name):
    volumes, table, reference = planted
    assert best(volumes, table.replace(positions=table.positions * factor), reference)[1] == name


def test_hand_scale_and_contrast_of_the_map(planted):
    volumes, table, reference = planted
    mirrored = rotate_volume(reference, np.diag([-1.0, 1.0, 1.0]))
    assert best(volumes, table, mirrored)[1] == "map mirrored"
    assert best(volumes, table, rotate_volume(reference, 2 * np.eye(3)))[1] == "map twice as large"
    check, name = best(volumes, table, -reference)
    assert name == AS_GIVEN and check.scores[name] < -0.5
    assert any("contrast is inverted" in text for text in findings(check, WEDGE))


def test_nothing_is_concluded_from_noise(planted):
    volumes, table, _ = planted
    other = np.random.default_rng(1).standard_normal((24, 24, 24)).astype(np.float32)
    check = check_geometry(volumes, table, other, PIXEL_SIZE, 25.0)
    assert abs(check.scores[AS_GIVEN]) < 0.1


@pytest.mark.parametrize("wedge", [WEDGE, MissingWedge(-60, 60), MissingWedge(-66, 48)])
def test_tilt_range_is_read_from_the_power(wedge):
    rng = np.random.default_rng(3)
    boxes = np.array([seen_through(rng.standard_normal((32, 32, 32)), wedge) for _ in range(8)])
    found = tilt_range(boxes)
    assert (found.beam, found.axis) == ("z", "y") and found.empty < 0.3
    assert abs(found.min_deg - wedge.min_deg) <= 6 and abs(found.max_deg - wedge.max_deg) <= 6
    turned = tilt_range(boxes.transpose(0, 2, 1, 3))  # y and z exchanged
    assert (turned.beam, turned.axis) == ("y", "z")
    sideways = tilt_range(boxes.transpose(0, 1, 3, 2))  # x and y exchanged
    assert (sideways.beam, sideways.axis) == ("z", "x")
    assert tilt_range(rng.standard_normal((8, 32, 32, 32))).empty > 0.8


def test_what_is_said_of_tilts():
    scores = {AS_GIVEN: 0.8}
    said = findings(GeometryCheck(scores, TiltRange("z", "y", -60, 42, 0.1), 9), WEDGE)
    assert said[0] == "One thing does not fit:" and "sign of the tilts is reversed" in said[1]
    said = findings(GeometryCheck(scores, TiltRange("y", "z", -42, 60, 0.1), 9), WEDGE)
    assert "turn them until the beam is along z" in said[1]
    said = findings(GeometryCheck(scores, TiltRange("z", "y", -42, 60, 0.1), 9), WEDGE)
    assert said[0].startswith("Nothing contradicts")


def test_blobs_have_a_hand():
    mirrored = rotate_volume(blob_map(24), np.diag([-1.0, 1.0, 1.0]))
    copies = [rotate_volume(mirrored, r, order=1).ravel() for r in random_rotations(20)]
    assert max(np.corrcoef(blob_map(24).ravel(), c)[0, 1] for c in copies) < 0.9
