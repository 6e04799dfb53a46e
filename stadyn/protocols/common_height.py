# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 6, block B: the averages of all tomograms, and with them their particles, brought to one height along z."""

from dataclasses import replace
from enum import Enum

import numpy as np
from tomo.objects import SetOfAverageSubTomograms, SetOfCoordinates3D

from stadyn.convert.averages import append_averages, average_paths, map_path
from stadyn.core.consistency import check_orientations
from stadyn.core.errors import InputError
from stadyn.core.height import fit_height, synthetic_reference
from stadyn.core.resample import rescale_map
from stadyn.io.mrc import read_volume, write_volume
from stadyn.io.results import write_result

from .base import StadynProtocol, grouped_paths
from .cost_warnings import averaging_warnings, when_known
from .forms import add_averages, add_averaging, add_input, add_number, add_particles
from .ranges import symmetry_check
from .select_cc import check_particles

JOB = "average"


class CommonHeightOutputs(Enum):
    particles = SetOfCoordinates3D
    averages = SetOfAverageSubTomograms


class StadynProtCommonHeight(StadynProtocol):
    """Afterwards look at *Maps side by side*, slice xz. Good: the layers of all tomograms lie at one height, the shifts
    in the summary are below 10 Å and the CC above 0.8. Bad: a shift at the largest that is allowed (another layer was
    taken for the lattice), or a warning that an average is upside down.

    It shifts the particles of each tomogram along their own axis until the unit cells of all tomograms sit at the same
    height in their boxes: each average is compared with one synthetic reference, and its shift along z is applied to
    its particles. In x, y and angle the symmetry has already made them agree.

    Dynamo: an alignment project that may only shift along z, then _dynamo_table_rigid_. Paper: step 6, block B.
    """

    _label = "common height"
    _possibleOutputs = CommonHeightOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_particles(form, label="Selected particles")
        add_averages(form, help="One average per tomogram of these particles: an output of 'select by CC'.")
        add_input(
            form,
            "inputReference",
            "Volume,AverageSubTomogram",
            "Reference of the height (optional)",
            "A map with the height wanted, protein dark as in the averages. Empty: a synthetic one is made from the "
            "averages, without azimuth and noise, the density of the unit cell at its centre, as in the paper.",
            allowsNull=True,
        )
        text = "How far an average may move along z. Less than half of the distance between two layers."
        add_number(form, "maxShift", 30.0, (0.1, 500), "Largest shift (Å)", text)
        text = "Only what lies this near to the z axis is compared: about one unit cell and a half."
        add_number(form, "radius", 60.0, (1, 2000), "Radius of the cylinder (Å)", text)
        add_averaging(form, box=345.6)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.heightStep, needsGPU=False)
        self._insertFunctionStep(self.averageStep, needsGPU=self.usesGpu())
        self._insertFunctionStep(self.createOutputStep, needsGPU=False)

    def heightStep(self):
        particles, averages = self.readInput(), self.given("inputAverages")
        paths, pixel_size = average_paths(averages), float(averages.getSamplingRate())
        names = [str(name) for name in np.unique(particles.table.tomogram_ids)]
        volumes = {name: read_volume(paths[name]) for name in names}
        limits = self.maxShift.get() / pixel_size, self.radius.get() / pixel_size
        reference = self._reference(list(volumes.values()), pixel_size, limits)
        write_volume(self.resultPath("synthetic_reference.mrc"), reference, pixel_size, label="stadyn common height")
        fits = {name: fit_height(volumes[name], reference, *limits) for name in names}
        shifts = {
            tomogram.id: fits[tomogram.id].shift_px * pixel_size / tomogram.pixel_size
            for tomogram in particles.tomograms
        }
        heights = np.array([shifts[name] for name in particles.table.tomogram_ids])
        table = particles.table.moved(np.outer(heights, (0.0, 0.0, 1.0)))
        write_result(self.resultPath("particles.npz"), table)
        found = {name: {"shift_angst": fit.shift_px * pixel_size, "cc": fit.cc} for name, fit in fits.items()}
        warnings = check_orientations(list(volumes.values()), pixel_size, *limits).warnings(names)
        self.saveSummary(particles=len(table), heights=found, warnings=warnings)

    def _reference(self, volumes, pixel_size, limits):
        """The map given, in the averages' box and pixel size, or a synthetic one."""
        if not self.given("inputReference"):
            return synthetic_reference(volumes, pixel_size, *limits)
        path, own_pixel_size, _ = map_path(self.given("inputReference"))
        return rescale_map(read_volume(path), own_pixel_size, pixel_size, len(volumes[0]))

    def averageStep(self):
        particles = replace(self.readInput(), table=self.readTable("particles.npz"))
        settings = self.jobSettings(
            particles,
            JOB,
            box_angst=self.boxSize.get(),
            symmetry=self.symmetry.get(),
            group_by=["tomogram"],
            seed=self.seed.get(),
            fmin=self.fmin.get(),
        )
        self.runStadynJob(JOB, settings)

    def createOutputStep(self):
        table = self.readTable("particles.npz")
        averages = self.createSet(SetOfAverageSubTomograms)
        names = [str(name) for name in np.unique(table.tomogram_ids)]
        append_averages(averages, grouped_paths(self.resultPath(JOB), names), self.pixelSize())
        self.defineOutput(CommonHeightOutputs.particles.name, self.createLike(table), "inputParticles", "inputAverages")
        self.defineOutput(CommonHeightOutputs.averages.name, averages, "inputParticles", "inputAverages")

    # ----- what the form shows

    def _checks(self):
        return [lambda: check_particles(self.given("inputParticles")), self.checkTomograms, self._checkAverages]

    def _formChecks(self):
        return [symmetry_check(self.symmetry.get())]

    def _checkAverages(self):
        averages = self.given("inputAverages")
        if not isinstance(averages, SetOfAverageSubTomograms):
            raise InputError(f"a {averages.getClassName()} is no set of averages: give one average per tomogram")
        paths = average_paths(averages)
        missing = sorted(set(self.readInput().table.tomogram_ids) - set(paths))
        if missing:
            raise InputError(f"tomogram {missing[0]} has particles but no average: average its particles first")
        boxes = {map_path(average)[2] for average in averages.iterItems()}
        if len(boxes) > 1:
            raise InputError(f"the averages have different boxes {sorted(boxes)}: average them all with one box size")

    def _summaryLines(self, figures):
        return [
            f"{name}: {height['shift_angst']:+.2f} Å along z, CC {height['cc']:.3f} with the synthetic reference."
            for name, height in figures.get("heights", {}).items()
        ] + [f"Warning: {sentence}." for sentence in figures.get("warnings", [])]

    def _warnings(self):
        return when_known(self, ["inputParticles"], self._costs)

    def _costs(self):
        sizes = self.given("inputParticles").getSize(), self.boxSize.get(), self.pixelSize()
        return averaging_warnings(self, *sizes)

    def _methods(self):
        heights = [abs(height["shift_angst"]) for height in self.loadSummary().get("heights", {}).values()]
        most = f", by up to {max(heights):.1f} Å," if heights else ""
        kind = "a synthetic reference" if self.given("inputReference") is None else "a reference"
        return [f"Particles were shifted along z, tomogram by tomogram{most} to the height of {kind}."]
