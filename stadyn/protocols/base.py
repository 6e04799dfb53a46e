# SPDX-License-Identifier: GPL-3.0-or-later
"""What all protocols share: input as tables, jobs as processes the host can queue, and results that outlive a process.

A step hands over to the next by files in the run's `extra` folder, never by attributes:
a run that is continued is a new process.
"""

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from pwem.protocols import EMProtocol
from pyworkflow.object import PointerList
from pyworkflow.utils import Environ
from tomo.protocols import ProtTomoBase

from stadyn.convert.other_readers import reader_checks
from stadyn.convert.particles import precedents, read_particle_input, write_particles_like
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.resample import inside
from stadyn.io.results import read_result, write_result
from stadyn.io.settings import read_settings, write_json

from .forms import ReadableHelp
from .input_checks import ChecksInputs, map_checks, wrong_classes
from .kept_sets import damaged_inputs
from .links import NamesTomograms, WaitsForInputs
from .orphans import StopsItsOrphans
from .progress import progress_lines
from .ranges import has_wrong_numbers, wrong_choices, wrong_gpus

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
SUMMARY = "summary.json"
TRIES = 3
"""How often a job is given to a queue system that loses it."""
FILES_ARRIVE_SECONDS = 10
"""What a shared file system may take to show a file of another node."""


def validation_errors(*checks):
    """The messages of the `InputError`s that callables raise, each once: what `_validate` returns. All are tried."""
    errors = []
    for check in checks:
        try:
            check()
        except InputError as error:
            errors.append(str(error))
    return list(dict.fromkeys(errors))


def grouped_paths(folder, groups, prefix="average_", suffix=".mrc"):
    """{group: path} of the files that a job wrote into `folder`, one per group."""
    return {group: os.path.join(folder, f"{prefix}{group}{suffix}") for group in groups}


class StadynProtocol(
    NamesTomograms, WaitsForInputs, StopsItsOrphans, ReadableHelp, ChecksInputs, EMProtocol, ProtTomoBase
):
    """Base of every protocol here; a subclass defines the form, the steps, and what `_checks`.

    Members for subclasses
    ----------------------
    resultPath(*names)                  a path in the run's `extra` folder
    readInput(name)                     ParticleInput (table, tomograms, boxes) of a pointer parameter
    jobSettings(particles, **more)      the common keys of a job's settings; writes its input tables
    runStadynJob(name, settings)        ``python -m stadyn NAME settings.json`` through the host
    readTable(*names)                   what a job left
    createLike(table, name)             particles of the class that came in, with new poses
    saveSummary / loadSummary           figures of this run, kept in summary.json and shown in the summary
    """

    _label = None
    _inputsRead = None  # while a form is checked, {name: ParticleInput}: several checks ask for the same particles

    # ----- files of this run

    def resultPath(self, *names):
        """A path in the folder of this run's results, relative to the project."""
        return self._getExtraPath(*names)

    def saveSummary(self, **figures):
        """Add figures to the run's summary.json, which `_summary`, viewers and exports read."""
        write_json(self.resultPath(SUMMARY), {**self.loadSummary(), **figures})

    def loadSummary(self):
        """The dict that `saveSummary` collected so far."""
        path = self.resultPath(SUMMARY)
        return read_settings(path) if os.path.exists(path) else {}

    def readTable(self, *names):
        """The ParticleTable in a result file of this run."""
        return read_result(self.resultPath(*names), ParticleTable)

    # ----- input

    def given(self, name):
        """The object that the pointer parameter `name` leads to, or None."""
        return getattr(self, name).get()

    def readInput(self, name="inputParticles"):
        """The `ParticleInput` behind a pointer parameter; InputError for particles that cannot be used."""
        if self._inputsRead is None:
            return read_particle_input(self.given(name))
        if name not in self._inputsRead:
            self._inputsRead[name] = read_particle_input(self.given(name))
        return self._inputsRead[name]

    def pixelSize(self, name="inputParticles"):
        """Å per unbinned pixel of the tomograms behind a pointer to particles or tomograms."""
        source = self.given(name)
        tomograms = precedents(source) if hasattr(source, "iterCoordinates") else source
        return float((source if tomograms is None else tomograms).getSamplingRate())

    # ----- jobs

    def gpuIds(self):
        """Numbers of the GPUs this run may use, or None; a queue system counts them anew from 0."""
        if not self.usesGpu():
            return None
        assigned = self._stepsExecutor.getGpuList() if getattr(self, "_stepsExecutor", None) else None
        return [int(gpu) for gpu in assigned or self.getGpuList()]

    def jobSettings(self, particles, output="job", **more):
        """The keys that every job on particles understands; writes particles.npz and boxes.npz for it.

        Parameters
        ----------
        particles : ParticleInput
        output : str, folder under `extra` that the job creates
        more : further keys, which may also replace common ones
        """
        table, boxes = self.resultPath("input_particles.npz"), None
        write_result(table, particles.table)
        if particles.boxes is not None:
            boxes = self.resultPath("input_boxes.npz")
            write_result(boxes, particles.boxes)
        settings = {
            "tomograms": [tomogram_settings(tomogram) for tomogram in particles.tomograms],
            "particles": os.path.abspath(table),
            "boxes": boxes and os.path.abspath(boxes),
            "output": os.path.abspath(self.resultPath(output)),
            "gpu": self.gpuIds(),
            "threads": self.numberOfThreads.get(),
        }
        return {**settings, **more}

    @staticmethod
    def jobEnvironment():
        """The environment variables of a job."""
        environ = Environ(os.environ)
        # The package may be a checkout that is not installed.
        environ.set("PYTHONPATH", str(PACKAGE_ROOT), position=Environ.BEGIN)
        environ.update({"PYTHONUNBUFFERED": "1"})  # progress is for those who watch the log
        return environ

    def runStadynJob(self, name, settings):
        """Run ``python -m stadyn NAME SETTINGS.json`` through the host, here or in its queue.

        Raises InputError with the job's own sentence when it refuses its input.
        """
        path = self.resultPath(f"{name}.json")
        write_json(path, settings)
        self.runStadynCommand(name, path)

    def runStadynCommand(self, name, *words):
        """Run ``python -m stadyn NAME WORDS...`` through the host; InputError with the job's sentence if it refuses."""
        ended = self.resultPath(f"{name}.ended")
        arguments = shlex.join(str(word) for word in ("--ended", os.path.abspath(ended), name, *words))
        for _ in range(TRIES if self.useQueueForSteps() else 1):
            Path(ended).unlink(missing_ok=True)
            try:
                self.runJob(sys.executable, f"-m stadyn {arguments}", env=self.jobEnvironment(), numberOfMpi=1)
            except subprocess.CalledProcessError as error:
                sentence = self._lastSentence(name)
                if sentence is None:
                    raise
                raise InputError(sentence) from error
            if self._hasEnded(ended):
                return
            self.warning(f"the job {name} was lost before its end: it is sent again, and goes on from what it saved")
        raise InputError(f"the job {name} was lost before its end, killed or with its node: continue this run")

    def _hasEnded(self, path):
        """Did a job come to its end? A queue system does not say so; InputError with the sentence it failed with."""
        deadline = time.monotonic() + (FILES_ARRIVE_SECONDS if self.useQueueForSteps() else 0)
        while not os.path.exists(path):
            if time.monotonic() >= deadline:
                return False
            time.sleep(1)
        end = read_settings(path)
        if end["code"]:
            raise InputError(end["sentence"] or f"the job failed with exit code {end['code']}: see its log")
        return True

    def _lastSentence(self, name):
        """What a failed job said last on its way out, from the run's logs."""
        for log in (self.getStderrLog(), self.getStdoutLog()):
            if os.path.exists(log):
                found = re.findall(rf"^stadyn {name}: (.+)$", Path(log).read_text(errors="replace"), re.M)
                if found:
                    return found[-1]
        return None

    # ----- output

    def createSet(self, set_class, suffix=""):
        """A new empty set of this run, in a file named after its class and `suffix`."""
        return set_class.create(self._getPath(), suffix=suffix)

    def createLike(self, table, name="inputParticles", suffix=""):
        """A set of the class that came in at `name`, holding `table`, whose ids are among those that came in."""
        source = self.given(name)
        output = self.createSet(source.getClass(), suffix)
        write_particles_like(source, table, output)
        return output

    def defineOutput(self, name, output, *sources):
        """Define one output, and say which pointer parameters it came from."""
        self._defineOutputs(**{name: output})
        for source in sources:
            if self.given(source) is not None:
                self._defineSourceRelation(getattr(self, source), output)

    # ----- what the form shows

    def _checks(self):
        """Callables that raise InputError for input that cannot work; run only when no required pointer is empty."""
        return []

    def _formChecks(self):
        """The same for what is only typed: run always, so that a replay stops before anything has run."""
        return []

    def _validate(self):
        wrong = wrong_choices(self) + (wrong_gpus(self) if self.usesGpu() else [])
        if wrong or has_wrong_numbers(self):
            return wrong  # the host names the numbers; the checks below rely on them
        if damaged := damaged_inputs(self):
            return damaged
        required = [name for name, param in self._definition.iterPointerParams() if self._isRequired(name, param)]
        if any(self._isEmpty(name) for name in required):
            return validation_errors(*self._formChecks())  # the host itself says which are empty
        self._inputsRead = {}
        try:
            checks = (*self._formChecks(), *reader_checks(self), *map_checks(self), *self._checks())
            return wrong_classes(self) or validation_errors(*checks)
        finally:
            self._inputsRead = None

    def _isRequired(self, name, param):
        return not param.allowsNull.get() and self.evalParamCondition(name)

    def _isEmpty(self, name):
        value = getattr(self, name)
        if isinstance(value, PointerList):
            return len(value) == 0 or any(pointer.get() is None for pointer in value)
        return value.get() is None

    def _summary(self):
        lines = self._summaryLines(self.loadSummary())
        return lines or ["Not finished yet.", *(progress_lines(self.getStdoutLog()) if self.isActive() else [])]

    def _summaryLines(self, figures):
        """Sentences about the figures that `saveSummary` kept."""
        return [f"{key.replace('_', ' ')}: {value}" for key, value in figures.items()]

    def _citations(self):
        return ["Scaramuzza2021", "CastanoDiez2012"]


def inside_tomograms(table, tomograms):
    """(n,) bool: does each particle lie in its tomogram? Those of tomograms without a file, boxes of their own, do."""
    kept = np.ones(len(table), bool)
    for tomogram in tomograms:
        if tomogram.path:
            rows = table.tomogram_ids == tomogram.id
            kept[rows] = inside(tomogram.shape, table.positions[rows])
    return kept


def tomogram_settings(tomogram):
    """A `stadyn.core.tomograms.Tomogram` as the settings of a job hold it."""
    return {
        "id": tomogram.id,
        "path": tomogram.path,
        "pixel_size": tomogram.pixel_size,
        "shape": list(tomogram.shape),
        "tilt_min_deg": tomogram.wedge.min_deg,
        "tilt_max_deg": tomogram.wedge.max_deg,
    }
