# SPDX-License-Identifier: GPL-3.0-or-later
"""The picker's window: three planes of a tomogram, a click on a centre, one on the surface, the sphere drawn."""

import tkinter as tk
from tkinter import ttk

import numpy as np

from .slices import PLANES, Slices

COLORS = {"own": "#4fc3f7", "selected": "#ffd54f", "pending": "#ff8a65", "cross": "#66bb6a"}
MARGINS = (20, 150)
"""Screen pixels beside and above the pictures: frames, bars and the lines of text."""
HELP = (
    "left click: centre, then surface   right click: go there   wheel, up/down: slice   c / s: move centre / surface "
    "of the selected here   del: delete   ctrl-z: undo   n / p: next / previous tomogram   ctrl-click: select   q: done"
)


class PickerWindow:
    """Draws a `PickSession` and turns clicks and keys into its changes.

    Parameters
    ----------
    root : tkinter.Tk
    session : PickSession
    most : int, largest side of the main picture, screen pixels; less where the screen has no room for all three
    """

    def __init__(self, root, session, most=800):
        self.root, self.session, self.most = root, session, most
        self.settings = {
            "thickness": tk.DoubleVar(root, 60.0),
            "lowpass": tk.DoubleVar(root, 40.0),
            "contrast": tk.DoubleVar(root, 3.0),
            "flatten": tk.BooleanVar(root, True),
        }
        self.title, self.status = tk.StringVar(root), tk.StringVar(root)
        self._pictures = {}
        self._build()
        self.show_tomogram()

    # ----- layout

    def _build(self):
        self.root.title("stadyn picker")
        self.root.columnconfigure(1, weight=1)
        bar = ttk.Frame(self.root, padding=4)
        bar.grid(row=0, column=0, columnspan=2, sticky="ew")
        ttk.Button(bar, text="Previous", command=lambda: self.go(-1)).pack(side="left")
        ttk.Button(bar, text="Next tomogram", command=lambda: self.go(1)).pack(side="left")
        ttk.Label(bar, textvariable=self.title, padding=(10, 0)).pack(side="left")
        for text, command in (("Done", self.close), ("Delete", self.delete), ("Undo", self.undo)):
            ttk.Button(bar, text=text, command=command).pack(side="right")
        self.canvas = {}
        for plane, row, column in (("xy", 1, 0), ("yz", 1, 1), ("xz", 2, 0)):
            canvas = tk.Canvas(self.root, highlightthickness=1, background="black", cursor="crosshair")
            canvas.grid(row=row, column=column, padx=2, pady=2, sticky="nw")
            canvas.bind("<Button-1>", lambda event, plane=plane: self.place(plane, event.x, event.y))
            canvas.bind("<Control-Button-1>", lambda event, plane=plane: self.choose(plane, event.x, event.y))
            canvas.bind("<Button-3>", lambda event, plane=plane: self.centre_on(plane, event.x, event.y))
            canvas.bind("<Motion>", lambda event, plane=plane: self._hover(plane, event.x, event.y))
            for name, step in (("<Button-4>", 1), ("<Button-5>", -1)):
                canvas.bind(name, lambda event, plane=plane, step=step: self.turn(plane, step))
            canvas.bind("<MouseWheel>", lambda event, plane=plane: self.turn(plane, 1 if event.delta > 0 else -1))
            self.canvas[plane] = canvas
        self._build_controls()
        ttk.Label(self.root, textvariable=self.status, padding=4).grid(row=3, column=0, columnspan=2, sticky="w")
        ttk.Label(self.root, text=HELP, padding=4, wraplength=900).grid(row=4, column=0, columnspan=2, sticky="w")
        keys = {
            "<Up>": lambda: self.turn("xy", 1),
            "<Down>": lambda: self.turn("xy", -1),
            "<Delete>": self.delete,
            "<Control-z>": self.undo,
            "n": lambda: self.go(1),
            "p": lambda: self.go(-1),
            "c": lambda: self.edit("center"),
            "s": lambda: self.edit("north"),
            "q": self.close,
        }
        for key, command in keys.items():
            self.root.bind(key, lambda event, command=command: command())
        self.root.protocol("WM_DELETE_WINDOW", self.close)

    def _build_controls(self):
        box = ttk.LabelFrame(self.root, text="Slices", padding=6)
        box.grid(row=2, column=1, sticky="nw")
        ranges = {
            "thickness": (0, 300, "Thickness (Å)"),
            "lowpass": (0, 200, "Low-pass (Å)"),
            "contrast": (1, 8, "Range (sd)"),
        }
        for row, (name, (low, high, text)) in enumerate(ranges.items()):
            ttk.Label(box, text=text).grid(row=row, column=0, sticky="w")
            scale = ttk.Scale(
                box, from_=low, to=high, variable=self.settings[name], length=150, command=lambda _: self.draw()
            )
            scale.grid(row=row, column=1)
        ttk.Checkbutton(box, text="High-pass", variable=self.settings["flatten"], command=self.draw).grid(
            row=len(ranges), column=0, sticky="w"
        )

    # ----- what clicks and keys do

    def place(self, plane, x, y):
        """A click on a plane: centre or surface point."""
        self.session.click(self._point(plane, x, y))
        self.draw()

    def choose(self, plane, x, y):
        """Select the dipole under the mouse."""
        nearest = self.session.nearest(self._point(plane, x, y))
        self.session.select(None if nearest is None else nearest.surface_id)
        self.draw()
        return "break"  # or the click would also place a point

    def centre_on(self, plane, x, y):
        """Put the three planes through the point under the mouse."""
        self.cursor = self._point(plane, x, y)
        self.draw()

    def turn(self, plane, step):
        """Go `step` slices along the axis through a plane."""
        axis = 2 - PLANES[plane][0]
        size = self.session.tomogram.shape[::-1][axis]
        self.cursor[axis] = np.clip(self.cursor[axis] + 2 * step * self.slices.step, 0, size - 1)
        self.draw()

    def edit(self, what):
        """Move the centre or the surface point of the selected dipole to the mouse."""
        if self.hover is not None:
            self.session.move(**{what: self.hover})
            self.draw()

    def delete(self):
        """Delete the selected dipole or the centre just clicked."""
        self.session.delete()
        self.draw()

    def undo(self):
        """Take back the last change."""
        before = self.session.current
        self.session.undo()
        self.draw() if self.session.current == before else self.show_tomogram()

    def go(self, step):
        """Show another tomogram."""
        self.session.go(step)
        self.show_tomogram()

    def close(self):
        """Everything is saved already."""
        self.root.destroy()

    # ----- drawing

    def show_tomogram(self):
        """Open the current tomogram at its centre."""
        self.slices = Slices(self.session.tomogram, self._side())
        self.cursor = np.array(self.slices.volume.shape[::-1]) // 2 * 1.0
        self.hover = None
        self.draw()

    def draw(self):
        """Draw the three planes and all that is marked on them."""
        for plane, canvas in self.canvas.items():
            self._draw_plane(plane, canvas)
        session = self.session
        self.title.set(
            f"{session.tomogram.id} ({session.current + 1} of {len(session.tomograms)}): {len(session.own())} VLPs, "
            f"{len(session.dipoles)} in all"
        )
        if session.pending is not None:
            self.status.set("now click on the surface of this VLP")
        else:
            x, y, z = (int(v) for v in self.cursor)
            self.status.set(f"slices through x {x}, y {y}, z {z}; click on the centre of a VLP")

    def _draw_plane(self, plane, canvas):
        index = self._index(plane)
        picture = self.slices.picture(
            plane, index, self.settings["thickness"].get(), self.settings["lowpass"].get(),
            self.settings["flatten"].get(), self.settings["contrast"].get(),
        )  # fmt: skip
        rows, columns = picture.shape
        self._pictures[plane] = tk.PhotoImage(
            master=self.root, data=b"P5 %d %d 255 " % (columns, rows) + picture.tobytes(), format="ppm"
        )
        canvas.configure(width=columns, height=rows)
        canvas.delete("all")
        canvas.create_image(0, 0, anchor="nw", image=self._pictures[plane])
        for dipole in self.session.own():
            color = COLORS["selected" if dipole.surface_id == self.session.selected else "own"]
            self._draw_dipole(plane, canvas, index, dipole, color)
        if self.session.pending is not None:
            self._mark(plane, canvas, self.session.pending, COLORS["pending"])
        canvas.create_text(4, 4, anchor="nw", text=plane, fill=COLORS["cross"])
        column, row, _ = self.slices.pixel(plane, self.cursor)
        canvas.create_line(column, 0, column, rows, fill=COLORS["cross"], dash=(2, 6))
        canvas.create_line(0, row, columns, row, fill=COLORS["cross"], dash=(2, 6))

    def _draw_dipole(self, plane, canvas, index, dipole, color):
        circle = self.slices.circle(plane, index, dipole)
        if circle is None:
            return
        column, row, radius = circle
        canvas.create_oval(column - radius, row - radius, column + radius, row + radius, outline=color, width=2)
        canvas.create_text(column + 6, row - 8, text=str(dipole.surface_id), fill=color, anchor="w")
        self._mark(plane, canvas, dipole.center, color)
        self._mark(plane, canvas, dipole.north, color)

    def _mark(self, plane, canvas, point, color):
        column, row, _ = self.slices.pixel(plane, point)
        canvas.create_line(column - 5, row, column + 6, row, fill=color)
        canvas.create_line(column, row - 5, column, row + 6, fill=color)

    # ----- places

    def _side(self):
        """Screen pixels that the longest side of the current tomogram can have."""
        z, y, x = self.session.tomogram.shape
        screen = np.array([self.root.winfo_screenwidth(), self.root.winfo_screenheight()])
        room = np.min((screen - MARGINS) / (x + z, y + z)) * max(z, y, x)
        return int(max(100, min(self.most, room)))

    def _index(self, plane):
        return int(self.cursor[2 - PLANES[plane][0]])

    def _point(self, plane, x, y):
        return self.slices.point(plane, self._index(plane), x, y)

    def _hover(self, plane, x, y):
        self.hover = self._point(plane, x, y)
