# SPDX-License-Identifier: GPL-3.0-or-later
"""Two clicks in the picker's window make one dipole, where they were made; edits, undo and reopening."""

import tkinter

import numpy as np
import pytest

from stadyn.core.tomograms import Tomogram
from stadyn.io.dipoles import read_dipoles
from stadyn.io.mrc import write_volume
from stadyn.picker.session import PickSession
from stadyn.picker.slices import Slices
from stadyn.picker.window import PickerWindow

from .display import own_display

SHAPE = (40, 120, 200)
MOST = 200  # no magnification: pixels of the screen are voxels
PIXEL = 10.0


@pytest.fixture
def tomograms(tmp_path):
    """Two tomograms; a dark voxel in each, so that its place in a picture is known."""
    made = []
    for name, (z, y, x) in (("one", (20, 30, 150)), ("two", (10, 100, 20))):
        volume = np.random.default_rng(0).normal(0, 0.1, SHAPE).astype(np.float32)
        volume[z, y, x] = -50
        write_volume(tmp_path / f"{name}.mrc", volume, PIXEL)
        made.append(Tomogram(name, str(tmp_path / f"{name}.mrc"), PIXEL, SHAPE))
    return made


@pytest.fixture
def window(tomograms, tmp_path):
    """The picker on a screen of its own."""
    root = tkinter.Tk(screenName=own_display())
    yield PickerWindow(root, PickSession(tomograms, tmp_path / "dipoles.csv"), MOST)
    root.destroy()


def click(window, plane, x, y, event="<Button-1>"):
    window.root.update()
    window.canvas[plane].event_generate("<Motion>", x=x, y=y)
    window.canvas[plane].event_generate(event, x=x, y=y)
    window.root.update()


def key(window, name):
    window.root.focus_force()
    window.root.update()
    window.root.event_generate(name)
    window.root.update()


def test_two_clicks_make_one_dipole_and_draw_its_circle(window, tmp_path):
    click(window, "xy", 60, 50)
    assert not window.session.dipoles and "surface" in window.status.get()
    click(window, "xy", 90, 90)
    (dipole,) = read_dipoles(tmp_path / "dipoles.csv")
    assert (dipole.tomogram_id, dipole.surface_id) == ("one", 1)
    assert dipole.center == (60, 50, 20) and dipole.north == (90, 90, 20)  # x, y, and the slice shown
    canvas = window.canvas["xy"]
    (circle,) = [item for item in canvas.find_all() if canvas.type(item) == "oval"]
    np.testing.assert_allclose(canvas.coords(circle), [10, 0, 110, 100], atol=1e-6)


@pytest.mark.parametrize("most", [MOST, 500, 1000])
def test_planes_show_the_voxel_that_is_clicked(tomograms, most):
    slices, scale = Slices(tomograms[0], most), most / MOST
    for plane, index in (("xy", 20), ("xz", 30), ("yz", 150)):
        picture = slices.picture(plane, index, 0.0, 0.0, flatten=False)
        row, column = np.argwhere(picture == picture.min()).mean(axis=0)  # the voxel may be many pixels
        assert max(picture.shape) == scale * max(n for n in SHAPE if plane != "yz" or n != 200)
        np.testing.assert_allclose(slices.point(plane, index, column, row), (150, 30, 20), atol=0.2)
        np.testing.assert_allclose(slices.pixel(plane, (150, 30, 20)), (column, row, index), atol=0.2 * scale)


def test_small_tomograms_fill_the_window_and_clicks_still_hit(tomograms, tmp_path):
    root = tkinter.Tk(screenName=own_display())
    window = PickerWindow(root, PickSession(tomograms, tmp_path / "dipoles.csv"), 600)
    window.draw()
    assert window.canvas["xy"].winfo_reqwidth() >= 600
    click(window, "xy", 181, 151)
    click(window, "xy", 271, 271)
    (dipole,) = window.session.dipoles
    np.testing.assert_allclose(dipole.center, (60, 50, 20), atol=1e-9)
    np.testing.assert_allclose(dipole.north, (90, 90, 20), atol=1e-9)
    canvas = window.canvas["xy"]
    (circle,) = [item for item in canvas.find_all() if canvas.type(item) == "oval"]
    np.testing.assert_allclose(canvas.coords(circle), [31, 1, 331, 301], atol=1e-6)
    root.destroy()


def test_side_views_give_the_third_coordinate(window):
    click(window, "xy", 80, 40, "<Button-3>")
    click(window, "xz", 80, 25)
    click(window, "yz", 10, 60)  # a column of z, a row of y
    (dipole,) = window.session.dipoles
    assert dipole.center == (80, 40, 25) and dipole.north == (80, 60, 10)


def test_slices_turn_and_circles_shrink(window):
    click(window, "xy", 60, 50)
    click(window, "xy", 90, 50)
    for _ in range(3):
        key(window, "<Up>")
    assert window.cursor[2] == 26
    canvas = window.canvas["xy"]
    (circle,) = [item for item in canvas.find_all() if canvas.type(item) == "oval"]
    left, _, right, _ = canvas.coords(circle)
    assert abs((right - left) / 2 - np.sqrt(30**2 - 6**2)) < 0.01


def test_edit_delete_undo_and_next_tomogram(window, tmp_path):
    click(window, "xy", 60, 50)
    click(window, "xy", 90, 50)
    window.canvas["xy"].event_generate("<Motion>", x=70, y=55)
    key(window, "<c>")
    (moved,) = window.session.dipoles
    assert moved.center == (70, 55, 20) and moved.north == (100, 55, 20)
    key(window, "<n>")
    assert window.title.get().startswith("two (2 of 2): 0 VLPs, 1 in all")
    click(window, "xy", 30, 30)
    click(window, "xy", 50, 30)
    assert [(d.tomogram_id, d.surface_id) for d in window.session.dipoles] == [("one", 1), ("two", 1)]
    key(window, "<Delete>")
    assert len(read_dipoles(tmp_path / "dipoles.csv")) == 1
    key(window, "<Control-z>")
    assert len(read_dipoles(tmp_path / "dipoles.csv")) == 2
    for _ in range(3):  # surface and centre in "two", then the move in "one"
        key(window, "<Control-z>")
    assert window.session.tomogram.id == "one" and window.session.dipoles[0].center == (60, 50, 20)


def test_picks_are_there_again_on_reopening(window, tomograms, tmp_path):
    click(window, "xy", 60, 50)
    click(window, "xy", 90, 50)
    again = PickSession(tomograms, tmp_path / "dipoles.csv")
    assert again.dipoles == window.session.dipoles
    again.select(1)
    again.delete()
    assert PickSession(tomograms, tmp_path / "dipoles.csv").dipoles == []


def test_a_slip_of_the_hand_is_no_dipole(tomograms, tmp_path):
    session = PickSession(tomograms, tmp_path / "dipoles.csv")
    session.click((50, 50, 20))
    session.click((50, 51, 20))
    assert session.pending == (50, 50, 20) and not session.dipoles


def test_dipoles_under_the_mouse_are_chosen(tomograms, tmp_path):
    session = PickSession(tomograms, tmp_path / "dipoles.csv")
    for point in ((50, 50, 20), (70, 50, 20), (80, 50, 20), (110, 50, 20)):
        session.click(point)
    assert session.nearest((62, 50, 20)).surface_id == 1 and session.nearest((68, 50, 20)).surface_id == 2
    assert session.nearest((150, 110, 20)) is None
