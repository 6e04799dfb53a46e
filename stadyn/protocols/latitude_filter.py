# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 8, block A: particles of low cross-correlation are dropped, once its trend with the latitude is taken out."""

from tomo.objects import SetOfCoordinates3D

from stadyn.core.errors import InputError
from stadyn.core.particles import EVEN, ODD
from stadyn.core.selection import FOURIER_TERMS, fit_latitudes
from stadyn.io.results import write_result

from .base import StadynProtocol
from .forms import add_number, add_particles
from .input_checks import check_scored
from .select_cc import check_particles

HALF_NAMES = {0: "all", ODD: "odd", EVEN: "even"}


# A dict: in an Enum the second name of a class would only be an alias of the first.
OUTPUTS = {"particles": SetOfCoordinates3D, "excludedParticles": SetOfCoordinates3D}


class StadynProtLatitudeFilter(StadynProtocol):
    """Afterwards look at *CC against latitude*. Good: the fit follows the cloud, is flat afterwards, and 10 to 20 of
    100 particles are excluded (1 standard deviation cuts 16 of a normal distribution). Bad: the normalised CC still
    bends (more terms), or a tomogram loses 40 of 100 and more: its alignment is worse than the others'.

    It drops particles whose CC lies more than k standard deviations under the mean, in each tomogram and half apart,
    after the CC is normalised for the angle between particle and beam: the missing wedge gives particles at the equator
    of a VLP a higher CC than those at its poles.

    Dynamo: _dpksta.filters.byCC_. Paper: step 8, block A, 1 standard deviation.
    """

    _label = "filter by latitude"
    _possibleOutputs = OUTPUTS

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_particles(form, label="Aligned particles", help="Particles with the CC of an alignment.")
        text = "Particles this many standard deviations under the mean, and lower, are dropped. The paper takes 1."
        add_number(form, "deviations", 1.0, (0, 10), "Standard deviations", text)
        text = (
            "Terms of the Fourier series that the CC over latitude is fitted with, beside a constant; the paper takes "
            "the first two. 0: no normalisation."
        )
        add_number(form, "terms", FOURIER_TERMS, (0, 10), "Fourier terms", text)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.filterStep, needsGPU=False)
        self._insertFunctionStep(self.createOutputStep, needsGPU=False)

    def filterStep(self):
        table = self.readInput().table
        kept, fits = fit_latitudes(table, self.deviations.get(), self.terms.get())
        groups = {}
        for (name, half), fit in fits.items():
            group = f"{name}_{HALF_NAMES[half]}"
            write_result(self.resultPath(f"latitude_{group}.npz"), fit)
            groups[group] = {
                "threshold": fit.threshold,
                "kept": int(fit.kept.sum()),
                "excluded": int((~fit.kept).sum()),
            }
        write_result(self.resultPath("particles.npz"), table.select(kept))
        write_result(self.resultPath("excluded.npz"), table.select(~kept))
        self.saveSummary(particles=int(kept.sum()), excluded=int((~kept).sum()), groups=groups)
        if not kept.any():
            raise InputError("no particle is left: allow more standard deviations")

    def createOutputStep(self):
        kept, excluded = self.readTable("particles.npz"), self.readTable("excluded.npz")
        self.defineOutput("particles", self.createLike(kept), "inputParticles")
        if len(excluded):
            output = self.createLike(excluded, suffix="Excluded")
            self.defineOutput("excludedParticles", output, "inputParticles")

    # ----- what the form shows

    def _checks(self):
        return [lambda: check_particles(self.given("inputParticles")), lambda: check_scored(self.readInput())]

    def _summaryLines(self, figures):
        lines = [f"{figures['particles']:,} particles kept, {figures['excluded']} excluded."] if figures else []
        for name, group in figures.get("groups", {}).items():
            threshold = f"{group['threshold']:.4f}" if group["threshold"] is not None else "none"
            kept, excluded = group["kept"], group["excluded"]
            tomogram, _, half = name.rpartition("_")
            where = tomogram if half == HALF_NAMES[0] else f"{tomogram}, {half} half"
            lines.append(f"{where}: threshold {threshold} of the normalised CC; {kept} kept, {excluded} excluded.")
        return lines

    def _methods(self):
        figures = self.loadSummary()
        total = figures.get("particles", 0) + figures.get("excluded", 0)
        return [
            "In each tomogram and half, particles whose cross-correlation, normalised for their latitude on the VLP, "
            f"lay more than {self.deviations.get():g} standard deviation{'' if self.deviations == 1 else 's'} under "
            "the mean were dropped" + (f": {figures['excluded']:,} of {total:,}." if figures else ".")
        ]
