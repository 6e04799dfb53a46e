# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of what was fitted or measured: CC histograms, CC against latitude, FSC, Guinier plot, convergence."""

import os
from glob import glob

from pyworkflow.protocol import params

from stadyn.core.selection import CCThreshold, LatitudeFit
from stadyn.io.convergence import read_convergence
from stadyn.io.results import read_result
from stadyn.plots.figures import cc_figure, convergence_figure, latitude_figure
from stadyn.plots.results import SINGLE

from .base import Picture
from .thresholds import interaction

MAX_GROUPS = 3
"""Rows that a window holds at a readable size."""


class ResultFiles(Picture):
    """A picture of result files of one class, `pattern` below the run's results, one figure of all of them."""

    pattern, kind, stem = None, None, ""

    def available(self, protocol):
        return bool(self.paths(protocol))

    def paths(self, protocol):
        """{what the file's name says beyond its stem: path}."""
        paths = sorted(glob(protocol.resultPath(self.pattern)))
        return {os.path.splitext(os.path.basename(path))[0].removeprefix(self.stem): path for path in paths}

    def results(self, viewer):
        """{name: the result read from its file}."""
        return {name: read_result(path, self.kind) for name, path in self.paths(viewer.protocol).items()}


class CCHistograms(ResultFiles):
    """Step 6: who was told from whom, and where the line was drawn."""

    name, label = "CCHistogram", "CC histogram of each tomogram"
    help = (
        "Two hills and a line between them are a good selection. Orange is the threshold, dotted the minimum of the "
        "mixture. One hill: look at the average first, no threshold will part it. Drag the orange line to try another "
        "threshold; a button below makes a new selection of it."
    )
    pattern, kind, stem = "select/threshold_*.npz", CCThreshold, "threshold_"

    def figures(self, viewer):
        counts = viewer.protocol.loadSummary().get("thresholds", {})
        titles = {
            name: f"{name}: {cut['kept']} particles kept, {cut['excluded']} excluded" for name, cut in counts.items()
        }
        return {"cc_histogram": cc_figure(self.results(viewer), titles)}

    def views(self, viewer):
        views = super().views(viewer)
        for view in views:
            view.interaction = interaction(viewer, view.figure, self.results(viewer))
        return views


class Latitudes(ResultFiles):
    """Step 8: the trend that the missing wedge causes, and the cut once it is taken out."""

    name, label = "Latitude", "CC against latitude"
    help = (
        "Left as scored, with the fitted trend: the missing wedge favours the equator, 90 degrees. Right with the "
        "trend taken out, and the threshold that was applied."
    )
    pattern, kind, stem = "latitude_*.npz", LatitudeFit, "latitude_"

    def parameters(self, form, protocol):
        form.addParam(
            "groupOfLatitude",
            params.EnumParam,
            choices=[*self.paths(protocol), "all"],
            default=0,
            label="Tomogram and half",
            help=f"One of the groups that were filtered apart, or the first {MAX_GROUPS}.",
        )

    def figures(self, viewer):
        fits, chosen = self.results(viewer), viewer.groupOfLatitude.get()
        names = list(fits)[:MAX_GROUPS] if chosen >= len(fits) else [list(fits)[chosen]]
        return {"cc_against_latitude": latitude_figure({name: fits[name] for name in names})}


class SingleResult(ResultFiles):
    """A picture of one result file: `result`, one of `stadyn.plots.results.SINGLE`, in the folder `folder`."""

    result, folder = None, "."

    def paths(self, protocol):
        path = protocol.resultPath(self.folder, f"{self.result}.npz")
        return {self.result: path} if os.path.exists(path) else {}

    def figures(self, viewer):
        kind, draw = SINGLE[self.result]
        return {name: draw(read_result(path, kind)) for name, path in self.paths(viewer.protocol).items()}


class FSC(SingleResult):
    """Step 9: the four curves."""

    name, label = "FSC", "Fourier shell correlation"
    help = (
        "The corrected curve counts. It should fall to zero and stay there; a phase-randomised curve that is still "
        "high at the resolution claimed means that the mask is too tight."
    )
    result, folder = "fsc", "postprocess"


class Guinier(SingleResult):
    """Step 9: how the B-factor was found."""

    name, label = "Guinier", "Guinier plot"
    help = "ln of the amplitude against 1/d². The slope of the fitted line is a quarter of the B-factor."
    result, folder = "guinier", "postprocess"


class DirectionalFSCs(SingleResult):
    """Step 9: whether the map is as good along the beam as across it."""

    name, label = "DirectionalFSC", "FSC by direction"
    help = "FSC in cones of Fourier space, the axes among them: the missing wedge and preferred views make it uneven."
    result, folder = "directional_fsc", "postprocess"


class LocalResolutions(SingleResult):
    """Step 9: where the map is good."""

    name, label = "LocalResolution", "Local resolution"
    help = "Two slices through the centre of the box and the distribution within the mask, in Å."
    result, folder = "local_resolution", "local-resolution"


class LatticeMeasures(SingleResult):
    """How particles fit the lattice of their neighbours."""

    name, label = "Lattice", "Fit to the lattice"
    help = "Neighbours, their distance, angles to them, and the order score, in each tomogram; and each VLP."
    result = "lattice_quality"


class Convergence(Picture):
    """How the rounds of an alignment went; while it runs, as far as it is."""

    name, label = "Convergence", "Convergence"
    help = (
        "Mean CC, and how far the median particle still turned and moved, in each iteration. They should settle within "
        "each round. The CC falls from one round to the next where the low-pass becomes finer. Can be opened during "
        "the run."
    )
    folders = ("align", "even_to_odd")

    def available(self, protocol):
        return bool(self._records(protocol))

    def _records(self, protocol):
        found = (read_convergence(protocol.resultPath(folder)) for folder in self.folders)
        return next((records for records in found if records), [])

    def figures(self, viewer):
        return {"convergence": convergence_figure(self._records(viewer.protocol))}
