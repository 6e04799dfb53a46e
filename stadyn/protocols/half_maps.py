# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 9, block A: the even half-map aligned to the odd one, and everything averaged again from the particles."""

import os
from dataclasses import asdict, replace
from enum import Enum

import numpy as np
from pyworkflow.protocol.constants import LEVEL_ADVANCED
from tomo.objects import AverageSubTomogram, SetOfCoordinates3D

from stadyn.convert.averages import average_from_file, map_path
from stadyn.convert.particles import ParticleInput
from stadyn.convert.tomograms import FULL_RANGE
from stadyn.core.halves import half_map_round
from stadyn.core.map_alignment import polish_pose
from stadyn.core.particles import EVEN, ODD, ParticleBoxes, ParticleTable
from stadyn.core.resample import rescale_map
from stadyn.core.rotations import dynamo_from_matrices
from stadyn.core.tomograms import Tomogram
from stadyn.io.mrc import read_volume
from stadyn.io.results import read_result, write_result

from .averages import HALVES, check_halves
from .base import StadynProtocol
from .cost_warnings import averaging_warnings, when_known
from .forms import add_averaging, add_box, add_mask, add_number, add_particles, add_symmetry
from .ranges import symmetry_check
from .select_cc import check_particles
from .viewing import write_inverted
from .words import decimal

HALF_MAPS = {"odd": "stadyn_half1_class001_unfil.mrc", "even": "stadyn_half2_class001_unfil.mrc"}
"""RELION's names: half-map 1 is the odd one."""
FULL_MAP = "stadyn_class001.mrc"


class HalfMapsOutputs(Enum):
    average = AverageSubTomogram
    particles = SetOfCoordinates3D


class StadynProtHalfMaps(StadynProtocol):
    """Afterwards look at *Slices of a map*, and at "even to odd" in the summary. Good: shifted by less than 1 Å, turned
    by less than 0.5 degrees, CC above 0.9. Bad: several Å or degrees (the halves have drifted apart, which moving one
    repairs), or a CC below 0.5 (they show different things: look at both).

    It prepares the half-maps for the FSC. The even average is aligned to the odd one, its particles follow, and both
    halves and all particles together are averaged from the particles again: a map that is only turned would keep the
    edges of its old box. The maps are inverted, protein bright, and named as RELION does.

    Dynamo: _dalign_ of the two averages, _dynamo_table_rigid_, _daverage_. Paper: step 9, block A.
    """

    _label = "half-maps"
    _possibleOutputs = HalfMapsOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_particles(form, label="Refined particles", help="Particles in two halves, after the last alignment.")
        add_symmetry(form)
        add_box(form, default=259.2)
        text = "What the two half-maps are compared under. Empty: the whole box."
        add_mask(form, text, label="Mask for aligning the half-maps (optional)")
        text = "Details finer than this do not count when the even half-map is aligned to the odd one."
        add_number(form, "lowpass", 20.0, (1, 200), "Low-pass for aligning the half-maps (Å)", text)
        text = "How far apart they may lie; less than half of the lattice spacing."
        add_number(
            form, "maxShift", 27.0, (0.1, 500), "Largest shift between them (Å)", text, expertLevel=LEVEL_ADVANCED
        )
        add_averaging(form, symmetry=False)

    # ----- steps

    def _insertAllSteps(self):
        gpu = self.usesGpu()
        self._insertFunctionStep(self.averageHalvesStep, needsGPU=gpu)
        self._insertFunctionStep(self.alignHalvesStep, needsGPU=gpu)
        self._insertFunctionStep(self.averageAgainStep, needsGPU=gpu)
        self._insertFunctionStep(self.createOutputStep, needsGPU=False)

    def averageHalvesStep(self):
        self._average(self.readInput(), "halves_before", ["half"])

    def averageAgainStep(self):
        moved = replace(self.readInput(), table=self.readTable("particles.npz"))
        self._average(moved, "halves", ["half"])
        self._average(moved, "all", [])

    def _average(self, particles, folder, group_by):
        settings = self.jobSettings(
            particles,
            folder,
            box_angst=self.boxSize.get(),
            symmetry=self.symmetry.get(),
            group_by=group_by,
            seed=self.seed.get(),
            fmin=self.fmin.get(),
        )
        self.runStadynJob("average", settings)

    def alignHalvesStep(self):
        """Align the even average, as if it were one particle without a missing wedge, to the odd one."""
        particles = self.readInput()
        pixel_size = particles.tomograms[0].pixel_size
        odd, even = (os.path.abspath(self.resultPath("halves_before", f"average_{half}.mrc")) for half in HALVES)
        # The map is a particle of a tomogram without a file, whose origin is the centre of its box.
        single = ParticleInput(
            ParticleTable(np.zeros((1, 3)), np.eye(3)[None], ["even"]),
            [Tomogram("even", "", pixel_size, (0, 0, 0), FULL_RANGE)],
            ParticleBoxes([even], [0], np.zeros((1, 3)), pixel_size),
        )
        settings = self.jobSettings(
            single,
            "even_to_odd",
            box_angst=self.boxSize.get(),
            reference={"*": odd},
            mask=self.mapFile(self.given("inputMask")) if self.given("inputMask") else None,
            rounds=[asdict(half_map_round(self.symmetry.get(), self.maxShift.get(), self.lowpass.get()))],
            seed=self.seed.get(),
        )
        self.runStadynJob("align", settings)
        pose = read_result(self.resultPath("even_to_odd", "particles.npz"), ParticleTable)
        # The engine's pose is good to a tenth of a degree; two maps can tell more than a particle and a map.
        rotation, shift = polish_pose(
            *(read_volume(path) for path in (odd, even)), pose.rotations[0], pose.positions[0], pixel_size,
            self.lowpass.get(), self._mask(pixel_size, odd),
        )  # fmt: skip
        table = particles.table
        moved = table.moved(shift, rotation)
        is_even = table.half == EVEN
        positions = np.where(is_even[:, None], moved.positions, table.positions)
        rotations = np.where(is_even[:, None, None], moved.rotations, table.rotations)
        write_result(self.resultPath("particles.npz"), table.replace(positions=positions, rotations=rotations))
        tdrot, tilt, narot = (float(angle[0]) for angle in dynamo_from_matrices(rotation[None]))
        self.saveSummary(
            even_to_odd_shift_angst=np.round(shift * pixel_size, 3),
            even_to_odd_tilt_deg=tilt,
            even_to_odd_inplane_deg=(tdrot + narot + 180) % 360 - 180,
            even_to_odd_cc=float(pose.cc[0]),
        )

    def _mask(self, pixel_size, like):
        """The mask in the box and pixel size of a half-map, or None."""
        if not self.given("inputMask"):
            return None
        path, own_pixel_size, _ = map_path(self.given("inputMask"))
        return rescale_map(read_volume(path), own_pixel_size, pixel_size, len(read_volume(like)))

    def createOutputStep(self):
        table, pixel_size = self.readTable("particles.npz"), self.pixelSize()
        for half, name in HALF_MAPS.items():
            write_inverted(self.resultPath("halves", f"average_{half}.mrc"), self.resultPath(name))
        write_inverted(self.resultPath("all", "average_all.mrc"), self.resultPath(FULL_MAP))
        halves = [self.resultPath(name) for name in HALF_MAPS.values()]
        average = average_from_file(self.resultPath(FULL_MAP), pixel_size, half_maps=halves)
        self.saveSummary(
            particles=len(table),
            odd=int(np.sum(table.half == ODD)),
            even=int(np.sum(table.half == EVEN)),
            final_particles=len(table),
        )
        self.defineOutput(HalfMapsOutputs.average.name, average, "inputParticles")
        self.defineOutput(HalfMapsOutputs.particles.name, self.createLike(table), "inputParticles")

    # ----- what the form shows

    def _checks(self):
        return [lambda: check_particles(self.given("inputParticles")), self._checkHalves]

    def _checkHalves(self):
        particles = self.readInput()
        self.checkCrops(particles)
        check_halves(particles.table)

    def _formChecks(self):
        return [symmetry_check(self.symmetry.get())]

    def _summaryLines(self, figures):
        if "particles" not in figures:
            return []
        shift = ", ".join(decimal(v, 2) for v in figures["even_to_odd_shift_angst"])
        return [
            f"{figures['particles']} particles: {figures['odd']} odd, {figures['even']} even.",
            f"Even to odd: shift ({shift}) Å, tilt {decimal(figures['even_to_odd_tilt_deg'], 2)}°, in-plane "
            f"{decimal(figures['even_to_odd_inplane_deg'], 2)}°, CC {figures['even_to_odd_cc']:.3f}.",
            "The maps are inverted: protein is bright.",
        ]

    def _warnings(self):
        return when_known(self, ["inputParticles"], self._costs)

    def _costs(self):
        sizes = self.given("inputParticles").getSize(), self.boxSize.get(), self.pixelSize()
        return averaging_warnings(self, *sizes, times=3)

    def _methods(self):
        figures = self.loadSummary()
        sizes = f" of {figures['odd']:,} and {figures['even']:,} particles" if "odd" in figures else ""
        return [
            f"The even half-map was aligned to the odd one, and both halves{sizes} and the full set were averaged "
            f"again from the transformed particles, with symmetry {self.symmetry.get()}."
        ]

    def _citations(self):
        return [*super()._citations(), "Scheres2012"]
