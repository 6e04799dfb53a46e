# SPDX-License-Identifier: GPL-3.0-or-later
"""IMOD models written byte by byte as the format says, and read again."""

import struct

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.io.imod import read_contours, read_imod_dipoles


def model(objects):
    """Bytes of a model: a list of contours (lists of points) for each object, with a mesh and other chunks between."""
    parts = [b"IMODV1.2" + b"a model".ljust(128, b"\0") + bytes(240 - 136)]
    for contours in objects:
        parts.append(b"OBJT" + b"an object".ljust(64, b"\0") + bytes(176 - 64))
        for points in contours:
            parts.append(b"CONT" + struct.pack(">4i", len(points), 0, 0, 0))
            parts.append(np.array(points, ">f4").tobytes())
        parts.append(b"IMAT" + struct.pack(">i", 16) + b"CONT" * 4)  # what a chunk holds is not to be searched
        parts.append(b"MESH" + struct.pack(">4i", 2, 3, 0, 0) + bytes(2 * 12 + 3 * 4))
    return b"".join([*parts, b"MINX", struct.pack(">i", 72), bytes(72), b"IEOF"])


def written(path, objects):
    path.write_bytes(model(objects))
    return path


def test_two_points_of_a_contour_are_a_dipole(tmp_path):
    path = written(tmp_path / "a.mod", [[[(10.5, 20.5, 30), (10.5, 60.5, 30)]], [[], [(5.5, 6.5, 7), (25.5, 6.5, 7)]]])
    first, second = read_imod_dipoles(path, "ts_01")
    assert first.center == (10, 20, 30) and first.north == (10, 60, 30)  # IMOD's pixel centres are at a half
    assert (second.tomogram_id, second.surface_id, second.radius) == ("ts_01", 2, 20)


def test_contours_keep_their_objects(tmp_path):
    contours = read_contours(written(tmp_path / "a.mod", [[[(1, 2, 3)]], [[(4, 5, 6)], [(7, 8, 9)] * 3]]))
    assert [(o, c, len(p)) for o, c, p in contours] == [(1, 1, 1), (2, 1, 1), (2, 2, 3)]


@pytest.mark.parametrize(
    "content, words",
    [
        (b"not a model", "no IMOD model"),
        (model([[[(1, 2, 3)] * 2]])[:430], "ends in the middle"),
        (model([[[(1, 2, 3)] * 3]]), "object 1, contour 1 has 3 points"),
        (model([[]]), "holds no points"),
    ],
)
def test_models_without_dipoles_are_refused(tmp_path, content, words):
    (tmp_path / "a.mod").write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_imod_dipoles(tmp_path / "a.mod", "ts_01")

