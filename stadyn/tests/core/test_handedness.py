# SPDX-License-Identifier: GPL-3.0-or-later
"""Each convention is broken on purpose, and the check names the one that was."""

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.handedness import check_geometry, findings
from stadyn.core.pose_readings import AS_GIVEN, FRAMES, READINGS
from stadyn.core.resample import rotate_volume
from stadyn.core.tomograms import MissingWedge

from .planted import blob_map, plant, random_rotations

WEDGE = MissingWedge(-42, 60)
PIXEL_SIZE = 5.0
MIRROR = np.diag([-1.0, 1.0, 1.0])


def roomy(tomogram_ids, count, snr=1.0):
    """(volumes, table, reference) of particles in the middle of tomograms with room on all sides."""
    made = plant(count, box_px=24, snr=snr, wedge=WEDGE, seed=2, tomogram_ids=tomogram_ids)
    rng, volumes = np.random.default_rng(5), {}
    for name, row in made.volumes.items():
        volume = rng.standard_normal((90, 88, row.shape[2])).astype(np.float32) * made.reference.std()
        volume[30:60, 30:58] = row
        volumes[name] = volume
    return volumes, made.truth.replace(positions=made.truth.positions + [0, 30, 30]), made.reference


@pytest.fixture(scope="module")
def planted():
    """Sixteen particles in noise as strong as they are."""
    return roomy(("TS_1",), 16)


def said(volumes, table, reference):
    """What is said of poses; white noise has no wedge."""
    check = check_geometry(volumes, table, reference, PIXEL_SIZE, 25.0)
    return findings(check, dict.fromkeys(volumes, WEDGE))


def test_consistent_data_are_found_so(planted):
    check = check_geometry(*planted, PIXEL_SIZE, 25.0)
    assert check.scores[AS_GIVEN] > 0.5 and max(check.scores, key=check.scores.get) == AS_GIVEN
    lines = findings(check, {"TS_1": WEDGE})
    assert lines[0].startswith("Nothing contradicts") and lines[1].startswith("The poses are read as they should be")
    assert not any("told apart" in line for line in lines)


def test_what_else_does_not_fit_is_counted(planted):
    check = check_geometry(*planted, PIXEL_SIZE, 25.0)
    assert findings(check, {"TS_1": WEDGE}, wrong=["the header differs"])[:2] == [
        "One thing does not fit:",
        "the header differs",
    ]


def in_frame(volume, frame):
    """The same density in a tomogram whose axes are turned, mirrored or exchanged as a signed permutation says."""
    order = np.abs(frame).argmax(axis=1)  # axis k of the new is axis order[k] of the old, in x, y, z
    turned = volume.transpose([2 - order[2 - axis] for axis in range(3)])
    return turned[tuple(slice(None, None, -1 if frame[2 - axis].sum() < 0 else 1) for axis in range(3))]


@pytest.mark.parametrize("broken", ["x reversed", "y reversed", "z reversed", "turned by 180 degrees about y",
                                    "turned by +90 degrees about x", "turned by -90 degrees about z",
                                    "x and y exchanged", "y and z exchanged", "x, y, z taken as y, z, x"])  # fmt: skip
def test_tomograms_in_another_frame(planted, broken):
    volumes, table, reference = planted
    turned = {"TS_1": in_frame(volumes["TS_1"], FRAMES[broken][0])}
    lines = said(turned, table, reference)
    assert f"when read with {broken} (" in lines[1] and READINGS[broken] in lines[1], lines


def in_voxels(table, volumes):
    return np.array([volumes[name].shape[::-1] for name in table.tomogram_ids], float)


MISPLACED = {
    "positions doubled": lambda p, size: p / 2,
    "positions halved": lambda p, size: p * 2,
    "positions from the centre": lambda p, size: p - size / 2,
    "positions from the corner": lambda p, size: p + size / 2,
    "positions with z reversed": lambda p, size: np.column_stack([p[:, :2], size[:, 2] - 1 - p[:, 2]]),
    "positions with y and z exchanged": lambda p, size: p[:, [0, 2, 1]],
}


@pytest.mark.parametrize("broken", MISPLACED)
def test_positions_that_count_otherwise(planted, broken):
    volumes, table, reference = planted
    shifted = table.positions + [0, 6, -7]  # off the middle, where reversed positions would be the same
    volumes = {"TS_1": np.roll(volumes["TS_1"], (-7, 6), axis=(0, 1))}
    moved = table.replace(positions=MISPLACED[broken](shifted, in_voxels(table, volumes)))
    assert f"when read with {broken} (" in said(volumes, moved, reference)[1]


MISTURNED = {
    "rotations inverted": lambda r: np.swapaxes(r, 1, 2),
    "normals reversed": lambda r: r @ np.diag([1.0, -1.0, -1.0]),
    "angles mirrored along z": lambda r: np.diag([1.0, 1.0, -1.0]) @ r @ np.diag([1.0, 1.0, -1.0]),
    "all angles of the other sign": lambda r: np.diag([-1.0, 1.0, -1.0]) @ r @ np.diag([-1.0, 1.0, -1.0]),
}


@pytest.mark.parametrize("broken", MISTURNED)
def test_angles_that_mean_something_else(planted, broken):
    volumes, table, reference = planted
    turned = table.replace(rotations=MISTURNED[broken](table.rotations))
    assert f"when read with {broken} (" in said(volumes, turned, reference)[1]


def test_hand_and_scale_of_the_map(planted):
    volumes, table, reference = planted
    assert "read with map mirrored along x" in said(volumes, table, rotate_volume(reference, MIRROR))[1]
    assert "read with map mirrored along z" in said(volumes, table, rotate_volume(reference, np.diag([1.0, 1, -1])))[1]
    assert "read with map twice as large" in said(volumes, table, rotate_volume(reference, 2 * np.eye(3)))[1]


@pytest.mark.parametrize("hand", [np.eye(3), MIRROR])
def test_a_hand_that_hardly_shows_is_told_all_the_same(planted, hand):
    volumes, table, reference = planted
    mostly = 0.85 * (reference + rotate_volume(reference, MIRROR)) / 2 + 0.15 * rotate_volume(reference, hand)
    check = check_geometry(volumes, table, mostly, PIXEL_SIZE, 25.0)
    assert abs(check.scores[AS_GIVEN] - check.scores["map mirrored along x"]) < 0.15
    lines = findings(check, {"TS_1": WEDGE})
    assert ("read with map mirrored along x" in lines[1]) == (hand is MIRROR), lines
    assert lines[0].startswith("Nothing") == (hand is not MIRROR)


def test_inverted_contrast(planted):
    volumes, table, reference = planted
    lines = said(volumes, table, -reference)
    assert lines[0] == "One thing does not fit:"
    assert lines[1] == "The contrast is inverted between tomograms and map: invert one of them"


def test_one_tomogram_of_two_is_named():
    volumes, table, reference = roomy(("a", "b"), 20)
    bad = (table.tomogram_ids == "b")[:, None, None]
    inverted = table.replace(rotations=np.where(bad, np.swapaxes(table.rotations, 1, 2), table.rotations))
    lines = said(volumes, inverted, reference)
    assert lines[:2] == ["One thing does not fit:", f"In b the particles are like the map when read with rotations "
                         f"inverted: {READINGS['rotations inverted']}."]  # fmt: skip
    assert "In a the poses are read as they should be." in lines
    lines = said({**volumes, "b": -volumes["b"]}, table, reference)
    assert "In b the poses are read as they should be. The contrast is inverted there" in lines[1]


def test_nothing_is_concluded_from_noise_or_particles_that_are_not_there(planted):
    volumes, table, reference = planted
    other = np.random.default_rng(1).standard_normal((24, 24, 24)).astype(np.float32)
    for given in ((volumes, table, other), (volumes, table.select(slice(5)), reference)):
        lines = said(*given)
        assert lines[0] == "One thing does not fit:" and lines[1].startswith("No reading of the poses"), lines
    lost = table.replace(positions=table.positions + 7000)
    lines = said(volumes, lost, reference)
    assert lines[0] == "2 things do not fit:" and "boxes of 16 of 16 particles leave their tomograms" in lines[2]


def test_voxels_that_are_no_numbers(planted):
    volumes, table, reference = planted
    holed = volumes["TS_1"].copy()
    x, y, z = np.rint(table.positions[3]).astype(int)
    holed[z, y, x] = np.nan
    with pytest.raises(InputError, match="TS_1 holds voxels that are NaN or infinite near .*: write it again"):
        said({"TS_1": holed}, table, reference)


def test_blobs_have_a_hand():
    mirrored = rotate_volume(blob_map(24), MIRROR)
    copies = [rotate_volume(mirrored, r, order=1).ravel() for r in random_rotations(20)]
    assert max(np.corrcoef(blob_map(24).ravel(), c)[0, 1] for c in copies) < 0.9
