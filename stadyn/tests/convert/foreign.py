# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted particles in two tomograms of different size, for the converters of other plugins of Scipion."""

import numpy as np
import pwem
import pytest
from scipy.spatial.transform import Rotation
from tomo.objects import SetOfSubTomograms, SetOfTomograms, TomoAcquisition
from tomo.objects import Tomogram as ScipionTomogram

from stadyn.convert.coordinates import write_coordinates
from stadyn.convert.particles import read_particle_input, write_particles_like
from stadyn.convert.subtomograms import write_subtomograms
from stadyn.core.particles import ParticleBoxes
from stadyn.io.mrc import write_volume

from .sets import by_id, new_coordinates, random_table, reopened

PIXEL, BINNED, TILT_SERIES = 5.4, 10.8, 2.7
SHAPES = {"ts_01": (48, 64, 72), "ts_02": (41, 57, 83)}  # z, y, x; odd ones too
N = 12


def plugin(name):
    """Skip unless the plugin is there; the host has then read its configuration."""
    pytest.importorskip(name)
    pwem.Domain.getPlugins()


def relion_matrix(rot, tilt, psi):
    """Rz(rot) Ry(tilt) Rz(psi), which takes the particle to the reference."""
    return Rotation.from_euler("zyz", [psi, tilt, rot], degrees=True).as_matrix()


def relion_angles(rotation):
    psi, tilt, rot = Rotation.from_matrix(rotation.T).as_euler("zyz", degrees=True)
    return rot, tilt, psi


def assert_poses(positions, rotations, table, atol=1e-4):
    np.testing.assert_allclose(positions, table.positions, atol=atol)
    np.testing.assert_allclose(rotations, table.rotations, atol=atol)


@pytest.fixture
def tomograms(tmp_path, monkeypatch):
    """Two of different size."""
    monkeypatch.chdir(tmp_path)
    output = SetOfTomograms.create(str(tmp_path))
    output.setSamplingRate(PIXEL)
    acquisition = TomoAcquisition(
        angleMin=-45.0, angleMax=60.0, tiltAxisAngle=0.0, voltage=300.0, sphericalAberration=2.7,
        amplitudeContrast=0.1, magnification=50000.0,
    )  # fmt: skip
    output.setAcquisition(acquisition)
    for name, shape in SHAPES.items():
        write_volume(tmp_path / f"{name}.mrc", np.zeros(shape, np.float32), PIXEL)
        tomogram = ScipionTomogram()
        tomogram.setLocation(str(tmp_path / f"{name}.mrc"))
        tomogram.setTsId(name)
        tomogram.setSamplingRate(PIXEL)
        tomogram.setAcquisition(acquisition)
        output.append(tomogram)
    return reopened(output)


@pytest.fixture
def table():
    """Particles in the order of the host, none with a column at its default."""
    return by_id(random_table(N, seed=2, shape=tuple(np.min(list(SHAPES.values()), axis=0))))


def stored(folder, table, tomograms, suffix=""):
    """A SetOfCoordinates3D of `table`, as another process finds it."""
    output = new_coordinates(folder, tomograms, PIXEL, suffix=suffix)
    write_coordinates(table, output, tomograms)
    output = reopened(output)
    output.setPrecedents(tomograms)
    return output


@pytest.fixture
def coordinates(tmp_path, table, tomograms):
    return stored(tmp_path, table, tomograms)


@pytest.fixture
def subtomograms(tmp_path, table, tomograms, coordinates):
    """Boxes of twice the pixel size about whole pixels, so that shifts are left."""
    paths = [str(tmp_path / f"particle_{i}.mrc") for i in table.ids]
    for path in paths:
        write_volume(path, np.ones((8, 8, 8), np.float32), BINNED)
    output = SetOfSubTomograms.create(str(tmp_path))
    output.setSamplingRate(BINNED)
    output.setCoordinates3D(coordinates)
    boxes = ParticleBoxes(paths, np.zeros(N, int), np.round(table.positions), BINNED)
    write_subtomograms(table, boxes, output, tomograms)
    output = reopened(output)
    output.setCoordinates3D(coordinates)
    return output


def written_back(folder, source, moved, coordinates):
    """The set that `source` becomes once its particles have `moved`, reopened, having been read as it was written."""
    output = source.getClass().create(str(folder), suffix="_moved")
    write_particles_like(source, moved, output)
    output = reopened(output)
    output.setCoordinates3D(coordinates)
    again = read_particle_input(output).table
    assert_poses(again.positions, again.rotations, moved)
    np.testing.assert_allclose(again.cc, moved.cc, atol=1e-6)
    return output


def sizes():
    return {name: np.array(shape[::-1]) for name, shape in SHAPES.items()}
