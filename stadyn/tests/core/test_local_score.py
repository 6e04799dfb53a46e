# SPDX-License-Identifier: GPL-3.0-or-later
"""The locally normalised cc: 1 at the truth, blind to what lies outside the mask, lower at wrong poses."""

import numpy as np
import pytest

from stadyn.core.masks import sphere
from stadyn.core.passes import GLOBAL, LOCAL, score_group
from stadyn.core.tomograms import MissingWedge

from .planted import moved_by, plant, turned_by

BOX, HIGH = 24, 8.0
WEDGE = MissingWedge(-45, 60)
MASK = sphere(BOX, 8, 2)


def scores(planted, table, score=LOCAL, mask=MASK):
    rows = np.arange(len(table))
    return score_group(planted.source, table, rows, BOX, planted.reference, mask, HIGH, score=score)


def test_truth_scores_near_one_and_wrong_poses_score_lower():
    planted = plant(4, BOX, wedge=WEDGE)
    true = scores(planted, planted.truth)
    assert true == pytest.approx(1, abs=0.06)
    turned = planted.truth.replace(rotations=turned_by(planted.truth.rotations, 25))
    moved = planted.truth.replace(positions=moved_by(planted.truth.positions, 2.0))
    assert (scores(planted, turned) < true - 0.05).all() and (scores(planted, moved) < true - 0.1).all()


def test_density_outside_the_mask_changes_the_global_but_hardly_the_local_score():
    planted = plant(3, BOX, wedge=MissingWedge(-90, 90))
    before = {score: scores(planted, planted.truth, score) for score in (LOCAL, GLOBAL)}
    for table_row, position in enumerate(np.rint(planted.truth.positions).astype(int)):
        volume = planted.source.volumes[planted.truth.tomogram_ids[table_row]]
        x, y, z = position
        volume[z + 9 : z + 12, y - 3 : y + 3, x - 3 : x + 3] += 5 * planted.reference.max()
    after = {score: scores(planted, planted.truth, score) for score in (LOCAL, GLOBAL)}
    assert (before[GLOBAL] - after[GLOBAL] > 0.2).all()
    assert np.abs(before[LOCAL] - after[LOCAL]).max() < 0.15
