# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit cells marked in the average of averages, and the candidate particles that they lead to in the tomograms."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from stadyn.convert.averages import map_path
from stadyn.convert.particles import read_particle_input
from stadyn.core.errors import InputError
from stadyn.core.lattice import UnitCells, find_unit_cells
from stadyn.core.particles import ParticleTable
from stadyn.core.subboxing import two_step_subbox
from stadyn.core.surface_strays import on_their_surface
from stadyn.core.surfaces import fit_spheres
from stadyn.core.symmetry import symmetry_order
from stadyn.io.markers import read_markers
from stadyn.io.mrc import read_volume

from .base import inside_tomograms
from .estimates import cells_in_box, sites_on_spheres

LATTICE_SPACING_ANGST = 75.0
"""Of immature HIV-1, for an estimate before the markers are found."""
HALF_SPACING = -1.0
"""Exclusion radius that stands for half of the distance between neighbouring markers."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """What a subboxing maps to the tomograms, before any is excluded."""

    table: ParticleTable  # those inside their tomograms, unbinned pixels
    made: int  # those outside counted too
    parents: int
    off_the_surface: int  # particles that were no parents
    unit_cells: int
    spacing_angst: float
    radius_angst: float  # of the exclusion
    pixel_size: float  # Å
    cells: UnitCells | None  # where they were found automatically


def find_candidates(protocol):
    """The `Candidates` of a StadynProtSubboxing as its form stands; InputError for markers that cannot be read."""
    particles, averages = protocol.readInput(), read_particle_input(protocol.given("inputAverages"))
    markers, normals, spacing, cells = _marked(protocol)
    pixel_size = particles.tomograms[0].pixel_size
    scale = averages.boxes.pixel_size / pixel_size
    poses = averages.table.replace(positions=averages.table.positions * scale)
    parents = particles.table
    if protocol.surfaceTolerance.get() > 0:
        parents = parents.select(on_their_surface(parents, protocol.surfaceTolerance.get() / pixel_size))
    table = two_step_subbox(parents, poses, markers / pixel_size, normals, protocol.tiltNormals.get())
    return Candidates(
        table.select(inside_tomograms(table, particles.tomograms)), len(table), len(parents),
        len(particles.table) - len(parents), len(markers), spacing, exclusion_radius(protocol, spacing), pixel_size,
        cells,
    )  # fmt: skip


def exclusion_radius(protocol, spacing_angst):
    """Å: as typed, or half of the distance between neighbouring markers."""
    typed = protocol.exclusionRadius.get()
    return 0.5 * spacing_angst if typed == HALF_SPACING else typed


def _marked(protocol):
    """(m, 3) markers in Å from the box centre, (m, 3) normals or None, Å between neighbours, UnitCells or None."""
    path, pixel_size, shape = map_path(protocol.given("inputAverage"))
    if marker_file(protocol):
        markers = read_markers(marker_file(protocol), pixel_size, shape) * pixel_size
    elif typed_markers(protocol) is not None:
        markers = typed_markers(protocol) - shape[0] // 2 * pixel_size
    else:
        farthest, order = protocol.maxDistance.get() or None, symmetry_order(protocol.cellSymmetry.get())
        cells = find_unit_cells(read_volume(path), pixel_size, order, farthest)
        return cells.markers * pixel_size, cells.normals, cells.spacing_angst, cells
    return markers, None, nearest_distance(markers), None


def expected_particles(protocol):
    """How many particles a subboxing is likely to make, without looking for its markers."""
    particles = protocol.readInput()
    _, pixel_size, shape = map_path(protocol.given("inputAverage"))
    if marker_file(protocol) or typed_markers(protocol) is not None:
        markers, _, spacing, _ = _marked(protocol)
        count = len(markers)
    else:
        spacing = LATTICE_SPACING_ANGST
        count = cells_in_box(2 * protocol.maxDistance.get() or shape[0] * pixel_size, spacing)
    candidates, radius = len(particles.table) * count, exclusion_radius(protocol, spacing)
    if radius == 0:
        return candidates
    radii = [sphere.radius * particles.tomograms[0].pixel_size for sphere in fit_spheres(particles.table).values()]
    return min(candidates, sites_on_spheres(radii, radius) or candidates)


def marker_file(protocol):
    """The path that was typed, or an empty text."""
    return (protocol.markerFile.get() or "").strip()


def typed_markers(protocol):
    """(m, 3) Å from the first voxel, or None where none are typed."""
    text = (protocol.markers.get() or "").strip()
    return parse_points(text) if text else None


def parse_points(text):
    """(m, 3) numbers of text such as "0,0,0; 75,0,-6"; InputError for anything else."""
    points = []
    for part in filter(str.strip, text.split(";")):
        try:
            point = [float(word) for word in part.replace(",", " ").split()]
        except ValueError:
            point = []
        if len(point) != 3:
            raise InputError(
                f"marker {part.strip()!r} is not x,y,z: type three numbers, markers separated by semicolons"
            )
        points.append(point)
    return np.array(points).reshape(-1, 3)


def nearest_distance(markers):
    """Median distance of each marker to its nearest neighbour; 0 for one marker."""
    if len(markers) < 2:
        return 0.0
    return float(np.median(cKDTree(markers).query(markers, k=2)[0][:, 1]))
