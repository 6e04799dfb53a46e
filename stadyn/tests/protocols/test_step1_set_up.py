# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 1: simulated and imported tomograms are the same, and wrong lists are refused by name."""

import numpy as np
import pytest

from stadyn.convert.coordinates import read_particles
from stadyn.convert.meshes import read_dipoles
from stadyn.convert.tomograms import read_tomograms
from stadyn.io.mrc import write_volume
from stadyn.protocols import StadynProtImportTomograms, StadynProtSimulate

from .project import SIMULATION, configured


def test_simulation_gives_what_it_promises(simulated):
    tomograms = read_tomograms(simulated.tomograms)
    assert [t.pixel_size for t in tomograms] == [10.8, 10.8]
    assert all((t.wedge.min_deg, t.wedge.max_deg) == (-54.0, 60.0) for t in tomograms)
    truth, dipoles = read_particles(simulated.coordinates), read_dipoles(simulated.dipoles)
    assert set(truth.tomogram_ids) == {t.id for t in tomograms} and len(truth) > 100
    for dipole in dipoles:
        own = truth.select(truth.tomogram_ids == dipole.tomogram_id)
        outward = own.positions - dipole.center
        distance = np.linalg.norm(outward, axis=1) * 10.8
        assert np.all(np.abs(distance - 250) < 60)
        assert np.median(np.sum(own.normals() * outward, axis=1) * 10.8 / distance) > 0.97
    assert simulated.trueMap.getSamplingRate() == 10.8


def test_imported_tomograms_are_the_simulated_ones(simulated, tomograms):
    imported, made = read_tomograms(tomograms.tomograms), read_tomograms(simulated.tomograms)
    assert [(t.id, t.shape, t.pixel_size, t.wedge) for t in imported] == [
        (t.id, t.shape, t.pixel_size, t.wedge) for t in made
    ]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"listFile": ""}, "no list of tomograms"),
        ({"listFile": "gone.vll"}, "gone.vll"),
        ({"pixelSize": 5.4}, "states 10.8 Å a pixel in its header, not 5.4"),
        ({"tiltMin": 60.0, "tiltMax": -60.0}, "tilt range 60.0 to -60.0"),
    ],
)
def test_wrong_import_is_refused_with_one_sentence(project, simulated, values, sentence):
    given = {"listFile": simulated.resultPath("simulation", "tomograms.vll"), "pixelSize": 10.8, **values}
    errors = configured(project, StadynProtImportTomograms, **given).validate()
    assert len(errors) == 1 and sentence in errors[0]


def test_listed_tomogram_that_is_missing_is_named(project, tmp_path):
    (tmp_path / "list.vll").write_text("here.mrc\nnot_here.mrc\n")
    write_volume(tmp_path / "here.mrc", np.zeros((8, 8, 8)), 10.8)
    protocol = configured(project, StadynProtImportTomograms, listFile=str(tmp_path / "list.vll"), pixelSize=10.8)
    (error,) = protocol.validate()
    assert "not_here.mrc" in error and "line 2" in error


@pytest.mark.parametrize(("content", "fragment"), [
    (None, "model.pdb cannot be found"), (b"", "model.pdb is empty"), (b"HEADER\n", "model.pdb holds no ATOM records"),
])  # fmt: skip
def test_a_model_that_cannot_be_read_is_named_before_the_simulation(project, tmp_path, content, fragment):
    if content is not None:
        (tmp_path / "model.pdb").write_bytes(content)
    [error] = configured(project, StadynProtSimulate, model=str(tmp_path / "model.pdb")).validate()
    assert fragment in error and "\n" not in error


def test_impossible_simulation_is_refused(project):
    (error,) = configured(project, StadynProtSimulate, **{**SIMULATION, "extent": "950 950"}).validate()
    assert "Extent" in error and "3 numbers" in error
