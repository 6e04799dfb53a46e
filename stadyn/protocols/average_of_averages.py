# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 5, blocks A and B: the averages of all tomograms aligned to each other, and the unit cells that this shows."""

import os
from enum import Enum

import numpy as np
from pwem.objects import Volume
from pyworkflow.protocol import params
from pyworkflow.protocol.constants import LEVEL_ADVANCED
from tomo.objects import AverageSubTomogram, SetOfAverageSubTomograms

from stadyn.convert.averages import average_from_file, map_path, volume_from_file
from stadyn.core.errors import InputError
from stadyn.core.lattice import find_unit_cells
from stadyn.core.rotations import dynamo_from_matrices
from stadyn.core.symmetry import symmetry_order
from stadyn.io.markers import write_cmm
from stadyn.io.mrc import read_header, read_volume
from stadyn.io.results import write_result

from .base import StadynProtocol
from .cost_warnings import alignment_warnings, when_known
from .forms import ENGINES, add_averages, add_fmin, add_machine, add_mask, add_seed, add_viewing_lowpass
from .presets import STAGE_FIRST
from .ranges import symmetry_check
from .rounds import add_rounds, rounds_of
from .viewing import write_inverted
from .words import counted, decimal

JOB = "align"


class AverageOfAveragesOutputs(Enum):
    average = AverageSubTomogram
    averages = SetOfAverageSubTomograms
    viewingCopy = Volume


class StadynProtAverageOfAverages(StadynProtocol):
    """Afterwards look at *Maps side by side*, and at the moves in the summary. Good: every average agrees with their
    mean, CC above 0.8, moved by a few Å and degrees; and at least 7 unit cells are marked, 72 to 76 Å apart in immature
    HIV-1. Bad: one average with a much lower CC, or moved by half a unit cell, 37 Å: look at its alignment.

    It aligns the averages of all tomograms to each other, as if each were a particle without a missing wedge, and
    averages them. The aligned averages carry how each of them was moved; subboxing needs that to go from the average of
    averages back to every tomogram. The unit cells that can be seen in it are marked, unless switched off.

    Dynamo: a small alignment project without missing wedge. Paper: of five averages (step 5, blocks A and B); the unit
    cells are clicked in Chimera.
    """

    _label = "average of averages"
    _possibleOutputs = AverageOfAveragesOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_averages(
            form,
            help="One average per tomogram, as an alignment or averaging 'each tomogram apart' gives them. In the "
            "paper there are five of them, the particles of a small Dynamo project.",
        )
        text = "Only what it covers is compared (Dynamo: _mask_). The paper uses none here."
        add_mask(form, text, label="Alignment mask (optional)")
        add_cells(form)
        add_viewing_lowpass(form)
        add_fmin(form)
        add_seed(form)
        add_rounds(form, STAGE_FIRST)
        add_machine(form)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.alignStep, needsGPU=self.usesGpu())
        self._insertFunctionStep(self.markStep, needsGPU=False)
        self._insertFunctionStep(self.createOutputStep, needsGPU=False)

    def alignStep(self):
        particles = self.readInput("inputAverages")
        mask = self.given("inputMask")
        pixel_size = particles.boxes.pixel_size
        settings = self.jobSettings(
            particles,
            JOB,
            box_angst=read_header(particles.boxes.paths[0]).shape[0] * pixel_size,
            engine=ENGINES[self.engine.get()],
            rounds=rounds_of(self, pixel_size),
            mask=self.mapFile(mask) if mask else None,
            seed=self.seed.get(),
            fmin=self.fmin.get(),
        )
        self.runStadynJob("align", settings)

    def markStep(self):
        average, pixel_size = self._averagePath(), self._pixelSize()
        write_inverted(average, self.resultPath("average_of_averages_inverted.mrc"), self.viewingLowpass.get())
        if not self.findCells:
            return
        volume = read_volume(average)
        cells = find_unit_cells(volume, pixel_size, symmetry_order(self.cellSymmetry.get()))
        write_result(self.resultPath("unit_cells.npz"), cells)
        # Chimera counts Å from the first voxel.
        write_cmm(self.resultPath("unit_cells.cmm"), (cells.markers + volume.shape[0] // 2) * pixel_size, radius=8.0)
        self.saveSummary(
            unit_cells=len(cells.markers),
            spacing_angst=cells.spacing_angst,
            surface_radius_angst=cells.surface_radius_angst,
        )

    def createOutputStep(self):
        table = self.readTable(JOB, "particles.npz")
        average = average_from_file(self._averagePath(), self._pixelSize())
        copy = volume_from_file(self.resultPath("average_of_averages_inverted.mrc"), self._pixelSize())
        self.saveSummary(averages=len(table), moves=_moves(table, self._pixelSize()))
        self.defineOutput(AverageOfAveragesOutputs.average.name, average, "inputAverages")
        self.defineOutput(
            AverageOfAveragesOutputs.averages.name, self.createLike(table, "inputAverages"), "inputAverages"
        )
        self.defineOutput(AverageOfAveragesOutputs.viewingCopy.name, copy, "inputAverages")

    def _averagePath(self):
        return self.resultPath(JOB, "average_all.mrc")

    def _pixelSize(self):
        return float(self.given("inputAverages").getSamplingRate())

    # ----- what the form shows

    def _checks(self):
        return [self._checkAverages]

    def _formChecks(self):
        return [lambda: rounds_of(self, 1.0), symmetry_check(self.cellSymmetry.get())]

    def _checkAverages(self):
        averages = self.given("inputAverages")
        if not isinstance(averages, SetOfAverageSubTomograms):
            raise InputError(f"a {averages.getClassName()} is no set of averages: give one average per tomogram")
        shapes = {map_path(average)[2]: average.getVolName() for average in averages.iterItems()}
        if len(shapes) > 1:
            raise InputError(f"the averages have different boxes {sorted(shapes)}: average them all with one box size")

    def _warnings(self):
        return when_known(self, ["inputAverages"], self._costs)

    def _costs(self):
        averages = self.given("inputAverages")
        _, pixel_size, shape = map_path(averages.getFirstItem())
        sizes = averages.getSize(), shape[0] * pixel_size, pixel_size
        return alignment_warnings(self, rounds_of(self, pixel_size), *sizes, groups=1)

    def _summaryLines(self, figures):
        lines = [f"{figures['averages']} averages aligned to each other."] if "averages" in figures else []
        for move in figures.get("moves", []):
            shift = ", ".join(decimal(v, 1) for v in move["shift_angst"])
            lines.append(
                f"{move['tomogram']}: shift ({shift}) Å, tilt {decimal(move['tilt_deg'], 1)}°, "
                f"in-plane {decimal(move['inplane_deg'], 1)}°, CC {move['cc']:.3f}."
            )
        if "unit_cells" in figures:
            cells = os.path.abspath(self.resultPath("unit_cells.cmm"))
            lines.append(
                f"{figures['unit_cells']} unit cells, {figures['spacing_angst']:.1f} Å apart, marked in {cells}."
            )
        return lines

    def _methods(self):
        figures = self.loadSummary()
        count, cells = f"{figures['averages']} " if "averages" in figures else "", ""
        if "unit_cells" in figures:
            cells = f" It shows {counted(figures['unit_cells'], 'unit cell')}, {figures['spacing_angst']:.1f} Å apart."
        return [
            f"The averages of the {count}tomograms were aligned to each other without a missing wedge, and averaged, "
            f"to mark the unit cells of the lattice only once.{cells}"
        ]

    def _citations(self):
        return [*super()._citations(), "Foerster2005"]


def add_cells(form):
    """The parameters of the automatic search for unit cells."""
    form.addParam(
        "findCells",
        params.BooleanParam,
        default=True,
        label="Mark the unit cells?",
        help="Find the unit cells of the lattice in the result and save them as markers, unit_cells.cmm, that Chimera "
        "opens. In the paper they are marked by hand, with the volume tracer.",
    )
    form.addParam(
        "cellSymmetry",
        params.StringParam,
        default="C6",
        label="Lattice symmetry",
        condition="findCells",
        expertLevel=LEVEL_ADVANCED,
        help="Symmetry about the axis of a unit cell: C6 and C3 stand in hexagonal lattices, C4 in square ones.",
    )


def _moves(table, pixel_size):
    """How the average of averages sits in each average: Å and degrees, one dict per row."""
    tdrot, tilt, narot = dynamo_from_matrices(table.rotations)
    inplane = (tdrot + narot + 180) % 360 - 180
    columns = zip(table.tomogram_ids, table.positions * pixel_size, tilt, inplane, table.cc, strict=True)
    return [
        {"tomogram": str(name), "shift_angst": np.round(shift, 2), "tilt_deg": t, "inplane_deg": i, "cc": cc}
        for name, shift, t, i, cc in columns
    ]
