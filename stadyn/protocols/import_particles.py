# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles of other packages, from their own tables, as oriented coordinates in the tomograms of the project."""

from enum import Enum

from pyworkflow.protocol import params
from pyworkflow.protocol.constants import LEVEL_ADVANCED
from tomo.objects import SetOfCoordinates3D

from stadyn.convert.coordinates import write_coordinates
from stadyn.convert.particle_tables import context_of, placed
from stadyn.convert.tomograms import read_tomograms
from stadyn.core.errors import InputError
from stadyn.io.tables import FORMATS, format_of, read_particles

from .base import StadynProtocol
from .forms import add_box

READABLE = [name for name, found in FORMATS.items() if found.read]
AUTOMATIC = 0


class ImportParticlesOutputs(Enum):
    coordinates = SetOfCoordinates3D


class StadynProtImportParticles(StadynProtocol):
    """Imports particles with their orientations from the tables of Dynamo, RELION 3 to 5, AV3, STOPGAP, PEET, EMAN2,
    emClarity and PyTom. What the table says and Scipion has no place for is listed in the summary.
    """

    _label = "import particles from a table"
    _possibleOutputs = ImportParticlesOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        form.addParam(
            "inputTomograms",
            params.PointerParam,
            pointerClass="SetOfTomograms",
            important=True,
            label="Tomograms",
            help="The tomograms that the particles lie in. The table names them by tsId or file name, or by numbers.",
        )
        form.addParam(
            "particleFile",
            params.PathParam,
            default="",
            label="Table of particles",
            important=True,
            help="A file: .tbl, .star, .em, .csv, .xml, .lst, .json, .npz. Or a folder: a Dynamo data folder, or one "
            "of .csv files, one for each tomogram, of PEET (with their models) or emClarity.",
        )
        form.addParam(
            "fileFormat",
            params.EnumParam,
            choices=["told from the file", *(FORMATS[name].title for name in READABLE)],
            default=AUTOMATIC,
            label="Format",
            help="Name and content tell the formats apart; choose one where they do not.",
        )
        form.addParam(
            "numbering",
            params.FileParam,
            default="",
            label="List of tomograms (.doc, .vll)",
            help="Which number of the table is which tomogram: Dynamo, AV3 and STOPGAP know tomograms by numbers. A "
            ".doc of the same name beside the table is found by itself.",
        )
        form.addParam(
            "pixelSize",
            params.FloatParam,
            default=0.0,
            label="Pixel size of the positions (Å)",
            help="Where the table does not say it. 0: that of the tomograms. A table that says another pixel size than "
            "this, or than the tomograms, is refused.",
        )
        form.addParam(
            "rescale",
            params.BooleanParam,
            default=False,
            label="Rescale positions?",
            help="Say yes where the particles were found in tomograms of another binning than those above: positions "
            "are then brought from one pixel size to the other.",
        )
        add_box(form, help="Side of the box that later steps will cut; written on the coordinates, for viewers.")
        form.addParam(
            "pixelShift",
            params.BooleanParam,
            default=True,
            label="Count pixels as the package does?",
            expertLevel=LEVEL_ADVANCED,
            help="Dynamo, AV3, STOPGAP and emClarity count pixels from 1, PEET's models from half a pixel, Scipion "
            "from 0. Say no for tables of converters that ignore this.",
        )
        form.addParam(
            "halfFromClass",
            params.BooleanParam,
            default=False,
            label="Is Dynamo's class the half-set?",
            expertLevel=LEVEL_ADVANCED,
            help="Dynamo tables have no column for half-sets; this plugin writes them into the class: 1 odd, 2 even.",
        )
        form.addParam(
            "addOrigins",
            params.BooleanParam,
            default=False,
            label="Apply RELION 5's rlnOrigin?",
            expertLevel=LEVEL_ADVANCED,
            help="The centred coordinates of RELION 5 already include the refined offsets. Say yes for a table whose "
            "coordinates are still those of picking.",
        )

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.importStep, needsGPU=False)

    def importStep(self):
        file, messages = self._particles()
        tomograms = self.given("inputTomograms")
        output = self.createSet(SetOfCoordinates3D)
        output.setPrecedents(self.inputTomograms)
        output.setSamplingRate(tomograms.getSamplingRate())
        output.setBoxSize(2 * round(self.boxSize.get() / tomograms.getSamplingRate() / 2))
        write_coordinates(file.particles, output, tomograms)
        self.defineOutput(ImportParticlesOutputs.coordinates.name, output, "inputTomograms")
        for message in messages:
            self.info(message)
        self.saveSummary(
            particles=len(file.particles), tomograms=len(file.tomogram_ids()), format=self._format(), messages=messages
        )

    def _path(self):
        path = (self.particleFile.get() or "").strip()
        if not path:
            raise InputError("no table of particles is given: name a file or folder")
        return path

    def _format(self):
        chosen = self.fileFormat.get()
        return format_of(self._path()) if chosen == AUTOMATIC else READABLE[chosen - 1]

    def _particles(self):
        """(ParticleFile in the tomograms of the input, messages); InputError for a table that does not fit them."""
        path, size = self._path(), self.pixelSize.get() or None
        if size is not None and not 0 < size < 1e4:
            raise InputError(f"pixel size {size:g} Å: give one above 0, or 0 for that of the tomograms")
        tomograms = read_tomograms(self.given("inputTomograms"))
        context = context_of(
            tomograms, (self.numbering.get() or "").strip(), pixel_size=size, pixel_shift=self.pixelShift.get(),
            add_origins=self.addOrigins.get(), half_from_class=self.halfFromClass.get(),
        )  # fmt: skip
        read = read_particles(path, self._format(), context, rescale=self.rescale.get())
        file, messages = placed(read, tomograms, path)
        if file.classes is not None:
            messages = [*messages, "classes have no place in coordinates and were left behind"]
        return file, [*read.messages, *messages]

    # ----- what the form shows

    def _checks(self):
        return [self._particles]

    def _methods(self):
        figures = self.loadSummary()
        if not figures:
            return []
        return [f"{figures['particles']} particles were imported from a table of {FORMATS[figures['format']].title}."]

    def _summaryLines(self, figures):
        if not figures:
            return []
        title = FORMATS[figures["format"]].title
        first = f"{figures['particles']} particles in {figures['tomograms']} tomograms, from {title}."
        return [first, *figures["messages"]]
