# SPDX-License-Identifier: GPL-3.0-or-later
"""Oriented particles in Scipion's SetOfCoordinates3D and in a `ParticleTable`, both ways.

Scipion's matrix takes the box to the reference, ``x_ref = M @ x_box`` from the box
centre: ``M = [E | -E d]`` with ``E = rotation.T`` and `d` the shift of the particle
from that centre. A refined shift found in M is folded into the position.

Scipion stores a position relative to the centre of its tomogram, in pixels of the
set. `half`, `parent`, `marker` and `classes` travel as attributes of each coordinate, VLP
as its group, CC as its score; a score of exactly 0 is the host's way to say "none".
"""

import numpy as np
from pyworkflow.object import Integer
from tomo.constants import BOTTOM_LEFT_CORNER, SCIPION
from tomo.objects import Coordinate3D, SetOfTiltSeriesBase

from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable

from .foreign_columns import own_class, own_half
from .relion_particles import forget_refined_rotation, picked_rotation

EXTRA_COLUMNS = {
    "half": "_stadynHalf", "parent": "_stadynParent", "marker": "_stadynMarker", "classes": "_stadynClass",
}  # fmt: skip
"""Columns of the table that the host has no place for -> attribute of the coordinate."""

NO_ROTATION = 1e-2
"""What R @ R.T may differ from the unit matrix: tables with three decimals come to a few 1e-3."""


def matrix_from_pose(rotation, shift=(0.0, 0.0, 0.0)):
    """(4, 4) Scipion's matrix of a particle at `shift` (3,) pixels from the box centre, rotation reference -> box."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation.T
    matrix[:3, 3] = -rotation.T @ np.asarray(shift, float)
    return matrix


def pose_from_matrix(matrix):
    """The (rotation, shift) that `matrix_from_pose` was given."""
    rotation = np.asarray(matrix, float)[:3, :3].T
    return rotation, -rotation @ np.asarray(matrix, float)[:3, 3]


def tomogram_centre(tomogram):
    """(3,) where in a Scipion tomogram (0-based pixels) the host puts the origin of its coordinates."""
    probe = Coordinate3D()
    probe.setVolume(tomogram)
    probe.setPosition(0.0, 0.0, 0.0, BOTTOM_LEFT_CORNER)
    return -np.array(probe.getPosition(SCIPION))


def checked_precedents(tomograms):
    """`tomograms`, a set or list; InputError where a link to them leads nowhere, or to tilt series."""
    if tomograms is None:
        raise InputError("the coordinates have lost their tomograms: import or extract them again")
    if isinstance(tomograms, SetOfTiltSeriesBase):
        raise InputError("these coordinates lie in tilt series: give 3D coordinates in tomograms")
    return tomograms


class CoordinateFrame:
    """Positions of one set in the pixels of its tomograms; looks at each tomogram's header once only.

    Parameters
    ----------
    tomograms : SetOfTomograms or list of Tomogram that the coordinates belong to
    pixel_size : float, Å, of the coordinates; that of each tomogram by default
    """

    def __init__(self, tomograms, pixel_size=None):
        self.tomograms = {tomogram.getTsId(): tomogram.clone() for tomogram in checked_precedents(tomograms)}
        self._centres = {}
        self._pixel_size = pixel_size

    def tomogram(self, tomogram_id):
        """The Scipion tomogram of that tsId; InputError if there is none."""
        if tomogram_id not in self.tomograms:
            known = ", ".join(sorted(self.tomograms))
            raise InputError(f"particles lie in tomogram {tomogram_id}, which is not among {known}: add it")
        return self.tomograms[tomogram_id]

    def scale(self, tomogram_id):
        """Pixels of the tomogram per pixel of the coordinates."""
        own = self.tomogram(tomogram_id).getSamplingRate()
        return (self._pixel_size or own) / own

    def position(self, coordinate):
        """(3,) 0-based pixels of the tomogram of a stored coordinate, without the shift in its matrix."""
        name, own = coordinate.getTomoId(), [value.get() for value in (coordinate._x, coordinate._y, coordinate._z)]
        if None in own:  # also what the host's database makes of nan
            raise InputError(f"coordinate {coordinate.getObjId()} of tomogram {name} has no position: import it again")
        return np.array(own) * self.scale(name) + self._centre(name)

    def place(self, coordinate, tomogram_id, position):
        """Put a new `coordinate` at `position` (3,), 0-based pixels of its tomogram."""
        coordinate.setVolume(self.tomogram(tomogram_id))
        stored = (np.asarray(position, float) - self._centre(tomogram_id)) / self.scale(tomogram_id)
        coordinate.setPosition(*map(float, stored), SCIPION)

    def _centre(self, tomogram_id):
        if tomogram_id not in self._centres:
            self._centres[tomogram_id] = tomogram_centre(self.tomogram(tomogram_id))
        return self._centres[tomogram_id]


def annotate(coordinate, table, row):
    """Write group, score and the extra columns of one row; on every item, or the host drops the column."""
    coordinate.setGroupId(int(table.surface_ids[row]))
    cc = float(table.cc[row])
    coordinate.setScore(cc if np.isfinite(cc) else 0.0)
    for column, attribute in EXTRA_COLUMNS.items():
        setattr(coordinate, attribute, Integer(int(getattr(table, column)[row])))
    forget_refined_rotation(coordinate)


def annotations(coordinate):
    """The columns that `annotate` wrote, as a dict of one value each; absent ones are 0, no score is nan."""
    values = {"surface_ids": coordinate.getGroupId() or 0, "cc": coordinate.getScore() or np.nan}
    for column, attribute in EXTRA_COLUMNS.items():
        values[column] = coordinate.getAttributeValue(attribute) or 0
    return {**values, "half": own_half(coordinate), "classes": own_class(coordinate)}


def read_particles(coordinates):
    """The particles of a SetOfCoordinates3D as a `ParticleTable`, positions in unbinned pixels of the tomograms.

    Raises InputError for coordinates that belong to no tomogram, or to one that is not in their set.
    """
    frame = CoordinateFrame(coordinates.getPrecedents(), coordinates.getSamplingRate())
    rows = []
    for item in coordinates.iterItems():
        name = item.getTomoId()
        rotation, shift = picked_rotation(item, *pose_from_matrix(item.getMatrix()))
        position = frame.position(item) + shift * frame.scale(name)
        rows.append(
            dict(positions=position, rotations=rotation, tomogram_ids=name, ids=item.getObjId(), **annotations(item))
        )
    if not hasattr(coordinates.getFirstItem(), EXTRA_COLUMNS["half"]) and all(row["half"] == 1 for row in rows):
        rows = [{**row, "half": 0} for row in rows]  # scipion-em-reliontomo's word for a table without half-sets
    return table_from_rows(rows)


def table_from_rows(rows):
    """A `ParticleTable` of dicts that hold one row each; InputError for matrices that do more than turn."""
    if not rows:
        return ParticleTable.empty()
    table = ParticleTable(**{key: np.array([row[key] for row in rows]) for key in rows[0]})
    determinants = np.linalg.det(np.nan_to_num(table.rotations))
    off = np.abs(table.rotations @ np.swapaxes(table.rotations, 1, 2) - np.eye(3)).max(axis=(1, 2))
    bad = np.flatnonzero(~((off < NO_ROTATION) & (determinants > 0)))
    if len(bad):
        where = f"particle {table.ids[bad[0]]} in {table.tomogram_ids[bad[0]]}"
        raise InputError(
            f"the matrices of {len(bad)} particles are no rotations, the first that of {where} with determinant "
            f"{determinants[bad[0]]:.3g}: write them without scale, shear or mirror"
        )
    return table


def write_coordinates(table, output, tomograms, item_class=Coordinate3D):
    """Append the particles of `table` to a SetOfCoordinates3D, shifts in the positions, ids kept.

    Parameters
    ----------
    table : ParticleTable
    output : SetOfCoordinates3D with a sampling rate
    tomograms : SetOfTomograms, or list of Tomogram, that hold every tsId of the table
    item_class : Coordinate3D or a subclass

    Raises InputError for a tsId that is not among the tomograms, or an id that occurs twice.
    """
    check_unique_ids(table)
    frame = CoordinateFrame(tomograms, output.getSamplingRate())
    for row in range(len(table)):
        item = item_class()
        item.setObjId(int(table.ids[row]))
        frame.place(item, str(table.tomogram_ids[row]), table.positions[row])
        item.setMatrix(matrix_from_pose(table.rotations[row]))
        annotate(item, table, row)
        output.append(item)


def check_unique_ids(table):
    """InputError if two particles share an id: the host's sets would overwrite one with the other."""
    values, counts = np.unique(table.ids, return_counts=True)
    if np.any(counts > 1):
        raise InputError(f"two particles have the id {values[counts > 1][0]}: merge the sets with new ids")
