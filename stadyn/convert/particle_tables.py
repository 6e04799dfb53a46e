# SPDX-License-Identifier: GPL-3.0-or-later
"""Particle files of other packages and the host's tomograms: which particle lies in which, at which pixel size."""

import os
from dataclasses import replace

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.resample import inside
from stadyn.io.particle_files import Context, ListedTomogram
from stadyn.io.tomogram_lists import read_tomogram_list

from .tomograms import match_tomogram

TILT_TOLERANCE_DEG = 1.0
"""Tilt ranges that differ by less are the same range, rounded otherwise."""


def context_of(tomograms, numbering=None, **reading):
    """The `Context` of a list of `stadyn.core.tomograms.Tomogram`.

    Parameters
    ----------
    numbering : path of a .doc or .vll whose numbers tables use; by default none, so that a .doc
        beside the table says, or nothing does
    reading : further fields of `Context`
    """
    numbers = {}
    if numbering:
        files = {os.path.realpath(t.path): t.id for t in tomograms}
        for listed in read_tomogram_list(numbering, headers=False):
            if listed.number is not None:
                own = files.get(os.path.realpath(listed.path)) or match_tomogram(listed.id, tomograms)
                numbers[own] = listed.number
    listed = [ListedTomogram(t.id, numbers.get(t.id), t.path, t.shape, t.pixel_size, t.wedge) for t in tomograms]
    return Context(tuple(listed), **reading)


def placed(file, tomograms, path):
    """(ParticleFile whose ids are tsIds and whose particles lie inside, messages).

    Raises InputError for a tomogram that is not among the input, positions in another pixel size than its tomogram,
    and where more than half of all particles lie outside.
    """
    by_id = {tomogram.id: tomogram for tomogram in tomograms}
    names, listed = {}, context_of(tomograms)
    for name in file.tomogram_ids():
        found = match_tomogram(name, tomograms)
        known = listed.tomogram(name) if found not in by_id else None
        names[name] = known.id if known is not None else found
    unknown = next((name for name, found in names.items() if found not in by_id), None)
    if unknown is not None:
        known = ", ".join(sorted(by_id)[:5]) + (" ..." if len(by_id) > 5 else "")
        raise InputError(
            f'{path} has particles of tomogram "{unknown}", which is not among the input ({known}): add the tomogram, '
            "or say by a list of tomograms (.doc) which is which"
        )
    messages = []
    for name, found in names.items():
        size, wanted = file.pixel_sizes.get(name), by_id[found].pixel_size
        if size and abs(size / wanted - 1) > 0.01:
            raise InputError(
                f'{path} counts pixels of {size:.4g} Å in tomogram "{found}", which has {wanted:.4g} Å: say yes to '
                "rescaling the positions, or import the tomograms of that pixel size"
            )
        messages += _tilts_differ(found, file.wedges.get(name), by_id[found].wedge)
    table = file.particles
    table = table.replace(tomogram_ids=np.array([names[name] for name in table.tomogram_ids.tolist()], str))
    if table.ids.min() < 1 or len(np.unique(table.ids)) < len(table):
        table, messages = table.renumbered(), [*messages, "the particles were numbered anew, from 1"]
    kept = np.zeros(len(table), bool)
    for name in np.unique(table.tomogram_ids):
        rows = table.tomogram_ids == name
        kept[rows] = inside(by_id[name].shape, table.positions[rows])
    outside = int(np.sum(~kept))
    if outside > len(table) / 2:
        raise InputError(
            f"{outside} of {len(table)} particles of {path} lie outside their tomograms: check the pixel size of the "
            "positions, and that the tomograms are those that the particles were found in"
        )
    if outside:
        messages.append(f"{outside} particles outside of their tomograms were left out")
    return replace(file, particles=table).select(kept), messages


def _tilts_differ(name, stated, own):
    if stated is None or np.allclose(
        (stated.min_deg, stated.max_deg), (own.min_deg, own.max_deg), rtol=0, atol=TILT_TOLERANCE_DEG
    ):
        return []
    return [
        f'the table gives tomogram "{name}" tilts from {stated.min_deg:g} to {stated.max_deg:g} degrees, its import '
        f"{own.min_deg:g} to {own.max_deg:g}: the import's are used"
    ]
