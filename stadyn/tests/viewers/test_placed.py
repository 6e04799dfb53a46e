# SPDX-License-Identifier: GPL-3.0-or-later
"""Averages mapped back: a density of the average appears where its pose puts it, here and in ChimeraX's words."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from stadyn.core.particles import ParticleTable
from stadyn.core.tomograms import Tomogram
from stadyn.io.chimerax_scene import write_scene
from stadyn.io.mrc import read_header, read_volume, write_volume
from stadyn.io.results import write_result
from stadyn.plots.overlay import copies_in_section
from stadyn.protocols import StadynProtAlign

POINT = np.array([5.0, -3.0, 2.0])  # x, y, z px of the blob, from the centre of the average
PIXEL = 4.0


@pytest.fixture
def average():
    """One Gaussian blob off the centre, protein bright."""
    z, y, x = np.indices((32, 32, 32)) - 16
    return np.exp(-((x - POINT[0]) ** 2 + (y - POINT[1]) ** 2 + (z - POINT[2]) ** 2) / 4).astype(np.float32)


@pytest.fixture
def table():
    """Two particles of arbitrary poses, on two VLPs."""
    positions = np.array([[40.3, 35.2, 30.6], [80.1, 62.7, 44.4]])
    rotations = Rotation.from_euler("zxz", [[20, 50, 70], [-110, 130, 15]], degrees=True).as_matrix()
    return ParticleTable(positions, rotations, np.array(["t", "t"]), surface_ids=np.array([1, 2]))


def expected(table, row):
    """Where the blob of a particle lies in the tomogram: position + R r."""
    return table.positions[row] + table.rotations[row] @ POINT


def test_copies_appear_where_their_poses_put_them(average, table):
    for row in range(2):
        x, y, z = expected(table, row)
        section = copies_in_section(average, table, z, (90, 120))
        window = np.zeros_like(section)
        rows, columns = (slice(int(c) - 8, int(c) + 9) for c in (y, x))
        window[rows, columns] = section[rows, columns]
        found = np.array(np.unravel_index(np.argmax(window), window.shape))[::-1]
        assert np.abs(found - (x, y)).max() <= 0.75
        assert window.max() > 0.8


def test_copies_of_a_binned_average_are_drawn_in_the_tomogram_s_pixels(average, table):
    x, y, z = table.positions[0] + 2 * table.rotations[0] @ POINT
    section = copies_in_section(average, table.select([0]), z, (90, 120), scale=0.5)
    found = np.array(np.unravel_index(np.argmax(section), section.shape))[::-1]
    assert np.abs(found - (x, y)).max() <= 1.0


def test_nothing_is_drawn_far_from_all_particles(average, table):
    assert not copies_in_section(average, table, 200.0, (90, 120)).any()


@pytest.fixture
def tomogram(tmp_path, average, table):
    """A tomogram that holds the dark blobs of both particles."""
    shape = (64, 90, 120)
    z, y, x = np.indices(shape)
    volume = np.zeros(shape, np.float32)
    for row in range(2):
        a, b, c = expected(table, row)
        volume -= np.exp(-((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) / 4).astype(np.float32)
    write_volume(tmp_path / "t.mrc", volume, PIXEL)
    return Tomogram("t", str(tmp_path / "t.mrc"), PIXEL, shape, None)


def test_scene_of_chimerax_puts_each_copy_onto_its_density(tmp_path, tomogram, average, table):
    script = write_scene(tmp_path, tomogram, table, average, PIXEL, margin_angst=60.0, radius_angst=48.0)
    lines = script.read_text().splitlines()
    placed = [line.split(",") for line in lines if line.startswith("view matrix models")]
    origins = {line.split()[3] for line in lines if "originIndex" in line}
    part, small = read_volume(tmp_path / "tomogram.mrc"), read_volume(tmp_path / "average.mrc")
    (origin,) = origins
    centre = np.array([int(i) for i in origin.split(",")])
    assert read_header(tmp_path / "tomogram.mrc").pixel_size == PIXEL
    brightest = np.array(np.unravel_index(np.argmax(small), small.shape))[::-1]
    assert len(placed) == 2
    for words in placed:
        matrix = np.array([float(w) for w in words[1:]]).reshape(3, 4)
        # ChimeraX: the model's own coordinates count from its origin index, in Å; the matrix takes them to the scene.
        scene = matrix[:, :3] @ ((brightest - centre) * PIXEL) + matrix[:, 3]
        x, y, z = np.rint(scene / PIXEL).astype(int)
        assert part[z, y, x] > 0.7  # bright, and there


def test_viewer_outlines_one_vlp_on_its_tomogram(make_run, draw, monkeypatch, tomogram, average, table):
    run = make_run(StadynProtAlign)
    write_result(run.resultPath("align", "particles.npz"), table)
    write_volume(run.resultPath("align", "average_all.mrc"), -average, PIXEL)
    monkeypatch.setattr("stadyn.viewers.placed.output_particles", lambda protocol: object())
    monkeypatch.setattr("stadyn.viewers.placed.tomogram_of", lambda protocol, name: tomogram)
    x, y, z = expected(table, 1)
    plain, outlined = draw(run, "showMappedBack", vlpMappedBack=1, heightMappedBack=f"{z:.0f}")
    assert not plain.collections
    (contours,) = outlined.collections
    corners = np.concatenate([path.vertices for path in contours.get_paths()])
    np.testing.assert_allclose(corners.mean(0), (x, y), atol=1.0)
    assert plain.images[0].get_array()[round(y), round(x)] < -0.3  # protein dark beneath
