# SPDX-License-Identifier: GPL-3.0-or-later
"""Every format of particles: what it has a place for survives the way out and back, and what it lacks is said."""

import re
from dataclasses import replace

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.resample import crop, rotate_volume
from stadyn.core.tomograms import MissingWedge
from stadyn.core.wedge import wedge_weights
from stadyn.io.mrc import read_volume, write_volume
from stadyn.io.particle_files import TITLES, Context, ListedTomogram, ParticleFile
from stadyn.io.tables import FORMATS, format_for, format_of, read_particles, write_particles
from stadyn.tests.core.planted import plant

from .planted_particles import CONTEXT, TOMOGRAMS, WEDGES, degrees_apart, thousand

ALL = {"cc", "surface_ids", "ids", "half", "parent", "marker", "classes", "wedges", "pixel_sizes"}
# name of the file, columns that must survive; chosen by hand from what each format documents
KEPT = {
    "dynamo": ("p.tbl", ALL - {"classes"}),
    "relion5": ("p.star", ALL - {"wedges"}),
    "relion4": ("p.star", ALL - {"wedges"}),
    "relion3": ("p.star", ALL - {"wedges"}),
    "av3": ("p.em", {"cc", "surface_ids", "ids", "classes"}),
    "stopgap": ("p.star", {"cc", "surface_ids", "ids", "classes", "half"}),
    "peet": ("folder", {"cc", "ids", "classes"}),
    "emclarity": ("folder", {"cc", "ids", "classes"}),
    "pytom": ("p.xml", {"cc", "classes", "wedges", "ids"}),
    "eman2": ("p.lst", {"cc", "classes"}),
    "stadyn": ("p.npz", ALL - {"wedges", "pixel_sizes"}),
}


@pytest.fixture(scope="module")
def planted():
    """A thousand particles with every column."""
    return thousand()


def round_trip(folder, name, file, context=CONTEXT):
    """(what comes back, messages of writing), the format told from the file alone."""
    path = folder / KEPT[name][0]
    messages = write_particles(path, file, name, context)
    return read_particles(path, None, context), messages


@pytest.mark.parametrize("name", KEPT)
def test_poses_and_columns_come_back(tmp_path, planted, name):
    if name == "dynamo":  # its halves live in the class column, and are read from there when asked
        path = tmp_path / "p.tbl"
        messages = write_particles(path, planted, None, CONTEXT)
        back = read_particles(path, None, Context(TOMOGRAMS, half_from_class=True))
        assert any("classes have no place" in m for m in messages)
    else:
        back, messages = round_trip(tmp_path, name, planted)
    table, truth = back.particles, planted.particles
    assert table.tomogram_ids.tolist() == truth.tomogram_ids.tolist()
    assert np.abs(table.positions - truth.positions).max() < 1e-3
    assert degrees_apart(table.rotations, truth.rotations).max() < 1e-4
    kept = KEPT[name][1]
    for column in ("surface_ids", "ids", "half", "parent", "marker", "classes"):
        if column in kept:
            np.testing.assert_array_equal(getattr(table, column), getattr(truth, column), err_msg=column)
    if "cc" in kept:
        np.testing.assert_allclose(table.cc, truth.cc, atol=1e-6)
    if "wedges" in kept:
        assert back.wedges == WEDGES
    assert back.pixel_sizes == {"TS_01": 5.4, "TS_07": 5.4}  # of the list, if not of the file


WITH_CLASSES = [name for name, (_, kept) in KEPT.items() if "classes" in kept]
UNCLASSIFIED = {"av3": 1, "stopgap": 1, "emclarity": 1}
"""What a format that averages class 1 gets where no particle has a class; all others get 0."""


@pytest.mark.parametrize("name", ["dynamo", *WITH_CLASSES])
def test_classes_come_back_and_none_stays_none(tmp_path, planted, name):
    few = planted.select(slice(498, 502))  # of both tomograms
    table = few.particles.replace(half=np.zeros(4, int), classes=[0, 7, 2, 12])
    back, messages = round_trip(tmp_path, name, replace(few, particles=table))
    assert back.particles.classes.tolist() == [0, 7, 2, 12]
    assert not any("class" in message for message in messages)
    back, _ = round_trip(tmp_path, name, replace(few, particles=table.replace(classes=np.zeros(4, int))))
    assert back.particles.classes.tolist() == [UNCLASSIFIED.get(name, 0)] * 4


@pytest.mark.parametrize("name", [n for n in KEPT if n != "dynamo"])
def test_what_a_format_lacks_is_said(tmp_path, planted, name):
    sentences = [m.split("no place for: ")[1] for m in round_trip(tmp_path, name, planted)[1] if "no place for" in m]
    said = {title for sentence in sentences for title in sentence.split(", ")}
    assert said == {TITLES[column] for column in ALL - KEPT[name][1]}


@pytest.mark.parametrize("name", ["dynamo", "av3", "stopgap"])
def test_tomogram_names_survive_formats_that_number_them(tmp_path, planted, name):
    path = tmp_path / KEPT[name][0]
    messages = write_particles(path, planted, name)
    assert any("says which is which" in m for m in messages) and path.with_suffix(".doc").is_file()
    assert set(read_particles(path).particles.tomogram_ids) == {"TS_01", "TS_07"}


def test_number_without_a_name_is_refused(tmp_path, planted):
    write_particles(tmp_path / "p.tbl", planted, None, CONTEXT)
    lonely = Context((ListedTomogram("TS_01", 1),))
    with pytest.raises(InputError, match="tomogram 7, which has no name"):
        read_particles(tmp_path / "p.tbl", None, lonely)
    write_particles(tmp_path / "p.em", planted, None, CONTEXT)
    with pytest.raises(InputError, match="tomogram 7, which the list of tomograms lacks"):
        read_particles(tmp_path / "p.em", None, lonely)


@pytest.mark.parametrize("name", ["dynamo", "av3", "stopgap", "emclarity", "relion4", "pytom"])
def test_pixels_that_count_from_one(tmp_path, name):
    shift = 0 if name in ("relion4", "pytom") else 1
    file = ParticleFile(ParticleTable([[10.0, 20.0, 30.0]], [np.eye(3)], ["TS_01"]), {"TS_01": 5.4})
    path = tmp_path / KEPT[name][0]
    write_particles(path, file, name, CONTEXT)
    as_they_are = read_particles(path, None, Context(TOMOGRAMS, pixel_shift=False)).particles.positions
    np.testing.assert_allclose(as_they_are, [[10.0 + shift, 20.0 + shift, 30.0 + shift]], atol=1e-6)


def test_pytoms_asymmetric_wedge_is_the_one_that_pytom_applies(tmp_path):
    """Its rule: 1 where |kx| / kz reaches tan(Angle1), kx and kz of the same sign, or tan(Angle2), of other signs."""
    file = ParticleFile(ParticleTable([[10.0, 20.0, 30.0]], [np.eye(3)], ["TS_01"]), {}, WEDGES)
    write_particles(tmp_path / "p.xml", file)
    text = (tmp_path / "p.xml").read_text()
    angle1, angle2 = (float(re.search(f'{name}="(.+?)"', text)[1]) for name in ("Angle1", "Angle2"))
    assert (angle1, angle2) == (30, 45)  # of -45 to 60
    k = np.random.default_rng(2).uniform(-20, 20, (2000, 3))
    same = k[:, 0] * k[:, 2] > 0
    theirs = np.abs(k[:, 0] / k[:, 2]) >= np.tan(np.radians(np.where(same, angle1, angle2)))
    (wedge,) = read_particles(tmp_path / "p.xml").wedges.values()
    np.testing.assert_array_equal(wedge_weights(wedge, k).astype(bool), theirs)


def test_imod_counts_from_half_a_pixel_in_x_and_y(tmp_path):
    file = ParticleFile(ParticleTable([[10.0, 20.0, 30.0]], [np.eye(3)], ["TS_01"]))
    write_particles(tmp_path / "TS_01.csv", file, "peet")
    plain = read_particles(tmp_path / "TS_01.csv", None, Context(pixel_shift=False)).particles.positions
    np.testing.assert_allclose(plain, [[10.5, 20.5, 30.0]])


def test_other_pixel_sizes_are_brought_to_those_of_the_tomograms(tmp_path, planted):
    path = tmp_path / "p.star"
    write_particles(path, planted, "relion4", CONTEXT)
    binned = Context(tuple(ListedTomogram(t.id, t.number, pixel_size=10.8) for t in TOMOGRAMS))
    back = read_particles(path, None, binned)
    np.testing.assert_allclose(back.particles.positions, planted.particles.positions / 2, atol=1e-6)
    assert back.pixel_sizes == {"TS_01": 10.8, "TS_07": 10.8}
    assert sum("2 tomograms" in m and "from 5.4 to 10.8 Å a pixel" in m for m in back.messages) == 1


def test_pixel_size_that_contradicts_the_file_is_refused(tmp_path, planted):
    path = tmp_path / "p.star"
    write_particles(path, planted, "relion4", CONTEXT)
    with pytest.raises(InputError, match=r'"TS_01" has 5\.4 Å a pixel in the file, not the 10\.8 given'):
        read_particles(path, None, Context(pixel_size=10.8))


def test_dynamo_folder_is_read_by_its_crop_table(tmp_path, planted):
    folder = tmp_path / "data"
    folder.mkdir()
    few = planted.select(slice(0, 3))
    write_particles(folder / "crop.tbl", few, "dynamo", CONTEXT)
    for tag in few.particles.ids[:2]:
        (folder / f"particle_{tag:05d}.em").touch()
    back = read_particles(folder, None, CONTEXT)
    np.testing.assert_allclose(back.particles.positions, few.particles.positions, atol=1e-6)
    assert any(f"1 particles of the table have no file in {folder}" in m for m in back.messages)


def test_dynamo_folder_holds_the_boxes_around_its_particles(tmp_path):
    planted = plant(5, box_px=16)
    write_volume(tmp_path / "TS_1.mrc", planted.volumes["TS_1"], 5.0)
    listed = ListedTomogram("TS_1", 4, str(tmp_path / "TS_1.mrc"), planted.volumes["TS_1"].shape, 5.0)
    table = planted.truth.replace(ids=np.arange(5) + 10)
    table = ParticleTable.concatenate([table, table.select([0]).replace(positions=[[1.0, 1, 1]], ids=[99])])
    messages = write_particles(
        tmp_path / "data", ParticleFile(table, {"TS_1": 5.0}), "dynamo-folder", Context((listed,), box_px=16)
    )
    assert any("1 particles whose box leaves" in m for m in messages)
    assert sorted(p.name for p in (tmp_path / "data").glob("*.em")) == [f"particle_000{i}.em" for i in range(10, 15)]
    back = read_particles(tmp_path / "data")
    assert back.particles.ids.tolist() == [10, 11, 12, 13, 14] and set(back.particles.tomogram_ids) == {"TS_1"}
    np.testing.assert_allclose(back.particles.positions, planted.truth.positions, atol=1e-6)
    assert not any("no file" in m for m in back.messages)
    box = read_volume(tmp_path / "data" / "particle_00012.em")
    np.testing.assert_allclose(
        box, crop(planted.volumes["TS_1"], np.rint(planted.truth.positions[2]).astype(int), 16), atol=1e-6
    )


def test_a_folder_of_tables_is_read_as_one(tmp_path, planted):
    for name in ("TS_01", "TS_07"):
        own = planted.select(planted.particles.tomogram_ids == name)
        write_particles(tmp_path / f"{name}.star", own, "relion4", CONTEXT)
    back = read_particles(tmp_path)
    np.testing.assert_allclose(back.particles.positions, planted.particles.positions, atol=1e-9)
    assert back.pixel_sizes == {"TS_01": 5.4, "TS_07": 5.4}
    own = planted.select(planted.particles.tomogram_ids == "TS_07")
    write_particles(tmp_path / "TS_08.star", own, "relion4", CONTEXT)
    twice = read_particles(tmp_path)
    assert twice.particles.ids.tolist() == list(range(1, 1501)) and any("numbered anew" in m for m in twice.messages)


def test_names_and_contents_tell_formats(tmp_path, planted):
    for name, (file_name, _) in KEPT.items():
        write_particles(tmp_path / name, planted, name, CONTEXT) if file_name == "folder" else write_particles(
            tmp_path / f"{name}_{file_name}", planted, name, CONTEXT
        )
        path = tmp_path / (name if file_name == "folder" else f"{name}_{file_name}")
        assert format_of(path) == name
    assert format_for("a.tbl") == "dynamo" and format_for("a.em") == "av3"
    with pytest.raises(InputError, match="relion5 or relion4 or relion3 or stopgap"):
        format_for("a.star")
    with pytest.raises(InputError, match="names no format by its ending"):
        format_for("a.xyz")
    assert set(KEPT) | {"chimerax", "dynamo-folder"} == set(FORMATS)


def test_chimerax_arrows_point_along_the_normal(tmp_path):
    rotation = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])  # reference z -> tomogram x
    file = ParticleFile(ParticleTable([[10.0, 20.0, 30.0]], [rotation], ["TS_01"]), {"TS_01": 2.0})
    write_particles(tmp_path / "p.cxc", file)
    assert "p.bild" in (tmp_path / "p.cxc").read_text()
    arrows = [line.split() for line in (tmp_path / "p.bild").read_text().splitlines() if line.startswith(".arrow")]
    start, end = np.array(arrows[0][1:4], float), np.array(arrows[0][4:7], float)
    np.testing.assert_allclose(start, [20, 40, 60])
    np.testing.assert_allclose((end - start) / np.linalg.norm(end - start), [1, 0, 0], atol=1e-6)
    in_plane = np.array(arrows[1][4:7], float) - start
    np.testing.assert_allclose(in_plane / np.linalg.norm(in_plane), [0, 0, -1], atol=1e-6)
    write_particles(tmp_path / "p.cmm", file)
    text = (tmp_path / "p.cmm").read_text()
    assert 'x="20.0000" y="40.0000" z="60.0000"' in text and '<link id1="1" id2="2"' in text
    with pytest.raises(InputError, match="stadyn only writes"):
        read_particles(tmp_path / "p.cmm")


def test_two_tomograms_need_a_folder(tmp_path, planted):
    for name in ("peet", "emclarity", "chimerax"):
        ending = FORMATS[name].endings[0]
        with pytest.raises(InputError, match="folder"):
            write_particles(tmp_path / f"p{ending}", planted, name, CONTEXT)
        write_particles(tmp_path / name, planted, name, CONTEXT)
        assert {p.stem for p in (tmp_path / name).glob(f"*{ending}")} == {"TS_01", "TS_07"}


@pytest.fixture(scope="module")
def averaged():
    """(planted particles, their average at the poses of a table of files, the average of the truth)."""
    planted = plant(24, box_px=24, wedge=MissingWedge(-54, 60), tomogram_ids=("TS_01", "TS_07"))
    low = np.rint(planted.truth.positions).astype(int)

    def average(table):
        """The mean of the boxes, each turned back by its pose; rows in the order of the truth."""
        total = np.zeros((24, 24, 24))
        for name, center, position, rotation in zip(
            table.tomogram_ids, low, table.positions, table.rotations, strict=True
        ):
            total += rotate_volume(crop(planted.volumes[name], center, 24), rotation, position - center)
        return total

    return planted, average, average(planted.truth)


@pytest.mark.parametrize("name", KEPT)
def test_particles_that_went_through_a_format_average_to_the_same_map(tmp_path, averaged, name):
    planted, average, expected = averaged
    shapes = {i: v.shape for i, v in planted.volumes.items()}
    context = Context(tuple(ListedTomogram(i, n, "", shapes[i], 5.0) for n, i in enumerate(shapes, 1)))
    order = np.argsort(planted.truth.tomogram_ids, kind="stable")  # formats of one file a tomogram sort by it
    file = ParticleFile(planted.truth.select(order), dict.fromkeys(shapes, 5.0))
    back = round_trip(tmp_path, name, file, context)[0].particles
    found = average(back.select(np.argsort(order)))
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.999
    mirrored = rotate_volume(planted.reference, np.diag([-1.0, 1.0, 1.0]))
    alike, unlike = (np.corrcoef(found.ravel(), v.ravel())[0, 1] for v in (planted.reference, mirrored))
    assert alike > 0.9 > unlike + 0.05


def test_boxes_of_a_dynamo_folder_average_to_the_same_map(tmp_path, averaged):
    planted, _, expected = averaged
    tomograms = []
    for number, (name, volume) in enumerate(planted.volumes.items(), 1):
        write_volume(tmp_path / f"{name}.mrc", volume, 5.0)
        tomograms.append(ListedTomogram(name, number, str(tmp_path / f"{name}.mrc"), volume.shape, 5.0))
    file = ParticleFile(planted.truth, dict.fromkeys(planted.volumes, 5.0))
    write_particles(tmp_path / "data", file, "dynamo-folder", Context(tuple(tomograms), box_px=24))
    table = read_particles(tmp_path / "data").particles
    shifts = table.positions - np.rint(table.positions)
    boxes = [read_volume(tmp_path / "data" / f"particle_{tag:05d}.em") for tag in table.ids]
    found = sum(rotate_volume(b, r, s) for b, r, s in zip(boxes, table.rotations, shifts, strict=True))
    assert len(boxes) == len(planted.truth)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.999
