# SPDX-License-Identifier: GPL-3.0-or-later
"""Slices that move: a click in one of them takes the others to that voxel."""

import numpy as np

LEFT_BUTTON = 1


class SliceMover:
    """Takes orthogonal slices to where the mouse is clicked.

    Parameters
    ----------
    planes : dict matplotlib Axes -> "xy", "xz" or "yz", drawn in Å from the centre of the box
    shape : (z, y, x) of the map
    pixel_size : float, Å
    point : (3,) int, (x, y, z) px from the box centre, that the slices go through at first
    draw : callable (point), draws all slices through a point on axes that are empty
    """

    def __init__(self, planes, shape, pixel_size, point, draw):
        self.planes, self.pixel_size, self.draw = planes, pixel_size, draw
        self.sides = np.array(shape[::-1])
        self.point = tuple(int(p) for p in point)

    def press(self, event):
        """Go to the voxel under the mouse; what is across the clicked slice stays."""
        plane = self.planes.get(event.inaxes)
        if plane is None or event.button != LEFT_BUTTON:
            return
        point = list(self.point)
        for axis, place in zip(plane, (event.xdata, event.ydata), strict=True):
            point["xyz".index(axis)] = round(place / self.pixel_size)
        low = -(self.sides // 2)
        self.move(np.clip(point, low, low + self.sides - 1))

    def move(self, point):
        """Draw the slices through `point`; what was zoomed in on stays so."""
        self.point = tuple(int(p) for p in point)
        views = {ax: (ax.get_xlim(), ax.get_ylim()) for ax in self.planes}
        for ax in self.planes:
            ax.clear()
        self.draw(self.point)
        for ax, (across, up) in views.items():
            ax.set(xlim=across, ylim=up)


def following_clicks(make_mover):
    """What a window of slices does with the mouse, as `FigureView` wants it; `make_mover` () gives the SliceMover."""

    def install(window):
        mover = make_mover()

        def press(event):
            if not window.toolbar.mode:  # while zooming, a click means something else
                mover.press(event)
                window.canvas.draw_idle()

        window.canvas.mpl_connect("button_press_event", press)
        window.say("click into a slice to go there")

    return install
