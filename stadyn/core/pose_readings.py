# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to read poses: as they are given, and as they would have to be read had one convention been broken."""

import numpy as np

AS_GIVEN = "as given"
TWICE, HALF = 2.0, 0.5
AXES = "xyz"
TURN_X = np.diag([1.0, -1.0, -1.0])
TURN_Y = np.diag([-1.0, 1.0, -1.0])
ORDERS = {
    "x and y exchanged": ((1, 0, 2), "exchange x and y (IMOD: clip flipxy)"),
    "y and z exchanged": ((0, 2, 1), "exchange y and z (IMOD: clip flipyz)"),
    "x and z exchanged": ((2, 1, 0), "exchange x and z"),
    "x, y, z taken as y, z, x": ((1, 2, 0), "move them on by one"),
    "x, y, z taken as z, x, y": ((2, 0, 1), "move them back by one"),
}
"""Another order of the axes: reading -> (which one of the table becomes x, y and z, remedy)."""


def _mirror(axis):
    return np.diag([-1.0 if name == axis else 1.0 for name in AXES])


def _quarter_turn(axis, sign):
    """(3, 3) turn by +90 or -90 degrees about an axis: the next axis goes to the one after it."""
    i = AXES.index(axis)
    matrix = np.zeros((3, 3))
    matrix[[i, (i + 2) % 3, (i + 1) % 3], [i, (i + 1) % 3, (i + 2) % 3]] = 1, sign, -sign
    return matrix


def _turn(axis):
    return -_mirror(axis)


_FLIP = "the tomograms are mirrored along {0} against those of the poses: reconstruct or flip them again"
_TURNED = "the tomograms are turned about {0}: use those the particles were found in"
_ORDER = "the table counts its axes in another order than the tomograms: {0}"
FRAMES = {
    **{f"{name} reversed": (_mirror(name), _FLIP.format(name)) for name in AXES},
    **{f"turned by 180 degrees about {name}": (_turn(name), _TURNED.format(name)) for name in AXES},
    **{
        f"turned by {90 * sign:+d} degrees about {name}": (_quarter_turn(name, sign), _TURNED.format(name))
        for name in AXES
        for sign in (1, -1)
    },
    "x, y and z reversed": (-np.eye(3), _FLIP.format("x, y and z")),
    **{name: (np.eye(3)[list(order)], _ORDER.format(remedy)) for name, (order, remedy) in ORDERS.items()},
}
"""Another frame of the tomogram: reading -> (signed permutation (3, 3) of positions and rotations, remedy)."""
PLACES = {
    "positions doubled": "the positions count pixels of a binning of 2: give their pixel size when importing",
    "positions halved": "the positions count pixels half as large: give their pixel size when importing",
    "positions from the centre": "the positions count from the centre of the tomogram: add half its size to them",
    "positions from the corner": "half the size of the tomogram was added to the positions: subtract it",
    **{f"positions with {name} reversed": f"{name} of the positions counts from the other end" for name in AXES},
    **{f"positions with {name}": f"the positions have {name}, the rotations do not" for name in ORDERS},
}
"""Other positions with the same rotations: reading -> remedy."""
TURNS = {
    "rotations inverted": "the angles turn the particle onto the reference, or the other way: invert them",
    "normals reversed": "the particles point the other way: turn each by 180 degrees about its x axis",
    "all angles of the other sign": "the angles count clockwise: reverse the sign of all three",
    **{f"angles mirrored along {name}": "the angles are those of the other hand: mirror them" for name in AXES},
    **{
        f"map mirrored along {name}": "the map has the other hand: mirror it, or the poses come from mirrored tomograms"
        for name in AXES
    },
}
"""Other rotations, or another map, at the same positions: reading -> remedy."""
READINGS = {AS_GIVEN: "", **TURNS, **{name: remedy for name, (_, remedy) in FRAMES.items()}, **PLACES}
"""Ways to read poses -> what to change when one of them is right."""
SCALES = {"map twice as large": TWICE, "map half as large": HALF}


def read_otherwise(reading, positions, rotations, shape):
    """(positions (n, 3), matrices (n, 3, 3), some with a mirror) of poses under one of `READINGS`.

    Parameters
    ----------
    shape : (z, y, x) of the tomogram
    """
    if reading in FRAMES:
        frame = FRAMES[reading][0]
        return _permuted(frame, positions, shape), frame @ rotations
    if reading in PLACES:
        return _placed(reading, positions, shape), rotations
    return positions, _turned(reading, rotations)


def _permuted(frame, positions, shape):
    """Positions in another frame; a reversed axis counts from the last voxel of the tomogram that is there."""
    last = np.array(shape[::-1]) - 1.0
    return positions @ frame.T + last * (frame.sum(axis=1) < 0)


def _placed(reading, positions, shape):
    if reading in ("positions doubled", "positions halved"):
        return positions * (TWICE if reading == "positions doubled" else HALF)
    if reading in ("positions from the centre", "positions from the corner"):
        return positions + np.array(shape[::-1]) / 2 * (1 if reading == "positions from the centre" else -1)
    return _permuted(FRAMES[reading.removeprefix("positions with ")][0], positions, shape)


def _turned(reading, rotations):
    if reading == "rotations inverted":
        return np.swapaxes(rotations, 1, 2)
    if reading == "normals reversed":
        return rotations @ TURN_X
    if reading == "all angles of the other sign":
        return TURN_Y @ rotations @ TURN_Y
    if reading.startswith("map mirrored"):
        return rotations @ _mirror(reading[-1])
    if reading.startswith("angles mirrored"):
        return _mirror(reading[-1]) @ rotations @ _mirror(reading[-1])
    return rotations
