# SPDX-License-Identifier: GPL-3.0-or-later
"""Two halves of a particle table that are refined independently: odd and even."""

import numpy as np

from .errors import InputError
from .particles import EVEN, ODD
from .search import AlignmentRound
from .symmetry import symmetry_order

SPLITS = ("parity", "surface", "tomogram")
"""Ways to split: by the particle's own number, whole VLPs, or whole tomograms."""


def split_halves(table, by="parity", seed=0):
    """The same particles with the `half` column filled.

    Parity of the particle number is the paper's split (step 7A). Boxes of
    neighbours overlap, so whole VLPs or whole tomograms share less between the
    halves; these go, the largest first, to the half that holds fewer particles.
    Duplicates must be gone before (`exclude_within`), or both halves hold them.

    Parameters
    ----------
    table : ParticleTable
    by : "parity", "surface" (VLP) or "tomogram"
    seed : int, decides among groups of the same size; unused for parity

    Raises
    ------
    InputError
        When there are too few VLPs or tomograms to fill two halves.
    """
    if by == "parity":
        return table.replace(half=np.where(table.ids % 2 == 1, ODD, EVEN))
    if by == "surface":
        unknown = np.flatnonzero(table.surface_ids == 0)
        if len(unknown):
            raise InputError(
                f"{len(unknown)} particles do not know their VLP (first: {table.ids[unknown[0]]}): split by parity"
            )
        keys = np.char.add(np.char.add(table.tomogram_ids, "\0"), table.surface_ids.astype(str))
    elif by == "tomogram":
        keys = table.tomogram_ids
    else:
        raise InputError(f"split by {by!r} is unknown: choose one of {', '.join(SPLITS)}")
    groups, members, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    if len(groups) < 2:
        raise InputError(
            f"{len(groups)} {'VLP' if by == 'surface' else by} cannot be split into two halves: split by parity instead"
        )
    return table.replace(half=_balanced(sizes, np.random.default_rng(seed))[members.ravel()])


def half_map_round(symmetry, max_shift_angst, lowpass_angst):
    """The `AlignmentRound` that finds the even half-map in the odd one (paper, step 9A).

    Halves of one start drift apart by little: a tilt of a few degrees, a part of the cell. Their azimuth may be
    anything that the symmetry leaves free.
    """
    return AlignmentRound(
        iterations=1,
        cone_range_deg=12.0,
        cone_sampling_deg=3.0,
        inplane_range_deg=360.0 / symmetry_order(symmetry),
        inplane_sampling_deg=3.0,
        shift_limit_angst=(max_shift_angst,) * 3,
        shift_modus=4,
        lowpass_angst=lowpass_angst,
        symmetry=symmetry,
    )


def _balanced(sizes, rng):
    """(g,) ODD or EVEN for each of g groups, largest first to the smaller half."""
    half = np.empty(len(sizes), int)
    filled = {ODD: 0, EVEN: 0}
    for group in np.lexsort((rng.permutation(len(sizes)), -sizes)):
        half[group] = ODD if filled[ODD] <= filled[EVEN] else EVEN
        filled[half[group]] += sizes[group]
    return half
