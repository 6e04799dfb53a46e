# SPDX-License-Identifier: GPL-3.0-or-later
"""Do hand, contrast, axis order, scale and tilt range of tomograms, particles and a map fit together?"""

from enum import Enum

import numpy as np
from pwem.objects import EMFile
from pyworkflow.protocol import params

from stadyn.convert.averages import map_path
from stadyn.convert.tomograms import pixel_size_mismatch
from stadyn.core.errors import InputError
from stadyn.core.handedness import check_geometry, findings
from stadyn.core.resample import rescale_map
from stadyn.io.aside import written_aside
from stadyn.io.mrc import open_volume, read_volume

from .base import StadynProtocol
from .forms import MAP_CLASSES, add_input, add_number, add_particles, add_seed
from .input_checks import check_turned

REPORT = "geometry.txt"
LARGEST_BOX = 256


class CheckGeometryOutputs(Enum):
    report = EMFile


class StadynProtCheckGeometry(StadynProtocol):
    """Afterwards look at the *summary*, and at geometry.txt for the CC of every reading. Good: "as given" has the
    highest CC, no other reading is named beside it, and the tilt range fits within 6 degrees. Bad: another reading
    wins, in all or in some tomograms: the sentence says which convention was broken, and where to mend it.

    It tells whether particles that were aligned anywhere, their tomograms and a map fit together: particles are
    averaged as their poses say, and as they would have to be read had a convention been broken on the way (inverted
    rotations, a mirrored map, exchanged axes, another origin or binning), and the tilt range is read from the
    tomograms. A hand that is wrong in tomograms, poses and map alike shows nowhere but in the density itself.

    Dynamo: has no such check. Paper: the hand is looked at in the final map and mirrored there.
    """

    _label = "check hand and geometry"
    _possibleOutputs = CheckGeometryOutputs

    def _defineParams(self, form):
        form.addSection(label="Input")
        add_particles(
            form,
            label="Aligned particles",
            help="3D coordinates with orientations of an alignment, by any package, in their tomograms.",
        )
        add_input(
            form,
            "inputMap",
            MAP_CLASSES,
            "Map",
            "What the particles are thought to look like: their average, or a map of the same structure in the same "
            "frame. Only its contrast, hand, scale and orientation matter.",
        )
        form.addParam(
            "invertMap",
            params.BooleanParam,
            default=False,
            label="Invert the contrast of the map?",
            help="Say yes for a map with bright protein, as of RELION or of the EMDB; in tomograms protein is dark.",
        )
        text = "At which average and map are compared. The hand shows only where both are resolved finely enough."
        add_number(form, "resolution", 30.0, (2, 500), "Resolution (Å)", text)
        text = "How many particles, drawn at random, the test is made with. 100 serve in most tomograms."
        add_number(form, "particles", 100, (10, 100000), "Particles", text)
        add_seed(form)

    # ----- steps

    def _insertAllSteps(self):
        self._insertFunctionStep(self.checkStep, needsGPU=False)

    def checkStep(self):
        particles = self.readInput()
        if particles.boxes is not None and not all(t.path for t in particles.tomograms):
            raise InputError("the particles have lost their tomograms: give 3D coordinates in their tomograms")
        tomograms = {tomogram.id: tomogram for tomogram in particles.tomograms}
        size = particles.tomograms[0].pixel_size
        rng = np.random.default_rng(self.seed.get())
        count = min(self.particles.get(), len(particles.table))
        drawn = particles.table.select(np.sort(rng.choice(len(particles.table), count, replace=False)))
        volumes = {name: open_volume(tomograms[name].path) for name in np.unique(drawn.tomogram_ids).tolist()}
        check = check_geometry(volumes, drawn, self._reference(size), size, self.resolution.get())
        headers = [pixel_size_mismatch(tomograms[name]) for name in volumes]
        wedges = {name: tomograms[name].wedge for name in volumes}
        sentences = findings(check, wedges, wrong=[text for text in headers if text])
        scores = {name: round(score, 4) for name, score in check.scores.items()}
        table = "\n".join(f"{score:8.3f}  {name}" for name, score in sorted(scores.items(), key=lambda s: -abs(s[1])))
        with written_aside(self.resultPath(REPORT)) as aside:
            lines = [*sentences, "", "CC of the average with the map, by the way the poses are read:", table]
            aside.write_text("\n".join(lines) + "\n", encoding="utf-8")
        output = EMFile(self.resultPath(REPORT))
        self.defineOutput(CheckGeometryOutputs.report.name, output, "inputParticles", "inputMap")
        self.saveSummary(particles=count, scores=scores, findings=sentences)

    def _reference(self, pixel_size):
        """The map at the pixel size of the tomograms, protein dark."""
        path, own, shape = map_path(self.given("inputMap"))
        box = 2 * round(shape[0] * own / pixel_size / 2)
        if len(set(shape)) != 1 or not 16 <= box <= LARGEST_BOX:
            raise InputError(
                f"the map {path} has {shape[::-1]} voxels of {own:g} Å: give a cubic one of 16 to {LARGEST_BOX} pixels "
                f"of {pixel_size:g} Å"
            )
        return rescale_map(read_volume(path), own, pixel_size, box) * (-1.0 if self.invertMap.get() else 1.0)

    # ----- what the form shows

    def _checks(self):
        return [lambda: check_turned(self.readInput()), lambda: self._reference(self.pixelSize())]


    def _methods(self):
        return ["Hand, contrast, axis order, scale and tilt range were checked against the map."]

    def _summaryLines(self, figures):
        return figures.get("findings", [])
