# SPDX-License-Identifier: GPL-3.0-or-later
"""Okabe & Ito's colours, which the colour-blind tell apart too (jfly.uni-koeln.de/color), and who wears which."""

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW, BLACK)
EXCLUDED = VERMILION
"""The red that the colour-blind still see against blue and green."""
SEQUENTIAL = "viridis"
"""Colour map of values: its lightness rises evenly, so that it serves grey prints too."""
CYCLIC = "twilight"
"""Colour map of angles."""
