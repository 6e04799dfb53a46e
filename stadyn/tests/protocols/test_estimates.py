# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs will cost: the paper's sizes are named before they start, small runs start without a word."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from stadyn.convert.meshes import read_dipoles
from stadyn.core.particle_data import ParticleData
from stadyn.core.search import AlignmentRound
from stadyn.core.surfaces import oversample
from stadyn.core.tomograms import Dipole, MissingWedge
from stadyn.protocols import (
    StadynProtAlign,
    StadynProtAverage,
    StadynProtExtract,
    StadynProtSimulate,
    StadynProtSubboxing,
    estimates,
)
from stadyn.protocols.cost_warnings import disk_warnings, duration, gigabytes, memory_warnings, particle_warnings
from stadyn.protocols.presets import PAPER, ROUND_PRESETS, STAGE_GOLD, STAGE_LAST
from stadyn.protocols.rounds import parse_rounds
from stadyn.tests.core.planted import plant

from .project import launch

PARTICLES = 300000
LAST = parse_rounds(ROUND_PRESETS[STAGE_LAST][PAPER])


def gold_standard(particles, threads=2):
    """Minutes of the paper's step 7 at the paper's box and pixel size."""
    rounds = parse_rounds(ROUND_PRESETS[STAGE_GOLD][PAPER])
    return estimates.alignment_minutes(rounds, particles, 259.2, 1.35, threads)


def test_time_grows_with_particles_and_falls_with_threads():
    assert gold_standard(2000) == pytest.approx(2 * gold_standard(1000))
    assert gold_standard(1000, threads=8) == pytest.approx(gold_standard(1000, threads=2) / 4)


def test_a_finer_band_and_a_larger_box_cost_more():
    minutes = estimates.alignment_minutes
    coarse, fine = ([{**AlignmentRound(lowpass_angst=lowpass).__dict__}] for lowpass in (30.0, 15.0))
    assert minutes(fine, 1000, 345.6, 5.4, 1) > 1.5 * minutes(coarse, 1000, 345.6, 5.4, 1)
    assert minutes(coarse, 1000, 345.6, 2.7, 1) > minutes(coarse, 1000, 345.6, 5.4, 1)


def test_estimate_is_what_was_measured_at_30_angstroms():
    """1.3 to 2.0 ms of search and 1.2 ms of preparation a particle, core and iteration, box of 64 px."""
    one = [{**AlignmentRound(iterations=1, lowpass_angst=30.0).__dict__}]
    milliseconds = estimates.alignment_minutes(one, 1, 345.6, 5.4, 1) * 60000
    assert 0.5 < milliseconds / (1.65 + 1.2) < 2


def test_half_a_terabyte_of_subtomograms():
    assert estimates.subtomogram_gigabytes(8000, 345.6, 1.35) == pytest.approx(537, abs=1)


def test_a_particle_of_the_papers_last_alignment_takes_what_was_measured():
    """612,080 bytes of coefficients at 38 Fourier px, to 3 of 100; all of the range a wide search adds its grid."""
    assert estimates.kept_gigabytes(LAST, 1, 259.2, 1.35) * 1e9 == pytest.approx(612_080, rel=0.03)
    wide = [{**LAST[0], "cone_range_deg": 60.0}]
    assert estimates.kept_gigabytes(wide, 1, 259.2, 1.35) > 1.05 * estimates.kept_gigabytes(LAST, 1, 259.2, 1.35)


@pytest.mark.parametrize("cone", [4.0, 60.0])
def test_memory_of_kept_particles_is_what_the_engine_keeps(cone):
    """Within a tenth, for a narrow search and for one with a coarse grid."""
    box, pixel, lowpass = 48, 5.0, 16.0
    planted = plant(12, box, snr=1.0, seed=2, pixel_size=pixel, wedge=MissingWedge(-60, 60))
    settings = AlignmentRound(
        lowpass_angst=lowpass, cone_range_deg=cone, inplane_range_deg=4.0, shift_limit_angst=4.0, symmetry="C1"
    )
    rows = np.arange(12)
    data = ParticleData(planted.source, planted.truth, rows, box, box * pixel / lowpass, 0.0, cone > 4, keep_bytes=1e12)
    made = [data.batch(index) for index in range(len(data))]
    kept = sum(batch.data.nbytes + (batch.cubes.nbytes if batch.cubes is not None else 0) for batch in made)
    assert kept == pytest.approx(1e9 * estimates.kept_gigabytes([vars(settings)], 12, box * pixel, pixel), rel=0.1)


def test_points_of_oversampling_are_counted_before_they_are_made():
    dipoles = [Dipole("t", i, (60, 60, 60), (60, 60, 60 + radius)) for i, radius in enumerate((20, 33))]
    assert estimates.points_on_spheres([20 * 5.4, 33 * 5.4], 40.0) == len(oversample(dipoles, 40.0 / 5.4))


def test_unit_cells_of_a_box_and_of_spheres():
    assert estimates.cells_in_box(345.6, 75.0) == 19  # the middle and two rings
    full = estimates.sites_on_spheres([500.0], 37.5)  # half of the spacing: as many as there are cells
    assert full == pytest.approx(4 * np.pi * 500**2 / (np.sqrt(3) / 2 * 75**2))


@pytest.mark.parametrize(
    ("minutes", "text"), [(0.2, "1 minute"), (45, "45 minutes"), (200, "3 hours"), (60 * 24 * 5, "5 days")]
)
def test_durations_are_said_as_one_says_them(minutes, text):
    assert duration(minutes) == text


@pytest.mark.parametrize(("amount", "text"), [(0.0001, "1 MB"), (0.25, "250 MB"), (3.14, "3.1 GB"), (537.2, "537 GB")])
def test_amounts_are_said_as_one_says_them(amount, text):
    assert gigabytes(amount) == text


def test_disk_is_held_against_what_is_free():
    (full,) = disk_warnings(537, "the subtomograms", "Bin them.", free=20)
    assert full == (
        "The subtomograms will take 537 GB of disk, but 20 GB are free where the project lies: the run would fail. "
        "Bin them."
    )
    (large,) = disk_warnings(537, "the subtomograms", "Bin them.", free=9000)
    assert "537 GB of disk, of 9000 GB that are free" in large
    assert disk_warnings(3, "the subtomograms", "Bin them.", free=9000) == []
    assert disk_warnings(3, "the subtomograms", "Bin them.", free=1) != []


def test_memory_is_held_against_what_is_free():
    (said,) = memory_warnings(14.0, free=10.4)
    assert "take 14 GB of memory, of which 10 GB, half of what is free" in said
    assert memory_warnings(9.0, free=10.4) == []


def test_very_many_particles_are_named():
    (said,) = particle_warnings(120_000, "Take a larger spacing.")
    assert "about 120,000 particles" in said and said.endswith("Take a larger spacing.")
    assert particle_warnings(17_000, "") == []


def with_particles(protocol_class, count, tomograms=5):
    """A form whose particles are many."""
    protocol = protocol_class()
    protocol.given = lambda name: SimpleNamespace(getSize=lambda: count)
    protocol.pixelSize = lambda: 1.35
    protocol._chosen = lambda: SimpleNamespace(table=range(count), tomograms=range(tomograms))
    return protocol


@pytest.fixture
def small_machine(monkeypatch):
    """A machine with 4 GB for particles and 100 GB of disk."""
    monkeypatch.setattr(estimates, "free_memory_gigabytes", lambda: 4.0)
    monkeypatch.setattr(estimates, "free_disk_gigabytes", lambda: 100.0)


@pytest.mark.parametrize(
    ("protocol_class", "words"),
    [
        (StadynProtAlign, ["This will take about", "of memory, of which 4.0 GB"]),
        (StadynProtExtract, ["GB of disk, but 100 GB are free"]),
        (StadynProtAverage, ["This will take about"]),
    ],
)
def test_forms_warn_of_what_is_long_or_large_and_of_nothing_else(protocol_class, words, small_machine):
    said = with_particles(protocol_class, PARTICLES)._warnings()
    assert len(said) == len(words) and all(word in sentence for word, sentence in zip(words, said, strict=True))
    assert with_particles(protocol_class, 20)._warnings() == []


def test_averages_of_very_many_tomograms_fill_the_disk(small_machine):
    protocol = with_particles(StadynProtAlign, 2000, tomograms=600)
    protocol.groups.set(1)
    said = [sentence for sentence in protocol._warnings() if "disk" in sentence]
    # 600 groups of 3 maps of 256^3 voxels
    assert said and "The averages of the groups will take 121 GB of disk, but 100 GB are free" in said[0]


def test_a_form_that_is_wrong_or_empty_warns_of_nothing(small_machine):
    protocol = with_particles(StadynProtAlign, PARTICLES)
    protocol.boxSize.set(-3.0)
    assert protocol._warnings() == [] == StadynProtSubboxing()._warnings()


def test_simulated_tomograms_are_held_against_the_disk(small_machine):
    protocol = StadynProtSimulate()
    assert protocol._warnings() == []
    protocol.pixelSize.set(1.35)
    protocol.numberOfTomograms.set(20)
    assert "The tomograms will take 1" in protocol._warnings()[0] and "the run would fail" in protocol._warnings()[0]


class TestAgainstARealRun:
    """Estimates beside what small runs really left."""

    def test_disk_of_an_alignment(self, aligned, tmp_path):
        """Within a factor of two: the host's own databases and logs come on top."""
        left = sum(file.stat().st_size for file in Path(aligned.resultPath()).rglob("*") if file.is_file()) / 1e9
        size = aligned.inputParticles.get().getSize()
        expected = estimates.alignment_gigabytes(aligned._rounds(), size, aligned.boxSize.get(), 10.8, 1)
        assert 0.5 < left / expected < 2

    def test_disk_of_subtomograms(self, project, oversampled):
        """Within 7 of 100: a header of 1,024 bytes each, which counts in boxes as small as these."""
        run = launch(project, StadynProtExtract, inputParticles=(oversampled, "coordinates"), boxSize=172.8)
        files = list(Path(run.resultPath("subtomograms")).rglob("*.mrc"))
        left = sum(file.stat().st_size for file in files) / 1e9
        assert left == pytest.approx(estimates.subtomogram_gigabytes(len(files), 172.8, 10.8), rel=0.07)
        assert len(files) > 20

    def test_number_of_oversampled_points(self, oversampled):
        figures = oversampled.loadSummary()
        made = sum(figures["points"].values()) + figures["outside"]
        dipoles = oversampled.given("inputDipoles")
        radii = [dipole.radius * 10.8 for dipole in read_dipoles(dipoles)]
        assert made == estimates.points_on_spheres(radii, oversampled.spacing.get())
