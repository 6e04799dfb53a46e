# SPDX-License-Identifier: GPL-3.0-or-later
"""STAR files as RELION, Warp and template matching leave them: several pixel sizes, parts of angles, odd names."""

import mrcfile
import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.io.particle_files import Context
from stadyn.io.star import read_star
from stadyn.io.tables import format_of, read_particles, write_particles
from stadyn.io.tomogram_lists import read_tomogram_list
from stadyn.jobs.convert import convert

OPTICS = """data_optics

loop_
_rlnOpticsGroup #1
_rlnImagePixelSize #2
_rlnMicrographOriginalPixelSize #3
1 4.0 2.0
2 8.0 2.0
"""
PIXELS = ("rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ")
CENTRED = tuple(f"rlnCenteredCoordinate{a}Angst" for a in "XYZ")
ORIGIN = tuple(f"rlnOrigin{a}Angst" for a in "XYZ")


def star(path, labels, *rows, optics="", end="\n"):
    """A particle STAR file of these rows of text."""
    lines = [optics, "data_particles", "", "loop_", *(f"_{label} #{i}" for i, label in enumerate(labels, 1)), *rows, ""]
    path.write_text("\n".join(lines).replace("\n", end))
    return path


def matrix(rot, tilt, psi):
    """Rz(rot) Ry(tilt) Rz(psi), particle -> reference, written out from right-handed matrices."""
    def z(angle):
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])

    c, s = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    return z(rot) @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ z(psi)


@pytest.fixture
def tomogram(tmp_path):
    """A .doc of one tomogram of 300 x 400 x 100 voxels whose header says 10 Å."""
    with mrcfile.new(tmp_path / "TS_01.mrc") as volume:
        volume.set_data(np.zeros((100, 400, 300), np.int8))
        volume.voxel_size = 10.0
    (tmp_path / "list.doc").write_text("1 TS_01.mrc\n")
    return tmp_path / "list.doc"


def test_two_pixel_sizes_in_one_tomogram_are_refused(tmp_path):
    labels = ("rlnMicrographName", *PIXELS, "rlnOpticsGroup")
    mixed = star(tmp_path / "a.star", labels, "a.mrc 1 2 3 1", "a.mrc 4 5 6 2", optics=OPTICS)
    with pytest.raises(InputError, match='of 4 and of 8 Å a pixel in tomogram "a"'):
        read_particles(mixed)
    apart = star(tmp_path / "b.star", labels, "a.mrc 1 2 3 1", "b.mrc 4 5 6 2", optics=OPTICS)
    assert read_particles(apart).pixel_sizes == {"a": 4.0, "b": 8.0}
    lacking = star(tmp_path / "c.star", labels, "a.mrc 1 2 3 1", "b.mrc 4 5 6 7", optics=OPTICS)
    with pytest.raises(InputError, match="particles of optics group 7, which its optics lack"):
        read_particles(lacking)
    row = "1 1 1 0 0 0 10 20 30 .5 0 0 1 -60 60 0 0 0 0 1 0 0 0 101 201 301 0 0 0 0 0 0 0 0 0 "
    (tmp_path / "d.tbl").write_text(f"{row}2.5\n{row}5\n")
    with pytest.raises(InputError, match='of 2.5 and of 5 Å a pixel in tomogram "1"'):
        read_particles(tmp_path / "d.tbl")


def test_the_option_chooses_among_the_pixel_sizes_of_a_file(tmp_path):
    labels = ("rlnMicrographName", *PIXELS, *ORIGIN, "rlnOpticsGroup")
    path = star(tmp_path / "a.star", labels, "a.mrc 100 100 100 4 0 0 1", optics=OPTICS)
    read = read_particles(path)
    assert read.pixel_sizes == {"a": 4.0} and read.particles.positions[0, 0] == 99.0
    assert any("not of 2 Å (rlnMicrographOriginalPixelSize)" in m and "--pixel-size" in m for m in read.messages)
    read = read_particles(path, None, Context(pixel_size=2.0))
    assert read.pixel_sizes == {"a": 2.0} and read.particles.positions[0, 0] == 98.0
    assert not any("rlnMicrographOriginalPixelSize" in m for m in read.messages)


def test_warp_counts_the_pixels_of_its_images(tmp_path):
    optics = "data_optics\n\nloop_\n_rlnOpticsGroup\n_rlnTomoTiltSeriesPixelSize\n_rlnImagePixelSize\n1 0.8 4.0\n"
    labels = ("rlnTomoName", *PIXELS, *ORIGIN, "rlnOpticsGroup")
    path = star(tmp_path / "warp.star", labels, "TS_17.tomostar 354 397 75 8 0 0 1", optics=optics)
    read = read_particles(path)
    assert read.pixel_sizes == {"TS_17.tomostar": 4.0} and read.particles.positions[0, 0] == 352.0
    assert any("4 Å (rlnImagePixelSize), as Warp exports them, not of 0.8 Å" in m for m in read.messages)
    read = read_particles(path, None, Context(pixel_size=0.8))
    assert read.pixel_sizes == {"TS_17.tomostar": 0.8} and not any("Warp" in m for m in read.messages)
    relion = star(tmp_path / "relion.star", labels, "TS_17 354 397 75 8 0 0 1", optics=optics)
    read = read_particles(relion)
    assert read.pixel_sizes == {"TS_17": 0.8} and not any("pixels of" in m for m in read.messages)
    with pytest.raises(InputError, match="not the 4 given"):
        read_particles(relion, None, Context(pixel_size=4.0))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_names_that_look_like_numbers_stay_names(tmp_path, end):
    names = ["1e5", "1.10", "1.1", "007", "10"]
    rows = [f"{name} 1 2 3" for name in names]
    read = read_particles(star(tmp_path / "a.star", ("rlnMicrographName", *PIXELS), *rows, end=end))
    assert read.particles.tomogram_ids.tolist() == names


def test_angles_that_are_missing_are_zero_as_in_relion(tmp_path):
    labels = ("rlnMicrographName", *PIXELS, "rlnAngleTilt", "rlnAnglePsi", "rlnTomoSubtomogramTilt")
    read = read_particles(star(tmp_path / "a.star", labels, "a.mrc 1 2 3 40 30 20"))
    np.testing.assert_allclose(read.particles.rotations[0], matrix(0, 20, 0).T @ matrix(0, 40, 30).T, atol=1e-12)
    assert not any("no angles" in m or "left behind" in m for m in read.messages)


def test_a_missing_axis_is_named(tmp_path):
    path = star(tmp_path / "a.star", ("rlnTomoName", *CENTRED[:2]), "TS_01 1 2")
    with pytest.raises(InputError, match="has no column rlnCenteredCoordinateZAngst"):
        read_particles(path)


def test_parts_of_a_tomogram_as_warps_matching_writes_them(tmp_path, tomogram):
    labels = (*PIXELS, "rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi", "rlnMicrographName", "rlnAutopickFigureOfMerit")
    path = star(tmp_path / "a.star", labels, "0.5 0.25 0.75 10 20 30 TS_01.tomostar 7.1")
    with pytest.raises(InputError, match='parts of the size of a tomogram, which is not known of "TS_01"'):
        read_particles(path)
    read = read_particles(path, None, Context(read_tomogram_list(tomogram)))
    np.testing.assert_allclose(read.particles.positions, [[150, 100, 75]])
    assert any("parts of the tomogram's size" in m for m in read.messages)


def test_centred_coordinates_need_the_pixel_size_of_the_tomogram_not_of_the_tilt_series(tmp_path, tomogram):
    """The header of a binned tomogram is silent; the 1.35 Å of the table are those of the tilt series."""
    optics = "data_optics\n\nloop_\n_rlnOpticsGroup\n_rlnTomoTiltSeriesPixelSize\n1 1.35\n"
    path = star(tmp_path / "a.star", ("rlnTomoName", *CENTRED, "rlnOpticsGroup"), "TS_01 100 -50 20 1", optics=optics)
    context = Context(read_tomogram_list(tomogram))
    np.testing.assert_allclose(read_particles(path, None, context).particles.positions, [[160, 195, 52]])
    with mrcfile.open(tmp_path / "TS_01.mrc", "r+") as volume:
        volume.voxel_size = 1.0  # what programs write that do not know
    silent = read_tomogram_list(tomogram)
    with pytest.raises(InputError, match='tomogram "TS_01" of .* has no pixel size: give it'):
        read_particles(path, None, Context(silent))
    read = read_particles(path, None, Context(silent, pixel_size=10.0))
    np.testing.assert_allclose(read.particles.positions, [[160, 195, 52]])
    assert read.pixel_sizes == {"TS_01": 10.0}


def test_warps_names_go_back_as_relions_list_has_them(tmp_path, tomogram):
    (tmp_path / "tomograms.star").write_text(
        "data_global\n\nloop_\n_rlnTomoName\n_rlnTomoSizeX\n_rlnTomoSizeY\n_rlnTomoSizeZ\n_rlnTomoTiltSeriesPixelSize\n"
        "TS_01.tomostar 3000 4000 1000 1.0\n"
    )
    read = read_particles(star(tmp_path / "a.star", ("rlnMicrographName", *PIXELS), "TS_01.mrc 100 200 300"))
    context = Context(read_tomogram_list(tmp_path / "tomograms.star"), pixel_size=1.0)
    messages = write_particles(tmp_path / "out.star", read, "relion5", context)
    assert read_star(tmp_path / "out.star")["particles"]["rlnTomoName"].tolist() == ["TS_01.tomostar"]
    assert any('"TS_01" is "TS_01.tomostar"' in m for m in messages)


def test_an_optimisation_set_stands_for_its_particles_and_tomograms(tmp_path):
    job = tmp_path / "Refine3D" / "job012"
    job.mkdir(parents=True)
    particles = star(job / "run_data.star", ("rlnTomoName", *CENTRED), "TS_01 100 -50 20")
    (tmp_path / "tomograms.star").write_text(
        "data_global\n\nloop_\n_rlnTomoName\n_rlnTomoSizeX\n_rlnTomoSizeY\n_rlnTomoSizeZ\n_rlnTomoTiltSeriesPixelSize\n"
        "TS_01 400 300 200 2.0\n"
    )
    path = job / "run_optimisation_set.star"
    path.write_text(
        "data_\n\n_rlnTomoParticlesFile   Refine3D/job012/run_data.star\n_rlnTomoTomogramsFile   tomograms.star\n"
    )
    assert format_of(path) == "relion5"
    convert(path, tmp_path / "out.tbl")
    np.testing.assert_allclose(read_particles(tmp_path / "out.tbl").particles.positions, [[250, 125, 110]])
    convert(particles, tmp_path / "again.tbl", tomograms=path)
    assert (tmp_path / "again.tbl").read_text() == (tmp_path / "out.tbl").read_text()
    (tmp_path / "tomograms.star").unlink()
    with pytest.raises(InputError, match='tomogram "TS_01", whose size is not known'):
        convert(path, tmp_path / "out.tbl")
    particles.unlink()
    with pytest.raises(InputError, match="names Refine3D/job012/run_data.star .rlnTomoParticlesFile., which is not"):
        convert(path, tmp_path / "out.tbl")


def test_particles_outside_of_their_tomograms_are_counted(tmp_path, tomogram):
    path = star(tmp_path / "a.star", ("rlnMicrographName", *PIXELS), "TS_01 100 200 50", "TS_01 1000 2000 500")
    messages = convert(path, tmp_path / "out.tbl", tomograms=tomogram)
    assert any(m.startswith("1 of 2 particles lie outside of their tomograms: check the pixel size") for m in messages)


def test_numbers_of_particles_in_their_names(tmp_path):
    labels = ("rlnTomoName", *PIXELS, "rlnTomoParticleName")
    read = read_particles(star(tmp_path / "a.star", labels, "A 1 2 3 A/7", "B 1 2 3 B/9"))
    assert read.particles.ids.tolist() == [7, 9] and not any("anew" in m for m in read.messages)
    read = read_particles(star(tmp_path / "b.star", labels, "A 1 2 3 A/7", "B 1 2 3 B/7"))
    assert read.particles.ids.tolist() == [1, 2]
    assert any("rlnTomoParticleName numbers those of each tomogram" in m for m in read.messages)


def test_the_tilt_range_of_a_list_goes_into_the_table(tmp_path):
    (tmp_path / "TS_01.star").write_text("data_TS_01\n\nloop_\n_rlnTomoNominalStageTiltAngle\n-45\n0\n60\n")
    (tmp_path / "tomograms.star").write_text(
        "data_global\n\nloop_\n_rlnTomoName\n_rlnTomoTiltSeriesStarFile\n_rlnTomoTiltSeriesPixelSize\n_rlnTomoSizeX\n"
        "_rlnTomoSizeY\n_rlnTomoSizeZ\nTS_01 TS_01.star 2.0 400 300 200\nTS_02 none.star 2.0 400 300 200\n"
    )
    path = star(tmp_path / "a.star", ("rlnTomoName", *CENTRED), "TS_01 10 20 30", "TS_02 10 20 30")
    messages = convert(path, tmp_path / "out.tbl", tomograms=tmp_path / "tomograms.star")
    assert np.loadtxt(tmp_path / "out.tbl")[:, 12:15].tolist() == [[1, -45, 60], [0, 0, 0]]
    assert any(m.startswith('1 tomograms, "TS_02" the first, have no tilt range') for m in messages)
    convert(path, tmp_path / "out.xml", tomograms=tmp_path / "tomograms.star")
    assert 'Angle1="30" CutoffRadius="0.0" Angle2="45"' in (tmp_path / "out.xml").read_text()


def test_the_only_optics_group_is_that_of_all_particles(tmp_path):
    optics = "data_optics\n\nloop_\n_rlnOpticsGroup\n_rlnTomoTiltSeriesPixelSize\n3 1.35\n"
    path = star(tmp_path / "a.star", ("rlnTomoName", *PIXELS), "TS_01 1 2 3", optics=optics)
    assert read_particles(path).pixel_sizes == {"TS_01": 1.35}
