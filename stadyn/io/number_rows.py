# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of a text list whose columns have no names in the file: told apart by their order alone."""

import numpy as np

from stadyn.core.errors import InputError

LONGEST_CELL = 100
"""Characters; a number in double precision takes 25. Cells become one array, as wide as the widest of them."""


def named_columns(path, rows, names, kind):
    """dict of `names` -> (n,) array of str.

    Parameters
    ----------
    path : of the list, for the messages
    rows : list of n lists of str
    names : sequence of str, of the columns in their order
    kind : str, whose list it should be, such as "PEET's motive list"

    Raises
    ------
    InputError
        for no row, and naming the first row with more or fewer cells, or with one that can be no number for its length
    """
    if not rows:
        raise InputError(f"{path} lists no particles: give {kind}")
    for i, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise InputError(f"{path}, row {i} has {len(row)} columns, not {len(names)}: give {kind}")
        longest = max(row, key=len)
        if len(longest) > LONGEST_CELL:
            raise InputError(
                f'{path}, row {i} has a number of {len(longest)} characters, "{longest[:20]}...": give {kind}'
            )
    return dict(zip(names, np.array(rows, str).T, strict=True))
