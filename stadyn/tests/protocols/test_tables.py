# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles out to each package's table and in again: the same particles, and what does not fit is refused."""

import numpy as np
import pytest

from stadyn.convert.coordinates import read_particles
from stadyn.core.particles import ParticleTable
from stadyn.io.particle_files import Context, ListedTomogram, ParticleFile
from stadyn.io.tables import write_particles
from stadyn.protocols import StadynProtExportParticles, StadynProtImportParticles
from stadyn.protocols.export_particles import WRITABLE
from stadyn.tests.io.planted_particles import degrees_apart

from .project import configured, launch

READ_BACK = ["dynamo", "relion5", "av3", "emclarity"]
DYNAMO = WRITABLE.index("dynamo")


@pytest.mark.parametrize("name", READ_BACK)
def test_exported_particles_come_back(project, simulated, tomograms, name):
    export = launch(
        project, StadynProtExportParticles, inputParticles=(simulated, "coordinates"), fileFormat=WRITABLE.index(name)
    )
    path = export.table.getFileName()
    back = launch(
        project, StadynProtImportParticles, inputTomograms=(tomograms, "tomograms"), particleFile=path, boxSize=216.0,
        fileFormat=0,
    )
    truth, found = read_particles(simulated.coordinates), read_particles(back.coordinates)
    order, other = (np.lexsort((t.positions[:, 0].round(2), t.tomogram_ids)) for t in (truth, found))
    assert found.tomogram_ids[other].tolist() == truth.tomogram_ids[order].tolist()
    assert np.abs(found.positions[other] - truth.positions[order]).max() < 1e-3
    assert degrees_apart(found.rotations[other], truth.rotations[order]).max() < 1e-3
    if name in ("dynamo", "relion5", "av3"):
        assert found.surface_ids[other].tolist() == truth.surface_ids[order].tolist()
    assert back.coordinates.getBoxSize() == 20 and back.coordinates.getSamplingRate() == 10.8
    if name == "emclarity":
        assert "no place for" in " ".join(export._summary())


def table_file(path, name, position=(40.0, 40.0, 30.0), pixel_size=10.8, format_name="relion4"):
    """A table of one particle."""
    table = ParticleTable([position], [np.eye(3)], [name], classes=[3])
    write_particles(path, ParticleFile(table, {name: pixel_size}), format_name, Context((ListedTomogram(name),)))
    return str(path)


def errors_of(project, tomograms, path, **values):
    """What the form says to a table."""
    pointer = {"inputTomograms": (tomograms, "tomograms"), "particleFile": path}
    return configured(project, StadynProtImportParticles, **pointer, **values).validate()


def test_tables_that_do_not_fit_are_refused(project, tomograms, tmp_path):
    name = next(iter(tomograms.tomograms)).getTsId()
    (error,) = errors_of(project, tomograms, table_file(tmp_path / "a.star", "elsewhere"))
    assert '"elsewhere", which is not among the input' in error
    (error,) = errors_of(project, tomograms, table_file(tmp_path / "b.star", name, pixel_size=5.4))
    assert "counts pixels of 5.4 Å" in error and "10.8" in error
    (error,) = errors_of(project, tomograms, table_file(tmp_path / "c.star", name, (4000.0, 40.0, 30.0)))
    assert "1 of 1 particles" in error and "outside" in error
    (error,) = errors_of(project, tomograms, table_file(tmp_path / "d.star", name), pixelSize=5.4)
    assert "not the 5.4 given" in error
    (error,) = errors_of(project, tomograms, "")
    assert "no table of particles" in error
    (error,) = errors_of(project, tomograms, table_file(tmp_path / "e.tbl", "3", format_name="dynamo"))
    assert 'tomogram "3"' in error and ".doc" in error


def test_rescaling_and_numbers_of_tomograms(project, tomograms, tmp_path):
    names = [item.getTsId() for item in tomograms.tomograms.iterItems()]
    halved = table_file(tmp_path / "a.star", names[0], (80.0, 60.0, 50.0), pixel_size=5.4)
    run = launch(
        project, StadynProtImportParticles, inputTomograms=(tomograms, "tomograms"), particleFile=halved, rescale=True
    )
    np.testing.assert_allclose(read_particles(run.coordinates).positions, [[40.0, 30.0, 25.0]], atol=1e-4)
    assert "from 5.4 to 10.8 Å a pixel" in " ".join(run._summary())
    assert read_particles(run.coordinates).classes.tolist() == [3] and "class" not in " ".join(run._summary())
    export = launch(project, StadynProtExportParticles, inputParticles=(run, "coordinates"), fileFormat=DYNAMO)
    assert np.loadtxt(export.table.getFileName())[21] == 3
    numbered = table_file(tmp_path / "b.tbl", "3", format_name="dynamo")
    (tmp_path / "list.doc").write_text(f"3 {names[1]}.mrc\n")
    run = launch(
        project, StadynProtImportParticles, inputTomograms=(tomograms, "tomograms"), particleFile=numbered,
        numbering=str(tmp_path / "list.doc"),
    )
    assert read_particles(run.coordinates).tomogram_ids.tolist() == [names[1]]
