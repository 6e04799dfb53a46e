# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs will cost: the paper's sizes are named before they start, small runs start without a word."""

from types import SimpleNamespace

import pytest

from stadyn.core.search import AlignmentRound
from stadyn.protocols import StadynProtAlign, StadynProtExtract
from stadyn.protocols.estimates import alignment_minutes, duration, subtomogram_gigabytes
from stadyn.protocols.presets import PAPER, ROUND_PRESETS, STAGE_GOLD
from stadyn.protocols.rounds import parse_rounds

PARTICLES = 300000


def gold_standard(particles, threads=2):
    """Minutes of the paper's step 7 at the paper's box and pixel size."""
    return alignment_minutes(parse_rounds(ROUND_PRESETS[STAGE_GOLD][PAPER]), particles, 259.2, 1.35, threads)


def test_time_grows_with_particles_and_falls_with_threads():
    assert gold_standard(2000) == pytest.approx(2 * gold_standard(1000))
    assert gold_standard(1000, threads=8) == pytest.approx(gold_standard(1000, threads=2) / 4)


def test_a_finer_band_and_a_larger_box_cost_more():
    coarse, fine = ([{**AlignmentRound(lowpass_angst=lowpass).__dict__}] for lowpass in (30.0, 15.0))
    assert alignment_minutes(fine, 1000, 345.6, 5.4, 1) > 1.5 * alignment_minutes(coarse, 1000, 345.6, 5.4, 1)
    assert alignment_minutes(coarse, 1000, 345.6, 2.7, 1) > alignment_minutes(coarse, 1000, 345.6, 5.4, 1)


def test_estimate_is_what_was_measured_at_30_angstroms():
    """1.3 to 2.0 ms of search and 1.2 ms of preparation a particle, core and iteration, box of 64 px."""
    one = [{**AlignmentRound(iterations=1, lowpass_angst=30.0).__dict__}]
    milliseconds = alignment_minutes(one, 1, 345.6, 5.4, 1) * 60000
    assert 0.5 < milliseconds / (1.65 + 1.2) < 2


def test_half_a_terabyte_of_subtomograms():
    assert subtomogram_gigabytes(8000, 345.6, 1.35) == pytest.approx(537, abs=1)


@pytest.mark.parametrize(
    ("minutes", "text"), [(0.2, "1 minutes"), (45, "45 minutes"), (200, "3 hours"), (60 * 24 * 5, "5 days")]
)
def test_durations_are_said_as_one_says_them(minutes, text):
    assert duration(minutes) == text


def with_particles(protocol_class, count):
    """A form whose particles are many."""
    particles = SimpleNamespace(getSize=lambda: count)
    protocol = protocol_class()
    protocol.given, protocol.pixelSize = lambda name: particles, lambda: 1.35
    return protocol


@pytest.mark.parametrize(
    ("protocol_class", "words"), [(StadynProtAlign, "This will take about"), (StadynProtExtract, "GB of disk")]
)
def test_forms_warn_of_what_is_long_or_large_and_of_nothing_else(protocol_class, words):
    (warning,) = with_particles(protocol_class, PARTICLES)._warnings()
    assert words in warning
    assert with_particles(protocol_class, 20)._warnings() == []
