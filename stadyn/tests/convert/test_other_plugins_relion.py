# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles through scipion-em-reliontomo, where it is installed: as RELION reads what it writes, and back."""

from types import SimpleNamespace

import numpy as np
import pytest
from emtable import Table
from pwem.objects import SetOfFSCs
from scipy.spatial.transform import Rotation
from tomo.constants import SCIPION

from stadyn.convert.coordinates import read_particles
from stadyn.convert.fscs import CURVES, write_fscs
from stadyn.convert.particles import read_particle_input, write_particles_like
from stadyn.core.errors import InputError

from . import foreign
from .foreign import (
    BINNED,
    PIXEL,
    SHAPES,
    TILT_SERIES,
    N,
    assert_poses,
    plugin,
    relion_angles,
    relion_matrix,
    sizes,
    stored,
    written_back,
)
from .sets import new_coordinates, reopened

tomograms, table, coordinates, subtomograms = (
    foreign.tomograms, foreign.table, foreign.coordinates, foreign.subtomograms
)  # fmt: skip


def loop(name, columns, rows):
    """A block of a STAR file."""
    lines = [" ".join(map(str, row)) for row in rows]
    return "\n".join([f"data_{name}\n", "loop_", *(f"_{c}" for c in columns), *lines, "\n"])


class TestRelion:
    """scipion-em-reliontomo, RELION 5, and what it has of earlier versions."""

    COLUMNS = (
        "rlnTomoName rlnTomoSubtomogramRot rlnTomoSubtomogramTilt rlnTomoSubtomogramPsi rlnAngleRot rlnAngleTilt "
        "rlnAnglePsi rlnOpticsGroup rlnTomoParticleName rlnImageName rlnOriginXAngst rlnOriginYAngst rlnOriginZAngst "
        "rlnCenteredCoordinateXAngst rlnCenteredCoordinateYAngst rlnCenteredCoordinateZAngst rlnClassNumber "
        "rlnRandomSubset"
    ).split()
    PICKED = "sciXCoord sciYCoord sciZCoord sciGroupId".split()

    @pytest.fixture(autouse=True)
    def installed(self):
        plugin("reliontomo")

    @pytest.fixture
    def refined(self, tmp_path, table, tomograms):
        """particles.star as RELION 5 refines it: turned when extracted, turned again and shifted since."""
        extracted = Rotation.random(N, random_state=3).as_matrix()
        turned = np.einsum("nji,njk->nik", extracted, table.rotations)
        origins = np.random.default_rng(4).uniform(-20, 20, (N, 3))
        picked = table.positions + np.einsum("nij,nj->ni", extracted, origins) / PIXEL
        picks = stored(tmp_path, table.replace(positions=picked, rotations=extracted), tomograms, "_picked")
        rows = []
        for i, coordinate in enumerate(picks.iterItems()):
            name = str(table.tomogram_ids[i])
            centred = (picked[i] - sizes()[name] / 2) * PIXEL
            rows.append(
                [name, *relion_angles(extracted[i]), *relion_angles(turned[i]), 1, f"{name}/{i}", f"{i}_stack2d.mrcs"]
                + [*origins[i], *centred, table.classes[i], table.half[i]]
                + [*coordinate.getPosition(SCIPION), table.surface_ids[i]]
            )
        return picks, rows

    def read(self, folder, picks, rows, columns):
        """The set that their reader makes of a particles.star."""
        readSetOfPseudoSubtomograms = pytest.importorskip("reliontomo.convert").readSetOfPseudoSubtomograms
        createSetOfRelionPSubtomograms = pytest.importorskip("reliontomo.objects").createSetOfRelionPSubtomograms

        optics = dict(
            rlnOpticsGroup=1, rlnOpticsGroupName="optics1", rlnSphericalAberration=2.7, rlnVoltage=300.0,
            rlnTomoTiltSeriesPixelSize=TILT_SERIES, rlnTomoSubtomogramBinning=4.0, rlnImagePixelSize=BINNED,
        )  # fmt: skip
        text = loop("optics", optics, [optics.values()]) + loop("particles", columns, rows)
        (folder / "particles.star").write_text(text)
        (folder / "tomograms.star").write_text(loop("global", ["rlnTomoName"], [[name] for name in SHAPES]))
        files = ["rlnTomoTomogramsFile", "rlnTomoParticlesFile"]
        (folder / "optimisation_set.star").write_text(loop("", files, [["tomograms.star", "particles.star"]]))
        output = createSetOfRelionPSubtomograms(
            str(folder), "optimisation_set.star", picks, tsSamplingRate=TILT_SERIES, relionBinning=BINNED / TILT_SERIES,
            boxSize=8, are2dStacks=True, acquisition=picks.getPrecedents().getAcquisition(),
        )  # fmt: skip
        readSetOfPseudoSubtomograms(output)
        output = reopened(output)
        output.setCoordinates3D(picks)
        return output

    @staticmethod
    def in_relion(path, pixel_size=PIXEL):
        """(names, positions, rotations, half-sets) as RELION itself reads a particles.star with centred coordinates."""
        star = Table()
        star.read(str(path), tableName="particles")
        names, positions, rotations, halves = [], [], [], []
        for row in star:
            outer = relion_matrix(row.rlnTomoSubtomogramRot, row.rlnTomoSubtomogramTilt, row.rlnTomoSubtomogramPsi).T
            centred = np.array([getattr(row, f"rlnCenteredCoordinate{a}Angst") for a in "XYZ"])
            origin = np.array([getattr(row, f"rlnOrigin{a}Angst") for a in "XYZ"])
            names.append(row.rlnTomoName)
            positions.append((centred - outer @ origin) / pixel_size + sizes()[row.rlnTomoName] / 2)
            rotations.append(outer @ relion_matrix(row.rlnAngleRot, row.rlnAngleTilt, row.rlnAnglePsi).T)
            halves.append(row.rlnRandomSubset)
        return names, positions, rotations, halves

    def test_coordinates_are_extracted_where_they_lie(self, tmp_path, coordinates, tomograms, table):
        Writer = pytest.importorskip("reliontomo.convert.convert50_tomo").Writer

        by_name = {tomogram.getTsId(): tomogram.clone() for tomogram in tomograms}
        Writer().coords2Star(coordinates, by_name, str(tmp_path), coordsScale=PIXEL / TILT_SERIES)
        star = Table()
        star.read(str(tmp_path / "inParticles.star"), tableName="particles")
        expected = table.select(np.argsort(table.tomogram_ids, kind="stable"))
        positions, rotations = [], []
        for row in star:
            positions.append([row.rlnCoordinateX / 2, row.rlnCoordinateY / 2, row.rlnCoordinateZ / 2])
            outer = relion_matrix(row.rlnTomoSubtomogramRot, row.rlnTomoSubtomogramTilt, row.rlnTomoSubtomogramPsi).T
            rotations.append(outer @ relion_matrix(row.rlnAngleRot, row.rlnAngleTilt, row.rlnAnglePsi).T)
        assert_poses(positions, rotations, expected)

    @pytest.mark.parametrize("version", [3, 4])
    def test_subtomograms_of_earlier_versions(self, version, subtomograms, table):
        RELION_30_TOMO_LABELS = pytest.importorskip("reliontomo.constants").RELION_30_TOMO_LABELS
        RELION_40_TOMO_LABELS = pytest.importorskip("reliontomo.constants").RELION_40_TOMO_LABELS
        createWriterTomo30 = pytest.importorskip("reliontomo.convert").createWriterTomo30
        createWriterTomo40 = pytest.importorskip("reliontomo.convert").createWriterTomo40

        writers = {3: (createWriterTomo30, RELION_30_TOMO_LABELS), 4: (createWriterTomo40, RELION_40_TOMO_LABELS)}
        create, labels = writers[version]
        create(starHeaders=labels).subtomograms2Star(subtomograms, "subtomograms.star")
        star = Table()
        star.read("subtomograms.star")
        ending, unit = {3: ("", BINNED / PIXEL), 4: ("Angst", 1 / PIXEL)}[version]
        positions = [
            [getattr(row, f"rlnCoordinate{a}") - unit * getattr(row, f"rlnOrigin{a}{ending}") for a in "XYZ"]
            for row in star
        ]
        rotations = [relion_matrix(row.rlnAngleRot, row.rlnAngleTilt, row.rlnAnglePsi).T for row in star]
        assert_poses(positions, rotations, table)

    def test_refined_particles_are_read(self, tmp_path, refined, table):
        picks, rows = refined
        found = read_particle_input(self.read(tmp_path, picks, rows, [*self.COLUMNS, *self.PICKED]))
        assert_poses(found.table.positions, found.table.rotations, table)
        np.testing.assert_array_equal(found.table.half, table.half)
        np.testing.assert_array_equal(found.table.classes, table.classes)
        np.testing.assert_array_equal(found.table.surface_ids, table.surface_ids)
        assert found.boxes is None  # stacks of tilt images cannot be averaged as boxes

    def test_particles_without_coordinates_lie_where_relion_says(self, tmp_path, refined, table):
        picks, rows = refined
        kept = len(self.COLUMNS)
        found = read_particle_input(self.read(tmp_path, picks, [row[:kept] for row in rows], self.COLUMNS))
        assert_poses(found.table.positions, found.table.rotations, table)

    def test_particles_of_unknown_place_are_refused(self, tmp_path, refined):
        picks, rows = refined
        columns = [name for name in self.COLUMNS if "Centered" not in name]
        rows = [[*row[:13], *row[16:18]] for row in rows]
        with pytest.raises(InputError, match="does not say where it lies in tomogram ts_0"):
            read_particle_input(self.read(tmp_path, picks, rows, columns))

    def test_new_poses_go_back_to_relion(self, tmp_path, refined, table):
        Writer = pytest.importorskip("reliontomo.convert.convert50_tomo").Writer

        picks, rows = refined
        source = self.read(tmp_path, picks, rows, [*self.COLUMNS, *self.PICKED])
        moved = table.positions + np.random.default_rng(5).uniform(-2, 2, (N, 3))
        turned = Rotation.random(N, random_state=6).as_matrix()
        moved = read_particle_input(source).table.replace(positions=moved, rotations=turned, half=3 - table.half)
        output = written_back(tmp_path, source, moved, picks)
        Writer.pseudoSubtomograms2Star(output, str(tmp_path), are2dParticles=True)
        names, positions, rotations, halves = self.in_relion(tmp_path / "inParticles.star")
        assert names == moved.tomogram_ids.tolist() and halves == moved.half.tolist()
        assert_poses(positions, rotations, moved)

    def imported(self, folder, tomograms, columns, rows, suffix, version5, factor):
        """The coordinates that their reader makes of a STAR file."""
        createReaderTomo = pytest.importorskip("reliontomo.convert").createReaderTomo

        path = folder / f"import{suffix}.star"
        path.write_text(loop("particles", columns, rows))
        reader, _ = createReaderTomo(str(path), isRelion5=version5, isCoordsStar=True)
        output = new_coordinates(folder, tomograms, PIXEL, suffix=suffix)
        reader.starFile2Coords3D(output, tomograms, factor)
        output = reopened(output)
        output.setPrecedents(tomograms)
        return read_particles(output)

    def test_picks_of_version_5_are_turned_twice(self, tmp_path, tomograms, table):
        picked = Rotation.random(N, random_state=3).as_matrix()
        turned = np.einsum("nji,njk->nik", picked, table.rotations)
        columns = ["rlnTomoName", *(f"rlnCoordinate{a}" for a in "XYZ"), *self.COLUMNS[1:7]]
        positions = table.positions * PIXEL / TILT_SERIES
        rows = [
            [name, *positions[i], *relion_angles(picked[i]), *relion_angles(turned[i])]
            for i, name in enumerate(table.tomogram_ids)
        ]
        found = self.imported(tmp_path, tomograms, columns, rows, "_5", True, TILT_SERIES / PIXEL)
        assert_poses(found.positions, found.rotations, table)
        again = read_particles(stored(tmp_path, found, tomograms, "_again"))
        assert_poses(again.positions, again.rotations, table)

    @pytest.mark.parametrize("with_halves", [True, False])
    def test_coordinates_of_version_4_keep_class_and_half(self, tmp_path, tomograms, table, with_halves):
        columns = ["rlnTomoName", "rlnTomoParticleId", *(f"rlnCoordinate{a}" for a in "XYZ"), *self.COLUMNS[4:7]]
        rows = [
            [name, i + 1, *table.positions[i], *relion_angles(table.rotations[i]), table.classes[i], table.half[i]]
            for i, name in enumerate(table.tomogram_ids)
        ]
        columns += ["rlnClassNumber", "rlnRandomSubset"]
        if not with_halves:  # their reader makes it 1 for all
            columns, rows = columns[:-1], [row[:-1] for row in rows]
        found = self.imported(tmp_path, tomograms, columns, rows, "_4", False, 1.0)
        assert_poses(found.positions, found.rotations, table)
        np.testing.assert_array_equal(found.classes, table.classes)
        np.testing.assert_array_equal(found.half, table.half if with_halves else 0)

    def test_particles_without_class_stay_numbers_in_relions_table(self, tmp_path, refined):
        Writer = pytest.importorskip("reliontomo.convert.convert50_tomo").Writer

        picks, rows = refined
        column = self.COLUMNS.index("rlnClassNumber")
        rows = [[*row[:column], -1, *row[column + 1 :]] for row in rows]
        source = self.read(tmp_path, picks, rows, [*self.COLUMNS, *self.PICKED])
        found = read_particle_input(source).table
        assert not found.classes.any()
        output = source.getClass().create(str(tmp_path), suffix="_moved")
        write_particles_like(source, found, output)
        Writer.pseudoSubtomograms2Star(output, str(tmp_path), are2dParticles=True)
        star = Table()
        star.read(str(tmp_path / "inParticles.star"), tableName="particles")
        assert {row.rlnClassNumber for row in star} == {-1}

    def test_postprocessed_curves_name_their_file(self, tmp_path):
        ProtRelionPerParticlePerTiltBase = pytest.importorskip(
            "reliontomo.protocols.protocol_base_per_part_per_tilt"
        ).ProtRelionPerParticlePerTiltBase

        values = np.linspace(1, 0.1, 5)
        curve = SimpleNamespace(frequency=np.linspace(0.01, 0.05, 5), **dict.fromkeys(CURVES, values))
        (tmp_path / "postprocess.star").write_text("data_fsc")
        for star in (str(tmp_path / "postprocess.star"), None):
            output = SetOfFSCs.create(str(tmp_path), suffix=f"_{star is None}")
            write_fscs(curve, output, star)
            protocol = SimpleNamespace(inFsc=SimpleNamespace(get=lambda found=output: found))
            assert ProtRelionPerParticlePerTiltBase._getPostProcessStar(protocol) == star
