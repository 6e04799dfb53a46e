# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of maps: three orthogonal slices of one, and all of them side by side, which a click moves."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from pyworkflow.protocol import params

from stadyn.convert.averages import map_path
from stadyn.core.errors import InputError
from stadyn.plots.figures import averages_figure, draw_averages, draw_slices, slices_figure
from stadyn.plots.maps import PLANES

from .base import Picture
from .masks import chosen_mask, mask_parameter
from .moving import SliceMover, following_clicks
from .results import maps_of, read_map

BRIGHT, DARK = "protein bright", "protein dark"
MAX_SIDE_BY_SIDE = 8
UNDER_WAY = "reference_"


class MapPicture(Picture):
    """A picture of the maps that `patterns` {pattern: is protein bright in the file?} find in a run's results."""

    def __init__(self, patterns):
        self.patterns = patterns

    def maps(self, protocol):
        """{short name: (path, bright)}."""
        found = {}
        for pattern, bright in self.patterns.items():
            found.update({name: (path, bright) for name, path in maps_of(protocol, pattern).items()})
        # While an alignment runs, its reference stands for the average that it will have.
        averaged = {f"{UNDER_WAY}{name}" for name in found}
        return {name: entry for name, entry in found.items() if name not in averaged}

    def point(self, viewer, shape, pixel_size):
        """(x, y, z) pixels from the box centre that the form asks for; InputError outside the box."""
        text = getattr(viewer, f"point{self.name}").get()
        try:
            angst = [float(word) for word in text.replace(",", " ").split()]
        except ValueError:
            angst = []
        if len(angst) != 3:
            raise InputError(f"point {text!r} is not understood: give x, y and z in Å from the centre of the box")
        point = [round(value / pixel_size) for value in angst]
        if any(not -(n // 2) <= p < n - n // 2 for n, p in zip(shape[::-1], point, strict=True)):
            half = pixel_size * (min(shape) // 2)
            raise InputError(f"point {text!r} lies outside the box: it ends {half:.0f} Å from its centre")
        return point

    def point_parameter(self, form):
        """The point that the slices go through."""
        form.addParam(
            f"point{self.name}",
            params.StringParam,
            default="0 0 0",
            label="Slices through x y z (Å)",
            help="Å from the centre of the box; yellow lines mark it. A click into a slice goes there.",
        )


@dataclass(frozen=True)
class OneMap:
    """Three slices of one map."""

    name: str
    volume: np.ndarray
    pixel_size: float
    point: tuple
    limits: tuple = None
    title: str = None
    mask: tuple = None

    def figure(self):
        """A new figure."""
        return slices_figure(self.volume, self.pixel_size, self.point, self.limits, self.title, self.mask)

    def mover(self, figure):
        """The SliceMover of that figure."""
        axes, shown = figure.axes, {"limits": self.limits, "title": self.title, "mask": self.mask}
        draw = partial(draw_slices, axes, self.volume, self.pixel_size, **shown)
        return SliceMover(dict(zip(axes, PLANES, strict=True)), self.volume.shape, self.pixel_size, self.point, draw)


@dataclass(frozen=True)
class ManyMaps:
    """The same slices of several maps, a column each."""

    name: str
    volumes: dict
    pixel_size: float
    point: tuple
    title: str = None
    mask: tuple = None

    def figure(self):
        """A new figure."""
        return averages_figure(self.volumes, self.pixel_size, self.point, self.title, self.mask)

    def mover(self, figure):
        """The SliceMover of that figure."""
        axes = np.reshape(figure.axes, (3, len(self.volumes)))
        planes = {ax: plane for row, plane in zip(axes, PLANES, strict=True) for ax in row}
        draw = partial(draw_averages, axes, self.volumes, self.pixel_size, title=self.title, mask=self.mask)
        shape = next(iter(self.volumes.values())).shape
        return SliceMover(planes, shape, self.pixel_size, self.point, draw)


class CutPicture(MapPicture):
    """Base of slices that a click moves."""

    def cut(self, viewer):
        """The OneMap or ManyMaps that the form asks for."""
        raise NotImplementedError

    def figures(self, viewer):
        cut = self.cut(viewer)
        return {cut.name: cut.figure()}

    def views(self, viewer):
        cut = self.cut(viewer)
        view = self.view(viewer, cut.name, cut.figure())
        view.interaction = following_clicks(lambda: cut.mover(view.figure))
        return [view]


class Slices(CutPicture):
    """Three orthogonal slices of one map."""

    name, label = "Slices", "Slices of a map"
    help = (
        "xy, xz and yz through one point. Protein is shown bright, which for the averages of the pipeline means "
        "inverted. Look for the hexagonal lattice in xy, with its axis in the centre."
    )

    def available(self, protocol):
        return bool(self.maps(protocol))

    def parameters(self, form, protocol):
        form.addParam(
            "mapOfSlices", params.EnumParam, choices=list(self.maps(protocol)), default=0, label="Map",
            help="The maps that this run wrote.",
        )  # fmt: skip
        self.point_parameter(form)
        mask_parameter(form, protocol, "maskOfSlices")
        form.addParam(
            "contrastOfSlices",
            params.FloatParam,
            default=1.0,
            validators=[params.Positive],
            label="Contrast",
            help="1: from the darkest to the brightest half percent of the voxels. 2 is twice as steep.",
        )

    def cut(self, viewer):
        name, (path, bright) = list(self.maps(viewer.protocol).items())[viewer.mapOfSlices.get()]
        volume, pixel_size = read_map(path, bright)
        point = self.point(viewer, volume.shape, pixel_size)
        low, high = np.percentile(volume, (0.5, 99.5))
        half = 0.5 * (high - low) / viewer.contrastOfSlices.get()
        limits = (0.5 * (low + high) - half, 0.5 * (low + high) + half)
        title = f"{name}, {BRIGHT}" + ("" if bright else " (inverted)")
        mask = chosen_mask(viewer, "maskOfSlices")
        return OneMap(f"slices_{name}", volume, pixel_size, point, limits, title, mask)


class SlicesWithMask(Slices):
    """The map that a mask was made for, under the mask's outline, and the mask itself."""

    label = "The mask on its map"
    help = (
        "xy, xz and yz of the map that the mask was made for, with the outline of the mask. It should hold what is to "
        "be compared, and its soft edge should not cut through density."
    )

    def maps(self, protocol):
        source = protocol.inputMap.get()
        made_for = {} if source is None else {"map": (map_path(source)[0], protocol.contrast.get() == 1)}
        return {**made_for, **super().maps(protocol)}


class SideBySide(CutPicture):
    """All maps of a run, for instance those of all tomograms (paper, Fig. 8)."""

    name, label = "SideBySide", "Maps side by side"
    help = (
        "The same three slices of every map, each with its own grey scale. Averages of all tomograms should show the "
        "same lattice at the same height."
    )

    def available(self, protocol):
        return len(self.maps(protocol)) > 1

    def parameters(self, form, protocol):
        self.point_parameter(form)
        mask_parameter(form, protocol, "maskSideBySide")

    def cut(self, viewer):
        maps = dict(list(self.maps(viewer.protocol).items())[:MAX_SIDE_BY_SIDE])
        read = {name: read_map(*entry) for name, entry in maps.items()}
        volume, pixel_size = next(iter(read.values()))
        point = self.point(viewer, volume.shape, pixel_size)
        volumes = {name: volume for name, (volume, _) in read.items()}
        mask = chosen_mask(viewer, "maskSideBySide")
        return ManyMaps("maps_side_by_side", volumes, pixel_size, point, BRIGHT, mask)
