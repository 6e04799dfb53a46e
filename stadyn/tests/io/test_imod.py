# SPDX-License-Identifier: GPL-3.0-or-later
"""IMOD models written byte by byte as the format says, and read again."""

import struct

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.tomograms import Tomogram
from stadyn.io.imod import read_contours, read_imod_dipoles


def model(objects, flags=1 << 14, size=(100, 100, 50), scale=5.0, origin=(0, 0, 0), loaded=(0, 0, 0)):
    """Bytes of a model: a list of contours (lists of points) for each object, with a mesh and other chunks between.

    `scale`, `origin` and `loaded` are Å: pixel size, origin of the image and of the part that was loaded.
    """
    header = struct.pack(">3i i I", *size, len(objects), flags)
    parts = [b"IMODV1.2" + b"a model".ljust(128, b"\0") + header.ljust(240 - 136, b"\0")]
    for contours in objects:
        parts.append(b"OBJT" + b"an object".ljust(64, b"\0") + bytes(176 - 64))
        for points in contours:
            parts.append(b"CONT" + struct.pack(">4i", len(points), 0, 0, 0))
            parts.append(np.array(points, ">f4").tobytes())
        parts.append(b"IMAT" + struct.pack(">i", 16) + b"CONT" * 4)  # what a chunk holds is not to be searched
        parts.append(b"MESH" + struct.pack(">4i", 2, 3, 0, 0) + bytes(2 * 12 + 3 * 4))
    image = np.array([(1, 1, 1), origin, (0, 0, 0), (scale,) * 3, loaded, (0, 0, 0)], ">f4").tobytes()
    return b"".join([*parts, b"MINX", struct.pack(">i", 72), image, b"IEOF"])


def written(path, objects, **image):
    path.write_bytes(model(objects, **image))
    return path


CLICKS = [[[(10.5, 20.5, 30), (10.5, 60.5, 32)]]]


def test_two_points_of_a_contour_are_a_dipole(tmp_path):
    path = written(tmp_path / "a.mod", [[[(10.5, 20.5, 30), (10.5, 60.5, 30)]], [[], [(5.5, 6.5, 7), (25.5, 6.5, 7)]]])
    first, second = read_imod_dipoles(path, "ts_01")
    assert first.center == (10, 20, 30) and first.north == (10, 60, 30)  # IMOD's pixel centres are at a half
    assert (second.tomogram_id, second.surface_id, second.radius) == ("ts_01", 2, 20)


def test_contours_keep_their_objects(tmp_path):
    contours = read_contours(written(tmp_path / "a.mod", [[[(1, 2, 3)]], [[(4, 5, 6)], [(7, 8, 9)] * 3]]))
    assert [(o, c, len(p)) for o, c, p in contours] == [(1, 1, 1), (2, 1, 1), (2, 2, 3)]


def test_points_on_a_part_of_the_image_are_moved_to_where_it_lies(tmp_path):
    # Loaded from pixel (4, 8, 2) on; IMOD's origin grows more negative with the part's start.
    path = written(tmp_path / "a.mod", CLICKS, origin=(0, 0, 0), loaded=(-20, -40, -10))
    (dipole,) = read_imod_dipoles(path, "ts_01")
    assert dipole.center == (14, 28, 32) and dipole.north == (14, 68, 34)
    unknown = written(tmp_path / "b.mod", CLICKS, loaded=(-20, -40, -10), flags=0)
    assert read_imod_dipoles(unknown, "ts_01")[0].center == (10, 20, 30)


def test_points_on_a_binned_copy_are_scaled_where_the_field_is_the_same(tmp_path):
    path = written(tmp_path / "a.mod", CLICKS, scale=20.0)  # bin 4 of 400 x 400 x 202 pixels of 5 Å
    (dipole,) = read_imod_dipoles(path, "ts_01", Tomogram("ts_01", "", 5.0, (202, 400, 400)))
    assert dipole.center == (41.5, 81.5, 121.5) and dipole.radius == pytest.approx(4 * np.hypot(40, 2))
    # A pixel size that was never written to the header is none to scale by.
    (plain,) = read_imod_dipoles(
        written(tmp_path / "b.mod", CLICKS, scale=1.0), "ts_01", Tomogram("ts_01", "", 5.0, (50, 100, 100))
    )
    assert plain.center == (10, 20, 30)


def test_y_and_z_are_put_back_where_3dmod_showed_them_exchanged(tmp_path):
    path = written(tmp_path / "a.mod", [[[(10.5, 30.5, 20), (10.5, 32.5, 60)]]], flags=1 << 14 | 1 << 16)
    (dipole,) = read_imod_dipoles(path, "ts_01")
    assert dipole.center == (10, 20, 30) and dipole.north == (10, 60, 32)
    with pytest.raises(InputError, match="turned volume"):
        read_imod_dipoles(written(tmp_path / "b.mod", CLICKS, flags=1 << 17), "ts_01")


@pytest.mark.parametrize(
    "content, words",
    [
        (b"not a model", "no IMOD model"),
        (model([[[(1, 2, 3)] * 2]])[:430], "cut off"),
        (model([[[(1, 2, 3)] * 3]]), "object 1, contour 1 has 3 points"),
        (model([[]]), "holds no points"),
    ],
)
def test_models_without_dipoles_are_refused(tmp_path, content, words):
    (tmp_path / "a.mod").write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_imod_dipoles(tmp_path / "a.mod", "ts_01")

