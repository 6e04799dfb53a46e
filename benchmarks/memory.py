# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes kept for each particle at the paper's last low-pass: box 192, 38 Fourier pixels.

    python benchmarks/memory.py
"""

import numpy as np
from planted_particles import WEDGE
from rows import Rows

from stadyn.core.particle_data import ParticleData, TomogramSource
from stadyn.core.particles import ParticleTable
from stadyn.core.tomograms import Tomogram

BOX_PX, HIGH, COUNT = 192, 38.0, 8
ASKED = 1e6


def main():
    rows = Rows()
    shape = (BOX_PX, BOX_PX, BOX_PX + COUNT)
    volume = np.random.default_rng(0).standard_normal(shape, np.float32)
    source = TomogramSource({"noise": volume}, {"noise": Tomogram("noise", "", 1.35, shape, WEDGE)})
    places = BOX_PX // 2 + np.arange(COUNT)[:, None] * np.array([1, 0, 0])
    table = ParticleTable(places, np.tile(np.eye(3), (COUNT, 1, 1)), np.full(COUNT, "noise"))
    batch = ParticleData(source, table, np.arange(COUNT), BOX_PX, HIGH, 0.0, True).batch(0)
    fine, coarse = (len(array[0].tobytes()) for array in (batch.data, batch.cubes))
    name = f"bytes kept a particle, box {BOX_PX}, {HIGH:g} Fourier px"
    box = f"{4 * BOX_PX**3:,} B its box"
    ratio = 4 * BOX_PX**3 / (fine + coarse)
    rows.add(f"{name}, wide search", f"{fine + coarse:,} B", box, ratio, "", "", "<= 1 MB", fine + coarse <= ASKED)
    rows.add(f"{name}, fine alone", f"{fine:,} B", box, 4 * BOX_PX**3 / fine, "", "", "<= 1 MB", fine <= ASKED)
    rows.end()


if __name__ == "__main__":
    main()
