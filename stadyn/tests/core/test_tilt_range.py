# SPDX-License-Identifier: GPL-3.0-or-later
"""A planted wedge is read back from the power of boxes, whichever axes the tomogram was stored by."""

import numpy as np
import pytest

from stadyn.core.tilt_range import TiltRange, tilt_findings, tilt_range, tomogram_tilt_range
from stadyn.core.tomograms import MissingWedge

from .planted import seen_through

WEDGE = MissingWedge(-42, 60)


@pytest.mark.parametrize("wedge", [WEDGE, MissingWedge(-60, 60), MissingWedge(-66, 48)])
def test_tilt_range_is_read_from_the_power(wedge):
    rng = np.random.default_rng(3)
    boxes = np.array([seen_through(rng.standard_normal((32, 32, 32)), wedge) for _ in range(8)])
    found = tilt_range(boxes)
    assert (found.beam, found.axis) == ("z", "y") and found.empty < 0.3
    assert abs(found.min_deg - wedge.min_deg) <= 6 and abs(found.max_deg - wedge.max_deg) <= 6
    # boxes are counted, z, y, x: which stored axis becomes which
    for order, axes in {(1, 0, 2): ("y", "z"), (0, 2, 1): ("z", "x"), (2, 1, 0): ("x", "y"), (1, 2, 0): ("x", "z"),
                        (2, 0, 1): ("y", "x")}.items():  # fmt: skip
        turned = tilt_range(boxes.transpose(0, *(1 + axis for axis in order)))
        assert (turned.beam, turned.axis) == axes
        assert sorted([abs(turned.min_deg), abs(turned.max_deg)]) == pytest.approx(
            sorted([-found.min_deg, found.max_deg]), abs=3
        )
    assert tilt_range(rng.standard_normal((8, 32, 32, 32))).empty > 0.8


def test_gold_does_not_outshine_the_ice():
    rng = np.random.default_rng(4)
    cubes = [seen_through(rng.standard_normal((64, 64, 64)), WEDGE) for _ in range(3)]
    z, y, x = np.indices(cubes[0].shape) - 32
    cubes[0][(np.abs(x + 0.5 * z) + np.abs(y) < 3) & (np.abs(z) < 9)] -= 400.0  # a rod of metal, out of no microscope
    found = tomogram_tilt_range(np.concatenate(cubes, axis=2))
    assert (found.beam, found.axis) == ("z", "y")
    assert abs(found.min_deg + 42) <= 6 and abs(found.max_deg - 60) <= 6


def test_constant_boxes_show_no_wedge():
    assert tilt_range(np.zeros((3, 16, 16, 16))).empty == 1.0


def test_what_is_said_of_tilts():
    def said(*ranges, wedge=WEDGE):
        names = "abc"[: len(ranges)]
        return tilt_findings(dict(zip(names, ranges, strict=True)), dict.fromkeys(names, wedge))

    fits, turned = TiltRange("z", "y", -42, 60, 0.1), TiltRange("y", "z", -42, 60, 0.1)
    reversed_, full = TiltRange("z", "y", -60, 42, 0.1), TiltRange("z", "y", -42, 60, 0.9)
    [(wrong, text)] = said(reversed_, reversed_)
    assert wrong and text.startswith("The tomograms show") and "sign of the tilts is reversed" in text
    [(wrong, text)] = said(turned)
    assert wrong and "turn them until the beam is along z" in text
    assert said(fits)[0][0] is False and said(full)[0][0] is False and "no missing wedge" in said(full)[0][1]
    (good, _), (wrong, text) = said(fits, reversed_, fits)
    assert not good and wrong and text.startswith("The Fourier coefficients of b show tilts from -60 to 42 degrees")
    [(wrong, text)] = said(TiltRange("z", "y", -42, 42, 0.1))
    assert wrong and "not -42 to 60: import them with that tilt range" in text
