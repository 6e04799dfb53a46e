# SPDX-License-Identifier: GPL-3.0-or-later
"""The dialogs of the wizards: a preview with sliders, and the table of an alignment's rounds."""

import tkinter as tk

from matplotlib.backends.backend_tkagg import FigureCanvasTkAgg
from matplotlib.figure import Figure
from pyworkflow.gui.dialog import Dialog

from stadyn.core.errors import InputError

REDRAW_AFTER_MS = 60


class PreviewDialog(Dialog):
    """Shows a `stadyn.viewers.previews.Preview`; its `values` are final once `resultYes()`."""

    def __init__(self, parent, preview):
        self.preview = preview
        self.values = {slider.name: slider.value for slider in preview.sliders}
        super().__init__(parent, preview.title)

    def body(self, master):
        self.figure = Figure(figsize=(4.6 * self.preview.panels, 4.4), layout="constrained")
        self.canvas = FigureCanvasTkAgg(self.figure, master=master)
        self.canvas.get_tk_widget().pack(fill=tk.BOTH, expand=True)
        self.canvas.mpl_connect("button_press_event", self._click)
        tk.Label(master, text=self.preview.hint, justify=tk.LEFT, wraplength=760).pack(anchor=tk.W)
        self.scales = {slider.name: self._scale(master, slider) for slider in self.preview.sliders}
        self._pending = None
        self._draw()

    def _scale(self, master, slider):
        row = tk.Frame(master)
        row.pack(fill=tk.X)
        tk.Label(row, text=slider.label, width=26, anchor=tk.E).pack(side=tk.LEFT)
        ends = {"from_": slider.low, "to": slider.high, "resolution": slider.step}
        scale = tk.Scale(row, orient=tk.HORIZONTAL, length=460, **ends)
        scale.set(slider.value)
        scale.configure(command=lambda value: self._moved(slider.name, float(value)))
        scale.pack(side=tk.LEFT, fill=tk.X, expand=True)
        return scale

    def _moved(self, name, value):
        self.values[name] = value
        if self._pending is None:  # a slider moves faster than a figure is drawn
            self._pending = self.after(REDRAW_AFTER_MS, self._draw)

    def _draw(self):
        self._pending = None
        self.figure.clear()
        self.preview.draw(self.preview.axes(self.figure), self.values)
        self.canvas.draw()

    def _click(self, event):
        axes = self.figure.axes
        if event.inaxes in axes and event.xdata is not None:
            self.values.update(self.preview.clicked(axes.index(event.inaxes), event.xdata, event.ydata, self.values))
            for name, scale in self.scales.items():
                scale.set(self.values[name])
            self._draw()


class RoundsDialog(Dialog):
    """Edits a `stadyn.viewers.rounds_table.RoundsTable`: a column a round, and what follows from the numbers below."""

    def __init__(self, parent, table):
        self.table = table
        super().__init__(parent, "Rounds of the alignment")

    def body(self, master):
        self.grid_frame = tk.Frame(master)
        self.grid_frame.pack(fill=tk.X)
        self.derived = tk.StringVar(master)
        tk.Label(master, textvariable=self.derived, justify=tk.LEFT, font="TkFixedFont").pack(anchor=tk.W, pady=6)
        bar = tk.Frame(master)
        bar.pack(anchor=tk.W)
        tk.Button(bar, text="Add a round", command=lambda: self._resize(1)).pack(side=tk.LEFT)
        tk.Button(bar, text="Remove the last", command=lambda: self._resize(-1)).pack(side=tk.LEFT)
        tk.Button(bar, text="Work out", command=self._work_out).pack(side=tk.LEFT)
        self._fill()

    def _fill(self):
        for widget in self.grid_frame.winfo_children():
            widget.destroy()
        self.entries = {}
        for number in range(self.table.count):
            tk.Label(self.grid_frame, text=f"round {number + 1}").grid(row=0, column=number + 1)
        for row, (name, label) in enumerate(self.table.labels.items(), 1):
            tk.Label(self.grid_frame, text=label, anchor=tk.E).grid(row=row, column=0, sticky=tk.E)
            for number, value in enumerate(self.table.cells[name]):
                entry = tk.Entry(self.grid_frame, width=12)
                entry.insert(0, value)
                entry.grid(row=row, column=number + 1, padx=2)
                self.entries[name, number] = entry
        self._work_out()

    def _read(self):
        for (name, number), entry in self.entries.items():
            self.table.cells[name][number] = entry.get().strip()

    def _resize(self, change):
        self._read()
        self.table.resize(self.table.count + change)
        self._fill()

    def _work_out(self):
        self._read()
        try:
            self.derived.set(self.table.derived())
        except InputError as error:
            self.derived.set(str(error))

    def validate(self):
        self._work_out()
        try:
            self.table.derived()
        except InputError:
            return False
        return True
