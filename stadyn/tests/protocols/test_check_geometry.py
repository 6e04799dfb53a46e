# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of hand and geometry on simulated tomograms: true poses pass, inverted ones and a wrong contrast do not."""

import numpy as np

from stadyn.protocols import StadynProtCheckGeometry

from .planted import plant, truth_of
from .project import configured, launch


def test_true_poses_fit_and_broken_ones_are_named(project, simulated, true_average):
    given = {"inputMap": (true_average, "average"), "particles": 60, "resolution": 40.0}
    good = launch(project, StadynProtCheckGeometry, inputParticles=(simulated, "coordinates"), **given)
    scores = good.loadSummary()["scores"]
    assert max(scores, key=lambda name: abs(scores[name])) == "as given" and scores["as given"] > 0.5
    assert "read as they should be" in " ".join(good._summary())
    truth = truth_of(simulated)
    broken = truth.replace(rotations=np.swapaxes(truth.rotations, 1, 2))
    bad = launch(project, StadynProtCheckGeometry, inputParticles=plant(simulated, "broken", broken), **given)
    assert "read with rotations inverted" in " ".join(bad._summary())
    inverted = launch(
        project, StadynProtCheckGeometry, inputParticles=(simulated, "coordinates"), invertMap=True, **given
    )
    assert "contrast is inverted" in " ".join(inverted._summary())
    with open(inverted.report.getFileName(), encoding="utf-8") as report:
        assert "CC of the average with the map" in report.read()


def test_particles_without_orientations_are_refused(project, simulated, true_average):
    truth = truth_of(simulated)
    flat = truth.replace(rotations=np.broadcast_to(np.eye(3), truth.rotations.shape))
    given = {"inputParticles": plant(simulated, "flat", flat), "inputMap": (true_average, "average")}
    errors = configured(project, StadynProtCheckGeometry, **given).validate()
    assert errors == [f"the {len(truth)} particles have no orientations: give those of an alignment"]
