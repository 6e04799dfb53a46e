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
from .forms import WRITTEN_BOX_HELP, add_box, add_number, add_pixel_shift, add_tomograms

READABLE = [name for name, found in FORMATS.items() if found.read]
AUTOMATIC = 0


class ImportParticlesOutputs(Enum):
    coordinates = SetOfCoordinates3D


class StadynProtImportParticles(StadynProtocol):
    """Afterwards look at *Particles in space* and *Neighbours*. Good: particles lie on shells with their arrows
    outward, nearest neighbours at the spacing of the lattice, 72 to 76 Å in immature HIV-1. Bad: they lie outside of
    the tomogram or arrows point everywhere: another binning or convention; 'check hand and geometry' says which.

    It imports particles with their orientations from the tables of Dynamo, RELION 3 to 5, AV3, STOPGAP, PEET, EMAN2,
    emClarity and PyTom. What the table says and Scipion has no place for is listed in the summary.

    Dynamo: a table (.tbl) and a .doc of the tomograms. Paper: its results are deposited as such tables.
    """

    _label = "import particles from a table"
    _possibleOutputs = ImportParticlesOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        text = "The tomograms that the particles lie in. The table names them by tsId or file name, or by numbers."
        add_tomograms(form, help=text)
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
        text = (
            "Where the table does not say it. 0: that of the tomograms. A table that says another pixel size than "
            "this, or than the tomograms, is refused."
        )
        add_number(form, "pixelSize", 0.0, (0.01, 10000), "Pixel size of the positions (Å)", text, off=0)
        form.addParam(
            "rescale",
            params.BooleanParam,
            default=False,
            label="Rescale positions?",
            help="Say yes where the particles were found in tomograms of another binning than those above: positions "
            "are then brought from one pixel size to the other.",
        )
        add_box(form, help=WRITTEN_BOX_HELP)
        add_pixel_shift(form, "Say no for tables of converters that ignore this.")
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
