# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of every alignment of the paper, as lists of one value per round: the paper's own, and what works best."""

CUSTOM, RECOMMENDED, PAPER = range(3)
PRESETS = ["custom", "recommended", "paper"]
STAGES = [
    "3: initial reference",
    "4: first alignment",
    "5: candidate particles",
    "7: gold standard",
    "8: refinement",
]
STAGE_REFERENCE, STAGE_FIRST, STAGE_CANDIDATES, STAGE_GOLD, STAGE_LAST = range(5)

# The paper's text gives rounds, iterations, low-pass, binning and symmetry, and says that the search shrinks from round
# to round; the angles and shifts beside them are ours. 40 px of tolerated inaccuracy at 1.35 Å are 54 Å.
_PAPER_FIRST = dict(
    iterations="3 3",
    coneRange="30 15",
    coneSampling="10 5",
    inplaneRange="360 30",
    inplaneSampling="10 5",
    refine="3",
    refineFactor="2",
    shiftLimit="54 27",
    shiftModus="1 2",
    lowpass="15",
    highpass="0",
    symmetry="C1",
    binning="4 2",
)
_PAPER_GOLD = dict(
    iterations="3",
    coneRange="12 8 4",
    coneSampling="4 2 1",
    inplaneRange="12 8 4",
    inplaneSampling="4 2 1",
    refine="3",
    refineFactor="2",
    shiftLimit="11 8 5.4",
    shiftModus="2",
    lowpass="8.1",
    highpass="0",
    symmetry="C6",
    binning="2 1 1",
)
_PAPER_LAST = {
    **_PAPER_GOLD,
    "coneRange": "4",
    "coneSampling": "1",
    "inplaneRange": "4",
    "inplaneSampling": "1",
    "shiftLimit": "5.4",
    "lowpass": "6.8",
    "binning": "1",
}
# Measured on simulated tomograms as noisy as real ones: at 30 Å with the whole turn of azimuth every start converged;
# finer low-passes early changed nothing. The shifts of step 4 hold the 54 Å of a bad click and half a lattice cell.
_HARD_FIRST = dict(
    iterations="3 3",
    coneRange="20 16",
    coneSampling="5",
    inplaneRange="360",
    inplaneSampling="7.5",
    refine="2",
    refineFactor="2",
    shiftLimit="54 27",
    shiftModus="1 2",
    lowpass="30",
    highpass="0",
    symmetry="C1",
    binning="1",
)
_HARD_EACH = {
    **_HARD_FIRST,
    "iterations": "3 2",
    "coneRange": "30 16",
    "shiftLimit": "81 27",
    "symmetry": "C6",
}
_HARD_CANDIDATES = {
    **_HARD_EACH,
    "iterations": "2 2",
    "coneRange": "24 12",
    "shiftLimit": "32 20",
    "lowpass": "30 25",
}
_HARD_GOLD = {
    **_PAPER_GOLD,
    "iterations": "2",
    "coneRange": "12 8 6",
    "coneSampling": "4 3 2",
    "inplaneRange": "60 8 6",
    "inplaneSampling": "5 2 2",
    "shiftLimit": "16 8 6",
    "lowpass": "25 20 15",
    "binning": "1",
}
_HARD_LAST = {
    **_PAPER_LAST,
    "iterations": "2",
    "coneRange": "6",
    "coneSampling": "2",
    "inplaneRange": "6",
    "inplaneSampling": "2",
    "lowpass": "12",
}

ROUND_PRESETS = {
    STAGE_REFERENCE: {RECOMMENDED: _HARD_FIRST, PAPER: _PAPER_FIRST},
    STAGE_FIRST: {RECOMMENDED: _HARD_EACH, PAPER: {**_PAPER_FIRST, "symmetry": "C6"}},
    STAGE_CANDIDATES: {
        RECOMMENDED: _HARD_CANDIDATES,
        PAPER: {**_PAPER_FIRST, "symmetry": "C6", "coneRange": "20 10", "shiftLimit": "27 13.5"},
    },
    STAGE_GOLD: {RECOMMENDED: _HARD_GOLD, PAPER: _PAPER_GOLD},
    STAGE_LAST: {RECOMMENDED: _HARD_LAST, PAPER: _PAPER_LAST},
}
"""Settings of each stage of the paper: what works best on hard data, and the paper's own."""
