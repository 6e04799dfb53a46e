# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 2, block A: the virus-like particles, each marked by its centre and a point of its surface."""

import glob
from dataclasses import replace
from enum import Enum

from pyworkflow.protocol import params
from tomo.objects import SetOfMeshes

from stadyn.convert.meshes import read_dipoles as read_mesh_dipoles
from stadyn.convert.tomograms import match_tomogram, read_tomograms
from stadyn.core.errors import InputError
from stadyn.io.dipole_files import MODELS, read_dipole_file
from stadyn.io.dipoles import check_dipoles, read_dipoles

from .base import StadynProtocol
from .dipole_output import define_dipoles, dipole_lines, dipole_methods
from .forms import add_input, add_tomograms

FROM_FILE, FROM_POINTS = range(2)


class ImportDipolesOutputs(Enum):
    dipoles = SetOfMeshes


class StadynProtImportDipoles(StadynProtocol):
    """Afterwards look at *Slice of a tomogram*. Good: every circle lies within 54 Å of the protein layer, and the mean
    radius in the summary is that of your VLPs, 430 to 560 Å in immature HIV-1. Bad: circles beside the VLPs: pixels are
    counted in another binning, or axes exchanged.

    It imports dipoles, the two clicks that mark a virus-like particle: one on its centre, one on its surface.

    Dynamo: dipole models (_dipoleSet_) of the catalogue. Paper: step 2, block A; clicks may be off by 40 pixels of 1.35
    Å, 54 Å.
    """

    _label = "import dipoles"
    _possibleOutputs = ImportDipolesOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_tomograms(form, help="The tomograms that the virus-like particles were marked in.")
        form.addParam(
            "source",
            params.EnumParam,
            choices=["file", "points picked in Scipion"],
            default=FROM_FILE,
            label="Take dipoles from",
            help="A file, or meshes or coordinates of any picking protocol.",
        )
        form.addParam(
            "dipoleFile",
            params.FileParam,
            default="",
            label="Dipole file (.csv, .mod)",
            condition=f"source == {FROM_FILE}",
            help="One row for each virus-like particle, under the heading\n"
            "_tomogram, vlp, center_x, center_y, center_z, north_x, north_y, north_z_\n"
            "in 0-based pixels of the tomogram. The tomogram is named by its tsId or file name, vlp is a number.\n"
            "Or an IMOD model named like its tomogram, with a contour of two points, centre and surface, for each "
            "particle; _*.mod_ takes those of all tomograms. Dynamo's models (.omd) are MATLAB objects: export "
            "them as CSV.",
        )
        add_input(
            form,
            "inputPoints",
            "SetOfMeshes,SetOfCoordinates3D",
            "Points",
            "Points grouped by virus-like particle. Two points of a group are centre and surface point, in this order; "
            "four and more are points of one surface, to which a sphere is fitted.",
            allowsNull=True,
            condition=f"source == {FROM_POINTS}",
        )

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.importStep, needsGPU=False)

    def importStep(self):
        define_dipoles(self, self._dipoles(), *(["inputPoints"] if self.source == FROM_POINTS else []))

    def _dipoles(self):
        """The dipoles in pixels of the input tomograms; InputError for any that do not fit them."""
        tomograms = read_tomograms(self.given("inputTomograms"))
        dipoles = self._fromFile(tomograms) if self.source == FROM_FILE else self._fromPoints(tomograms)
        check_dipoles(dipoles, tomograms)
        return dipoles

    def _fromFile(self, tomograms):
        path = (self.dipoleFile.get() or "").strip()
        if not path:
            raise InputError("no dipole file is given: name a .csv, .mod or .omd file")
        paths = sorted(glob.glob(path)) or [path]
        dipoles = [dipole for name in paths for dipole in read_dipole_file(name, tomograms)]
        return [replace(d, tomogram_id=match_tomogram(d.tomogram_id, tomograms)) for d in dipoles]

    def _fromPoints(self, tomograms):
        points = self.given("inputPoints")
        if points is None:
            raise InputError("no points are given: choose meshes or coordinates")
        own = {t.getTsId(): t.getSamplingRate() for t in points.getPrecedents()}
        pixel_size = {t.id: t.pixel_size for t in tomograms}
        scaled = []
        for dipole in read_mesh_dipoles(points):
            scale = own[dipole.tomogram_id] / pixel_size.get(dipole.tomogram_id, own[dipole.tomogram_id])
            center, north = (tuple(scale * v for v in point) for point in (dipole.center, dipole.north))
            scaled.append(replace(dipole, center=center, north=north))
        return scaled

    # ----- what the form shows

    def _formChecks(self):
        return [self._checkFile]

    def _checks(self):
        return [self._dipoles]

    def _checkFile(self):
        """InputError for a CSV that is none: unlike models, it can be read before there are tomograms."""
        path = (self.dipoleFile.get() or "").strip()
        if self.source == FROM_FILE and path and not path.lower().endswith(MODELS):
            for name in sorted(glob.glob(path)) or [path]:
                read_dipoles(name)

    def _methods(self):
        return dipole_methods(self.loadSummary())

    def _citations(self):
        return [*super()._citations(), "CastanoDiez2017"]

    def _summaryLines(self, figures):
        return dipole_lines(figures)
