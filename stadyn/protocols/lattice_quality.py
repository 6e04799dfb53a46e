# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles that do not fit the lattice of their neighbours are excluded."""

import numpy as np
from tomo.objects import SetOfCoordinates3D

from stadyn.core.errors import InputError
from stadyn.core.lattice_quality import lattice_quality, select_by_order
from stadyn.core.symmetry import symmetry_order
from stadyn.io.results import write_result

from .base import StadynProtocol
from .forms import add_number, add_particles, add_symmetry
from .input_checks import check_turned
from .ranges import symmetry_check

RESULT = "lattice_quality.npz"
# A dict: in an Enum the second name of a class would only be an alias of the first.
OUTPUTS = {"particles": SetOfCoordinates3D, "excludedParticles": SetOfCoordinates3D}


class StadynProtLatticeQuality(StadynProtocol):
    """Afterwards look at *Fit to the lattice*. Good: the spacing is 72 to 76 Å in immature HIV-1 and the same in all
    tomograms, those kept have 4 and more neighbours on average. Bad: another spacing (pixel size), or half and more
    excluded: the alignment before did not find the lattice.

    It measures how each particle fits the hexagonal lattice of its neighbours (their number, distance, angles between
    the normals, in-plane agreement), gives it an order score from 0 to 1, the probability that it belongs to the
    lattice, and excludes those below a threshold. It looks at poses alone, and so adds to a selection by CC.

    Dynamo: has no such selection. Paper: looks at the lattice in plots (_dtplot_), and selects by CC alone.
    """

    _label = "clean by lattice"
    _possibleOutputs = OUTPUTS

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_particles(form, label="Aligned particles")
        text = (
            "Particles below it are excluded. 0.3 takes out 99 of 100 strays and costs fewer than 1 of 100 true "
            "particles (on VLPs under 250 Å of radius somewhat more); 0 excludes none and only measures. "
            "A particle without any neighbour has 0.05."
        )
        add_number(form, "leastOrder", 0.3, (0, 1), "Least order score", text)
        add_symmetry(
            form,
            help="Cyclic symmetry of the particle about its z axis: in-plane angles are compared modulo its turn. The "
            "lattice itself is hexagonal, its spacing and azimuth are measured.",
        )

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.cleanStep, needsGPU=False)

    def cleanStep(self):
        particles = self.readInput()
        table = particles.table
        quality = lattice_quality(table, symmetry_order(self.symmetry.get()))
        write_result(self.resultPath(RESULT), quality)
        kept = select_by_order(quality, self.leastOrder.get())
        sizes = {tomogram.id: tomogram.pixel_size for tomogram in particles.tomograms}
        figures = {}
        for name, spacing in quality.lattice_spacing.items():
            own = quality.tomogram_ids == name
            figures[name] = {
                "spacing_angst": spacing * sizes[name],
                "kept": int(np.sum(own & kept)),
                "excluded": int(np.sum(own & ~kept)),
                "neighbours": float(np.mean(quality.neighbours[own & kept])) if np.any(own & kept) else 0.0,
            }
        self.saveSummary(particles=int(kept.sum()), excluded=int(np.sum(~kept)), tomograms=figures)
        if not kept.any():
            raise InputError("no particle is left: lower the least order score, or look at the alignment before")
        self.defineOutput("particles", self.createLike(table.select(kept)), "inputParticles")
        if not kept.all():
            output = self.createLike(table.select(~kept), suffix="Excluded")
            self.defineOutput("excludedParticles", output, "inputParticles")

    # ----- what the form shows

    def _checks(self):
        return [lambda: self.checkTomograms(), lambda: check_turned(self.readInput())]

    def _formChecks(self):
        return [symmetry_check(self.symmetry.get())]

    def _citations(self):
        return [*super()._citations(), "Nelson1979", "Briggs2009"]

    def _methods(self):
        return [
            "Particles were kept whose position, normal and in-plane angle agree with the hexagonal lattice of their "
            f"neighbours (order score of at least {self.leastOrder.get():g})."
        ]

    def _summaryLines(self, figures):
        lines = [f"{figures['particles']} particles kept, {figures['excluded']} excluded."] if figures else []
        for name, own in figures.get("tomograms", {}).items():
            lines.append(
                f"{name}: lattice of {own['spacing_angst']:.1f} Å, {own['neighbours']:.1f} neighbours on average; "
                f"{own['kept']} kept, {own['excluded']} excluded."
            )
        return lines
