# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps 2B and 6C: particles cut out of the tomograms into files, for other packages."""

import os
from collections import Counter
from dataclasses import replace
from enum import Enum

import numpy as np
from pyworkflow.object import Pointer
from pyworkflow.protocol import params
from tomo.objects import SetOfCoordinates3D, SetOfSubTomograms

from stadyn.convert.coordinates import write_coordinates
from stadyn.convert.particles import precedents
from stadyn.convert.subtomograms import write_subtomograms
from stadyn.convert.tomograms import read_tomograms
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleBoxes
from stadyn.core.resample import box_fits
from stadyn.io.settings import read_settings
from stadyn.jobs.common import box_pixels

from .base import StadynProtocol
from .cost_warnings import disk_warnings, when_known
from .estimates import subtomogram_gigabytes
from .forms import add_box, add_machine, add_number, add_particles
from .input_checks import check_crops

JOB = "subtomograms"
SMALLEST_BINNED = 8
"""Pixels of a side that a binned box must have."""


class ExtractOutputs(Enum):
    subtomograms = SetOfSubTomograms
    coordinates = SetOfCoordinates3D


class StadynProtExtract(StadynProtocol):
    """Afterwards look at *Particles in space* and at the number dropped in the summary. Good: fewer than 5 of 100
    particles are dropped. Bad: many are: the box is too large for tomograms that thin, or positions are off.

    It cuts a box around each particle out of its tomogram and writes it to a file, never turned or interpolated.
    Particles whose box leaves the tomogram are dropped. No step of this package needs such files, for particles are
    cropped on the fly; they are for other packages.

    Dynamo: _dtcrop_, into a data folder. Paper: boxes of 256 pixels up to step 5 and of 192 afterwards, unbinned; 8,000
    of the larger fill half a terabyte.
    """

    _label = "extract subtomograms"
    _possibleOutputs = ExtractOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_particles(form, help="Coordinates, or subtomograms that are cut out anew at their refined positions.")
        add_box(form)
        text = (
            "Factor by which the boxes are binned (in Fourier space); the pixel size grows with it, and the disk they "
            "take falls with its cube. The paper extracts full-sized boxes."
        )
        add_number(form, "binning", 1, (1, 64), "Binning", text)
        form.addParam(
            "invertContrast",
            params.BooleanParam,
            default=False,
            label="Invert the contrast?",
            help="In tomograms protein is dark, as Dynamo and this package have it. RELION and EMAN want it bright.",
        )
        add_machine(form, gpu=False)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.extractStep, needsGPU=False)
        self._insertFunctionStep(self.createOutputStep, needsGPU=False)

    def extractStep(self):
        particles = self.readInput()
        settings = self.jobSettings(
            particles,
            JOB,
            boxes=None,
            box_angst=self.boxSize.get(),
            binning=self.binning.get(),
            invert=self.invertContrast.get(),
        )
        self.runStadynJob("extract", settings)

    def createOutputStep(self):
        table, report = self.readTable(JOB, "particles.npz"), read_settings(self.resultPath(JOB, "extract.json"))
        dropped = Counter(item["reason"] for item in report["dropped"])
        self.saveSummary(written=report["written"], dropped=dict(dropped))
        if len(table) == 0:
            raise InputError("no box lies inside its tomogram: choose a smaller box")
        tomograms = precedents(self.given("inputParticles"))
        paths = [
            self.resultPath(JOB, t, f"particle_{i:06d}.mrc") for t, i in zip(table.tomogram_ids, table.ids, strict=True)
        ]
        boxes = ParticleBoxes(paths, np.zeros(len(table), int), np.rint(table.positions), report["pixel_size"])

        coordinates = self.createSet(SetOfCoordinates3D)
        coordinates.setPrecedents(tomograms)
        coordinates.setSamplingRate(tomograms.getSamplingRate())
        coordinates.setBoxSize(2 * round(self.boxSize.get() / tomograms.getSamplingRate() / 2))
        write_coordinates(table, coordinates, tomograms)
        self.defineOutput(ExtractOutputs.coordinates.name, coordinates, "inputParticles")

        output = self.createSet(SetOfSubTomograms)
        output.setSamplingRate(report["pixel_size"])
        output.setAcquisition(tomograms.getFirstItem().getAcquisition())
        output.setCoordinates3D(Pointer(self, extended=ExtractOutputs.coordinates.name))
        output.setAlignment3D()
        write_subtomograms(table, boxes, output, tomograms)
        self.defineOutput(ExtractOutputs.subtomograms.name, output, "inputParticles")

    # ----- what the form shows

    def _checks(self):
        return [self._checkTomograms, self._checkBoxes]

    def _checkBoxes(self):
        particles = self.readInput()
        check_crops(replace(particles, boxes=None), self.boxSize.get())
        box_px = box_pixels(self.boxSize.get(), particles.tomograms[0].pixel_size)
        binned = 2 * round(box_px / self.binning.get() / 2)
        if binned < SMALLEST_BINNED:
            raise InputError(
                f"binning {self.binning.get()} leaves a box of {binned} px: give 1 to {box_px // SMALLEST_BINNED}"
            )
        places = particles.table.tomogram_ids, particles.table.positions
        if not any(box_fits(t.shape, places[1][places[0] == t.id], box_px).any() for t in particles.tomograms):
            raise InputError(f"a box of {box_px} px fits around no particle of the input: choose a smaller box")

    def _checkTomograms(self):
        tomograms = precedents(self.given("inputParticles"))
        if tomograms is None:
            raise InputError("these subtomograms have no coordinates in a tomogram: there is nothing to cut from")
        read_tomograms(tomograms)

    def _warnings(self):
        return when_known(self, ["inputParticles"], self._costs)

    def _costs(self):
        count, pixel_size = self.given("inputParticles").getSize(), self.pixelSize() * self.binning.get()
        needed = subtomogram_gigabytes(count, self.boxSize.get(), pixel_size)
        remedy = (
            "Alignments do not need them: they cut their particles from the tomograms. Binning by 2 takes an eighth."
        )
        return disk_warnings(needed, "the subtomograms", remedy)

    def _methods(self):
        contrast = "inverted contrast" if self.invertContrast else "the contrast of the tomograms"
        size = f"{self.boxSize.get():g} Å, binned {self.binning.get()} times"
        return [f"Boxes of {size}, were extracted with {contrast}."]

    def _summaryLines(self, figures):
        if not figures:
            return []
        lines = [f"{figures['written']} subtomograms, in {os.path.join(self.resultPath(JOB), '<tomogram>')}."]
        return lines + [f"{count} particles dropped: {reason}." for reason, count in figures["dropped"].items()]
