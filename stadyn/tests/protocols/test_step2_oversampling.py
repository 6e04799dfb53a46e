# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 2: dipoles, crop points and subtomograms lie where the simulation put its VLPs."""

import mrcfile
import numpy as np
from scipy.spatial import cKDTree
from tomo.objects import SetOfSubTomograms

from stadyn.convert.coordinates import read_particles
from stadyn.convert.meshes import read_dipoles
from stadyn.convert.particles import read_particle_input
from stadyn.io.dipoles import read_dipoles as read_dipole_file
from stadyn.protocols import StadynProtExtract, StadynProtImportDipoles
from stadyn.tests.io.matlab_bytes import MatFile
from stadyn.tests.io.test_imod import written as write_model

from .project import configured, launch


def test_imported_dipoles_are_those_of_the_file(simulated, dipoles):
    expected = read_dipole_file(simulated.resultPath("simulation", "dipoles.csv"))
    found = read_dipoles(dipoles.dipoles)
    assert [(d.tomogram_id, d.surface_id) for d in found] == [(d.tomogram_id, d.surface_id) for d in expected]
    np.testing.assert_allclose([d.center for d in found], [d.center for d in expected], atol=1e-6)
    np.testing.assert_allclose([d.north for d in found], [d.north for d in expected], atol=1e-6)


def test_picked_points_make_the_same_dipoles(project, simulated, tomograms):
    from_mesh = launch(
        project, StadynProtImportDipoles, inputTomograms=(tomograms, "tomograms"), source=1,
        inputPoints=(simulated, "dipoles"),
    )
    expected = read_dipoles(simulated.dipoles)
    found = read_dipoles(from_mesh.dipoles)
    np.testing.assert_allclose([d.center for d in found], [d.center for d in expected], atol=1e-6)


def refused(project, tomograms, path, text):
    path.write_text("tomogram,vlp,center_x,center_y,center_z,north_x,north_y,north_z\n" + text)
    protocol = configured(
        project, StadynProtImportDipoles, inputTomograms=(tomograms, "tomograms"), dipoleFile=str(path)
    )
    (error,) = protocol.validate()
    return error


def test_wrong_dipoles_are_named(project, tomograms, tmp_path):
    outside = refused(project, tomograms, tmp_path / "a.csv", "tomo_001,7,500,40,30,60,40,30\n")
    assert "VLP 7" in outside and "outside" in outside
    unknown = refused(project, tomograms, tmp_path / "b.csv", "tomo_009,1,40,40,30,60,40,30\n")
    assert "tomo_009" in unknown


def test_imod_models_named_like_their_tomograms_are_taken(project, tomograms, tmp_path):
    for number in (1, 2):
        write_model(tmp_path / f"tomo_00{number}.mod", [[[(40.5, 44.5 + number, 35), (62.5, 44.5 + number, 35)]]])
    run = launch(
        project, StadynProtImportDipoles, inputTomograms=(tomograms, "tomograms"), dipoleFile=str(tmp_path / "*.mod")
    )
    found = {d.tomogram_id: d for d in read_dipoles(run.dipoles)}
    assert sorted(found) == ["tomo_001", "tomo_002"]
    np.testing.assert_allclose(found["tomo_002"].center, (40, 46, 35), atol=1e-6)


def test_dynamo_models_go_to_the_tomogram_of_their_catalogue(project, tomograms, tmp_path):
    file = MatFile()
    dipole = file.add("dmodels.dipole", center=(41, 45, 36), north=(63, 45, 36))
    volume = file.add("dcatalogue.cvolume", file="/elsewhere/tomo_002.mrc")
    model = file.add("dmodels.dipoleSet", dipoles=[dipole], cvolume=volume)
    (tmp_path / "d.omd").write_bytes(file.bytes({"model": model}))
    run = launch(
        project, StadynProtImportDipoles, inputTomograms=(tomograms, "tomograms"), dipoleFile=str(tmp_path / "d.omd")
    )
    (found,) = read_dipoles(run.dipoles)
    assert found.tomogram_id == "tomo_002" and abs(found.radius - 22) < 1e-6
    np.testing.assert_allclose(found.center, (40, 44, 35), atol=1e-6)  # MATLAB counts from 1


def test_what_is_no_dynamo_model_is_refused_with_the_remedy(project, tomograms, tmp_path):
    (tmp_path / "d.omd").write_text("MATLAB 5.0")
    protocol = configured(
        project, StadynProtImportDipoles, inputTomograms=(tomograms, "tomograms"), dipoleFile=str(tmp_path / "d.omd")
    )
    (error,) = protocol.validate()
    assert "d.omd is no MATLAB file" in error and "give one" in error


def test_points_cover_the_spheres_evenly_and_point_outward(dipoles, oversampled):
    table = read_particles(oversampled.coordinates)
    assert oversampled.coordinates.getBoxSize() == 32
    for dipole in read_dipoles(dipoles.dipoles):
        own = table.select(table.tomogram_ids == dipole.tomogram_id)
        outward = (own.positions - dipole.center) / dipole.radius
        np.testing.assert_allclose(np.linalg.norm(outward, axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(own.normals(), outward, atol=1e-6)
        spacing = cKDTree(own.positions).query(own.positions, 2)[0][:, 1] * 10.8
        assert 55 < spacing.min() and np.median(spacing) < 80
        assert set(own.surface_ids) == {dipole.surface_id}
    assert len(np.unique(table.ids)) == len(table)


def test_extracted_boxes_are_cut_from_the_tomogram(project, simulated, oversampled):
    extracted = launch(
        project, StadynProtExtract, inputParticles=(oversampled, "coordinates"), boxSize=172.8, invertContrast=True
    )
    assert isinstance(extracted.subtomograms, SetOfSubTomograms)
    particles = read_particle_input(extracted.subtomograms)
    before = read_particles(oversampled.coordinates)
    rows = np.searchsorted(before.ids, particles.table.ids)
    np.testing.assert_allclose(particles.table.positions, before.positions[rows], atol=1e-6)
    np.testing.assert_allclose(particles.table.rotations, before.rotations[rows], atol=1e-6)
    item = extracted.subtomograms.getFirstItem()
    with mrcfile.open(item.getFileName()) as mrc:
        box, pixel_size = mrc.data.copy(), float(mrc.voxel_size.x)
    assert box.shape == (16, 16, 16) and abs(pixel_size - 10.8) < 1e-3
    x, y, z = particles.boxes.centers[0].astype(int)
    with mrcfile.open(particles.tomograms[0].path) as mrc:
        cut = mrc.data[z - 8 : z + 8, y - 8 : y + 8, x - 8 : x + 8]
    np.testing.assert_allclose(box, -cut, atol=1e-4)
    figures = extracted.loadSummary()
    assert figures["written"] + sum(figures["dropped"].values()) == len(before)
