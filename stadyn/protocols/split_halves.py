# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 7, block A: the particles of all tomograms in one set, without duplicates, each assigned to a half."""

from enum import Enum

import numpy as np
from pyworkflow.protocol import params
from tomo.objects import SetOfCoordinates3D, SetOfSubTomograms

from stadyn.convert.coordinates import write_coordinates
from stadyn.convert.particles import precedents, read_particle_input, write_particles_like
from stadyn.core.errors import InputError
from stadyn.core.exclusion import exclude_within
from stadyn.core.halves import SPLITS, split_halves
from stadyn.core.particles import EVEN, ODD, ParticleTable
from stadyn.io.results import write_result

from .base import StadynProtocol
from .forms import PARTICLE_CLASSES, add_exclusion_radius, add_seed
from .select_cc import check_particles
from .words import counted

CHOICES = ["odd and even numbers", "whole VLPs", "whole tomograms"]


class SplitHalvesOutputs(Enum):
    particles = SetOfCoordinates3D


class StadynProtSplitHalves(StadynProtocol):
    """Afterwards look at *Particles in space*, coloured by half, and at the summary. Good: odd and even differ by less
    than 5 of 100, and few duplicates were left to remove. Bad: one half holds nearly all (few, unequal VLPs or
    tomograms: split by numbers), or thousands of duplicates: remove them where they arise.

    It merges sets of particles, removes those that are there twice, and assigns each to one of two halves, which are
    refined independently from here on. The half is a column of the particles; alignments and averages 'each half apart'
    obey it.

    Dynamo: tables that are merged, and two tables by the parity of the tag. Paper: step 7, block A, about 8,500 each.
    """

    _label = "merge and split into halves"
    _possibleOutputs = SplitHalvesOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        form.addParam(
            "inputParticles",
            params.MultiPointerParam,
            pointerClass=PARTICLE_CLASSES,
            important=True,
            label="Particles",
            help="One or more sets, of coordinates or of subtomograms, all of one kind.",
        )
        form.addParam(
            "splitBy",
            params.EnumParam,
            choices=CHOICES,
            default=0,
            label="Split by",
            help="The paper splits by the parity of the particle's number. Boxes of neighbours overlap, so that whole "
            "VLPs, or whole tomograms, share less between the halves.",
        )
        add_exclusion_radius(form)
        add_seed(form)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.splitStep, needsGPU=False)
        self._insertFunctionStep(self.createOutputStep, needsGPU=False)

    def splitStep(self):
        inputs = [read_particle_input(particles) for particles in self._sets()]
        table = ParticleTable.concatenate([particles.table for particles in inputs])
        if len(np.unique(table.ids)) < len(table):
            if isinstance(self._sets()[0], SetOfSubTomograms):
                raise InputError("two subtomograms have the same number: join the sets with the host's union first")
            table = table.renumbered()
        radius = self.exclusionRadius.get() / inputs[0].tomograms[0].pixel_size
        kept = table.select(exclude_within(table, radius))
        halves = split_halves(kept, SPLITS[self.splitBy.get()], self.seed.get())
        if len(np.unique(halves.half)) < 2:
            how = CHOICES[self.splitBy.get()]
            raise InputError(f"all {len(halves)} particles fall into one half when split by {how}: split another way")
        write_result(self.resultPath("particles.npz"), halves)
        self.saveSummary(
            sets=len(inputs),
            particles=len(halves),
            duplicates=len(table) - len(halves),
            odd=int(np.sum(halves.half == ODD)),
            even=int(np.sum(halves.half == EVEN)),
        )

    def createOutputStep(self):
        table, sets = self.readTable("particles.npz"), self._sets()
        output = self.createSet(sets[0].getClass())
        if len(sets) == 1:
            write_particles_like(sets[0], table, output)
        else:
            self._fill(output, table, sets)
        self._defineOutputs(**{SplitHalvesOutputs.particles.name: output})
        for pointer in self.inputParticles:
            self._defineSourceRelation(pointer, output)

    def _fill(self, output, table, sets):
        if isinstance(sets[0], SetOfSubTomograms):
            for particles in sets:
                ids = [item.getObjId() for item in particles.iterItems()]
                write_particles_like(particles, table.select(np.isin(table.ids, ids)), output)
        else:
            output.copyInfo(sets[0])
            tomograms = self._sharedTomograms(table)
            output.setPrecedents(tomograms)
            write_coordinates(table, output, tomograms)

    def _sharedTomograms(self, table):
        """The one set of tomograms that holds all particles; InputError if there is none."""
        used = set(table.tomogram_ids)
        for particles in self._sets():
            tomograms = precedents(particles)
            if used <= {tomogram.getTsId() for tomogram in tomograms}:
                return tomograms
        raise InputError("the sets lie in different sets of tomograms: import all tomograms in one set")

    def _sets(self):
        return [pointer.get() for pointer in self.inputParticles]

    # ----- what the form shows

    def _checks(self):
        return [*(lambda p=particles: check_particles(p) for particles in self._sets()), self._checkKinds]

    def _checkKinds(self):
        kinds = {particles.getClassName() for particles in self._sets()}
        sizes = {round(float(particles.getSamplingRate()), 3) for particles in self._sets()}
        if len(kinds) > 1:
            raise InputError(f"{' and '.join(sorted(kinds))} cannot be merged: give sets of one kind")
        if len(sizes) > 1:
            raise InputError(f"the sets have different pixel sizes {sorted(sizes)} Å: give sets of one pixel size")

    def _summaryLines(self, figures):
        if not figures:
            return []
        return [
            f"{counted(figures['particles'], 'particle')} of {counted(figures['sets'], 'set')}; "
            f"{counted(figures['duplicates'], 'duplicate')} removed.",
            f"{figures['odd']} odd, {figures['even']} even, split by {CHOICES[self.splitBy.get()]}.",
        ]

    def _methods(self):
        figures = self.loadSummary()
        sizes = f" of {figures['odd']:,} and {figures['even']:,}" if figures else ""
        return [
            f"The particles of all tomograms were merged and split, by {CHOICES[self.splitBy.get()]}, into two halves"
            f"{sizes} that share nothing from then on."
        ]
