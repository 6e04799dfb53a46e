# SPDX-License-Identifier: GPL-3.0-or-later
"""Tomograms of virus-like particles with a known truth, to learn on and to try parameters."""

from enum import Enum
from math import prod

from pwem.objects import Volume
from pyworkflow.protocol import params
from pyworkflow.protocol.constants import LEVEL_ADVANCED
from tomo.objects import SetOfCoordinates3D, SetOfMeshes, SetOfTomograms, TomoAcquisition

from stadyn.convert.averages import volume_from_file
from stadyn.convert.coordinates import write_coordinates
from stadyn.convert.meshes import write_dipoles
from stadyn.convert.subtomograms import project_path
from stadyn.convert.tomograms import append_tomograms
from stadyn.core.errors import InputError
from stadyn.core.simulation import SimulationSettings
from stadyn.core.tomograms import MissingWedge, Tomogram
from stadyn.io.dipoles import read_dipoles
from stadyn.io.mrc import read_header
from stadyn.io.settings import read_settings
from stadyn.jobs.simulate import load_unit

from .base import StadynProtocol
from .cost_warnings import disk_warnings, when_known
from .estimates import VOXEL_BYTES
from .forms import add_machine, add_number, add_seed

FOLDER = "simulation"
DEFAULT = SimulationSettings()


class SimulateOutputs(Enum):
    tomograms = SetOfTomograms
    dipoles = SetOfMeshes
    coordinates = SetOfCoordinates3D
    trueMap = Volume


# parameter: (field of SimulationSettings, label, range, help); one number each
NUMBERS = {
    "numberOfTomograms": ("n_tomograms", "Tomograms", (1, 1000), "How many, each with a defocus of its own. Paper: 5."),
    "pixelSize": (
        "pixel_size_angst",
        "Pixel size (Å)",
        (0.5, 50),
        "Of the tomograms. The paper's are 1.35 Å; 5.4 Å is quick.",
    ),
    "vlps": ("vlps_per_tomogram", "VLPs per tomogram", (1, 100), "The paper's tomograms hold 8 to 9."),
    "ellipticity": (
        "ellipticity",
        "Ellipticity",
        (0, 0.3),
        "The semi-axes of a VLP differ from their mean by up to this fraction.",
    ),
    "spacing": (
        "spacing_angst",
        "Lattice spacing (Å)",
        (20, 500),
        "Between neighbouring hexamers; 72 to 76 Å in immature HIV-1.",
    ),
    "coverage": ("coverage", "Coverage", (0.05, 1), "Fraction of each surface that the lattice covers."),
    "defects": ("defects", "Defects", (0, 0.5), "Fraction of single hexamers that are missing in the lattice."),
    "tiltMin": ("tilt_min_deg", "First tilt (°)", (-89, 88), "Lowest tilt angle about y. Paper: -60."),
    "tiltMax": (
        "tilt_max_deg",
        "Last tilt (°)",
        (-88, 89),
        "Highest tilt angle; the range need not be symmetric. Paper: 60.",
    ),
    "tiltStep": ("tilt_step_deg", "Tilt step (°)", (0.1, 30), "Between two images. Paper: 3."),
    "noise": (
        "noise",
        "Noise",
        (0, 100),
        "1 is as hard as real data, where the lattice is only just seen in a slice; 0 is none.",
    ),
    "clickError": ("click_error_angst", "Click error (Å)", (0, 54), "Largest error of each click of a dipole."),
    "goldBeads": ("gold_beads", "Gold beads", (0, 10000), "Fiducials per tomogram."),
    "junk": ("junk", "Junk", (0, 10000), "Other globules per tomogram."),
}
# parameter: (field, label, names of the values, range, help)
RANGES = {
    "extent": ("extent_angst", "Extent (Å)", "x y z", (50, 20000), "Field of view along x, y and the beam."),
    "radius": (
        "radius_angst",
        "VLP radius (Å)",
        "smallest largest",
        (20, 5000),
        "Of the lattice; real ones have 250 to 600 Å.",
    ),
    "defocus": ("defocus_um", "Defocus (µm)", "smallest largest", (0, 20), "Underfocus, spread over the tomograms."),
}
ADVANCED = {"ellipticity", "defects", "goldBeads", "junk", "tiltStep", "defocus"}


class StadynProtSimulate(StadynProtocol):
    """Afterwards look at *Slice of a tomogram*. Good: at noise 1 the VLPs are plain and their lattice is only just
    seen, as in real data. Bad: VLPs that touch the border (a larger extent), or none but noise (less noise). What a
    pipeline finds is judged against the coordinates of this run: 90 of 100 sites is much.

    It simulates tomograms of virus-like particles: a C6 lattice with gaps and defects on shells that are not perfect
    spheres, a bilayer, gold and junk, imaged as tilt series with CTF, dose and noise and reconstructed by weighted
    back-projection. It gives the tomograms (protein dark), dipoles as a person would click them, the true oriented
    coordinates of every lattice site, and the true map (protein bright).

    Dynamo: _dtutorial_ makes simpler test data. Paper: real tomograms, of immature HIV-1 (EMPIAR-10164), 1.35 Å.
    """

    _label = "simulate tomograms"
    _possibleOutputs = SimulateOutputs

    def _defineParams(self, form):
        form.addSection(label="Simulation")
        for name, (field, label, within, text) in NUMBERS.items():
            level = LEVEL_ADVANCED if name in ADVANCED else params.LEVEL_NORMAL
            add_number(form, name, getattr(DEFAULT, field), within, label, text, expertLevel=level)
        for name, (field, label, values, (low, high), text) in RANGES.items():
            form.addParam(
                name,
                params.StringParam,
                default=" ".join(f"{v:g}" for v in getattr(DEFAULT, field)),
                label=label,
                help=f"{text} Numbers from {low:g} to {high:g}, separated by blanks: {values}.",
                expertLevel=LEVEL_ADVANCED if name in ADVANCED else params.LEVEL_NORMAL,
            )
        form.addParam(
            "model",
            params.FileParam,
            default="",
            label="Model of a lattice unit (optional)",
            expertLevel=LEVEL_ADVANCED,
            help="A PDB or mmCIF file, or an MRC map with protein bright, six-fold axis along z and outside up. Empty: "
            "a hexamer-like density made up with detail down to the pixel.",
        )
        add_seed(form)
        add_machine(form, gpu=False)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.simulateStep, needsGPU=False)
        self._insertFunctionStep(self.createOutputStep, needsGPU=False)

    def simulateStep(self):
        settings = self._settings()
        model = (self.model.get() or "").strip() or None
        record = {"output": self.resultPath(FOLDER), "model": model, "threads": self.numberOfThreads.get()}
        self.runStadynJob("simulate", {**settings, **record})

    def createOutputStep(self):
        record = read_settings(self.resultPath(FOLDER, "simulation.json"))
        tomograms = self._writeTomograms(record["tomograms"])
        pixel_size = tomograms.getSamplingRate()
        self._defineOutputs(**{SimulateOutputs.tomograms.name: tomograms})

        dipoles = read_dipoles(self.resultPath(FOLDER, "dipoles.csv"))
        meshes = self._onTomograms(SetOfMeshes, tomograms, pixel_size)
        write_dipoles(dipoles, meshes, tomograms)

        truth = self.readTable(FOLDER, "truth.npz")
        coordinates = self._onTomograms(SetOfCoordinates3D, tomograms, pixel_size)
        write_coordinates(truth, coordinates, tomograms)

        true_map = self.resultPath(FOLDER, "true_map.mrc")
        volume = volume_from_file(true_map, read_header(true_map).pixel_size)
        for output, value in zip(list(SimulateOutputs)[1:], (meshes, coordinates, volume), strict=True):
            self._defineOutputs(**{output.name: value})
            self._defineSourceRelation(tomograms, value)
        self.saveSummary(tomograms=tomograms.getSize(), vlps=len(dipoles), true_sites=len(truth))

    def _writeTomograms(self, records):
        tomograms = [
            Tomogram(
                r["id"],
                project_path(r["path"]),
                r["pixel_size"],
                tuple(r["shape"]),
                MissingWedge(r["tilt_min_deg"], r["tilt_max_deg"]),
            )
            for r in records
        ]
        output = self.createSet(SetOfTomograms)
        acquisition = TomoAcquisition(
            voltage=300.0, sphericalAberration=2.7, amplitudeContrast=0.07, magnification=50000
        )
        acquisition.setStep(self.tiltStep.get())
        append_tomograms(output, tomograms, acquisition, ctf_corrected=True)
        return output

    def _onTomograms(self, set_class, tomograms, pixel_size):
        output = self.createSet(set_class)
        output.setPrecedents(tomograms)
        output.setSamplingRate(pixel_size)
        output.setBoxSize(2 * round(self.spacing.get() / pixel_size))
        return output

    def _settings(self):
        """The form as fields of SimulationSettings; InputError for what cannot be simulated."""
        settings = {field: getattr(self, name).get() for name, (field, *_) in NUMBERS.items()}
        for name, (field, *_) in RANGES.items():
            settings[field] = _numbers(name, getattr(self, name).get() or "")
        settings["seed"] = self.seed.get()
        SimulationSettings(**settings)
        return settings

    # ----- what the form shows

    def _checks(self):
        return [self._settings, self._checkModel]

    def _checkModel(self):
        if path := (self.model.get() or "").strip():
            load_unit(path, SimulationSettings(**self._settings()))

    def _warnings(self):
        return when_known(self, [], self._costs)

    def _costs(self):
        settings = SimulationSettings(**self._settings())
        needed = settings.n_tomograms * prod(settings.shape) * VOXEL_BYTES / 1e9
        return disk_warnings(needed, "the tomograms", "A coarser pixel or a smaller extent takes less.")

    def _methods(self):
        return [
            "Tomograms of virus-like particles with a lattice were simulated: tilt series with CTF, dose and noise, "
            "reconstructed by weighted back-projection."
        ]

    def _citations(self):
        return ["Scaramuzza2021", "Schur2016"]

    def _summaryLines(self, figures):
        if not figures:
            return []
        return [
            f"{figures['tomograms']} tomograms with {figures['vlps']} VLPs and {figures['true_sites']} lattice sites.",
            f"Dipoles as CSV, .vll and .doc are in {self.resultPath(FOLDER)}.",
        ]


def _numbers(name, text):
    """The numbers of one of the `RANGES`; InputError for too few, and for those out of range or order."""
    _, label, values, (low, high), _ = RANGES[name]
    try:
        numbers = tuple(float(word) for word in text.split())
    except ValueError:
        numbers = ()
    if len(numbers) != len(values.split()):
        raise InputError(f'{label} "{text}": give {len(values.split())} numbers separated by blanks, {values}')
    rising = "smallest" not in values or list(numbers) == sorted(numbers)
    if not (rising and all(low <= number <= high for number in numbers)):
        raise InputError(f'{label} "{text}": give {values}, numbers from {low:g} to {high:g}')
    return numbers
