# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers of tomograms: the list beside a table says which is which, and what a lab has there stays true."""

import numpy as np
import pytest

from stadyn.convert.particle_tables import context_of, placed
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.tomograms import MissingWedge, Tomogram
from stadyn.io.particle_files import Context, ListedTomogram, ParticleFile
from stadyn.io.star import read_star
from stadyn.io.tables import read_particles
from stadyn.io.tomogram_lists import read_tomogram_list
from stadyn.io.volume_lists import read_doc
from stadyn.jobs.convert import convert

TOMOGRAMS_STAR = """data_global

loop_
_rlnTomoName
_rlnTomoSizeX
_rlnTomoSizeY
_rlnTomoSizeZ
_rlnTomoTiltSeriesPixelSize
_rlnTomoReconstructedTomogram
TS_B 4000 4000 1200 1.35 Tomograms/job007/tomograms/rec_TS_B.mrc
TS_A 4000 4000 1200 1.35 Tomograms/job007/tomograms/rec_TS_A.mrc
"""


def row(tag, tomogram):
    """A line of a Dynamo table."""
    return f"{tag} 1 1 0 0 0 10 20 30 .5 0 0 1 -60 60 0 0 0 0 {tomogram} 0 0 0 {100 + tag} 201 301\n"


def numbers(path):
    return np.loadtxt(path, ndmin=2)[:, 19].astype(int).tolist()


@pytest.fixture
def lab(tmp_path):
    """A table of tomograms 4 and 9 with its list in folders, as Dynamo leaves them."""
    (tmp_path / "run.tbl").write_text(row(1, 9) + row(2, 4))
    (tmp_path / "run.doc").write_text("4 tomograms/TS_A.mrc\n9 tomograms/TS_B.mrc\n12 tomograms/TS_C.mrc\n")
    return tmp_path


@pytest.mark.parametrize("name", ["copy.tbl", "copy.em"])
def test_numbers_and_paths_of_tomograms_are_kept(lab, name):
    convert(lab / "run.tbl", lab / name)
    if name.endswith("tbl"):
        assert numbers(lab / name) == [9, 4]
    assert read_doc(lab / "copy.doc", must_exist=False) == {
        4: str(lab / "tomograms/TS_A.mrc"), 9: str(lab / "tomograms/TS_B.mrc")
    }  # fmt: skip
    assert read_particles(lab / name).particles.tomogram_ids.tolist() == ["TS_B", "TS_A"]


def test_the_list_of_a_table_survives_a_new_table_beside_it(lab):
    before = (lab / "run.doc").read_text()
    convert(lab / "run.tbl", lab / "run.em")
    assert (lab / "run.doc").read_text() == before
    assert read_particles(lab / "run.em").particles.tomogram_ids.tolist() == ["TS_B", "TS_A"]


def test_other_tomograms_get_numbers_that_are_free_in_the_list_that_is_there(lab):
    (lab / "new.star").write_text(
        "data_\nloop_\n_rlnMicrographName\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n"
        "TS_0.mrc 1 2 3\nTS_A.mrc 1 2 3\n"
    )
    convert(lab / "new.star", lab / "run.em")
    assert read_particles(lab / "run.em").particles.tomogram_ids.tolist() == ["TS_0", "TS_A"]
    assert read_particles(lab / "run.tbl").particles.tomogram_ids.tolist() == ["TS_B", "TS_A"]
    assert sorted(read_doc(lab / "run.doc", must_exist=False)) == [1, 4, 9, 12]


def test_numbers_that_contradict_the_list_that_is_there_are_refused(lab):
    before = (lab / "run.doc").read_text()
    (lab / "plain.tbl").write_text(row(1, 4))  # no list: tomogram 4 of somewhere else
    with pytest.raises(InputError, match='does not say that tomogram 4 is "4": choose another name'):
        convert(lab / "plain.tbl", lab / "run.em")
    assert (lab / "run.doc").read_text() == before and not (lab / "run.em").exists()


@pytest.mark.parametrize("prefix", ["", "rec_"])
def test_the_list_beside_a_table_goes_before_the_order_of_relions_tomograms(lab, prefix):
    (lab / "run.tbl").write_text(row(1, 1) + row(2, 2))
    (lab / "run.doc").write_text(f"1 tomograms/{prefix}TS_A.mrc\n2 tomograms/{prefix}TS_B.mrc\n")
    (lab / "tomograms.star").write_text(TOMOGRAMS_STAR)
    convert(lab / "run.tbl", lab / "out.star", None, "relion5", lab / "tomograms.star", 1.35)
    block = read_star(lab / "out.star")["particles"]
    assert block["rlnTomoName"].tolist() == ["TS_A", "TS_B"]
    np.testing.assert_allclose(block["rlnCenteredCoordinateXAngst"], [(100 - 2000) * 1.35, (101 - 2000) * 1.35])


def test_pixels_of_a_table_are_not_taken_for_those_of_relions_tilt_series(lab):
    """Dynamo's tables are of binned tomograms as a rule, and seldom say so."""
    (lab / "tomograms.star").write_text(TOMOGRAMS_STAR)
    with pytest.raises(InputError, match='tomogram "TS_A" has no pixel size, which .* needs: give it .--pixel-size.'):
        convert(lab / "run.tbl", lab / "out.star", None, "relion5", lab / "tomograms.star")
    messages = convert(lab / "run.tbl", lab / "out.star", None, "relion5", lab / "tomograms.star", 13.5)
    assert 'positions in 2 tomograms ("TS_A" is the first) were brought from 13.5 to 1.35 Å a pixel' in messages
    block = read_star(lab / "out.star")["particles"]
    centred = [100 * 13.5 - 2000 * 1.35, 101 * 13.5 - 2000 * 1.35]
    np.testing.assert_allclose(block["rlnCenteredCoordinateXAngst"], centred)


def test_relions_tomograms_do_not_number_a_table(lab):
    (lab / "tomograms.star").write_text(TOMOGRAMS_STAR)
    (lab / "run.doc").unlink()
    with pytest.raises(InputError, match='tomogram "4", whose size is not known|tomogram "9"'):
        convert(lab / "run.tbl", lab / "out.star", None, "relion5", lab / "tomograms.star", 1.35)


def test_a_vll_beside_a_table_names_its_tomograms(lab):
    (lab / "run.doc").unlink()
    (lab / "run.vll").write_text("TS_A.mrc\n* index = 4\n* apix = 8\nTS_B.mrc\n* index = 9\n")
    read = read_particles(lab / "run.tbl")
    assert read.particles.tomogram_ids.tolist() == ["TS_B", "TS_A"] and read.pixel_sizes == {"TS_A": 8.0}


@pytest.mark.parametrize("listed", [False, True])
def test_files_of_one_name_in_several_folders(lab, listed):
    (lab / "run.doc").write_text("4 TS_A/rec.mrc\n9 TS_B/rec.mrc\n")
    context = Context(read_tomogram_list(lab / "run.doc") if listed else ())
    assert read_particles(lab / "run.tbl", None, context).particles.tomogram_ids.tolist() == ["TS_B_rec", "TS_A_rec"]
    convert(lab / "run.tbl", lab / "copy.tbl")
    assert numbers(lab / "copy.tbl") == [9, 4]
    assert read_doc(lab / "copy.doc", must_exist=False)[9] == str(lab / "TS_B/rec.mrc")


def test_a_name_that_several_files_have_is_no_tomogram():
    two = tuple(ListedTomogram(f"TS_{n}_rec", n, f"/TS_{n}/rec.mrc") for n in (1, 2))
    assert Context(two).tomogram("rec") is None and Context(two[1:]).tomogram("rec") == two[1]


def test_numbers_of_a_list_are_kept_where_it_lacks_a_tomogram():
    context = Context((ListedTomogram("TS_07", 7, "/TS_07.mrc"), ListedTomogram("TS_01", 1, "/TS_01.mrc")))
    assert context.numbers(["TS_02", "TS_07.tomostar"]) == {"TS_02": 2, "TS_07.tomostar": 7}


@pytest.mark.parametrize("beside", [True, False])
def test_a_tomogram_is_known_by_its_file_whatever_it_is_called(lab, beside):
    """The host links to the files that it imports, under names of its own."""
    (lab / "tomograms").mkdir()
    for name in "AB":
        (lab / f"tomograms/TS_{name}.mrc").write_text("a volume")
        (lab / f"import_{name}.mrc").symlink_to(lab / f"tomograms/TS_{name}.mrc")
    wedge = MissingWedge(-60.0, 60.0)
    tomograms = [Tomogram(f"host{n}", str(lab / f"import_{n}.mrc"), 10.0, (9, 9, 9), wedge) for n in "AB"]
    if not beside:
        (lab / "run.doc").rename(lab / "other.doc")
    context = context_of(tomograms, None if beside else lab / "other.doc")
    assert read_particles(lab / "run.tbl", None, context).particles.tomogram_ids.tolist() == ["hostB", "hostA"]


@pytest.mark.parametrize("name", ["TS_01", "TS_01.tomostar", "rec_TS_01.mrc", "TS_01_10.00Apx.mrc"])
@pytest.mark.parametrize("file", ["TS_01.mrc", "rec_TS_01.mrc", "TS_01_10.00Apx.mrc"])
def test_names_that_relion_and_warp_give_to_reconstructions(tmp_path, name, file):
    (tmp_path / "list.doc").write_text(f"5 {file}\n6 TS_011.mrc\n")
    context = Context(read_tomogram_list(tmp_path / "list.doc"))
    assert context.tomogram(name).number == 5
    wedge = MissingWedge(-60.0, 60.0)
    table = ParticleTable([(1.0, 1.0, 1.0)], [np.eye(3)], [name])
    tomograms = [Tomogram(n, f"/data/{n}.mrc", 10.0, (9, 9, 9), wedge) for n in (file[:-4], "TS_011")]
    placed_there, _ = placed(ParticleFile(table), tomograms, "p.star")
    assert placed_there.particles.tomogram_ids.tolist() == [file[:-4]]


def test_a_tomogram_at_two_binnings_is_not_guessed(lab):
    (lab / "list.doc").write_text("1 TS_01_10.00Apx.mrc\n2 TS_01_20.00Apx.mrc\n")
    listed = read_tomogram_list(lab / "list.doc")
    assert Context(listed).tomogram("TS_01.tomostar") is None
    (lab / "p.star").write_text(
        "data_\nloop_\n_rlnTomoName\n" + "".join(f"_rlnCenteredCoordinate{a}Angst\n" for a in "XYZ") + "TS_01 1 2 3\n"
    )
    with pytest.raises(InputError, match="not known .the list has TS_01_10.00Apx, TS_01_20.00Apx.: give the tomograms"):
        read_particles(lab / "p.star", None, Context(listed))
