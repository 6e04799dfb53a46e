# SPDX-License-Identifier: GPL-3.0-or-later
"""What all viewers share: a form with one button per picture, and the figures as windows of the host."""

import os
from functools import partial

from pyworkflow.protocol import params
from pyworkflow.viewer import DESKTOP_TKINTER, ProtocolViewer, View

from stadyn.core.errors import InputError
from stadyn.plots.saving import save_figure

PICTURE_FOLDER = "pictures"
PROGRAMS = "3D programs"
"""The last section of a form, wherever it stands among the others: it opens what the others show."""


class FigureView(View):
    """One figure in a window of its own, from where it can be saved."""

    def __init__(self, figure, name, folder, title, interaction=None):
        """`folder` takes ``<name>.png`` and ``<name>.svg``; `interaction` is called with the window once it stands."""
        self.figure, self.name, self.folder, self.title = figure, name, folder, title
        self.interaction = interaction

    def getFigure(self):
        """The matplotlib Figure, as the host's own plotters offer it."""
        return self.figure

    def show(self):
        """Open the window."""
        from .window import FigureWindow  # needs a display

        window = FigureWindow(self.figure, self.title, self.save)
        if self.interaction is not None:
            self.interaction(window)

    def save(self):
        """Write PNG and SVG into the run's folder; returns their paths."""
        os.makedirs(self.folder, exist_ok=True)
        paths = [os.path.join(self.folder, f"{self.name}.{ending}") for ending in ("png", "svg")]
        for path in paths:
            save_figure(self.figure, path)
        return paths


class Picture:
    """One button of a viewer's form. A subclass says what it needs to know and makes the figures.

    Members for subclasses
    ----------------------
    name, label, help     the button is the parameter ``show<name>``
    available(protocol)   whether the results it draws are there
    parameters(form, protocol)  defines what the user may choose before the button is pressed
    figures(viewer)       {name: Figure} from the saved results and the viewer's form
    """

    name = label = help = None

    @property
    def button(self):
        """Name of the parameter."""
        return f"show{self.name}"

    def available(self, protocol):
        """Are the results there that this draws?"""
        return True

    def parameters(self, form, protocol):
        """Nothing to choose."""

    def figures(self, viewer):
        """{name: Figure}."""
        raise NotImplementedError

    def views(self, viewer):
        """The figures as windows of the host."""
        return [self.view(viewer, name, figure) for name, figure in self.figures(viewer).items()]

    def view(self, viewer, name, figure):
        """One figure as a window of the host."""
        title = f"{viewer.protocol.getObjLabel()}: {name.replace('_', ' ')}"
        return FigureView(figure, name, viewer.protocol.resultPath(PICTURE_FOLDER), title)


class ResultsViewer(ProtocolViewer):
    """A form of pictures: a subclass names its `_targets` and its `_sections` {label: [Picture, ...]}."""

    _environments = [DESKTOP_TKINTER]
    _sections = {}

    def _defineParams(self, form):
        for label, pictures in self._available().items():
            form.addSection(label=label)
            for picture in pictures:
                group = form.addGroup(picture.label)
                picture.parameters(group, self.protocol)
                group.addParam(picture.button, params.LabelParam, label="Show the picture", help=picture.help)
        if not self._available():
            form.addSection(label="Results")
            form.addParam(
                "nothing", params.LabelParam, label="No result is there yet: look again once the run is on its way."
            )

    def _available(self):
        there = {
            label: [picture for picture in pictures if picture.available(self.protocol)]
            for label, pictures in sorted(self._sections.items(), key=lambda section: section[0] == PROGRAMS)
        }
        return {label: pictures for label, pictures in there.items() if pictures}

    def _getVisualizeDict(self):
        pictures = [picture for section in self._available().values() for picture in section]
        return {picture.button: partial(self._views, picture) for picture in pictures}

    def _views(self, picture, parameter=None):
        """Windows of one picture, or a message why there is none."""
        try:
            return picture.views(self)
        except InputError as error:
            return [self.errorMessage(str(error), picture.label)]

    def _viewAll(self, *args):
        for handler in self._getVisualizeDict().values():
            for view in handler():
                view.show()

    def _validate(self):
        return []
