# SPDX-License-Identifier: GPL-3.0-or-later
"""Small Scipion sets on disk, as every test of this folder needs them."""

import numpy as np
from scipy.spatial.transform import Rotation
from tomo.objects import SetOfCoordinates3D, SetOfTomograms, TomoAcquisition
from tomo.objects import Tomogram as ScipionTomogram

from stadyn.core.particles import ParticleTable
from stadyn.io.mrc import write_volume

SHAPE = (48, 64, 72)  # z, y, x: no two alike


def make_tomograms(folder, names=("ts_01", "ts_02"), pixel_size=5.4, shape=SHAPE, tilts=(-45.0, 60.0)):
    """A SetOfTomograms of empty volumes in `folder`, read back from its sqlite file."""
    folder.mkdir(parents=True, exist_ok=True)
    output = SetOfTomograms.create(str(folder))
    output.setSamplingRate(pixel_size)
    for name in names:
        write_volume(folder / f"{name}.mrc", np.zeros(shape, np.float32), pixel_size)
        tomogram = ScipionTomogram()
        tomogram.setLocation(str(folder / f"{name}.mrc"))
        tomogram.setTsId(name)
        tomogram.setSamplingRate(pixel_size)
        tomogram.setAcquisition(TomoAcquisition(angleMin=tilts[0], angleMax=tilts[1], tiltAxisAngle=0.0))
        output.append(tomogram)
    return reopened(output)


def reopened(items):
    """The same set as another process finds it: written, closed, and loaded from its file."""
    items.write()
    path = items.getFileName()
    items.close()
    again = items.getClass()(filename=path)
    again.loadAllProperties()
    return again


def new_coordinates(folder, tomograms, pixel_size=5.4, set_class=SetOfCoordinates3D, suffix=""):
    """An empty set of coordinates on `tomograms`."""
    output = set_class.create(str(folder), suffix=suffix)
    output.setSamplingRate(pixel_size)
    output.setPrecedents(tomograms)
    output.setBoxSize(16)
    return output


def random_table(n, seed=0, names=("ts_01", "ts_02"), shape=SHAPE):
    """Particles of random poses and columns, none at its default."""
    rng = np.random.default_rng(seed)
    return ParticleTable(
        positions=rng.uniform(0, 1, (n, 3)) * np.array(shape[::-1]),
        rotations=Rotation.random(n, random_state=seed).as_matrix(),
        tomogram_ids=rng.choice(names, n),
        surface_ids=rng.integers(1, 9, n),
        cc=rng.uniform(0.05, 0.9, n),
        ids=rng.permutation(np.arange(5, 3 * n + 5))[:n],
        half=rng.integers(1, 3, n),
        parent=rng.integers(1, 100, n),
        marker=rng.integers(1, 20, n),
        classes=rng.integers(1, 6, n),
    )


def by_id(table):
    """The table in the order of its ids, which is how the host iterates."""
    return table.select(np.argsort(table.ids))
