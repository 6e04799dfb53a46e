# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of tomograms: one slice, with the VLPs that were marked or found in it."""

import numpy as np
from pyworkflow.protocol import params
from tomo.objects import SetOfMeshes, SetOfTomograms

from stadyn.convert.meshes import read_dipoles
from stadyn.convert.tomograms import read_tomograms
from stadyn.core.errors import InputError
from stadyn.io.mrc import open_volume
from stadyn.plots.figures import tomogram_figure

from .base import Picture

SLICES = 2
"""z slices that are averaged on each side."""


class TomogramSlice(Picture):
    """A slice of a tomogram of a run, with its VLPs where the run knows any."""

    name, label = "Tomogram", "Slice of a tomogram"
    help = (
        "Protein must be dark. Where VLPs are known, circles show the spheres through their north points: they should "
        "run along the protein layer, and none should be missed."
    )

    def available(self, protocol):
        return self._tomograms(protocol) is not None

    def _outputs(self, protocol, kind):
        return next((output for _, output in protocol.iterOutputAttributes() if isinstance(output, kind)), None)

    def _tomograms(self, protocol):
        meshes = self._outputs(protocol, SetOfMeshes)
        return meshes.getPrecedents() if meshes is not None else self._outputs(protocol, SetOfTomograms)

    def parameters(self, form, protocol):
        form.addParam(
            "tomogramOfSlice",
            params.EnumParam,
            choices=[tomogram.getTsId() for tomogram in self._tomograms(protocol).iterItems()],
            default=0,
            label="Tomogram",
            help="One of them.",
        )
        form.addParam(
            "heightOfSlice",
            params.StringParam,
            default="",
            label="Height of the slice (px)",
            help="z in pixels of the tomogram. Empty: through the centre of the first VLP, or the middle.",
        )

    def figures(self, viewer):
        protocol = viewer.protocol
        items = [item.clone() for item in self._tomograms(protocol).iterItems()]
        (tomogram,) = read_tomograms([items[viewer.tomogramOfSlice.get()]])
        meshes = self._outputs(protocol, SetOfMeshes)
        dipoles = [] if meshes is None else [d for d in read_dipoles(meshes) if d.tomogram_id == tomogram.id]
        volume = open_volume(tomogram.path)
        height = self._height(viewer, dipoles, volume.shape[0])
        section = np.asarray(volume[max(0, height - SLICES) : height + SLICES + 1], np.float32).mean(axis=0)
        return {"tomogram": tomogram_figure(section, height, dipoles, f"{tomogram.id}, z = {height}, protein dark")}

    def _height(self, viewer, dipoles, slices):
        typed = (viewer.heightOfSlice.get() or "").strip()
        if not typed:
            return int(round(dipoles[0].center[2])) if dipoles else slices // 2
        if not typed.isdigit() or int(typed) >= slices:
            raise InputError(f"height {typed!r}: give a whole number from 0 to {slices - 1}, or nothing")
        return int(typed)
