# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles written as the table of another package."""

import os
from enum import Enum
from pathlib import Path

from pwem.objects import EMFile
from pyworkflow.protocol import params

from stadyn.convert.particle_tables import context_of
from stadyn.core.errors import InputError
from stadyn.io.particle_files import ParticleFile
from stadyn.io.tables import FORMATS, write_particles

from .base import StadynProtocol
from .forms import add_particles, add_pixel_shift

WRITABLE = [name for name, found in FORMATS.items() if found.write and found.endings]
"""Formats of tables; files of particles are the business of another protocol."""
STEM = "particles"


class ExportParticlesOutputs(Enum):
    table = EMFile


class StadynProtExportParticles(StadynProtocol):
    """Afterwards look at the *summary*: the file, how many particles it holds, and what the format has no place for.
    Good: as many particles as came in, 0 lost. Bad: a column that you need is listed as left out: choose another
    format.

    It writes particles, with their orientations, as a table that Dynamo, RELION 3 to 5, AV3, STOPGAP, PEET, EMAN2,
    emClarity, PyTom or ChimeraX reads.

    Dynamo: a table (.tbl) with its .doc of tomograms. Paper: its tables are such files from step 2 on.
    """

    _label = "export particles to a table"
    _possibleOutputs = ExportParticlesOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_particles(form)
        form.addParam(
            "fileFormat",
            params.EnumParam,
            choices=[FORMATS[name].title for name in WRITABLE],
            default=0,
            label="Format",
            help="Dynamo's table comes with a .doc of the tomograms; PEET, emClarity and ChimeraX get a folder with a "
            "file for each tomogram.",
        )
        form.addParam(
            "targetFolder",
            params.PathParam,
            default="",
            label="Folder to write to (optional)",
            help="An existing folder. Empty: the folder of this run.",
        )
        add_pixel_shift(form, "Say no for converters that ignore this.")

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.exportStep, needsGPU=False)

    def exportStep(self):
        particles = self.readInput()
        wedges = {t.id: t.wedge for t in particles.tomograms}
        sizes = {t.id: t.pixel_size for t in particles.tomograms}
        file = ParticleFile(particles.table, sizes, wedges)
        context = context_of(particles.tomograms, pixel_shift=self.pixelShift.get())
        path = self._target()
        messages = write_particles(path, file, self._format(), context)
        for message in messages:
            self.info(message)
        self.defineOutput(ExportParticlesOutputs.table.name, EMFile(str(path)), "inputParticles")
        self.saveSummary(particles=len(file.particles), file=os.path.abspath(path), messages=list(messages))

    def _format(self):
        return WRITABLE[self.fileFormat.get()]

    def _folder(self):
        """The folder to write to; InputError where it is none."""
        folder = (self.targetFolder.get() or "").strip()
        if folder and not os.path.isdir(folder):
            raise InputError(f"{folder} is no folder: create it, or leave the field empty")
        return folder or self.resultPath()

    def _target(self):
        found = FORMATS[self._format()]
        return Path(self._folder()) / (STEM if found.one_tomogram else f"{STEM}{found.endings[0]}")

    # ----- what the form shows

    def _formChecks(self):
        return [self._folder]

    def _checks(self):
        return [self.readInput]

    def _methods(self):
        return [f"Particles were exported to {FORMATS[self._format()].title}."]

    def _summaryLines(self, figures):
        return [f"{figures['particles']} particles in {figures['file']}.", *figures["messages"]] if figures else []
