# SPDX-License-Identifier: GPL-3.0-or-later
"""Per-round lists become rounds, presets fit every pixel size, and nonsense is named."""

import pytest

from stadyn.core.errors import InputError
from stadyn.core.search import AlignmentRound
from stadyn.protocols import StadynProtAlign, StadynProtAverageOfAverages
from stadyn.protocols.forms import EXHAUSTIVE
from stadyn.protocols.presets import (
    CUSTOM,
    PAPER,
    RECOMMENDED,
    ROUND_PRESETS,
    STAGE_FIRST,
    STAGE_GOLD,
    STAGE_LAST,
    STAGE_REFERENCE,
)
from stadyn.protocols.rounds import EXHAUSTIVE_ONLY, adapt_rounds, parse_rounds, rounds_of

VALUES = ROUND_PRESETS[STAGE_REFERENCE][PAPER]


def test_paper_s_first_alignment_is_what_its_text_says():
    first, second = parse_rounds(VALUES)
    assert (first["iterations"], second["iterations"]) == (3, 3)
    assert (first["lowpass_angst"], second["lowpass_angst"]) == (15.0, 15.0)
    assert (first["binning"], second["binning"]) == (4, 2)
    assert (first["symmetry"], second["symmetry"]) == ("C1", "C1")
    assert first["cone_range_deg"] > second["cone_range_deg"]
    assert {r["symmetry"] for r in parse_rounds(ROUND_PRESETS[STAGE_FIRST][PAPER])} == {"C6"}


def test_paper_s_gold_standard_has_three_rounds_the_last_two_unbinned():
    rounds = parse_rounds(ROUND_PRESETS[STAGE_GOLD][PAPER])
    assert [(r["iterations"], r["lowpass_angst"]) for r in rounds] == [(3, 8.1)] * 3
    assert [r["binning"] for r in rounds][1:] == [1, 1] and rounds[0]["binning"] > 1
    (last,) = parse_rounds(ROUND_PRESETS[STAGE_LAST][PAPER])
    assert last["lowpass_angst"] == 6.8 and last["cone_range_deg"] == rounds[-1]["cone_range_deg"]


@pytest.mark.parametrize("stage", ROUND_PRESETS)
@pytest.mark.parametrize("preset", [RECOMMENDED, PAPER])
@pytest.mark.parametrize("pixel_size", [1.35, 2.7, 5.4, 10.8])
def test_presets_fit_every_pixel_size(stage, preset, pixel_size):
    for settings in adapt_rounds(parse_rounds(ROUND_PRESETS[stage][preset]), pixel_size):
        AlignmentRound.from_dict(settings)
        assert settings["lowpass_angst"] >= 2 * pixel_size * settings["binning"] * 0.999


def test_at_the_paper_s_pixel_size_its_binning_stays():
    assert [r["binning"] for r in adapt_rounds(parse_rounds(VALUES), 1.35)] == [4, 2]
    assert [r["binning"] for r in adapt_rounds(parse_rounds(VALUES), 5.4)] == [1, 1]


def test_one_value_serves_all_rounds_and_a_shift_may_be_an_ellipsoid():
    rounds = parse_rounds({**VALUES, "iterations": "2", "shiftLimit": "27,27,40 13"})
    assert [r["iterations"] for r in rounds] == [2, 2]
    assert [tuple(r["shift_limit_angst"]) for r in rounds] == [(27, 27, 40), (13, 13, 13)]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"coneSampling": "10 5 2"}, r'"3 3" has 2 values, but Cone sampling \(°\) "10 5 2" has 3'),
        ({"iterations": "3.5"}, 'Iterations "3.5".*whole numbers'),
        ({"shiftLimit": "27,27"}, r'Shift limit \(Å\) "27,27".*three joined by commas'),
        ({"lowpass": ""}, "Low-pass .* is empty"),
        ({"symmetry": "D3"}, "round 1: .*D3"),
        ({"iterations": "3 0"}, "round 2: Iterations is 0: give"),
    ],
)
def test_nonsense_is_named(values, sentence):
    with pytest.raises(InputError, match=sentence):
        parse_rounds({**VALUES, **values})


@pytest.mark.parametrize("protocol_class", [StadynProtAlign, StadynProtAverageOfAverages])
class TestRounds:
    """What the fast engine does not use is not shown, and not in the way."""

    @pytest.mark.parametrize("name", EXHAUSTIVE_ONLY)
    def test_samplings_show_only_for_the_engine_that_uses_them(self, protocol_class, name):
        protocol = protocol_class()
        visible = []
        for preset in (CUSTOM, PAPER):
            for engine in (0, 1):
                protocol.preset.set(preset)
                protocol.engine.set(engine)
                visible.append(bool(protocol.evalParamCondition(name)))
        assert visible == [False, True, False, False]

    def test_presets_and_saved_workflows_set_them_all_the_same(self, protocol_class):
        protocol = protocol_class()
        protocol.preset.set(PAPER)
        protocol.stage.set(STAGE_GOLD)
        assert [r["cone_sampling_deg"] for r in rounds_of(protocol, 1.35)] == [4, 2, 1]
        protocol.preset.set(CUSTOM)
        for name, text in ROUND_PRESETS[STAGE_GOLD][PAPER].items():
            getattr(protocol, name).set(text)
        assert [r["inplane_sampling_deg"] for r in rounds_of(protocol, 1.35)] == [4, 2, 1]

    def test_hidden_lists_of_another_length_disturb_the_fast_engine_alone(self, protocol_class):
        protocol = protocol_class()
        protocol.preset.set(CUSTOM)
        for name, text in ROUND_PRESETS[STAGE_GOLD][PAPER].items():
            getattr(protocol, name).set(text)
        for name in ("iterations", "lowpass", "symmetry", "shiftModus", "highpass"):
            getattr(protocol, name).set(getattr(protocol, name).get().split()[0])
        for name, text in {"coneRange": "9 7", "inplaneRange": "9", "shiftLimit": "9", "binning": "1"}.items():
            getattr(protocol, name).set(text)
        protocol.coneSampling.set("4 2 1")
        assert [(r["cone_range_deg"], r["cone_sampling_deg"]) for r in rounds_of(protocol, 1.35)] == [(9, 4), (7, 2)]
        protocol.engine.set(EXHAUSTIVE)
        said = [error for error in protocol.validate() if "cannot be EMPTY" not in error]
        assert len(said) == 1 and "give one value, or one per round" in said[0]
