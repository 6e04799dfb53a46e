# SPDX-License-Identifier: GPL-3.0-or-later
"""A window that holds one figure: zoom and turn it, save it, and whatever buttons a picture adds."""

import tkinter as tk

from matplotlib.backends.backend_tkagg import FigureCanvasTkAgg, NavigationToolbar2Tk

from stadyn.core.errors import InputError

SCREEN_DPI = 100
MAX_SHARE = 0.9
"""Of the screen that a window may fill."""


class FigureWindow(tk.Toplevel):
    """Shows a Figure; `save` is called by its button and returns the paths it wrote."""

    def __init__(self, figure, title, save):
        super().__init__()
        self.title(title)
        figure.set_dpi(SCREEN_DPI)
        self._fit(figure)
        self.bar = tk.Frame(self)
        self.bar.pack(side=tk.BOTTOM, fill=tk.X)
        self.message = tk.StringVar(self)
        self.add_button("Save PNG and SVG", lambda: self._save(save))
        tk.Label(self.bar, textvariable=self.message, anchor=tk.E).pack(side=tk.RIGHT, padx=8)
        self.canvas = FigureCanvasTkAgg(figure, master=self)
        self.toolbar = NavigationToolbar2Tk(self.canvas, self, pack_toolbar=False)
        self.toolbar.pack(side=tk.BOTTOM, fill=tk.X)
        self.canvas.get_tk_widget().pack(fill=tk.BOTH, expand=True)
        self.canvas.draw_idle()

    def add_button(self, text, command):
        """A button in the bar under the figure."""
        button = tk.Button(self.bar, text=text, command=command)
        button.pack(side=tk.LEFT, padx=4, pady=3)
        return button

    def say(self, text):
        """A line beside the buttons."""
        self.message.set(text)

    def _save(self, save):
        try:
            self.say("saved " + ", ".join(save()))
        except InputError as error:
            self.say(str(error))

    def _fit(self, figure):
        """Shrink a figure that is larger than the screen, all of it alike."""
        inches = figure.get_size_inches() * SCREEN_DPI
        room = (self.winfo_screenwidth() * MAX_SHARE, self.winfo_screenheight() * MAX_SHARE - 120)
        share = min(1.0, room[0] / inches[0], room[1] / inches[1])
        figure.set_size_inches(figure.get_size_inches() * share)
