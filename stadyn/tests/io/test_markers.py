# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers: the point that was marked in a map is the one that comes back, in pixels from the box centre."""

import mrcfile
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stadyn.core.errors import InputError
from stadyn.io.markers import read_cmm, read_markers, read_points, write_cmm
from stadyn.io.mrc import write_volume

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CHIMERA = """<?xml version="1.0" encoding="UTF-8"?>
<marker_sets>
<marker_set name="marker set 1">
<marker id="1" x="172.8" y="10.8" z="5.4" r="1" g="0.7" b="1" radius="2.5" note="hexamer"/>
<marker id="2" x="178.2" y="172.8" z="183.6" r="1" g="0.7" b="1" radius="2.5"/>
<link id1="1" id2="2" r="1" g="1" b="0" radius="0.5"/>
</marker_set>
<marker_set name="marker set 2">
<marker id="1" x="0" y="1e1" z="-2" r="1" g="0.7" b="1" radius="2.5"/>
</marker_set>
</marker_sets>
"""


def test_several_sets_in_the_order_of_the_file(tmp_path):
    path = tmp_path / "m.cmm"
    path.write_text(CHIMERA)
    np.testing.assert_array_equal(read_cmm(path), [[172.8, 10.8, 5.4], [178.2, 172.8, 183.6], [0, 10, -2]])


@pytest.mark.parametrize("box", [64, 65, (30, 48, 64)])
def test_markers_come_back_as_pixels_from_the_centre(tmp_path, box):
    size = np.broadcast_to(box, 3)[::-1]
    indices = np.array([size // 2, size // 2 + [1, 2, -3], size - 1])
    write_cmm(tmp_path / "m.cmm", indices * 5.4, radius=20, name='a "b" & <c>')
    found = read_markers(tmp_path / "m.cmm", 5.4, box)
    np.testing.assert_allclose(found, [[0, 0, 0], [1, 2, -3], size - 1 - size // 2], atol=1e-9)


def test_a_marker_on_a_voxel_of_a_written_map(tmp_path):
    """Chimera's place of a voxel, by the header of our own map, is where the marker is read."""
    volume = np.zeros((16, 16, 16), np.float32)
    volume[3, 5, 12] = 1  # z, y, x
    write_volume(tmp_path / "a.mrc", volume, 2.7)
    with mrcfile.open(tmp_path / "a.mrc") as m:
        z, y, x = np.argwhere(m.data == 1)[0]
        h = m.header
        voxel = {"x": x, "y": y, "z": z}
        place = [float(h.origin[a] + (h[f"n{a}start"] + i) * m.voxel_size[a]) for a, i in voxel.items()]
    write_cmm(tmp_path / "m.cmm", [place])
    np.testing.assert_allclose(read_markers(tmp_path / "m.cmm", 2.7, volume.shape), [[4, -3, -5]], atol=1e-5)


def test_text_with_or_without_heading_and_in_pixels(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("# marked by hand\nx, y, z\n10, 20, 30\n\n1.5;2;3\n")
    np.testing.assert_array_equal(read_points(path), [[10, 20, 30], [1.5, 2, 3]])
    np.testing.assert_array_equal(read_markers(path, 5.0, 64, units="px"), [[-22, -12, -2], [-30.5, -30, -29]])
    np.testing.assert_array_equal(read_markers(path, 5.0, 64)[0], [-30, -28, -26])
    path.write_text("10 20\n")
    with pytest.raises(InputError, match="line 1 is not three numbers"):
        read_points(path)
    path.write_text("x y z\n")
    with pytest.raises(InputError, match="holds no points"):
        read_points(path)


def test_a_marker_outside_the_map_tells_of_wrong_units(tmp_path):
    write_cmm(tmp_path / "m.cmm", [[10, 10, 10], [100, 10, 10]])
    with pytest.raises(InputError, match=r"marker 2 of .* lies at \(100\.0, 10\.0, 10\.0\) px, outside the map of 64"):
        read_markers(tmp_path / "m.cmm", 1.0, 64)
    with pytest.raises(ValueError, match="units"):
        read_markers(tmp_path / "m.cmm", 1.0, 64, units="nm")
    with pytest.raises(ValueError, match="not finite"):
        write_cmm(tmp_path / "n.cmm", [[np.nan, 0, 0]])


@pytest.mark.parametrize(
    "text, reason",
    [
        ("<marker_set><marker id='1'", "is not a marker file .*line 1"),
        ("<marker_set/>", "holds no markers"),
        ("<marker_set>\n<marker id='1' x='1' y='2'/></marker_set>", "marker 1 of .* has no x, y, z"),
        ("<marker_set><marker x='1' y='2' z='nan'/></marker_set>", "marker 1 of .* has no x, y, z"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><marker_set/>', "document type"),
        ("", "is empty"),
    ],
)
def test_malformed_markers(tmp_path, text, reason):
    (tmp_path / "m.cmm").write_text(text)
    with pytest.raises(InputError, match=reason):
        read_cmm(tmp_path / "m.cmm")


@FUZZ
@given(st.one_of(st.binary(max_size=60), st.text("<>/'=marke xyz1&;?!\n", max_size=80).map(str.encode)))
def test_random_content_never_raises_anything_else(tmp_path, content):
    for name, read in (("m.cmm", read_cmm), ("m.txt", read_points)):
        (tmp_path / name).write_bytes(content)
        try:
            assert read(tmp_path / name).shape[1] == 3
        except InputError:
            pass
