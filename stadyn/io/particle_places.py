# SPDX-License-Identifier: GPL-3.0-or-later
"""Places of particles that a file gives: pixels of another binning, pixels to cut at, places nowhere in the world."""

from dataclasses import replace

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.resample import inside

FARTHEST_PX = 1e9


def somewhere(path, file):
    """`file`, or an InputError where a particle lies at no place in the world."""
    positions = file.particles.positions
    bad = ~(np.abs(positions) <= FARTHEST_PX).all(axis=1)  # nan compares false
    if bad.any():
        first = int(np.argmax(bad))
        place = ", ".join(f"{v:.3g}" for v in positions[first])
        raise InputError(f"{path}, particle {first + 1} lies at ({place}) px: correct its place, shift or pixel size")
    return file


def whole_and_rest(positions):
    """Positions as (whole pixel to crop at, shift from there), each (n, 3)."""
    whole = np.rint(positions)
    return whole, positions - whole


def with_pixel_sizes(file, targets):
    """The same particles with positions in pixels of `targets` (id -> Å), and a message for each change of scale."""
    positions, changes = file.particles.positions.copy(), {}
    for name in file.tomogram_ids():
        own, target = file.pixel_sizes.get(name), targets.get(name)
        if own and target and abs(own / target - 1) > 1e-4:
            positions[file.particles.tomogram_ids == name] *= own / target
            changes[name] = (own, target)
    if not changes:
        return file
    sizes = {**file.pixel_sizes, **{name: targets[name] for name in file.tomogram_ids() if name in targets}}
    particles = file.particles.replace(positions=positions)
    return replace(file, particles=particles, pixel_sizes=sizes, messages=(*file.messages, *rescaled(changes)))


def rescaled(changes):
    """A sentence for each pair of pixel sizes in `changes`, dict tomogram id -> (Å before, Å after)."""
    names_of = {}
    for name, pair in changes.items():
        names_of.setdefault(pair, []).append(name)
    return tuple(
        f"positions in {_listed(names)} were brought from {own:.6g} to {target:.6g} Å a pixel"
        for (own, target), names in names_of.items()
    )


def _listed(names):
    """One tomogram by its name, more by their number and the first."""
    return f'tomogram "{names[0]}"' if len(names) == 1 else f'{len(names)} tomograms ("{names[0]}" is the first)'


def outside(file, context):
    """A tuple of one sentence on the particles that lie outside of tomograms whose size is known, or of none."""
    table, count = file.particles, 0
    for name in file.tomogram_ids():
        listed = context.tomogram(name)
        if listed is not None and listed.shape is not None:
            count += int(np.sum(~inside(listed.shape, table.positions[table.tomogram_ids == name])))
    if not count:
        return ()
    note = f"{count} of {len(table)} particles lie outside of their tomograms: check the pixel size of the positions"
    return (f"{note} (--pixel-size) and of the tomograms",)
