# SPDX-License-Identifier: GPL-3.0-or-later
"""Columns that other plugins keep in attributes of their own: EMAN2's score, RELION's half-set and class."""

import numpy as np

SCORES = ("_emanScore", "_eman_score")
"""scipion-em-emantomo's score of a particle, the better the lower: its negative is the CC."""
HALVES = ("_stadynHalf", "_rdnSubset", "_randomSubset")
CLASSES = ("_stadynClass", "_classNumber")
"""Ours go before those of scipion-em-reliontomo."""


def own_half(item):
    """1 odd, 2 even, 0 where the item does not say."""
    value = first_value(item, HALVES)
    return value if value in (1, 2) else 0


def own_class(item):
    """The class of an item, 0 where it has none: -1 is RELION's way to say so."""
    return max(first_value(item, CLASSES), 0)


def own_cc(item):
    """The CC that a refinement left on the particle itself, nan where there is none."""
    score = first_value(item, SCORES)
    return -float(score) if score else np.nan


def first_value(item, names):
    """The first attribute that `item` has, even where it is 0; 0 where it has none."""
    name = next((name for name in names if hasattr(item, name)), None)
    return (item.getAttributeValue(name) or 0) if name else 0


def keep_own(item, cc, half):
    """Write CC and half-set where the plugin that `item` belongs to looks for them; nothing where it has no place."""
    for names, value in ((SCORES, -cc), (HALVES[1:], half)):
        for name in names:
            if hasattr(item, name) and np.isfinite(value) and value:
                getattr(item, name).set(value)
