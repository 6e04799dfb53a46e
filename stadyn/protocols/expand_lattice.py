# SPDX-License-Identifier: GPL-3.0-or-later
"""New particles at sites that their neighbours expect."""

from enum import Enum

import numpy as np
from pyworkflow.protocol import params
from tomo.objects import SetOfCoordinates3D

from stadyn.convert.coordinates import write_coordinates
from stadyn.convert.particles import precedents
from stadyn.core.errors import InputError
from stadyn.core.lattice_expansion import expand_lattice
from stadyn.core.particles import ParticleTable
from stadyn.core.symmetry import symmetry_order

from .base import StadynProtocol, inside_tomograms
from .forms import WRITTEN_BOX_HELP, add_box, add_number, add_particles, add_symmetry
from .input_checks import check_turned
from .ranges import symmetry_check


class ExpandLatticeOutputs(Enum):
    coordinates = SetOfCoordinates3D


class StadynProtExpandLattice(StadynProtocol):
    """Afterwards look at *Neighbours* and *Particles in space*. Good: new particles lie 72 to 76 Å from their
    neighbours (immature HIV-1), in the holes and along the edges of the lattice. Bad: many more new particles than old
    ones, far from any lattice: strays came in; clean them first, or ask for 3 or 4 neighbours that agree.

    It adds a particle wherever neighbours on the lattice expect one and there is none, in the mean of the poses they
    expect, along the curvature of the particle's VLP. Many sites at the edge of a lattice are truly empty: select by CC
    afterwards (it scores all anew), with an alignment in between where the new ones are to be refined.

    Dynamo: has no counterpart. Paper: subboxing (step 5) reaches neighbours from every particle instead.
    """

    _label = "expand lattice"
    _possibleOutputs = ExpandLatticeOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_particles(
            form,
            label="Clean particles",
            help="Aligned, selected particles: a stray would expect neighbours too. Coordinates, or subtomograms that "
            "still know their coordinates; coordinates come out.",
        )
        text = (
            "A site is taken when at least so many neighbours expect it. 2 finds 93 of 100 missing particles, and as "
            "many empty sites along the edges; 4 stays inside the lattice."
        )
        add_number(form, "support", 2, (1, 6), "Neighbours that must agree", text)
        text = "Each goes on from what the last found: larger gaps are filled, and more empty sites proposed."
        add_number(form, "rounds", 1, (1, 20), "Rounds", text)
        form.addParam(
            "onlyNew",
            params.BooleanParam,
            default=False,
            label="New particles only?",
            help="Leave the particles that came in out of the output.",
        )
        add_symmetry(
            form,
            help="Cyclic symmetry of the particle about its z axis: neighbours may agree in any of its turns. C6 in "
            "the hexameric lattice of the paper.",
        )
        add_box(form, default=259.2, help=WRITTEN_BOX_HELP)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.expandStep, needsGPU=False)

    def expandStep(self):
        particles = self.readInput()
        tomograms, table = precedents(self.given("inputParticles")), particles.table
        new = expand_lattice(table, self.support.get(), self.rounds.get(), symmetry_order(self.symmetry.get()))
        inside = inside_tomograms(new, particles.tomograms)
        new = new.select(inside)
        if self.onlyNew and not len(new):
            raise InputError("no site without a particle is expected by enough neighbours: ask for fewer of them")
        output = self.createSet(SetOfCoordinates3D)
        output.setPrecedents(tomograms)
        output.setSamplingRate(tomograms.getSamplingRate())
        output.setBoxSize(2 * round(self.boxSize.get() / tomograms.getSamplingRate() / 2))
        write_coordinates(new if self.onlyNew else ParticleTable.concatenate([table, new]), output, tomograms)
        self.defineOutput(ExpandLatticeOutputs.coordinates.name, output, "inputParticles")
        names, counts = np.unique(new.tomogram_ids, return_counts=True)
        self.saveSummary(
            particles=len(table),
            new=dict(zip(names.tolist(), counts.tolist(), strict=True)),
            outside=int(np.sum(~inside)),
        )

    # ----- what the form shows

    def _checks(self):
        return [self._checkCoordinates, lambda: self.checkTomograms(), lambda: check_turned(self.readInput())]

    def _checkCoordinates(self):
        if precedents(self.given("inputParticles")) is None:
            raise InputError("these subtomograms have no coordinates: give particles that know their tomograms")

    def _formChecks(self):
        return [symmetry_check(self.symmetry.get())]

    def _methods(self):
        return [
            f"The lattice was expanded into sites that at least {self.support.get()} neighbours expect, "
            f"{self.rounds.get()} times."
        ]

    def _summaryLines(self, figures):
        if not figures:
            return []
        lines = [f"{sum(figures['new'].values())} new particles beside {figures['particles']}."]
        lines += [f"{name}: {count} new." for name, count in figures["new"].items()]
        if figures["outside"]:
            lines.append(f"{figures['outside']} sites outside of their tomogram were left out.")
        return lines
