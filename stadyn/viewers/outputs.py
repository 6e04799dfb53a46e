# SPDX-License-Identifier: GPL-3.0-or-later
"""Viewers of single outputs of our runs, among those that the host offers for an object."""

import os
import re

from pwem.objects import Volume
from pyworkflow.viewer import DESKTOP_TKINTER, Viewer
from tomo.objects import SetOfAverageSubTomograms, SetOfCoordinates3D, SetOfMeshes, SetOfSubTomograms

from stadyn.convert.averages import map_path
from stadyn.convert.particles import read_particle_input
from stadyn.plots.figures import by_tomogram, particles_figure

from .base import PICTURE_FOLDER, FigureView
from .maps import OneMap
from .moving import following_clicks
from .results import read_map

OURS = re.compile(r"Runs/\d+_StadynProt")


def is_ours(path):
    """Whether a file lies in a run of this package."""
    return bool(OURS.search(str(path or "").replace(os.sep, "/")))


class OutputViewer(Viewer):
    """Base: one window for one output."""

    _environments = [DESKTOP_TKINTER]

    @classmethod
    def can_handle_this_instance(cls, instance):
        return is_ours(instance.getFileName())

    def _visualize(self, obj, **kwargs):
        path = obj.getFileName()
        folder = os.path.join(os.path.dirname(path).split(os.sep + "extra")[0], "extra", PICTURE_FOLDER)
        name = os.path.splitext(os.path.basename(path))[0]
        return [self.view(obj, name, folder)]

    def view(self, obj, name, folder):
        """The window of an output."""
        raise NotImplementedError


class StadynMapOutputViewer(OutputViewer):
    """Three slices of an average, a map or a mask, as it is in its file."""

    _name = "slices"
    _targets = [Volume]

    def view(self, obj, name, folder):
        volume, pixel_size = read_map(map_path(obj)[0], bright=True)
        title = f"{os.path.basename(obj.getFileName())}, contrast as in the file"
        cut = OneMap(name, volume, pixel_size, (0, 0, 0), title=title)
        figure = cut.figure()
        return FigureView(figure, name, folder, name, following_clicks(lambda: cut.mover(figure)))


class StadynParticlesOutputViewer(OutputViewer):
    """Particles in space."""

    _name = "particles in space"
    _targets = [SetOfCoordinates3D, SetOfSubTomograms]

    @classmethod
    def can_handle_this_instance(cls, instance):
        no_particles = (SetOfMeshes, SetOfAverageSubTomograms)
        return super().can_handle_this_instance(instance) and not isinstance(instance, no_particles)

    def view(self, obj, name, folder):
        return FigureView(particles_figure(by_tomogram(read_particle_input(obj).table)), name, folder, name)
