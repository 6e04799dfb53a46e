# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 1: the tomograms of a Dynamo volume list."""

import glob
import os
from enum import Enum
from pathlib import Path

from pyworkflow.protocol import params
from pyworkflow.protocol.constants import LEVEL_ADVANCED
from pyworkflow.utils import createAbsLink
from tomo.objects import SetOfTomograms

from stadyn.convert.tomograms import append_tomograms, pixel_size_mismatch
from stadyn.core.errors import InputError
from stadyn.core.tomograms import MissingWedge, Tomogram
from stadyn.io.mrc import read_header
from stadyn.io.volume_lists import ListedVolume, read_doc, read_vll

from .base import StadynProtocol
from .forms import add_number
from .words import counted

ENDINGS = (".mrc", ".rec", ".map", ".em")


class ImportTomogramsOutputs(Enum):
    tomograms = SetOfTomograms


class StadynProtImportTomograms(StadynProtocol):
    """Afterwards look at *Slice of a tomogram*. Good: round VLPs, protein darker than the ice, of the diameter you
    know, 900 to 1100 Å in immature HIV-1 (a wrong pixel size shows here). Bad: bright protein (invert the tomograms),
    or VLPs flattened in xy (axes exchanged: z must be the beam). The wand beside the tilts shows the missing wedge.

    It imports the tomograms that a Dynamo list names, or those of a folder, with their pixel size and tilt range. Each
    is known by the name of its file. The host's own import of tomograms serves as well.

    Dynamo: a volume list, and the catalogue made of it. Paper: tomograms.vll and tomograms.doc, five tomograms of 1.35
    Å (step 1).
    """

    _label = "import tomograms from a list"
    _possibleOutputs = ImportTomogramsOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        form.addParam(
            "listFile",
            params.FileParam,
            default="",
            label="List of tomograms (.vll, .doc), folder, or a tomogram",
            important=True,
            help="A .vll has the path of one tomogram on each line, a .doc its number and its path. Relative paths "
            "start from the folder of the list. The name of a file, without its ending, becomes the tsId.\n"
            "Where a .vll itself gives a pixel size (_* apix_) it must agree with the one below; where it gives a tilt "
            "range (_* ytilt_), that is taken.\nInstead of a list: a folder, of which all volumes are taken by name, "
            "or a pattern such as /data/ts_*.mrc.",
        )
        text = "Of the tomograms as they are in the files. Paper: 1.35 Å."
        add_number(form, "pixelSize", 1.35, (0.1, 1000), "Pixel size (Å)", text)
        text = (
            "Tilt angle about y of the first image. With the highest it says which wedge of Fourier space is missing "
            "(Dynamo: columns 14 and 15 of a table, ftype 1). Paper: -60."
        )
        add_number(form, "tiltMin", -60.0, (-90, 90), "Lowest tilt (°)", text)
        add_number(form, "tiltMax", 60.0, (-90, 90), "Highest tilt (°)", "Of the last image, about y. Paper: 60.")
        form.addParam(
            "ctfCorrected",
            params.BooleanParam,
            default=True,
            label="CTF corrected?",
            expertLevel=LEVEL_ADVANCED,
            help="Whether the phases of the tilt images were flipped before reconstruction, as the paper does. Only "
            "noted on the tomograms.",
        )
        form.addParam(
            "ignoreHeader",
            params.BooleanParam,
            default=False,
            label="Ignore the pixel size in the files?",
            expertLevel=LEVEL_ADVANCED,
            help="Headers often state a wrong one, after binning for instance. Say yes when you are sure of yours.",
        )

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.importStep, needsGPU=False)

    def importStep(self):
        tomograms = [self._linked(tomogram) for tomogram in self._tomograms()]
        output = self.createSet(SetOfTomograms)
        append_tomograms(output, tomograms, ctf_corrected=self.ctfCorrected.get())
        self._defineOutputs(**{ImportTomogramsOutputs.tomograms.name: output})
        tilts = sorted({(tomogram.wedge.min_deg, tomogram.wedge.max_deg) for tomogram in tomograms})
        self.saveSummary(tomograms=[tomogram.id for tomogram in tomograms], tilt_ranges_deg=tilts)

    def _linked(self, tomogram):
        link = self.resultPath(os.path.basename(tomogram.path))
        createAbsLink(tomogram.path, os.path.abspath(link))
        return Tomogram(tomogram.id, link, tomogram.pixel_size, tomogram.shape, tomogram.wedge)

    def _tomograms(self):
        """The listed tomograms, checked; InputError for a list or file that cannot be used."""
        wedge = self._wedge()
        tomograms = [self._tomogram(volume, wedge) for volume in self._listed()]
        names = [tomogram.id for tomogram in tomograms]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InputError(f"two tomograms of the list are called {twice}: rename one of the files")
        return tomograms

    def listedPaths(self):
        """Paths of the tomograms that the form names, unchecked; InputError for a list that cannot be read."""
        return [volume.path for volume in self._listed()]

    def _listed(self):
        path = (self.listFile.get() or "").strip()
        if not path:
            raise InputError("no list of tomograms is given: name a .vll or .doc file")
        if os.path.isdir(path) or glob.has_magic(path):
            return self._inFolder(path)
        if path.lower().endswith(ENDINGS):  # a tomogram itself
            return [ListedVolume(os.path.abspath(path), 1)]
        if path.lower().endswith(".doc"):
            return [ListedVolume(volume, number) for number, volume in read_doc(path).items()]
        return read_vll(path)

    @staticmethod
    def _inFolder(path):
        """The volumes in a folder, or those that a pattern finds, by name."""
        found = sorted(glob.glob(os.path.join(path, "*") if os.path.isdir(path) else path))
        volumes = [os.path.abspath(name) for name in found if name.lower().endswith(ENDINGS)]
        if not volumes:
            raise InputError(f"{path} holds no {', '.join(ENDINGS)} files: name the folder of the tomograms, or a list")
        return [ListedVolume(volume, number) for number, volume in enumerate(volumes, 1)]

    def _wedge(self):
        low, high = self.tiltMin.get(), self.tiltMax.get()
        if low is None or high is None or not -90 <= low < high <= 90:
            raise InputError(f"tilt range {low} to {high} degrees: it must rise and lie within -90 to 90")
        return MissingWedge(low, high)

    def _tomogram(self, volume, wedge):
        pixel_size = self.pixelSize.get()
        if volume.pixel_size and abs(volume.pixel_size - pixel_size) > 0.01 * pixel_size:
            raise InputError(
                f"the list gives {volume.path} a pixel size of {volume.pixel_size:g} Å, the form {pixel_size:g} Å: "
                "correct one of them"
            )
        shape = read_header(volume.path).shape
        tomogram = Tomogram(Path(volume.path).stem, volume.path, pixel_size, shape, volume.wedge or wedge)
        mismatch = None if self.ignoreHeader else pixel_size_mismatch(tomogram)
        if mismatch:
            raise InputError(mismatch)
        return tomogram

    # ----- what the form shows

    def _checks(self):
        return [self._tomograms]

    def _methods(self):
        count = counted(len(figures["tomograms"]), "tomogram") if (figures := self.loadSummary()) else "Tomograms"
        return [f"{count} of {self.pixelSize.get():g} Å a pixel, tilted from {self._tilts(figures)}, were used."]

    def _tilts(self, figures):
        ranges = figures.get("tilt_ranges_deg", [(self.tiltMin.get(), self.tiltMax.get())])
        return " or ".join(f"{low:g} to {high:g}°" for low, high in ranges)

    def _summaryLines(self, figures):
        if not figures:
            return []
        names = figures["tomograms"]
        what = f"{counted(len(names), 'tomogram')} of {self.pixelSize.get():g} Å a pixel"
        return [f"{what}, tilted from {self._tilts(figures)}: {', '.join(names)}."]
