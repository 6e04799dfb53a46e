# SPDX-License-Identifier: GPL-3.0-or-later
"""Summaries and methods are sentences with the numbers that matter, and every protocol cites what it rests on."""

import pytest

from stadyn.protocols import (
    StadynProtAlign,
    StadynProtAverageOfAverages,
    StadynProtHalfMaps,
    StadynProtLatitudeFilter,
    StadynProtMask,
    StadynProtPostprocess,
    StadynProtSelectCC,
    StadynProtSubboxing,
)
from stadyn.protocols.words import counted, decimal, listed


def test_numbers_are_said_as_one_says_them():
    assert [counted(n, "round") for n in (0, 1, 2, 12000)] == ["0 rounds", "1 round", "2 rounds", "12,000 rounds"]
    assert [decimal(v, 1) for v in (-0.04, 0.04, -1.25, 3)] == ["0.0", "0.0", "-1.2", "3.0"]
    assert [listed(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


# figures that a run kept, values of its form, what its methods and its summary then say
RUNS = [
    (
        StadynProtSubboxing,
        dict(parents=955, off_the_surface=12, unit_cells=19, spacing_angst=74.9, exclusion_radius_angst=37.5,
             candidates=18145, outside=3, particles=2355),
        {},
        "Of 18,145 candidates, those within 37.5 Å of a better-aligned one were removed, which left 2,355 particles.",
        "2,355 particles from 18,145 candidates: 3 lay outside their tomogram",
    ),
    (
        StadynProtSelectCC,
        dict(particles=1182, excluded=1173, thresholds={}),
        dict(margin=0.02),
        "with a threshold at the minimum between two fitted Gaussians plus 0.02, which kept 1,182 of 2,355.",
        "1,182 particles kept, 1,173 excluded.",
    ),
    (
        StadynProtSelectCC,
        dict(particles=10, excluded=2, thresholds={}),
        dict(threshold="0.12", maskRadius=0.0),
        "by their cross-correlation at 20 Å, with the threshold 0.12, which kept 10 of 12.",
        "10 particles kept",
    ),
    (
        StadynProtLatitudeFilter,
        dict(particles=973, excluded=209, groups={
            "tomo_001_odd": dict(threshold=0.2146, kept=243, excluded=58),
            "tomo_002_all": dict(threshold=None, kept=1, excluded=0),
        }),
        {},
        "lay more than 1 standard deviation under the mean were dropped: 209 of 1,182.",
        "tomo_001, odd half: threshold 0.2146 of the normalised CC; 243 kept, 58 excluded.",
    ),
    (
        StadynProtHalfMaps,
        dict(particles=3, odd=1, even=2, even_to_odd_shift_angst=[0, -0.001, 1.5], even_to_odd_tilt_deg=0.1,
             even_to_odd_inplane_deg=-0.001, even_to_odd_cc=0.994),
        {},
        "both halves of 1 and 2 particles and the full set were averaged again",
        "Even to odd: shift (0.00, 0.00, 1.50) Å, tilt 0.10°, in-plane 0.00°, CC 0.994.",
    ),
    (
        StadynProtPostprocess,
        dict(resolution_angst=4.5, b_factor=-270.0, lowpass_angst=4.5, hand_flipped=True, warnings=["too tight"]),
        {},
        "The final map was low-passed to 4.50 Å and sharpened by a B-factor of -270 Å².",
        "Sharpened by a B-factor of -270 Å², low-pass 4.50 Å, hand flipped.\nWarning: too tight.",
    ),
    (
        StadynProtMask,
        dict(volume_angst3=9e6, warnings=[]),
        dict(shape=1, radius=120.0),
        "The mask was a cylinder of 120 Å radius, from -54 to 76 Å along z, with a soft edge of 20 Å.",
        "9000 nm³",
    ),
    (
        StadynProtAverageOfAverages,
        dict(averages=2, unit_cells=19, spacing_angst=74.9, moves=[
            dict(tomogram="t", shift_angst=[-0.01, 1, 2], tilt_deg=0.5, inplane_deg=-0.04, cc=0.94)
        ]),
        {},
        "The averages of the 2 tomograms were aligned",
        "t: shift (0.0, 1.0, 2.0) Å, tilt 0.5°, in-plane 0.0°, CC 0.940.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("protocol_class", "figures", "form", "methods", "summary"), RUNS)
def test_methods_and_summaries_hold_the_figures(protocol_class, figures, form, methods, summary):
    protocol = protocol_class()
    protocol.loadSummary, protocol.resultPath = lambda: figures, lambda *names: "/".join(names)
    for name, value in form.items():
        getattr(protocol, name).set(value)
    said = protocol._methods()
    assert methods in " ".join(said)
    assert summary in "\n".join(protocol._summaryLines(figures))
    assert all(line.endswith(".") for line in (*said, *protocol._summaryLines(figures)))


@pytest.mark.parametrize(("score", "groups", "also"), [(0, 0, set()), (1, 0, {"Roseman2003"}), (0, 2, {"Scheres2012"})])
def test_an_alignment_cites_what_its_choices_rest_on(score, groups, also):
    protocol = StadynProtAlign()
    protocol.score.set(score)
    protocol.groups.set(groups)
    assert set(protocol._citations()) == {"Scaramuzza2021", "CastanoDiez2012", "Foerster2005"} | also


def test_a_real_run_says_what_it_did(aligned, oversampled):
    assert aligned._methods()[0].startswith(f"{aligned.loadSummary()['particles_in']} particles were aligned to their")
    assert "Round 1: 2 iterations, cone of 20°, in-plane range of 360°, shifts up to 35 Å" in aligned._methods()[1]
    (sentence,) = oversampled._methods()
    assert f"{sum(oversampled.loadSummary()['points'].values())} points, 75 Å apart" in sentence
