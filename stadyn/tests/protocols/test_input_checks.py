# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot work is said by the form: planted in each kind of input, before anything runs."""

import numpy as np
import pytest
from pwem.objects import Volume, VolumeMask
from tomo.objects import SetOfAverageSubTomograms, SetOfCoordinates3D

from stadyn.convert.averages import map_for_jobs
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.io.em import write_em
from stadyn.io.mrc import read_header, read_volume, write_volume
from stadyn.protocols import (
    StadynProtAlign,
    StadynProtAverage,
    StadynProtAverageOfAverages,
    StadynProtExpandLattice,
    StadynProtExtract,
    StadynProtImportDipoles,
    StadynProtLatitudeFilter,
    StadynProtLatticeQuality,
    StadynProtPostprocess,
    StadynProtRecentre,
    StadynProtRefitSurfaces,
    StadynProtSelectCC,
    StadynProtSplitHalves,
)
from stadyn.protocols.forms import PER_TOMOGRAM
from stadyn.protocols.import_dipoles import FROM_POINTS
from stadyn.protocols.input_checks import check_averages
from stadyn.protocols.refit_surfaces import check_surface

from .planted import PIXEL_SIZE, plant, plant_averages, truth_of
from .project import configured

BOX = 345.6


def said(project, protocol_class, **values):
    return configured(project, protocol_class, **values).validate()


@pytest.fixture
def given_map(simulated, tmp_path):
    """given_map(name, volume or path, ...): a map of Scipion as an output of the simulation."""

    def make(name, voxels, header=PIXEL_SIZE, stated=PIXEL_SIZE, item_class=Volume, halves=False):
        path = voxels
        if not isinstance(voxels, str):
            path = str(tmp_path / f"{name}.mrc")
            write_volume(path, voxels, header)
        item = item_class()
        item.setFileName(path)
        item.setSamplingRate(stated)
        if halves:
            item.setHalfMaps([path, path])
        simulated._defineOutputs(**{name: item})
        simulated._store()
        return simulated, name

    return make


NOISE = np.random.default_rng(0).normal(size=(32, 32, 32))
HOLED = np.where(np.arange(32) == 5, np.nan, NOISE)
MAPS = {
    "flat": (NOISE[:8], {}, "is (32, 32, 8) voxels, no cube: give a cubic map"),
    "constant": (np.ones((32, 32, 32)), {}, "every voxel of"),
    "holed": (HOLED, {}, "holds 1024 voxels that are NaN or infinite"),
    "other_header": (NOISE, {"header": 3.5}, "states 3.5 Å a pixel in its header, not 10.8 as in Scipion"),
    "sizeless": (NOISE, {"stated": None}, "has no pixel size: import it again with one"),
    "gone": ("/gone/map.mrc", {}, "/gone/map.mrc cannot be found"),
}


@pytest.mark.filterwarnings("ignore:Data array contains NaN")
@pytest.mark.parametrize("fault", MAPS)
def test_reference_maps_are_looked_at(project, simulated, given_map, fault):
    voxels, more, fragment = MAPS[fault]
    reference = given_map(f"map_{fault}", voxels, **more)
    [error] = said(
        project, StadynProtAlign, inputParticles=(simulated, "coordinates"), inputReference=reference, boxSize=BOX
    )
    assert fragment in error and "\n" not in error


def test_masks_are_looked_at(project, simulated, given_map):
    empty = given_map("mask_empty", np.zeros((32, 32, 32)), item_class=VolumeMask)
    [error] = said(project, StadynProtSelectCC, inputParticles=(simulated, "coordinates"), inputMask=empty, boxSize=BOX)
    assert "mask_empty.mrc is empty, its largest voxel is 0: make it anew" in error
    halved = given_map("map_halved", NOISE, halves=True)
    small = given_map("mask_small", np.ones((24, 24, 24)), item_class=VolumeMask)
    errors = said(project, StadynProtPostprocess, inputMap=halved, inputMask=small)
    assert any("has (24, 24, 24) voxels of 10.8 Å, the map (32, 32, 32)" in error for error in errors), errors


def test_sets_of_averages_are_looked_at(project, simulated, tmp_path):
    paths = {}
    for name in ("tomo_001", "tomo_002"):
        paths[name] = str(tmp_path / f"{name}.mrc")
        write_volume(paths[name], NOISE, PIXEL_SIZE)
    given = dict(inputParticles=(simulated, "coordinates"), groups=PER_TOMOGRAM, boxSize=BOX)
    good = plant_averages(simulated, "averagesGood", paths)
    assert said(project, StadynProtAlign, inputReference=good, **given) == []
    other = plant_averages(simulated, "averagesOther", {"tomo_001": paths["tomo_001"]})
    [error] = said(project, StadynProtAlign, inputReference=other, **given)
    assert "tomogram tomo_002 has no average among the references" in error
    write_volume(paths["tomo_002"], np.zeros((32, 32, 32)), PIXEL_SIZE)
    for protocol_class, more in ((StadynProtAlign, given), (StadynProtAverageOfAverages, {})):
        name = "inputReference" if more else "inputAverages"
        [error] = said(project, protocol_class, **more, **{name: good})
        assert "every voxel of" in error and "tomo_002.mrc is 0: give a map with something in it" in error
    empty = SetOfAverageSubTomograms.create(str(tmp_path))
    with pytest.raises(InputError, match="the set of averages is empty: average the particles of each tomogram"):
        check_averages(empty)


def test_another_class_is_named(project, simulated):
    [error] = said(project, StadynProtAverage, inputParticles=(simulated, "tomograms"))
    assert error == "*Particles* is a SetOfTomograms: give a SetOfCoordinates3D or SetOfSubTomograms."


def test_boxes_are_asked_for_as_the_job_will(project, simulated):
    coordinates = (simulated, "coordinates")
    for protocol_class in (StadynProtAlign, StadynProtAverage, StadynProtSelectCC, StadynProtExtract):
        [error] = said(project, protocol_class, inputParticles=coordinates, boxSize=43.2)
        assert "a box of 43.2 Å is 4 px at 10.8 Å/px: give at least 173 Å" in error
        [error] = said(project, protocol_class, inputParticles=coordinates, boxSize=3000.0)
        assert "is larger than tomogram" in error and "choose a smaller box" in error
    [error] = said(project, StadynProtExtract, inputParticles=coordinates, boxSize=900.0)
    assert "fits around no particle of the input: choose a smaller box" in error
    [error] = said(project, StadynProtExtract, inputParticles=coordinates, boxSize=BOX, binning=8)
    assert error == "binning 8 leaves a box of 4 px: give 1 to 4"


def test_particles_outside_of_their_tomograms(project, simulated):
    truth = truth_of(simulated)
    far = plant(simulated, "far", truth.replace(positions=truth.positions + 900))
    for protocol_class in (StadynProtRefitSurfaces, StadynProtLatticeQuality, StadynProtExpandLattice):
        [error] = said(project, protocol_class, inputParticles=far)
        assert f"{len(truth)} of {len(truth)} particles lie outside of their tomograms, the first at" in error
    errors = said(project, StadynProtRecentre, inputParticles=far, inputAverage=(simulated, "tomograms"))
    assert any("is a SetOfTomograms" in error for error in errors)
    # One at the border is no reason to stop what cuts no boxes.
    one = truth.replace(positions=np.where(np.arange(len(truth))[:, None] == 0, -2.0, truth.positions))
    assert said(project, StadynProtRefitSurfaces, inputParticles=plant(simulated, "border", one)) == []


def test_columns_that_are_not_there(project, simulated):
    truth = truth_of(simulated)
    turned = plant(simulated, "unturned", truth.replace(rotations=np.broadcast_to(np.eye(3), (len(truth), 3, 3))))
    for protocol_class in (StadynProtLatticeQuality, StadynProtExpandLattice):
        [error] = said(project, protocol_class, inputParticles=turned)
        assert error == f"the {len(truth)} particles have no orientations: give those of an alignment"
    scoreless = plant(simulated, "scoreless", truth.replace(cc=np.full(len(truth), np.nan)))
    [error] = said(project, StadynProtLatitudeFilter, inputParticles=scoreless)
    assert error == f"{len(truth)} of {len(truth)} particles have no CC: align or select them first"


def test_points_of_many_vlps_in_one_group_are_no_dipole(project, simulated):
    truth = truth_of(simulated)
    rng = np.random.default_rng(1)
    spread = rng.uniform(5, 60, (len(truth), 3))
    points = plant(simulated, "spread", truth.replace(positions=spread, surface_ids=np.zeros(len(truth), int)))
    [error] = said(
        project, StadynProtImportDipoles, inputTomograms=(simulated, "tomograms"), source=FROM_POINTS,
        inputPoints=points,
    )  # fmt: skip
    assert "points on no sphere" in error and "say by their group which VLP each point belongs to" in error


def test_a_surface_that_is_none_is_refused():
    good = dict(particles=99, vlp=0, tomogram="ts", radius_angst=300.0, least_radius_angst=250.0, rms_angst=5.0)
    check_surface(good)
    for bad in ({"rms_angst": 40.0}, {"least_radius_angst": -50.0}):
        with pytest.raises(InputError, match="99 particles of VLP 0 in ts lie .* say by their group"):
            check_surface({**good, **bad})


def test_a_set_nothing_was_appended_to_is_empty_not_damaged(project, simulated):
    plant(simulated, "hollow", ParticleTable.empty())
    assert isinstance(simulated.hollow, SetOfCoordinates3D)
    [error] = said(project, StadynProtAverage, inputParticles=(simulated, "hollow"))
    assert error == "the set of particles is empty: run the step before with other parameters"


def test_one_particle_is_not_split(project, simulated):
    protocol = configured(project, StadynProtSplitHalves)
    protocol.inputParticles.append(plant(simulated, "single", truth_of(simulated).select([0]))[0])
    protocol.inputParticles[0].setExtended("single")
    protocol.makeWorkingDir()
    with pytest.raises(InputError, match="all 1 particles fall into one half when split by"):
        protocol.splitStep()


def test_maps_without_a_pixel_size_of_their_own_have_that_of_scipion(tmp_path):
    write_em(tmp_path / "map.em", NOISE)
    write_volume(tmp_path / "one.mrc", NOISE, 1.0)
    write_volume(tmp_path / "right.mrc", NOISE, 5.4)
    for name in ("map.em", "one.mrc", "right.mrc"):
        item = Volume()
        item.setFileName(str(tmp_path / name))
        item.setSamplingRate(5.4)
        path = map_for_jobs(item, str(tmp_path / "maps"))
        assert read_header(path).pixel_size == pytest.approx(5.4)
        np.testing.assert_allclose(read_volume(path), NOISE, atol=1e-6)
        assert (path == str(tmp_path / name)) == (name == "right.mrc")
