# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of other packages as they lie on the disks of labs: odd headings, layouts, numbers of bytes and binnings."""

from dataclasses import replace

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.io.imod_models import write_model
from stadyn.io.particle_files import Context, ListedTomogram
from stadyn.io.tables import format_of, read_particles
from stadyn.io.tomogram_lists import read_tomogram_list
from stadyn.jobs.convert import convert

PEET_HEADING = (
    "CCC,reserved,reserved,pIndex,wedgeWT,NA,NA,NA,NA,NA,xOffset,yOffset,zOffset,NA,NA,reserved,"
    "EulerZ(1),EulerZ(3),EulerX(2),reserved,CREATED WITH PEET Version 1.14.0 21-Feb-2020\n"
)


def turn(axis, angle_deg):
    """The right-handed matrix about x (0) or z (2)."""
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]] if axis == 0 else [[c, -s, 0], [s, c, 0], [0, 0, 1]])


def peet_list(path, heading=PEET_HEADING):
    path.write_text(heading + "0.5,0.0,0,4,1,0,0,0,0,0, 0.5,-0.25,0.75,0,0,0,10,30,20,0\n")
    write_model(path.with_name(path.stem.split("_MOTL")[0] + ".mod"), np.array([[100.5, 200.5, 50.0]]))
    return path


@pytest.mark.parametrize("heading", [PEET_HEADING, PEET_HEADING.rpartition(",")[0] + "\n", ""])
def test_peet_lists_with_the_headings_of_its_versions(tmp_path, heading):
    path = peet_list(tmp_path / "TS_01.csv", heading)
    assert format_of(path) == "peet"
    read = read_particles(path)
    np.testing.assert_allclose(read.particles.positions, [[100.5, 199.75, 50.75]])
    np.testing.assert_allclose(read.particles.rotations[0], turn(2, 30) @ turn(0, 20) @ turn(2, 10), atol=1e-12)
    assert not read.messages  # zeros say nothing, however they are written


def test_two_iterations_of_a_peet_run_are_not_read_as_twice_the_particles(tmp_path):
    first, second = (peet_list(tmp_path / f"TS_01_MOTL_Tom1_Iter{i}.csv") for i in (1, 2))
    with pytest.raises(InputError, match="both list the particles of .*TS_01.mod: name one of them"):
        read_particles(tmp_path)
    assert len(read_particles(second).particles) == 1
    (tmp_path / "TS_01.mod").unlink()
    with pytest.raises(InputError, match="needs the IMOD model of .* copy it there as TS_01_MOTL_Tom1_Iter1.mod"):
        read_particles(first)
    write_model(tmp_path / "TS_01_MOTL_Tom1_Iter1.mod", np.array([[1.5, 2.5, 3.0]]))
    np.testing.assert_allclose(read_particles(first).particles.positions, [[1.5, 1.75, 3.75]])


def em_file(path, array, kind="<f4"):
    """An .em file of an array [z, y, x], byte by byte."""
    header = bytearray(512)
    header[0], header[3] = (6 if kind[0] == "<" else 0), {"f4": 5, "f8": 9, "i4": 4}[kind[1:]]
    header[4:16] = np.array(array.shape[::-1], f"{kind[0]}i4").tobytes()
    path.write_bytes(bytes(header) + array.astype(kind).tobytes())
    return path


@pytest.mark.parametrize(
    ("kind", "shape", "said"),
    [
        ("<f4", lambda rows: rows[None], None),
        (">f4", lambda rows: rows[None], None),
        ("<f8", lambda rows: rows[None], None),  # what Python's emfile makes of a plain array
        ("<f4", lambda rows: rows[:, None], None),  # 20 x 1 x n
        (">f4", lambda rows: rows.T[None].copy(), "the list is particles x 20 and was read so"),
    ],
)
def test_motive_lists_in_every_layout(tmp_path, kind, shape, said):
    rows = np.zeros((5, 20))
    rows[:, 3], rows[:, 4], rows[:, 5], rows[:, 19] = np.arange(5) + 1, 3, 7, 2
    rows[:, 7:10], rows[:, 10:13], rows[:, 16:19] = (60, 80, 40), (0.5, -0.25, 0.75), (10, 30, 20)  # phi psi theta
    path = em_file(tmp_path / "motl.em", shape(rows), kind)
    assert format_of(path) == "av3"
    read = read_particles(path)
    np.testing.assert_allclose(read.particles.positions, np.tile([59.5, 78.75, 39.75], (5, 1)))
    np.testing.assert_allclose(read.particles.rotations[4], turn(2, 30) @ turn(0, 20) @ turn(2, 10), atol=1e-6)
    assert read.particles.surface_ids.tolist() == [7] * 5 and read.particles.tomogram_ids.tolist() == ["3"] * 5
    assert any(said in m for m in read.messages) if said else not read.messages


BINNED = ListedTomogram("TS_01", 1, "/TS_01.mrc", (100, 400, 300), 10.0)  # its middle: 150, 200, 50


def boxes(folder):
    path = folder / "TS_01_info.json"
    path.write_text('{"apix_unbin": 2.5, "boxes_3d": [[200.0, -100.0, 40.0, "manual", 0.0, 0]]}')
    return path


def lines(folder):
    path = folder / "p.lst"
    path.write_text('#LSX\n0\tparticles3d/TS_01__p.hdf\t{"coord":[200.0,-100.0,40.0]}\n')
    return path


def test_emans_unbinned_coordinates_in_a_binned_tomogram(tmp_path):
    placed = [[200.0, 175.0, 60.0]]
    read = read_particles(boxes(tmp_path), None, Context((BINNED,)))
    np.testing.assert_allclose(read.particles.positions, placed)
    assert read.pixel_sizes == {"TS_01": 10.0} and any("from 2.5 to 10 Å" in m for m in read.messages)
    read = read_particles(lines(tmp_path), None, Context((BINNED,), pixel_size=2.5))
    np.testing.assert_allclose(read.particles.positions, placed)
    read = read_particles(lines(tmp_path), None, Context((BINNED,)))  # taken as it stands, and said
    np.testing.assert_allclose(read.particles.positions, [[350.0, 100.0, 90.0]])
    assert any("EMAN2 counts unbinned ones: say their size" in m for m in read.messages)


def test_emans_boxes_need_the_pixel_size_of_the_tomogram(tmp_path):
    silent = (replace(BINNED, pixel_size=None),)
    with pytest.raises(InputError, match='tomogram "TS_01" of .* has no pixel size'):
        read_particles(boxes(tmp_path), None, Context(silent))
    read = read_particles(boxes(tmp_path), None, Context(silent, pixel_size=10.0))
    np.testing.assert_allclose(read.particles.positions, [[200.0, 175.0, 60.0]])
    with pytest.raises(InputError, match="not the 4 given"):
        read_particles(boxes(tmp_path), None, Context((BINNED,), pixel_size=4.0))


def test_nobodys_files_are_overwritten(tmp_path):
    path = peet_list(tmp_path / "TS_01.csv")
    model = (tmp_path / "TS_01.mod").read_bytes()
    with pytest.raises(InputError, match="TS_01.csv would be overwritten"):
        convert(path, tmp_path / ".." / tmp_path.name / "TS_01.csv", to_format="peet")
    path.rename(tmp_path / "in.csv")
    (tmp_path / "in.mod").write_bytes(model)
    (tmp_path / "list.doc").write_text("1 TS_01.mrc\n")
    for _ in range(2):
        with pytest.raises(InputError, match="TS_01.mod is there already, and no list .*TS_01.csv that it belongs to"):
            convert(tmp_path / "in.csv", tmp_path / "TS_01.csv", to_format="peet")
    assert (tmp_path / "TS_01.mod").read_bytes() == model
    (tmp_path / "new").mkdir()
    for _ in range(2):  # the same again is no loss
        convert(tmp_path / "in.csv", tmp_path / "new" / "TS_01.csv", to_format="peet")


def test_sizes_that_no_tomogram_has_are_refused(tmp_path):
    head = "data_\nloop_\n_rlnTomoName\n_rlnTomoSizeX\n_rlnTomoSizeY\n_rlnTomoSizeZ\n"
    (tmp_path / "tomograms.star").write_text(f"{head}TS_01 928 960 99999999999999999999\n")
    with pytest.raises(InputError, match="row 1, has a size or pixel size that cannot be"):
        read_tomogram_list(tmp_path / "tomograms.star")
    path = lines(tmp_path)
    path.write_text(path.read_text().replace("TS_01", "T" * 4000))
    with pytest.raises(InputError, match="whose size is not known") as error:
        read_particles(path)
    assert len(str(error.value)) < 500


def test_an_emclarity_list_is_not_given_to_a_tomogram_of_a_shorter_number(tmp_path):
    matrix = (turn(2, 10) @ turn(0, 20) @ turn(2, 30)).T.ravel()  # column after column
    row = [0.5, 4, 0, 7, 1, 1, 1, 1, 1, 0, 401.0, 801.0, 201.0, 10, 20, 30, *matrix, 1]
    (tmp_path / "tomo10_1_bin4.csv").write_text(" ".join(map(str, row)) + "\n")
    listed = tuple(replace(BINNED, id=f"tomo{n}", path=f"/tomo{n}.mrc") for n in (1, 2))
    read = read_particles(tmp_path / "tomo10_1_bin4.csv", None, Context(listed))
    assert read.particles.tomogram_ids.tolist() == ["tomo10_1_bin4"]
    ten = replace(BINNED, id="tomo10", path="/tomo10.mrc")
    read = read_particles(tmp_path / "tomo10_1_bin4.csv", None, Context((*listed, ten), pixel_size=2.5))
    assert read.particles.tomogram_ids.tolist() == ["tomo10"]
    np.testing.assert_allclose(read.particles.positions, [[100, 200, 50]])
    np.testing.assert_allclose(read.particles.rotations[0], turn(2, 10) @ turn(0, 20) @ turn(2, 30), atol=1e-12)


def test_half_sets_in_dynamos_class_column_are_announced(tmp_path):
    (tmp_path / "a.star").write_text(
        "data_\nloop_\n_rlnMicrographName\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n_rlnRandomSubset\n"
        "a.mrc 1 2 3 1\na.mrc 4 5 6 2\n"
    )
    messages = convert(tmp_path / "a.star", tmp_path / "a.tbl")
    assert any("class column (22) holds the half-sets: read it as such (--half-from-class)" in m for m in messages)
    assert read_particles(tmp_path / "a.tbl", None, Context(half_from_class=True)).particles.half.tolist() == [1, 2]
