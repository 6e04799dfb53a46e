# SPDX-License-Identifier: GPL-3.0-or-later
"""Distributions of lattice measures show the numbers they are of."""

import numpy as np

from stadyn.core.lattice_quality import LatticeQuality, lattice_quality
from stadyn.io.results import write_result
from stadyn.plots.lattice import MEASURES, lattice_quality_figure
from stadyn.plots.results import figures_of
from stadyn.tests.core.lattices import lattice


def test_every_measure_and_vlp_is_drawn(tmp_path):
    quality = lattice_quality(lattice())
    write_result(tmp_path / "lattice_quality.npz", quality)
    (draw,) = figures_of(tmp_path / "lattice_quality.npz").values()
    axes = draw().axes
    assert [ax.get_xlabel() for ax in axes[: len(MEASURES)]] == [label for _, label, _ in MEASURES]
    counts = [patch.get_height() for patch in axes[-1].patches]
    assert len(counts) == 2 * 3 and sum(counts) == len(lattice())  # kept and not, of three VLPs
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["a", "b"]


def test_spacings_are_drawn_in_units_of_the_lattice():
    quality = lattice_quality(lattice())
    steps = lattice_quality_figure(quality).axes[1].patches[0].get_xy()
    middle = np.average(0.5 * (steps[1:, 0] + steps[:-1, 0]), weights=0.5 * (steps[1:, 1] + steps[:-1, 1]) + 1e-12)
    assert isinstance(quality, LatticeQuality) and abs(middle - 1) < 0.1
