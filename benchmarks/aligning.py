# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as a benchmark calls it, from voxels to poses, and the searches that several benchmarks share."""

import numpy as np
from planted_particles import errors
from rows import errors_no_larger, in_turn, per_particle

from stadyn.core.refinement import Refinement
from stadyn.core.search import AlignmentRound

THREADS = 2


def local_search(planted, lowpass_angst=None, reach_deg=12.0, reach_box=1 / 8):
    """Dynamo's words for 375 angles down to a 1 degree grid: +-12 degrees at 8, then 4, 2 and 1.

    Shifts reach an eighth of the box. The low-pass is half of Nyquist by default; the paper ends at 0.4 of it.
    """
    limit = planted.box_px * reach_box * planted.pixel_size
    return AlignmentRound(
        iterations=1,
        cone_range_deg=2 * reach_deg,
        cone_sampling_deg=8.0,
        inplane_range_deg=2 * reach_deg,
        inplane_sampling_deg=8.0,
        refine=3,
        refine_factor=2.0,
        shift_limit_angst=(limit,) * 3,
        shift_modus=1,
        lowpass_angst=lowpass_angst or 4 * planted.pixel_size,
        symmetry=planted.symmetry,
    )


def align(planted, settings, engine="fast", rows=None, threads=THREADS, xp=np):
    """The table after one round with the true map as reference; boxes are cut and transformed anew."""
    rows = np.arange(len(planted)) if rows is None else rows
    refinement = Refinement((settings,), planted.box_px, planted.pixel_size, engine=engine, threads=threads)
    return refinement.run(planted.source, planted.start, rows, planted.reference, planted.mask, xp=xp)


def compare_on_some(rows, name, planted, settings, theirs, count, repeats, asked, xp=np):
    """One row: ours on all particles against `theirs` on the first `count`, in turn; both errors are those of these.

    Parameters
    ----------
    rows : Rows, gets the row
    theirs : callable, rows of the particles it is to align -> table; each repeat gets other ones
    asked : float, the ratio of the times per particle that is asked for
    xp : NumPy or CuPy, where ours runs

    Returns
    -------
    `Errors` of ours and of theirs on the same particles
    """
    parts = np.array_split(np.arange(count), repeats)
    align(planted, settings, rows=np.arange(min(64, len(planted))), xp=xp)  # matrices of the transforms are made once
    mine, other, found, tables = in_turn(lambda: align(planted, settings, xp=xp), lambda i: theirs(parts[i]), repeats)
    mine, other = mine / len(planted), other / [len(part) for part in parts]
    same = np.arange(count)
    rotations = np.concatenate([t.rotations[p] for t, p in zip(tables, parts, strict=True)])
    positions = np.concatenate([t.positions[p] for t, p in zip(tables, parts, strict=True)])
    other_found = planted.start.select(same).replace(rotations=rotations, positions=positions)
    a = errors(found, planted.truth, same, planted.symmetry)
    b = errors(other_found, planted.truth.select(same), same, planted.symmetry)
    ratio = float(np.median(other / mine))
    times = (per_particle(np.median(mine), 1), per_particle(np.median(other), 1))
    reached = errors_no_larger(a, b) and ratio >= asked
    rows.add(name, *times, ratio, a, b, f">= {asked} x, no larger", reached)
    everyone = errors(found, planted.truth, np.arange(len(planted)), planted.symmetry)
    print(f"#   ours, all {len(planted)}: {everyone}", flush=True)
    return a, b
