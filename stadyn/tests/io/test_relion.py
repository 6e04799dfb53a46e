# SPDX-License-Identifier: GPL-3.0-or-later
"""RELION's tables, versions 3 to 5: rotations that compose, offsets in their frame, centres, and what is refused."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import (
    av3_from_matrices,
    dynamo_from_matrices,
    matrices_from_av3,
    matrices_from_dynamo,
    matrices_from_relion,
    relion_from_matrices,
)
from stadyn.core.tomograms import MissingWedge
from stadyn.io.particle_files import Context, ListedTomogram, ParticleFile
from stadyn.io.relion import read_relion
from stadyn.io.star import read_star, write_star
from stadyn.io.tables import read_particles, write_particles
from stadyn.io.tomogram_lists import read_tomogram_list

from .planted_particles import CONTEXT, degrees_apart, thousand

ROT, SUB = (10.0, 40.0, -75.0), (-120.0, 65.0, 33.0)


def relion_matrix(rot, tilt, psi):
    """A, reference -> particle, as RELION's Euler_angles2matrix has it, written out."""
    a, b, g = np.radians([rot, tilt, psi])
    ca, cb, cg, sa, sb, sg = np.cos(a), np.cos(b), np.cos(g), np.sin(a), np.sin(b), np.sin(g)
    return np.array([
        [cg * cb * ca - sg * sa, cg * cb * sa + sg * ca, -cg * sb],
        [-sg * cb * ca - cg * sa, -sg * cb * sa + cg * ca, sg * sb],
        [sb * ca, sb * sa, cb],
    ])  # fmt: skip


def star(path, optics=None, **columns):
    """A particle STAR file of one row."""
    blocks = {"optics": {"rlnOpticsGroup": np.array([1]), **optics}} if optics else {}
    blocks["particles"] = {name: np.array([value]) for name, value in columns.items()}
    write_star(path, blocks)
    return path


def named(names, values):
    return dict(zip([f"rln{name}" for name in names.split()], values, strict=True))


PIXELS = named("CoordinateX CoordinateY CoordinateZ", (100.0, 200.0, 300.0))
CENTRED = named("CenteredCoordinateXAngst CenteredCoordinateYAngst CenteredCoordinateZAngst", (54.0, -108.0, 27.0))
ANGLES = named("AngleRot AngleTilt AnglePsi", ROT)
SUBTOMOGRAM = named("TomoSubtomogramRot TomoSubtomogramTilt TomoSubtomogramPsi", SUB)
ORIGIN = named("OriginXAngst OriginYAngst OriginZAngst", (5.4, -10.8, 16.2))
OPTICS = {"rlnTomoTiltSeriesPixelSize": np.array([5.4])}


def test_a_known_particle_in_all_conventions():
    rotation = matrices_from_dynamo(-47.273, 1.1777, -132.3)
    np.testing.assert_allclose(relion_from_matrices(rotation[None]), [[137.7], [1.1777], [42.727]], atol=1e-9)
    np.testing.assert_allclose(matrices_from_av3(132.3, -1.1777, 47.273), rotation, atol=1e-12)
    phi, theta, psi = av3_from_matrices(rotation[None])
    assert 0 <= theta[0] <= 180
    np.testing.assert_allclose(matrices_from_av3(phi, theta, psi)[0], rotation, atol=1e-12)


def test_relion_angles_are_those_of_its_own_matrix():
    np.testing.assert_allclose(matrices_from_relion(*ROT), relion_matrix(*ROT), atol=1e-12)
    random = Rotation.random(50, random_state=1).as_matrix()
    np.testing.assert_allclose(matrices_from_relion(*relion_from_matrices(random)), random, atol=1e-12)
    assert np.abs(np.array(relion_from_matrices(random))).max() <= 180
    assert dynamo_from_matrices(random)[1] == pytest.approx(relion_from_matrices(random)[1])


def test_version_4_composes_rotations_and_turns_the_offset(tmp_path):
    columns = {"rlnTomoName": "TS_01", "rlnOpticsGroup": 1, **PIXELS, **ANGLES, **SUBTOMOGRAM, **ORIGIN}
    path = star(tmp_path / "p.star", OPTICS, **columns)
    file = read_relion(path, Context())
    outer, inner = relion_matrix(*SUB), relion_matrix(*ROT)
    np.testing.assert_allclose(file.particles.rotations[0], outer @ inner, atol=1e-9)
    np.testing.assert_allclose(file.particles.positions[0], np.array([100, 200, 300]) - outer @ [1, -2, 3], atol=1e-9)
    assert file.pixel_sizes == {"TS_01": 5.4} and file.messages == ()


def test_version_3_subtracts_the_offset_as_it_stands(tmp_path):
    name = "tomograms/TS_01/TS_01.mrc"
    angst = {"rlnImagePixelSize": np.array([5.4])}
    path = star(tmp_path / "p.star", angst, rlnMicrographName=name, rlnOpticsGroup=1, **PIXELS, **ANGLES, **ORIGIN)
    file = read_relion(path, Context())
    np.testing.assert_allclose(file.particles.positions, [[99, 202, 297]])
    assert file.particles.tomogram_ids.tolist() == ["TS_01"]
    pixels = named("OriginX OriginY OriginZ", (1.0, -2.0, 3.0))
    detector = {"rlnMagnification": 10000.0, "rlnDetectorPixelSize": 5.4}
    old = star(tmp_path / "old.star", rlnMicrographName=name, **detector, **PIXELS, **pixels)
    file = read_relion(old, Context())
    np.testing.assert_allclose(file.particles.positions, [[99, 202, 297]])
    assert file.pixel_sizes == {"TS_01": 5.4}
    assert any("no angles" in m for m in file.messages)


def test_version_5_counts_from_the_centre_and_includes_the_offset(tmp_path):
    columns = {"rlnTomoName": "TS_01", "rlnOpticsGroup": 1, **CENTRED, **ANGLES, **ORIGIN}
    path = star(tmp_path / "p.star", OPTICS, **columns)
    context = Context((ListedTomogram("TS_01", shape=(400, 928, 961), pixel_size=5.4),))
    file = read_relion(path, context)
    np.testing.assert_allclose(file.particles.positions, [[480.5 + 10, 464 - 20, 200 + 5]])
    assert any("already include" in m for m in file.messages)
    again = read_relion(path, Context(context.tomograms, add_origins=True))
    np.testing.assert_allclose(again.particles.positions, [[489.5, 446.0, 202.0]])
    binned = Context((ListedTomogram("TS_01", shape=(200, 464, 480), pixel_size=10.8),))
    np.testing.assert_allclose(read_relion(path, binned).particles.positions, [[245.0, 222.0, 102.5]])
    with pytest.raises(InputError, match='centre of tomogram "TS_01", whose size is not known'):
        read_relion(path, Context())


def test_the_pixel_size_of_each_optics_group(tmp_path):
    file = thousand(6)
    file = ParticleFile(file.particles, {"TS_01": 5.4, "TS_07": 2.7})
    write_particles(tmp_path / "p.star", file, "relion4")
    assert read_particles(tmp_path / "p.star").pixel_sizes == {"TS_01": 5.4, "TS_07": 2.7}
    assert read_star(tmp_path / "p.star")["optics"]["rlnTomoTiltSeriesPixelSize"].tolist() == [2.7, 5.4]


def test_columns_left_behind_are_named(tmp_path):
    path = star(tmp_path / "p.star", OPTICS, rlnTomoName="a", rlnOpticsGroup=1, rlnDefocusU=21000.0, **PIXELS, **ANGLES)
    assert read_relion(path, Context()).messages == (
        "columns with no place in stadyn were left behind: rlnDefocusU",
    )  # fmt: skip


def test_offsets_in_angstrom_need_a_pixel_size(tmp_path):
    path = star(tmp_path / "p.star", rlnTomoName="a", **PIXELS, **ANGLES, **ORIGIN)
    with pytest.raises(InputError, match="offsets in Å but no pixel size"):
        read_relion(path, Context())
    np.testing.assert_allclose(read_relion(path, Context(pixel_size=5.4)).particles.positions, [[99, 202, 297]])
    one = ParticleFile(ParticleTable([[1.0, 2, 3]], [np.eye(3)], ["a"]))
    with pytest.raises(InputError, match='tomogram "a" has no pixel size'):
        write_particles(tmp_path / "q.star", one, "relion4")
    with pytest.raises(InputError, match="whose size is not known"):
        write_particles(tmp_path / "q.star", one, "relion5", Context(pixel_size=5.4))


def test_tomograms_of_relion_5_with_their_tilt_range(tmp_path):
    angles = {"rlnTomoNominalStageTiltAngle": np.array([0.0, -45.0, 60.0])}
    write_star(tmp_path / "TS_01.star", {"TS_01": angles})
    sizes = named("TomoSizeX TomoSizeY TomoSizeZ", [np.array([n]) for n in (3838, 3710, 1600)])
    write_star(tmp_path / "tomograms.star", {"global": {
        "rlnTomoName": np.array(["TS_01"]), "rlnTomoTiltSeriesStarFile": np.array(["TS_01.star"]),
        "rlnTomoTiltSeriesPixelSize": np.array([1.35]), **sizes,
    }})  # fmt: skip
    (tomogram,) = read_tomogram_list(tmp_path / "tomograms.star")
    assert tomogram == ListedTomogram("TS_01", None, "", (1600, 3710, 3838), 1.35, MissingWedge(-45.0, 60.0))


def test_poses_between_versions_are_the_same(tmp_path):
    file = thousand(50)
    found = []
    for version in (3, 4, 5):
        path = tmp_path / f"{version}.star"
        write_particles(path, file, f"relion{version}", CONTEXT)
        found.append(read_particles(path, None, CONTEXT).particles)
    for other in found[1:]:
        np.testing.assert_allclose(other.positions, found[0].positions, atol=1e-9)
        assert degrees_apart(other.rotations, found[0].rotations).max() < 1e-9
