# SPDX-License-Identifier: GPL-3.0-or-later
"""Averages and half-maps opened as volumes, in ChimeraX or napari where these are installed."""

import os

from pyworkflow.protocol import params

from stadyn.io.chimerax_maps import write_bright_copies, write_maps_script

from .maps import MapPicture
from .programs import in_chimerax, in_napari

FOLDER = "volumes"


class VolumesPicture(MapPicture):
    """Base: one map of a run, or all of them on top of each other."""

    def available(self, protocol):
        return bool(self.maps(protocol))

    def parameters(self, form, protocol):
        form.addParam(
            f"map{self.name}", params.EnumParam, choices=[*self.maps(protocol), "all"], default=0, label="Map",
            help="One map of this run, or all of them about their common centre.",
        )  # fmt: skip

    def chosen(self, viewer):
        """(absolute folder, the chosen maps there with protein bright)."""
        maps, chosen = self.maps(viewer.protocol), getattr(viewer, f"map{self.name}").get()
        if chosen < len(maps):
            name = list(maps)[chosen]
            maps = {name: maps[name]}
        folder = os.path.abspath(viewer.protocol.resultPath(FOLDER))
        os.makedirs(folder, exist_ok=True)
        return folder, write_bright_copies(folder, maps)


class VolumesInChimeraX(VolumesPicture):
    """Surfaces in ChimeraX."""

    name, label = "VolumesInChimeraX", "Volumes in ChimeraX"
    help = (
        "Surfaces of the maps, protein bright. ChimeraX is found through scipion-em-chimera, or on the PATH; without "
        "it, the script is written for you to open elsewhere."
    )

    def views(self, viewer):
        folder, paths = self.chosen(viewer)
        return [in_chimerax(write_maps_script(folder, paths), viewer, self.label)]


class VolumesInNapari(VolumesPicture):
    """Volumes in napari."""

    name, label = "VolumesInNapari", "Volumes in napari"
    help = "The maps as layers, protein bright, where napari is installed beside the host or on the PATH."

    def views(self, viewer):
        folder, paths = self.chosen(viewer)
        return [in_napari(folder, paths, viewer, self.label)]
