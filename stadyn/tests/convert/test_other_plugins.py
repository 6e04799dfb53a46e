# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles through the converters of other plugins of Scipion, where those are installed: the same poses come back."""

import json
from types import SimpleNamespace

import numpy as np
import pwem
import pytest
from pwem.objects import Transform
from scipy.spatial.transform import Rotation
from tomo.constants import SCIPION, TR_DYNAMO, TR_EMAN
from tomo.objects import SetOfSubTomograms, SubTomogram
from tomo.utils import scaleTrMatrixShifts

from stadyn.convert.coordinates import write_coordinates
from stadyn.convert.particles import read_particle_input
from stadyn.io.mrc import write_volume
from stadyn.protocols import StadynProtAverage
from stadyn.tests.protocols.project import configured, new_project

from . import foreign
from .foreign import BINNED, PIXEL, N, assert_poses, plugin, sizes, written_back
from .sets import new_coordinates, reopened

tomograms, table, coordinates, subtomograms = (
    foreign.tomograms, foreign.table, foreign.coordinates, foreign.subtomograms
)  # fmt: skip


def by_tomogram(table):
    """The order of sets that are written one tomogram after the other."""
    return table.select(np.argsort(table.tomogram_ids, kind="stable"))


class TestEman:
    """scipion-em-emantomo."""

    @pytest.fixture(autouse=True)
    def installed(self):
        plugin("emantomo")

    def extracted(self, folder, coordinates, pixel_size):
        """Particles as their extraction from tilt series registers them."""
        EmanParticle = pytest.importorskip("emantomo.objects").EmanParticle
        EmanSetOfParticles = pytest.importorskip("emantomo.objects").EmanSetOfParticles
        EmanProtTSExtraction = pytest.importorskip("emantomo.protocols").EmanProtTSExtraction

        output = EmanSetOfParticles.create(str(folder))
        output.setSamplingRate(pixel_size)
        output.setCoordinates3D(coordinates)
        protocol = SimpleNamespace(scaleFactor=PIXEL / pixel_size)
        for tomogram in [tomogram.clone() for tomogram in coordinates.getPrecedents()]:
            left = [item.clone() for item in coordinates.iterCoordinates(volume=tomogram)]
            for number, item in enumerate(list(left)):
                place = np.array(item.getPosition(SCIPION)) * protocol.scaleFactor
                found, left = EmanProtTSExtraction.getEmanMatchingCoord(protocol, place, left)
                path = folder / f"{tomogram.getTsId()}_{number}.mrc"
                write_volume(path, np.ones((8, 8, 8), np.float32), pixel_size)
                particle = EmanParticle(stack3dHdf=f"particles3d/{tomogram.getTsId()}__tomobox.hdf")
                particle.setLocation(number, str(path))
                particle.setSamplingRate(pixel_size)
                particle.setVolName(tomogram.getTsId())
                particle.setCoordinate3D(found)
                transform = Transform()
                transform.setMatrix(found.getMatrix())
                particle.setTransform(transform, convention=TR_EMAN)
                output.append(particle)
        output = reopened(output)
        output.setCoordinates3D(coordinates)
        return output

    @pytest.mark.parametrize("pixel_size", [PIXEL, 2.7, 21.6])
    def test_particles_of_any_binning_lie_where_they_were_picked(self, tmp_path, coordinates, table, pixel_size):
        found = read_particle_input(self.extracted(tmp_path, coordinates, pixel_size)).table
        assert_poses(found.positions, found.rotations, by_tomogram(table))

    def test_refined_particles_are_read_and_written_back(self, tmp_path, coordinates, table):
        EmanLstReader = pytest.importorskip("emantomo.convert.lstConvert").EmanLstReader
        EmanLstWriter = pytest.importorskip("emantomo.convert.lstConvert").EmanLstWriter

        particles, pixel_size = self.extracted(tmp_path, coordinates, 21.6), 21.6
        shifts, rotations = (
            np.random.default_rng(3).uniform(-2, 2, (N, 3)),
            Rotation.random(N, random_state=4).as_matrix(),
        )
        lines = ["#LSX", "# ...", "# 300"]
        for i in range(N):  # M takes the box to the reference
            matrix = np.column_stack([rotations[i].T, -rotations[i].T @ shifts[i]]).flatten().tolist()
            values = {"score": -0.1 - i / 50, "xform.align3d": {"__class__": "Transform", "matrix": str(matrix)}}
            lines.append(f"{i}\tparticles3d/x.hdf\t{json.dumps(values)}")
        (tmp_path / "aliptcls3d_05_00.lst").write_text("\n".join(lines) + "\n")
        refined = particles.getClass().create(str(tmp_path), suffix="_refined")
        refined.copyInfo(particles)
        EmanLstReader.align3dLst2Scipion(str(tmp_path / "aliptcls3d_05_00.lst"), particles, refined)
        refined = reopened(refined)
        refined.setCoordinates3D(coordinates)
        found = read_particle_input(refined).table
        expected = by_tomogram(table)
        expected = expected.replace(positions=expected.positions + shifts * pixel_size / PIXEL, rotations=rotations)
        assert_poses(found.positions, found.rotations, expected)
        np.testing.assert_allclose(found.cc, 0.1 + np.arange(N) / 50, atol=1e-6)

        moved = found.replace(positions=found.positions + 1.5, cc=found.cc + 0.3)
        output = written_back(tmp_path, refined, moved, coordinates)
        EmanLstWriter.writeAlign3dLst(output, str(tmp_path / "written_00.lst"))
        centres = [item.getCoordinate3D().getPosition(SCIPION) for item in output.iterItems()]
        for i, row in enumerate(EmanLstReader.read3dParticles(str(tmp_path / "written_00.lst"))):
            matrix = row["xform.align3d"]
            box = np.array(centres[i]) * pixel_size / PIXEL + sizes()[str(moved.tomogram_ids[i])] / 2
            shift = -matrix[:3, :3].T @ matrix[:3, 3] * pixel_size / PIXEL
            np.testing.assert_allclose(box + shift, moved.positions[i], atol=1e-4)
            np.testing.assert_allclose(matrix[:3, :3].T, moved.rotations[i], atol=1e-6)
            assert row["score"] == pytest.approx(-moved.cc[i], abs=1e-6)


class TestDynamo:
    """scipion-em-dynamo."""

    @pytest.fixture(autouse=True)
    def installed(self):
        plugin("dynamo")

    def test_table_that_it_writes(self, tmp_path, subtomograms, table):
        writeDynTable = pytest.importorskip("dynamo.convert.convert").writeDynTable

        with open(tmp_path / "written.tbl", "w") as file:
            writeDynTable(file, subtomograms)
        rows = np.loadtxt(tmp_path / "written.tbl")
        to_reference = Rotation.from_euler("zxz", rows[:, 6:9], degrees=True).as_matrix()
        positions = rows[:, 23:26] + rows[:, 3:6] * BINNED / PIXEL  # shifts are pixels of the boxes; no one pixel
        assert_poses(positions, np.swapaxes(to_reference, 1, 2), table, atol=2e-3)  # three decimals
        np.testing.assert_array_equal(rows[:, 13:15], [[-45, 60]] * N)

    def test_extracted_subtomograms(self, tmp_path, coordinates, table):
        output = SetOfSubTomograms.create(str(tmp_path))  # as the end of their extraction registers them
        output.setSamplingRate(BINNED)
        output.setCoordinates3D(coordinates)
        for item in coordinates.iterCoordinates():
            particle = SubTomogram()
            path = tmp_path / f"particle_{item.getObjId():06d}.mrc"
            write_volume(path, np.ones((8, 8, 8), np.float32), BINNED)
            particle.setFileName(str(path))
            particle.setVolName(item.getVolume().getFileName())
            particle.setSamplingRate(BINNED)
            particle.setCoordinate3D(item)
            transform = Transform()
            transform.setMatrix(scaleTrMatrixShifts(item.getMatrix().copy(), PIXEL / BINNED))
            particle.setTransform(transform, convention=TR_DYNAMO)
            output.append(particle)
        output = reopened(output)
        output.setCoordinates3D(coordinates)
        found = read_particle_input(output).table
        assert_poses(found.positions, found.rotations, table)


READERS = [
    ("dynamo", "DynamoImportSubtomos", "misreads Dynamo's tables"),
    ("dynamo", "ProtImportCoordinates3D", "misreads Dynamo's tables"),
    ("gapstop", "ProtGapStopExtractCoords", "misreads motive lists"),
    ("pytom_tm", "ProtPytomExtractCoordinates", "misreads PyTom's STAR files"),
    ("reliontomo", "ProtImportCoordinates3DFromStar", "misreads offsets of RELION 3 and 4"),
]


class TestReaders:
    """Poses that the reader of another plugin turns are refused, also behind protocols of the host."""

    @pytest.fixture
    def project(self, request):
        return new_project(f"readers-{abs(hash(request.node.name))}")

    @staticmethod
    def with_shifts(folder, tomograms, table):
        """Coordinates whose matrices turn and shift."""
        plain, output = (new_coordinates(folder, tomograms, PIXEL, suffix=name) for name in ("_plain", "_shifted"))
        write_coordinates(table, plain, tomograms)
        for item in plain.iterItems():
            shifted = item.clone()
            matrix = shifted.getMatrix()
            matrix[:3, 3] = 1, 2, 3
            shifted.setMatrix(matrix)
            output.append(shifted)
        return output

    @staticmethod
    def refusals(project, source, words):
        average = configured(project, StadynProtAverage, inputParticles=(source, "particles"), boxSize=40.0)
        return [error for error in average.validate() if words in error]

    @staticmethod
    def filled(project, name, values, output):
        """A protocol with `output` as if it had run."""
        protocol = configured(project, pwem.Domain.getProtocols()[name], **values)
        project.saveProtocol(protocol)
        protocol._defineOutputs(particles=output)
        protocol._store()
        return protocol

    @pytest.mark.parametrize("module, name, words", READERS)
    def test_refused(self, tmp_path, project, tomograms, table, module, name, words):
        plugin(module)
        output = self.with_shifts(tmp_path, tomograms, table)
        reader = self.filled(project, name, {}, output)
        if name == "ProtImportCoordinates3D":
            assert not self.refusals(project, reader, words)  # not of a table of Dynamo
            reader.importFrom.set(reader._getImportChoices().index("dynamo"))
        moved = self.filled(project, "ProtTomoExtractCoords", {"inputSubTomos": (reader, "particles")}, output)
        assert len(self.refusals(project, reader, words)) == len(self.refusals(project, moved, words)) == 1

    def test_what_is_read_well_is_taken(self, tmp_path, project, tomograms, coordinates):
        plugin("reliontomo")
        reader = self.filled(project, "ProtImportCoordinates3DFromStar", {}, coordinates)  # no offsets among them
        assert not self.refusals(project, reader, "misreads")
