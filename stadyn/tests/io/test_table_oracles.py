# SPDX-License-Identifier: GPL-3.0-or-later
"""The field's own readers and converters, where they are installed, find in our files what we put there."""

import numpy as np
import pytest

from stadyn.core.rotations import dynamo_from_matrices, matrices_from_dynamo, relion_from_matrices
from stadyn.io.em import write_em
from stadyn.io.imod_models import read_model, write_model
from stadyn.io.particle_files import Context
from stadyn.io.tables import read_particles, write_particles

from .planted_particles import CONTEXT, TOMOGRAMS, degrees_apart, thousand

AS_THEY_ARE = Context(TOMOGRAMS, pixel_shift=False)
"""Most converters take Dynamo's pixels, counted from 1, for anybody's."""


@pytest.fixture(scope="module")
def planted():
    """Two hundred particles."""
    return thousand(200)


def test_eulerangles_turns_dynamo_into_relion_as_we_do(planted):
    eulerangles = pytest.importorskip("eulerangles")
    rotations = planted.particles.rotations[2:]
    dynamo = np.stack(dynamo_from_matrices(rotations), -1)
    theirs = eulerangles.convert_eulers(dynamo, source_meta="dynamo", target_meta="warp")
    ours = np.stack(relion_from_matrices(rotations), -1)
    assert np.abs((theirs - ours + 180) % 360 - 180).max() < 1e-4


@pytest.mark.parametrize("name", ["relion3", "relion4", "relion5", "stopgap"])
def test_starfile_reads_every_row_and_column(tmp_path, planted, name):
    starfile = pytest.importorskip("starfile")
    write_particles(tmp_path / "p.star", planted, name, CONTEXT)
    read = starfile.read(tmp_path / "p.star")
    table = read if name == "stopgap" else read["particles"]
    assert len(table) == 200
    if name == "stopgap":
        assert table["class"].tolist() == planted.particles.classes.tolist()
    else:
        angles = table[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy()
        assert np.abs(angles - np.stack(relion_from_matrices(planted.particles.rotations), -1)).max() < 1e-9
    starfile.write({"particles": table} if name != "stopgap" else {"stopgap_motivelist": table}, tmp_path / "q.star")
    back = read_particles(tmp_path / "q.star", None, Context(TOMOGRAMS, pixel_size=5.4)).particles
    assert np.abs(back.positions - planted.particles.positions).max() < 1e-3
    assert degrees_apart(back.rotations, planted.particles.rotations).max() < 1e-4


def test_dynamotable_reads_and_writes_the_same_table(tmp_path, planted):
    dynamotable = pytest.importorskip("dynamotable")
    write_particles(tmp_path / "p.tbl", planted, None, CONTEXT)
    table = dynamotable.read(tmp_path / "p.tbl")
    xyz = table[["x", "y", "z"]].to_numpy() + table[["dx", "dy", "dz"]].to_numpy()
    assert np.abs(xyz - 1 - planted.particles.positions).max() < 1e-6
    rotations = matrices_from_dynamo(*(table[n].to_numpy() for n in ("tdrot", "tilt", "narot")))
    assert degrees_apart(rotations, planted.particles.rotations).max() < 1e-6
    dynamotable.write(table, tmp_path / "q.tbl")
    back = read_particles(tmp_path / "q.tbl", None, CONTEXT).particles
    assert np.abs(back.positions - planted.particles.positions).max() < 1e-3
    assert degrees_apart(back.rotations, planted.particles.rotations).max() < 1e-4


def test_dynamo2m_converts_to_warp_as_we_do(tmp_path, planted):
    dynamo2m = pytest.importorskip("dynamo2m")
    write_particles(tmp_path / "p.tbl", planted, None, AS_THEY_ARE)
    dynamo2m.dynamo2warp(str(tmp_path / "p.tbl"), str(tmp_path / "p.doc"), str(tmp_path / "theirs.star"))
    table = read_particles(tmp_path / "p.tbl", None, AS_THEY_ARE)
    write_particles(tmp_path / "ours.star", table, "relion3", AS_THEY_ARE)
    theirs, ours = (read_particles(tmp_path / f"{name}.star", None, CONTEXT).particles for name in ("theirs", "ours"))
    assert np.abs(theirs.positions - ours.positions).max() < 1e-4
    assert degrees_apart(theirs.rotations, ours.rotations).max() < 1e-4
    assert theirs.tomogram_ids.tolist() == ours.tomogram_ids.tolist() == planted.particles.tomogram_ids.tolist()


def test_dynamo2m_converts_from_warp_as_we_do(tmp_path, planted):
    dynamo2m, starfile = pytest.importorskip("dynamo2m"), pytest.importorskip("starfile")
    write_particles(tmp_path / "p.star", planted, "relion3", CONTEXT)
    particles = starfile.read(tmp_path / "p.star")["particles"]  # Warp's is of RELION 3.0, without optics
    particles["rlnImageName"] = [f"{number}.mrc" for number in planted.particles.ids]
    starfile.write(particles, tmp_path / "warp.star")
    dynamo2m.warp2dynamo(str(tmp_path / "warp.star"), str(tmp_path / "theirs.tbl"), 32)
    theirs = read_particles(tmp_path / "theirs.tbl", None, Context(pixel_shift=False)).particles
    assert np.abs(theirs.positions - planted.particles.positions).max() < 1e-4
    assert degrees_apart(theirs.rotations, planted.particles.rotations).max() < 1e-4
    assert theirs.tomogram_ids.tolist() == planted.particles.tomogram_ids.tolist()


def test_emfile_reads_our_motive_list(tmp_path, planted):
    emfile = pytest.importorskip("emfile")
    write_particles(tmp_path / "p.em", planted, None, CONTEXT)
    _, values = emfile.read(tmp_path / "p.em")
    assert values.shape == (1, 200, 20)
    np.testing.assert_array_equal(values[0, :, 3], planted.particles.ids)
    emfile.write(str(tmp_path / "q.em"), values, {}, overwrite=True)
    back = read_particles(tmp_path / "q.em", None, CONTEXT).particles
    assert np.abs(back.positions - planted.particles.positions).max() < 1e-3
    write_em(tmp_path / "v.em", np.arange(24).reshape(2, 3, 4))
    np.testing.assert_array_equal(emfile.read(tmp_path / "v.em")[1], np.arange(24).reshape(2, 3, 4))


def test_imodmodel_reads_our_model(tmp_path, planted):
    imodmodel = pytest.importorskip("imodmodel")
    points = planted.particles.positions.astype(np.float32)
    write_model(tmp_path / "p.mod", points, (401, 928, 960))
    theirs = imodmodel.read(tmp_path / "p.mod")
    np.testing.assert_allclose(theirs[["x", "y", "z"]].to_numpy(), points, rtol=1e-6)
    model = imodmodel.ImodModel.from_file(tmp_path / "p.mod")
    assert (model.header.xmax, model.header.ymax, model.header.zmax) == (960, 928, 401)
    model.to_file(tmp_path / "q.mod")
    np.testing.assert_allclose(read_model(tmp_path / "q.mod")[0], points)


@pytest.mark.parametrize(
    ("name", "file_name", "reader"),
    [
        ("dynamo", "p.tbl", "DynamoMotl"), ("av3", "p.em", "EmMotl"),
        ("stopgap", "p.star", "StopgapMotl"), ("relion4", "p.star", "RelionMotl"),
    ],
)  # fmt: skip
def test_cryocat_finds_the_same_poses_in_every_format(tmp_path, planted, name, file_name, reader):
    cryomotl = pytest.importorskip("cryocat.cryomotl")
    write_particles(tmp_path / file_name, planted, name, AS_THEY_ARE)
    given = {"version": 4.0, "pixel_size": 5.4, "binning": 1.0} if reader == "RelionMotl" else {}
    motl = getattr(cryomotl, reader)(str(tmp_path / file_name), **given)
    rotations = np.stack([r.as_matrix() for r in motl.get_rotations()])
    assert np.abs(motl.get_coordinates() - planted.particles.positions).max() < 1e-3
    assert degrees_apart(rotations, planted.particles.rotations).max() < 1e-4


def test_cryocat_finds_the_same_poses_in_relion_5(tmp_path, planted):
    cryomotl, pandas = pytest.importorskip("cryocat.cryomotl"), pytest.importorskip("pandas")
    write_particles(tmp_path / "p.star", planted, "relion5", CONTEXT)
    sizes = {f"rlnTomoSize{axis}": [t.shape[i] for t in TOMOGRAMS] for i, axis in ((2, "X"), (1, "Y"), (0, "Z"))}
    tomograms = pandas.DataFrame({"rlnTomoName": [t.id for t in TOMOGRAMS], **sizes})
    motl = cryomotl.RelionMotlv5(str(tmp_path / "p.star"), tomograms, pixel_size=5.4)
    rotations = np.stack([r.as_matrix() for r in motl.get_rotations()])
    assert np.abs(motl.get_coordinates() - planted.particles.positions).max() < 1e-3
    assert degrees_apart(rotations, planted.particles.rotations).max() < 1e-4
