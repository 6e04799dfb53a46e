# SPDX-License-Identifier: GPL-3.0-or-later
"""The rounds of an alignment as a form asks for them: presets, and per-round lists as Dynamo's users write them.

Lengths are Å. A per-round parameter is a list such as "3 3", one value per round, or
a single value for all of them.
"""

import re
from dataclasses import asdict

from pyworkflow.protocol import params
from pyworkflow.protocol.constants import LEVEL_ADVANCED, LEVEL_NORMAL

from stadyn.core.errors import InputError
from stadyn.core.search import AlignmentRound

from .forms import EXHAUSTIVE, add_engine
from .presets import CUSTOM, PAPER, PRESETS, RECOMMENDED, ROUND_PRESETS, STAGE_REFERENCE, STAGES

# parameter of the form: (key of AlignmentRound, type, label, Dynamo's name, help, advanced)
ROUND_FIELDS = {
    "iterations": (
        "iterations",
        int,
        "Iterations",
        "ite",
        "How often the round is repeated, each time against the average of the time before.",
        False,
    ),
    "coneRange": (
        "cone_range_deg",
        float,
        "Cone range (°)",
        "cone_range",
        "Full aperture of the cone of axes that is searched about the particle's axis; 360 is every axis.",
        False,
    ),
    "coneSampling": (
        "cone_sampling_deg",
        float,
        "Cone sampling (°)",
        "cone_sampling",
        "Step between the axes in the cone. The fast engine sets its own steps.",
        False,
    ),
    "inplaneRange": (
        "inplane_range_deg",
        float,
        "In-plane range (°)",
        "inplane_range",
        "Full range of rotations about the particle's axis; with symmetry Cn the search stops at 360/n.",
        False,
    ),
    "inplaneSampling": (
        "inplane_sampling_deg",
        float,
        "In-plane sampling (°)",
        "inplane_sampling",
        "Step between these rotations. The fast engine sets its own steps.",
        False,
    ),
    "refine": (
        "refine",
        int,
        "Refine",
        "refine",
        "Levels of finer search after the first, each with half the step of the one before. The fast engine refines "
        "angles and shifts continuously.",
        True,
    ),
    "refineFactor": (
        "refine_factor",
        float,
        "Refine factor",
        "refine_factor",
        "Range of a finer level, in steps of the level before. The fast engine has no levels.",
        True,
    ),
    "shiftLimit": (
        "shift_limit_angst",
        tuple,
        "Shift limit (Å)",
        "area_search",
        "How far a particle may move: the radius of a sphere, or three semi-axes of an ellipsoid along the reference's "
        "x,y,z, as in 27,27,40.",
        False,
    ),
    "shiftModus": (
        "shift_modus",
        int,
        "Shift modus",
        "area_search_modus",
        "From where the limit counts: 0 no limit, 1 the centre of the box, 2 the estimate before, 3 the estimate at "
        "the start of the round, 4 at the start of the project.",
        True,
    ),
    "lowpass": ("lowpass_angst", float, "Low-pass (Å)", "low", "Details finer than this play no part.", False),
    "highpass": (
        "highpass_angst",
        float,
        "High-pass (Å)",
        "high",
        "Details coarser than this play no part; 0 keeps them all.",
        True,
    ),
    "symmetry": (
        "symmetry",
        str,
        "Symmetry",
        "sym",
        "Cyclic symmetry about z that is imposed on the average, C1 being none.",
        False,
    ),
    "binning": (
        "binning",
        int,
        "Binning",
        "dim",
        "Factor the particles are binned by on the fly; Dynamo gives the side of the binned box instead.",
        False,
    ),
}
EXHAUSTIVE_ONLY = ("coneSampling", "inplaneSampling", "refine", "refineFactor")
"""What the fast engine does not use: its form does not show them, and their lists need not be as long as the others."""


def parse_rounds(values, exhaustive=True):
    """Rounds from per-round lists.

    Parameters
    ----------
    values : dict, parameter of `ROUND_FIELDS` -> str such as "3 3"; one value serves every round
    exhaustive : bool, whether the engine uses `EXHAUSTIVE_ONLY`; otherwise these are fitted to the others

    Returns
    -------
    list of dict, the settings of one AlignmentRound each

    Raises InputError naming the parameter and its value.
    """
    lists = {name: _split(name, values[name]) for name in ROUND_FIELDS}
    used = [name for name in ROUND_FIELDS if exhaustive or name not in EXHAUSTIVE_ONLY]
    count = max(len(lists[name]) for name in used)
    for name in set(lists) - set(used):
        lists[name] = (lists[name] + lists[name][-1:] * count)[:count]
    for name, items in lists.items():
        if len(items) not in (1, count):
            label, longest = ROUND_FIELDS[name][2], next(n for n in lists if len(lists[n]) == count)
            raise InputError(
                f'{label} "{values[name]}" has {len(items)} values, but {ROUND_FIELDS[longest][2]} '
                f'"{values[longest]}" has {count}: give one value, or one per round'
            )
    rounds = []
    for i in range(count):
        settings = {ROUND_FIELDS[name][0]: items[i if len(items) > 1 else 0] for name, items in lists.items()}
        try:
            rounds.append(asdict(AlignmentRound(**settings)))  # which checks them
        except ValueError as error:
            raise InputError(f"round {i + 1}: {_in_words(str(error))}") from error
    return rounds


def _in_words(sentence):
    """A sentence of `AlignmentRound` with the labels of the form."""
    for key, _, label, *_ in ROUND_FIELDS.values():
        sentence = re.sub(rf"\b{key}\b(?= is )", label, sentence)
    return sentence


def _split(name, text):
    _, kind, label, *_ = ROUND_FIELDS[name]
    words = str(text or "").split()
    if not words:
        raise InputError(f"{label} is empty: give one value, or one per round")
    return [_convert(word, kind, label, text) for word in words]


def _convert(word, kind, label, text):
    try:
        if kind is not tuple:
            return kind(word)
        numbers = tuple(float(part) for part in word.split(","))
        if len(numbers) in (1, 3):
            return numbers * (3 // len(numbers))
    except ValueError:
        pass
    wanted = {int: "whole numbers", float: "numbers", tuple: "numbers, or three joined by commas"}[kind]
    raise InputError(f'{label} "{text}": {word!r} is not understood; give {wanted} separated by blanks')


def adapt_rounds(rounds, pixel_size):
    """Preset rounds for data of any pixel size in Å: no band beyond Nyquist, no binning beyond the low-pass."""
    adapted = []
    for settings in rounds:
        lowpass = max(settings["lowpass_angst"], 2.0 * pixel_size)
        binning = max(1, min(settings["binning"], int(lowpass / (2.0 * pixel_size))))
        adapted.append({**settings, "lowpass_angst": lowpass, "binning": binning})
    return adapted


def add_rounds(form, stage=STAGE_REFERENCE):
    """The section of an alignment's rounds: preset, stage, engine, and each parameter for those who choose "custom"."""
    form.addSection(label="Rounds")
    form.addParam(
        "preset",
        params.EnumParam,
        choices=PRESETS,
        default=RECOMMENDED,
        label="Settings",
        help="*recommended*: what works best on noisy data, at any pixel size.\n"
        "*paper*: the rounds, iterations, low-pass, binning and symmetry of Scaramuzza & Castaño-Díez (2021); ranges, "
        "which its text does not give, are chosen to match.\n"
        "*custom*: every parameter below, as lists like Dynamo's: _3 3_ is one value per round, _3_ serves them all.",
    )
    form.addParam(
        "stage",
        params.EnumParam,
        choices=STAGES,
        default=stage,
        label="Step of the paper",
        condition=f"preset != {CUSTOM}",
        help="Which alignment of the paper this is: the search shrinks and the resolution rises from one to the next.",
    )
    form.addParam(
        "presetSymmetry",
        params.StringParam,
        default="",
        label="Symmetry",
        condition=f"preset != {CUSTOM}",
        help="Cyclic symmetry that is imposed on the average, such as C6. Empty: C1 in step 3, C6 later, as the paper.",
    )
    add_engine(form)
    defaults = ROUND_PRESETS[stage][RECOMMENDED]
    for name, (_, _, label, dynamo, text, advanced) in ROUND_FIELDS.items():
        form.addParam(
            name,
            params.StringParam,
            default=defaults[name],
            label=label,
            condition=f"preset == {CUSTOM}" + f" and engine == {EXHAUSTIVE}" * (name in EXHAUSTIVE_ONLY),
            expertLevel=LEVEL_ADVANCED if advanced else LEVEL_NORMAL,
            help=f"{text}\nOne value per round, or one for all. Dynamo: _{dynamo}_. Paper: {_paper_values(name)}.",
        )


def _paper_values(name):
    return ", ".join(f"step {STAGES[stage][0]}: {presets[PAPER][name]}" for stage, presets in ROUND_PRESETS.items())


def rounds_of(protocol, pixel_size):
    """The rounds that the form of `protocol` asks for, as settings of a job; InputError for what makes no sense."""
    preset, exhaustive = protocol.preset.get(), protocol.engine == EXHAUSTIVE
    if preset == CUSTOM:
        return parse_rounds({name: getattr(protocol, name).get() for name in ROUND_FIELDS}, exhaustive)
    values = dict(ROUND_PRESETS[protocol.stage.get()][preset])
    if (protocol.presetSymmetry.get() or "").strip():
        values["symmetry"] = protocol.presetSymmetry.get()
    return adapt_rounds(parse_rounds(values), pixel_size)
