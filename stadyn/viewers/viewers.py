# SPDX-License-Identifier: GPL-3.0-or-later
"""One viewer for each kind of run: what is opened by "Analyze results", the most telling picture first."""

from stadyn import protocols as p

from .base import PROGRAMS, ResultsViewer
from .curves import (
    FSC,
    CCHistograms,
    Convergence,
    DirectionalFSCs,
    Guinier,
    Latitudes,
    LatticeMeasures,
    LocalResolutions,
)
from .iterations import Iterations
from .maps import SideBySide, Slices, SlicesWithMask
from .particles import Changes, InSpace, Neighbours, Orientations
from .placed import InChimeraX, MappedBack
from .tomograms import TomogramSlice
from .volumes import VolumesInChimeraX, VolumesInNapari

DARK, BRIGHT = False, True
"""Is protein bright in the file?"""


def _maps(label, patterns, placed=True):
    """Sections of maps; `placed` where particles belong to them that can be looked at in their tomograms."""
    slices = [SideBySide(patterns), Slices(patterns)]
    programs = [VolumesInChimeraX(patterns), VolumesInNapari(patterns)]
    if placed:
        slices, programs = [*slices, MappedBack(patterns)], [InChimeraX(patterns), *programs]
    return {label: slices, PROGRAMS: programs}


class StadynSelectCCViewer(ResultsViewer):
    """Who was kept (step 6)."""

    _label = "selection by CC"
    _targets = [p.StadynProtSelectCC]
    _sections = {
        "Selection": [CCHistograms()],
        "Particles": [InSpace(), Neighbours(), Orientations()],
        **_maps("Averages", {"select/average_*.mrc": DARK}),
    }


class StadynLatitudeFilterViewer(ResultsViewer):
    """Who was kept once latitude is taken out (step 8)."""

    _label = "filter by latitude"
    _targets = [p.StadynProtLatitudeFilter]
    _sections = {"Selection": [Latitudes()], "Particles": [InSpace(), Neighbours(), Orientations()]}


class StadynPostprocessViewer(ResultsViewer):
    """Resolution and final map (step 9)."""

    _label = "FSC and final map"
    _targets = [p.StadynProtPostprocess]
    _sections = {
        "Resolution": [FSC(), Guinier(), DirectionalFSCs()],
        **_maps("Map", {"postprocess/*.mrc": BRIGHT}, placed=False),
    }


class StadynLocalResolutionViewer(ResultsViewer):
    """Where the map is good (step 9)."""

    _label = "local resolution"
    _targets = [p.StadynProtLocalResolution]
    _sections = {
        "Resolution": [LocalResolutions()],
        **_maps("Map", {"local-resolution/local_filtered.mrc": BRIGHT}, placed=False),
    }


class StadynAlignViewer(ResultsViewer):
    """An alignment: how it went and where it led (steps 3, 4, 5, 7 and 8)."""

    _label = "alignment"
    _targets = [p.StadynProtAlign]
    _sections = {
        **_maps("Averages", {"align/average_*.mrc": DARK, "align/reference_*.mrc": DARK}),
        "Alignment": [Iterations(), Convergence(), Changes()],
        "Particles": [InSpace(), Neighbours(), Orientations()],
    }


class StadynAverageViewer(ResultsViewer):
    """Averages at given poses."""

    _label = "average"
    _targets = [p.StadynProtAverage]
    _sections = {**_maps("Averages", {"average/average_*.mrc": DARK}), "Particles": [InSpace(), Orientations()]}


class StadynRecentreViewer(ResultsViewer):
    """The average about its new centre (step 3)."""

    _label = "new centre"
    _targets = [p.StadynProtRecentre]
    _sections = {
        **_maps("Averages", {"recentred/average_*.mrc": DARK}),
        "Particles": [InSpace(), Changes(), Neighbours()],
    }


class StadynAverageOfAveragesViewer(ResultsViewer):
    """The average of averages (step 5)."""

    _label = "average of averages"
    _targets = [p.StadynProtAverageOfAverages]
    _sections = {
        **_maps("Averages", {"align/average_*.mrc": DARK}, placed=False),
        "Alignment": [Iterations(), Convergence()],
    }


class StadynCommonHeightViewer(ResultsViewer):
    """Averages of all tomograms at one height (step 6)."""

    _label = "common height"
    _targets = [p.StadynProtCommonHeight]
    _sections = {
        **_maps("Averages", {"average/average_*.mrc": DARK, "synthetic_reference.mrc": DARK}),
        "Particles": [InSpace(), Changes()],
    }


class StadynHalfMapsViewer(ResultsViewer):
    """The half-maps (step 9)."""

    _label = "half-maps"
    _targets = [p.StadynProtHalfMaps]
    _sections = {**_maps("Maps", {"stadyn_*.mrc": BRIGHT}), "Particles": [InSpace("half"), Changes(), Orientations()]}


class StadynParticlesViewer(ResultsViewer):
    """Points and particles before they are aligned (steps 2, 5 and 7)."""

    _label = "particles"
    _targets = [
        p.StadynProtOversample, p.StadynProtOversampleTubes, p.StadynProtRefitSurfaces, p.StadynProtSubboxing,
        p.StadynProtExpandLattice, p.StadynProtExtract, p.StadynProtImportParticles,
    ]  # fmt: skip
    _sections = {"Particles": [InSpace("surface", discs=True), Neighbours(), Orientations()]}


class StadynLatticeQualityViewer(ResultsViewer):
    """How particles fit the lattice of their neighbours."""

    _label = "lattice"
    _targets = [p.StadynProtLatticeQuality]
    _sections = {"Lattice": [LatticeMeasures()], "Particles": [InSpace("order"), Neighbours(), Orientations()]}


class StadynSplitHalvesViewer(ResultsViewer):
    """The two halves (step 7)."""

    _label = "halves"
    _targets = [p.StadynProtSplitHalves]
    _sections = {"Particles": [InSpace("half"), Neighbours(), Orientations()]}


class StadynTomogramsViewer(ResultsViewer):
    """Tomograms, and the VLPs in them (steps 1 and 2)."""

    _label = "tomograms"
    _targets = [p.StadynProtImportTomograms, p.StadynProtImportDipoles, p.StadynProtFindShells, p.StadynProtPickDipoles]
    _sections = {"Tomograms": [TomogramSlice()]}


class StadynMaskViewer(ResultsViewer):
    """A mask."""

    _label = "mask"
    _targets = [p.StadynProtMask]
    _sections = {"Mask": [SlicesWithMask({"mask.mrc": BRIGHT})]}


class StadynSimulateViewer(ResultsViewer):
    """A simulation: the true map, and where the particles really are."""

    _label = "simulation"
    _targets = [p.StadynProtSimulate]
    _sections = {
        **_maps("True map", {"simulation/true_map.mrc": BRIGHT, "simulation/true_unit.mrc": BRIGHT}),
        "Particles": [InSpace("surface"), Neighbours(), Orientations()],
        "Tomograms": [TomogramSlice()],
    }
