# SPDX-License-Identifier: GPL-3.0-or-later
"""Do particles sit where the table says? The average mapped back into its tomogram, here and in ChimeraX."""

import os

import numpy as np
from pyworkflow.protocol import params

from stadyn.convert.particles import precedents
from stadyn.convert.tomograms import read_tomograms
from stadyn.core.errors import InputError
from stadyn.io.chimerax_scene import write_scene
from stadyn.io.mrc import open_volume
from stadyn.plots.figures import by_tomogram, mapped_back_figure
from stadyn.plots.overlay import copies_in_section

from .maps import MapPicture
from .programs import in_chimerax
from .results import has_particles, output_particles, particles_of, read_map

MARGIN_ANGST = 200.0
"""Of tomogram about a VLP."""
SLICES = 2
"""z slices that are averaged on each side of the section."""


def tomogram_of(protocol, name):
    """The `Tomogram` that a run's particles lie in; InputError where its file is not known."""
    output = output_particles(protocol)
    tomograms = None if output is None else precedents(output)
    if tomograms is None:
        raise InputError("the tomograms of these particles are not known to this run")
    return next(t for t in read_tomograms([t.clone() for t in tomograms if t.getTsId() == name]))


class PlacedPicture(MapPicture):
    """Base: one VLP of one tomogram, and the map that belongs to it."""

    def available(self, protocol):
        return bool(self.maps(protocol)) and has_particles(protocol) and output_particles(protocol) is not None

    def parameters(self, form, protocol):
        table = particles_of(protocol)
        names, vlps = list(by_tomogram(table)), [str(i) for i in np.unique(table.surface_ids)]
        form.addParam(
            f"tomogram{self.name}", params.EnumParam, choices=names, default=0, label="Tomogram", help="One of them."
        )
        form.addParam(
            f"vlp{self.name}", params.EnumParam, choices=[*vlps, "all"], default=0, label="VLP",
            help="The part of the tomogram about one VLP, or all of it.",
        )  # fmt: skip

    def chosen(self, viewer):
        """(Tomogram, ParticleTable of the chosen VLP, bright map, Å per pixel of the map)."""
        protocol, table = viewer.protocol, particles_of(viewer.protocol)
        name = list(by_tomogram(table))[getattr(viewer, f"tomogram{self.name}").get()]
        rows, vlps = table.tomogram_ids == name, np.unique(table.surface_ids)
        vlp = getattr(viewer, f"vlp{self.name}").get()
        if vlp < len(vlps):
            rows &= table.surface_ids == vlps[vlp]
        if not rows.any():
            raise InputError(f"tomogram {name} has no particle of VLP {vlps[vlp]}: choose another")
        maps = self.maps(protocol)
        path, bright = maps.get(name) or maps.get("all") or next(iter(maps.values()))
        volume, pixel_size = read_map(path, bright)
        return tomogram_of(protocol, name), table.select(rows), volume, pixel_size


class MappedBack(PlacedPicture):
    """The average at its poses, as outlines on a slice."""

    name, label = "MappedBack", "Average mapped back"
    help = (
        "A slice of the tomogram, and the same with the outlines of the average at the poses of the particles. They "
        "must lie on the dark protein: outlines beside it mean shifts with a wrong sign, mirrored ones a wrong hand."
    )

    def parameters(self, form, protocol):
        super().parameters(form, protocol)
        form.addParam(
            "heightMappedBack",
            params.StringParam,
            default="",
            label="Height of the slice (px)",
            help="z in pixels of the tomogram. Empty: the middle of the particles shown.",
        )
        form.addParam(
            "radiusMappedBack",
            params.FloatParam,
            default=50.0,
            validators=[params.Positive],
            label="Radius of a copy (Å)",
            help="Density of the average farther from the particle is left out: one unit cell has 37 Å.",
        )

    def figures(self, viewer):
        tomogram, table, volume, pixel_size = self.chosen(viewer)
        typed = (viewer.heightMappedBack.get() or "").strip()
        try:
            height = float(typed) if typed else middle(table)
        except ValueError:
            raise InputError(f"height {typed!r} is no number: give z in pixels, or nothing") from None
        tomogram_volume = open_volume(tomogram.path)
        low, high = max(0, round(height) - SLICES), round(height) + SLICES + 1
        if high <= 0 or low >= tomogram_volume.shape[0]:
            raise InputError(f"height {height:g} lies outside the tomogram: it has {tomogram_volume.shape[0]} slices")
        section = np.asarray(tomogram_volume[low:high], np.float32).mean(axis=0)
        radius = viewer.radiusMappedBack.get() / tomogram.pixel_size
        scale = tomogram.pixel_size / pixel_size
        copies = copies_in_section(volume, table, height, section.shape, scale, radius)
        margin = MARGIN_ANGST / tomogram.pixel_size
        (x0, y0), (x1, y1) = table.positions[:, :2].min(0) - margin, table.positions[:, :2].max(0) + margin
        extent = (max(x0, 0), min(x1, section.shape[1]), max(y0, 0), min(y1, section.shape[0]))
        title = f"{tomogram.id}, z = {height:g}"
        return {"mapped_back": mapped_back_figure(section, copies, extent, title)}


def middle(table):
    """z of the slice half-way between the lowest and the highest particle, px."""
    heights = table.positions[:, 2]
    return float(np.round(0.5 * (heights.min() + heights.max())))


class InChimeraX(PlacedPicture):
    """The same in 3D: tomogram, average and placed copies."""

    name, label = "ChimeraX", "In ChimeraX"
    help = (
        "Writes a script (.cxc) with the tomogram about one VLP, the average, and a copy of it at the pose of each "
        "particle, and opens it where ChimeraX is installed."
    )

    def views(self, viewer):
        tomogram, table, volume, pixel_size = self.chosen(viewer)
        folder = viewer.protocol.resultPath("chimerax")
        os.makedirs(folder, exist_ok=True)
        path = write_scene(folder, tomogram, table, volume, pixel_size, MARGIN_ANGST)
        return [in_chimerax(path, viewer, self.label)]
