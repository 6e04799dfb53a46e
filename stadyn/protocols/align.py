# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps 3, 4, 5, 7 and 8: the alignment of particles to a reference, in rounds."""

from enum import Enum

import numpy as np
from pwem.objects import Volume
from pyworkflow.protocol import params
from pyworkflow.protocol.constants import LEVEL_ADVANCED
from tomo.objects import AverageSubTomogram, SetOfAverageSubTomograms, SetOfCoordinates3D

from stadyn.convert.averages import average_paths, map_path
from stadyn.core.errors import InputError
from stadyn.core.passes import LOCAL, SCORES

from .averages import HALVES, average_halves_together, check_halves, define_averages, group_names
from .base import StadynProtocol, inside_tomograms
from .chunks import add_chunks, align_in_chunks, check_chunks
from .cost_warnings import alignment_warnings, when_known
from .forms import (
    ENGINES,
    GROUP_KEYS,
    PER_HALF,
    PER_TOMOGRAM,
    add_box,
    add_fmin,
    add_groups,
    add_input,
    add_machine,
    add_mask,
    add_particles,
    add_randomize_azimuth,
    add_seed,
    add_viewing_lowpass,
)
from .postprocess import half_map_paths
from .rounds import add_rounds, rounds_of
from .words import counted, listed

JOB = "align"
REFERENCE_FILTERS = ["lowpass", "fsc"]


class AlignOutputs(Enum):
    particles = SetOfCoordinates3D
    average = AverageSubTomogram
    averages = SetOfAverageSubTomograms
    viewingCopy = Volume


class StadynProtAlign(StadynProtocol):
    """Afterwards look at *Convergence* and *Maps side by side*. Good: the mean CC rises and settles, the last iteration
    turns particles by less than 1 degree, and the average shows more than its reference did. Bad: turns of 5 degrees
    and more at the end, or an average that looks like the mask or the reference and nothing else: start coarser, or
    look at the particles that came in.

    It aligns particles to a reference that is averaged anew from them after every iteration. What comes in goes out,
    coordinates or subtomograms, with new poses and cross-correlations.

    Dynamo: an alignment project (_dcp_). Paper: five times, for the initial reference (step 3), one tomogram at a time
    (4), for the candidates (5), for the two halves of the gold standard, which share nothing (7), and for these again
    at the end (8), from 15 Å in step 3 to 6.8 Å in step 8.
    """

    _label = "align"
    _possibleOutputs = AlignOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_particles(form)
        add_groups(
            form,
            help="*all together*: one reference for all.\n*each tomogram apart*: as steps 4 and 5 of the paper.\n"
            "*each half apart*: gold standard, step 7: odd and even particles share nothing; split them before.",
        )
        form.addParam(
            "tomogramIds",
            params.StringParam,
            default="",
            label="Only these tomograms (optional)",
            help="tsIds separated by blanks; #1 is the first tomogram of the particles, #2 the second. Empty: all. "
            "The paper makes its initial reference from the first tomogram alone (step 3).",
        )
        add_input(
            form,
            "inputReference",
            "Volume,SetOfAverageSubTomograms",
            "Starting reference (optional)",
            "A map with protein dark, as all averages here have it; or a set of averages, one for each tomogram "
            "(Dynamo: _template_). Empty: averaged from the particles at the poses they have. Halves start from "
            "halves: from the half-maps of an average, or empty.",
            allowsNull=True,
        )
        add_mask(
            form,
            "Only what it covers is compared; it moves with the reference (Dynamo: _mask_). It should hold more than "
            "one unit cell while the reference is poor. Empty: the whole box, with a soft edge. Paper: a mask that "
            "follows the curvature of the VLP, in step 8.",
            label="Alignment mask (optional)",
        )
        add_box(form)
        add_randomize_azimuth(form, default=False)
        add_viewing_lowpass(form)
        add_chunks(form)
        add_fmin(form)
        add_seed(form)
        add_rounds(form)
        form.addParam(
            "score",
            params.EnumParam,
            choices=list(SCORES),
            default=0,
            label="Normalisation of the CC",
            expertLevel=LEVEL_ADVANCED,
            help="*global*: by all that is in the box.\n*local*: by what the mask covers at the particle's own pose "
            "(Roseman 2003), so that neighbours and membranes outside it do not count. The poses are the same; the CC "
            "that is written differs.",
        )
        form.addParam(
            "referenceFilter",
            params.EnumParam,
            choices=["low-pass of the round", "FSC"],
            default=0,
            label="Filter of the reference",
            expertLevel=LEVEL_ADVANCED,
            help="*low-pass of the round*: as in Dynamo and the paper.\n*FSC*: within that low-pass, each shell of the "
            "reference is weighted by its figure of merit, from the FSC between the averages of every other particle, "
            "so the resolution follows the data from iteration to iteration. Each half of a gold standard has its own.",
        )
        add_machine(form)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.alignStep, needsGPU=self.usesGpu())
        if self.groups == PER_HALF:
            self._insertFunctionStep(self.averageHalvesStep, needsGPU=self.usesGpu())
        self._insertFunctionStep(self.createOutputStep, needsGPU=False)

    def alignStep(self):
        particles, rounds = self._chosen(), self._rounds()
        if self.groups == PER_HALF:
            check_halves(particles.table)
        mask = self.given("inputMask")
        settings = self.jobSettings(
            particles,
            JOB,
            box_angst=self.boxSize.get(),
            group_by=GROUP_KEYS[self.groups.get()],
            randomize_azimuth=self.randomizeAzimuth.get(),
            seed=self.seed.get(),
            fmin=self.fmin.get(),
            reference=self._reference(particles.table),
            mask=self.mapFile(mask) if mask else None,
            engine=ENGINES[self.engine.get()],
            score=SCORES[self.score.get()],
            reference_filter=REFERENCE_FILTERS[self.referenceFilter.get()],
            rounds=rounds,
        )
        align_in_chunks(self, settings)

    def averageHalvesStep(self):
        rounds = self._rounds()
        average_halves_together(
            self,
            self._chosen(),
            self.readTable(JOB, "particles.npz"),
            JOB,
            box_angst=self.boxSize.get(),
            symmetry=rounds[-1]["symmetry"],
            fmin=self.fmin.get(),
        )

    def createOutputStep(self):
        table = self.readTable(JOB, "particles.npz")
        kept = inside_tomograms(table, self.readInput().tomograms)
        self.defineOutput(AlignOutputs.particles.name, self.createLike(table.select(kept)), *self._sources())
        names = group_names(table, self.groups.get())
        define_averages(self, names, JOB, self.pixelSize(), self._sources())
        self.saveSummary(
            particles_in=len(table),
            particles_out=int(kept.sum()),
            groups=names,
            mean_cc=float(np.nanmean(table.cc)),
            rounds=len(self._rounds()),
        )

    def _chosen(self):
        """The `ParticleInput` of the tomograms that the form names."""
        return only_tomograms(self.readInput(), (self.tomogramIds.get() or "").split())

    def _rounds(self):
        return rounds_of(self, self.pixelSize())

    def _sources(self):
        return [name for name in ("inputParticles", "inputReference") if self.given(name) is not None]

    def _reference(self, table):
        """The "reference" of the job's settings: {group: path}, or None; InputError where halves would share one."""
        reference = self.given("inputReference")
        if reference is None:
            return None
        if isinstance(reference, SetOfAverageSubTomograms):
            return self._referencePerTomogram(average_paths(reference), table)
        if self.groups != PER_HALF:
            return {"*": map_path(reference)[0] if table is None else self.mapFile(reference)}
        if not reference.hasHalfMaps():
            raise InputError("both halves would start from one reference: leave it empty, or give one with half-maps")
        return dict(zip(HALVES, half_map_paths(reference), strict=True))

    def _referencePerTomogram(self, paths, table):
        if self.groups != PER_TOMOGRAM:
            raise InputError("a set of averages serves tomograms that are aligned apart: give a single map instead")
        missing = [] if table is None else sorted(set(table.tomogram_ids) - set(paths))
        if missing:
            raise InputError(f"tomogram {missing[0]} has no average among the references: add it, or give a single map")
        return paths

    # ----- what the form shows

    def _checks(self):
        return [self.checkTomograms, self._checkChosen, lambda: self._reference(None)]

    def _formChecks(self):
        return [lambda: rounds_of(self, 1.0), lambda: check_chunks(self)]

    def _checkChosen(self):
        particles = self._chosen()
        self.checkCrops(particles)
        if self.groups == PER_HALF:
            check_halves(particles.table)
        if isinstance(self.given("inputReference"), SetOfAverageSubTomograms):
            self._referencePerTomogram(average_paths(self.given("inputReference")), particles.table)

    def _warnings(self):
        return when_known(self, ["inputParticles"], self._costs)

    def _costs(self):
        particles = self._chosen()
        groups = {PER_TOMOGRAM: len(particles.tomograms), PER_HALF: len(HALVES)}.get(self.groups.get(), 1)
        sizes = len(particles.table), self.boxSize.get(), self.pixelSize(), groups
        return alignment_warnings(self, self._rounds(), *sizes)

    def _methods(self):
        try:
            rounds = self._rounds() if self.given("inputParticles") is not None else []
        except InputError:
            rounds = []
        figures = self.loadSummary()
        who = counted(figures["particles_in"], "particle") if figures else "Particles"
        apart = {PER_TOMOGRAM: ", each tomogram apart,", PER_HALF: ", each half apart,"}.get(self.groups.get(), "")
        start = "their own average" if self.given("inputReference") is None else "a reference"
        return [
            f"{who} were aligned{apart} to {start}, averaged anew after each iteration, by their cross-correlation "
            f"within the Fourier coefficients that their tilt range sampled, in {counted(len(rounds), 'round')}.",
            *(
                f"Round {number}: {counted(r['iterations'], 'iteration')}, cone of {r['cone_range_deg']:g}°, in-plane "
                f"range of {r['inplane_range_deg']:g}°, shifts up to {max(r['shift_limit_angst']):g} Å, low-pass "
                f"{r['lowpass_angst']:g} Å, symmetry {r['symmetry']}."
                for number, r in enumerate(rounds, 1)
            ),
        ]

    def _citations(self):
        local = ["Roseman2003"] if SCORES[self.score.get()] == LOCAL else []
        return [*super()._citations(), "Foerster2005", *local, *(["Scheres2012"] if self.groups == PER_HALF else [])]

    def _summaryLines(self, figures):
        if not figures:
            return []
        lines = [
            f"{counted(figures['particles_in'], 'particle')} aligned in {counted(figures['rounds'], 'round')}, mean "
            f"cross-correlation {figures['mean_cc']:.3f}."
        ]
        if len(figures["groups"]) > 1:
            lines.append(f"Apart from each other: {listed(figures['groups'])}.")
        lost = figures["particles_in"] - figures["particles_out"]
        return lines + ([f"{lost} particles left their tomogram and were dropped."] if lost else [])


def only_tomograms(particles, names):
    """The particles of a `ParticleInput` in the tomograms `names`, tsIds or "#1" for the first; all without names."""
    if not names:
        return particles
    known = [tomogram.id for tomogram in particles.tomograms]
    numbered = {f"#{i}": name for i, name in enumerate(known, 1)}
    chosen = [numbered.get(name, name) for name in names]
    for name in chosen:
        if name not in known:
            raise InputError(f"tomogram {name!r} holds none of the particles; there are {', '.join(known)}")
    rows = np.isin(particles.table.tomogram_ids, chosen)
    boxes = None if particles.boxes is None else particles.boxes.select(rows)
    tomograms = [tomogram for tomogram in particles.tomograms if tomogram.id in chosen]
    return type(particles)(particles.table.select(rows), tomograms, boxes)
