# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers in sentences: summaries and methods are read by people."""


def counted(number, noun):
    """ "1 round", "2 rounds", "12,000 particles"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def decimal(number, places):
    """A number with so many places, and no minus before a zero."""
    return f"{round(float(number), places) + 0.0:.{places}f}"


def listed(words):
    """ "a", "a and b", "a, b and c"."""
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
