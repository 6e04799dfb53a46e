# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 5, blocks C and D: unit cells marked in the average of averages become particles in every tomogram."""

from enum import Enum

from pwem.objects import Volume
from pyworkflow.protocol import params
from pyworkflow.protocol.constants import LEVEL_ADVANCED
from tomo.objects import SetOfCoordinates3D

from stadyn.convert.averages import map_path
from stadyn.convert.coordinates import write_coordinates
from stadyn.convert.particles import precedents
from stadyn.core.errors import InputError
from stadyn.core.exclusion import exclude_within
from stadyn.io.markers import read_markers
from stadyn.io.results import write_result

from .base import StadynProtocol
from .cost_warnings import particle_warnings, when_known
from .forms import add_input, add_number, add_particles
from .input_checks import check_turned
from .ranges import symmetry_check
from .unit_cells import HALF_SPACING, expected_particles, find_candidates, marker_file, typed_markers
from .words import counted


class SubboxingOutputs(Enum):
    coordinates = SetOfCoordinates3D


class StadynProtSubboxing(StadynProtocol):
    """Afterwards look at *Neighbours* and *Particles in space*. Good: the peak of the distances is the spacing of the
    lattice, 72 to 76 Å in immature HIV-1, and each VLP is covered without stripes. Bad: a peak below half of it (raise
    the exclusion radius), or two shells, 140 Å apart (particles on the membrane: lower the distance from the surface).

    It maps the unit cells that are marked in the average of averages first to the average of each tomogram and from
    there to every particle in it. Where several particles lead to the same unit cell, the one of the best-aligned
    particle stays.

    Dynamo: _dynamo_subboxing_table_, twice, and _dpktbl.exclusionPerVolume_. Paper: step 5, blocks C and D.
    """

    _label = "subboxing"
    _possibleOutputs = SubboxingOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_particles(
            form,
            label="Aligned particles",
            help="The particles whose averages, one per tomogram, were averaged again: those of step 4.",
        )
        add_input(
            form,
            "inputAverages",
            "SetOfAverageSubTomograms",
            "Aligned averages",
            "The averages of the tomograms, as 'average of averages' aligned them: how each was moved leads from the "
            "markers to the tomograms.",
        )
        add_input(
            form,
            "inputAverage",
            "Volume,AverageSubTomogram",
            "Average of averages",
            "The map that the markers lie in: as it is in the pipeline, protein dark.",
        )
        form.addSection(label="Unit cells")
        form.addParam(
            "markerFile",
            params.FileParam,
            default="",
            label="Marker file (optional)",
            help="Centres of the unit cells: a marker set of Chimera (.cmm, in Å from the first voxel), or text with "
            "x, y, z on each line. Empty, as is the next: they are found automatically. Paper: particle_centers.cmm.",
        )
        form.addParam(
            "markers",
            params.StringParam,
            default="",
            label="Typed markers (Å, optional)",
            help="Centres of the unit cells in Å from the first voxel, as Chimera counts: _173,173,173; 248,173,167_.",
        )
        text = (
            "For the automatic search: cells farther from the axis are left out. Cells near the border of the box are "
            "seen worse, and the error of a particle's orientation moves them more. 0: all that fit the box."
        )
        add_number(form, "maxDistance", 0.0, (0, 5000), "Farthest marker (Å)", text)
        text = (
            "Of candidates closer than this only one stays (Dynamo: _dpktbl.exclusionPerVolume_). -1: half of the "
            "distance between neighbouring markers; 0: off."
        )
        add_number(form, "exclusionRadius", HALF_SPACING, (0, 1000), "Exclusion radius (Å)", text, off=HALF_SPACING)
        text = (
            "Particles that the alignment left farther than this from the surface of their VLP, which is fitted to "
            "where most of the correlation is, map no unit cells: a click that was far off lets some settle on the "
            "membrane, 140 Å out. 0: all map theirs, as in the paper."
        )
        add_number(form, "surfaceTolerance", 50.0, (0, 5000), "Distance from the surface (Å)", text)
        form.addParam(
            "tiltNormals",
            params.BooleanParam,
            default=True,
            label="Tilt to the surface?",
            help="Turn each new particle to the normal of the surface at its marker. The paper does not; there the new "
            "particles inherit the axis of the average and the next alignment turns them.",
        )
        form.addParam(
            "cellSymmetry",
            params.StringParam,
            default="C6",
            label="Lattice symmetry",
            expertLevel=LEVEL_ADVANCED,
            help="For the automatic search: C6 and C3 stand in hexagonal lattices, C4 in square ones.",
        )

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.subboxStep, needsGPU=False)
        self._insertFunctionStep(self.createOutputStep, needsGPU=False)

    def subboxStep(self):
        found = find_candidates(self)
        kept = exclude_within(found.table, found.radius_angst / found.pixel_size)
        self.saveSummary(
            parents=found.parents,
            off_the_surface=found.off_the_surface,
            unit_cells=found.unit_cells,
            spacing_angst=found.spacing_angst,
            exclusion_radius_angst=found.radius_angst,
            candidates=found.made,
            outside=found.made - len(found.table),
            particles=int(kept.sum()),
        )
        if not kept.any():
            raise InputError("no marker lies inside a tomogram: check the markers and the pixel sizes")
        if found.cells is not None:
            write_result(self.resultPath("unit_cells.npz"), found.cells)
        write_result(self.resultPath("particles.npz"), found.table.select(kept).renumbered())

    def createOutputStep(self):
        tomograms = precedents(self.given("inputParticles"))
        output = self.createSet(SetOfCoordinates3D)
        output.setPrecedents(tomograms)
        output.setSamplingRate(tomograms.getSamplingRate())
        box = map_path(self.given("inputAverage"))
        output.setBoxSize(2 * round(box[2][0] * box[1] / tomograms.getSamplingRate() / 2))
        write_coordinates(self.readTable("particles.npz"), output, tomograms)
        self.defineOutput(SubboxingOutputs.coordinates.name, output, "inputParticles", "inputAverages", "inputAverage")

    # ----- what the form shows

    def _checks(self):
        return [self._checkMarkerFile, self.checkTomograms, lambda: check_turned(self.readInput()), self._checkAverages]

    def _formChecks(self):
        return [lambda: typed_markers(self), symmetry_check(self.cellSymmetry.get()), self._checkRadius]

    def _checkMarkerFile(self):
        if not isinstance(self.given("inputAverage"), Volume):
            raise InputError("the average of averages is a map: give a Volume or AverageSubTomogram")
        if marker_file(self) and typed_markers(self) is not None:
            raise InputError("markers are given in a file and typed: leave one of the two empty")
        if marker_file(self):
            _, pixel_size, shape = map_path(self.given("inputAverage"))
            read_markers(marker_file(self), pixel_size, shape)

    def _checkAverages(self):
        table = self.readInput().table
        averaged = {average.getVolName() for average in self.given("inputAverages").iterItems()}
        missing = sorted(set(table.tomogram_ids) - averaged)
        if missing:
            raise InputError(
                f"tomogram {missing[0]} has particles but no average among the aligned ones: average it first"
            )

    def _checkRadius(self):
        few = len(typed_markers(self)) < 2 if typed_markers(self) is not None else False
        if few and self.exclusionRadius.get() < 0:
            raise InputError("one marker has no neighbour to take the exclusion radius from: type the radius in Å")

    def _warnings(self):
        return when_known(self, ["inputParticles", "inputAverages", "inputAverage"], self._costs)

    def _costs(self):
        remedy = "A larger exclusion radius, or a smaller distance of the farthest marker, makes fewer."
        return particle_warnings(expected_particles(self), remedy)

    def _summaryLines(self, figures):
        if "particles" not in figures:
            return []
        return [
            f"{figures['unit_cells']} unit cells, {figures['spacing_angst']:.1f} Å apart, in each of "
            f"{figures['parents']} particles; {figures.get('off_the_surface', 0)} others lay off their VLP's surface.",
            f"{counted(figures['particles'], 'particle')} from {counted(figures['candidates'], 'candidate')}: "
            f"{figures['outside']} lay outside their tomogram, the others within "
            f"{figures['exclusion_radius_angst']:.1f} Å of a better one.",
        ]

    def _methods(self):
        figures = self.loadSummary()
        if "particles" not in figures:
            return []
        return [
            f"The {counted(figures['unit_cells'], 'unit cell')} marked in the average of averages, "
            f"{figures['spacing_angst']:.1f} Å apart, were mapped to the tomograms by subboxing in two steps, through "
            f"{counted(figures['parents'], 'aligned particle')}. Of {counted(figures['candidates'], 'candidate')}, "
            f"those within {figures['exclusion_radius_angst']:.1f} Å of a better-aligned one were removed, which left "
            f"{counted(figures['particles'], 'particle')}."
        ]
