# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles that were cut into files: Scipion's sets of subtomograms as table and boxes, and back.

The coordinate of a subtomogram stays where its box was cut, in pixels of the set it
was picked in, or of the boxes (`coordinate_units`); the subtomogram's own matrix says where the particle is in the box,
in pixels of the box; what RELION's say is in `relion_particles`. Its class is its own, which
the host's classifications set, else its coordinate's. Subtomograms without coordinates, such as averages, are each
taken as a tomogram of their own, without a file, whose origin is the box centre.
"""

import os
from collections import Counter
from pathlib import Path

import numpy as np
from pwem.objects import Transform
from tomo.objects import AverageSubTomogram, Coordinate3D, SubTomogram

from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleBoxes
from stadyn.core.tomograms import Tomogram
from stadyn.io.mrc import read_header

from .coordinate_units import coordinate_pixel_size
from .coordinates import (
    CoordinateFrame,
    annotate,
    annotations,
    check_unique_ids,
    matrix_from_pose,
    pose_from_matrix,
    table_from_rows,
)
from .foreign_columns import keep_own, own_cc, own_half
from .relion_particles import is_pseudo_subtomogram, own_coordinate, particle_pose, set_particle_pose
from .tomograms import FULL_RANGE, acquisition_wedge, volume_path


def read_subtomograms(subtomograms):
    """(ParticleTable, ParticleBoxes) of a SetOfSubTomograms (averages included).

    Raises InputError for a set without pixel size, coordinates that lead nowhere, or files that cannot be read.
    """
    pixel_size = subtomograms.getSamplingRate()
    if not pixel_size:
        raise InputError(f"the subtomograms have pixel size {pixel_size}: import them with one")
    frame = coordinate_frame(subtomograms)
    rows, paths, indices, centres = [], [], [], []
    for item in subtomograms.iterItems():
        centre, scale, row = _row(item, pixel_size, frame)
        rows.append(row)
        paths.append(volume_path(item))
        indices.append(item.getIndex())
        centres.append(centre)
    # Of RELION's particles the files are of no use here, and nobody asks for them.
    of_relion = is_pseudo_subtomogram(subtomograms.getFirstItem())
    volumes = np.zeros(len(paths), int) if of_relion else _volumes(paths, indices)
    return table_from_rows(rows), ParticleBoxes(paths, volumes, centres, pixel_size)


def _volumes(paths, indices):
    """0-based volume of each file; Scipion counts from 1, 0 is a file of one volume, and some packages number those.

    Raises InputError for files that are missing, are no cubes, or hold several volumes of which none is named.
    """
    headers, times = {}, Counter(paths)
    for path, index in zip(paths, indices, strict=True):
        if path not in headers and (not headers or index > 0 or times[path] > 1):
            headers[path] = _box_header(path)
        elif path not in headers and not os.path.exists(path):
            raise InputError(f"subtomogram {path} cannot be found: put it back or extract the subtomograms again")
        if index == 0 and path in headers and headers[path].volumes > 1:
            raise InputError(f"{path} holds {headers[path].volumes} volumes, and none is named: import it again")
    several = [path in headers and headers[path].volumes > 1 for path in paths]
    return [index - 1 if many else 0 for index, many in zip(indices, several, strict=True)]


def _box_header(path):
    header = read_header(path)
    if len(set(header.shape)) != 1:
        raise InputError(f"{path} has {header.shape[::-1]} voxels, no cube: give subtomograms, not stacks of images")
    return header


def coordinate_frame(subtomograms):
    """The `CoordinateFrame` of the coordinates behind a set, or None for subtomograms without any."""
    if not subtomograms.hasCoordinates3D():
        return None
    coordinates = subtomograms.getCoordinates3D()
    if coordinates is None:
        raise InputError("the subtomograms have lost their coordinates: extract them again")
    return CoordinateFrame(coordinates.getPrecedents(), coordinate_pixel_size(subtomograms, coordinates))


def stand_in_tomograms(subtomograms):
    """Tomograms without a file for subtomograms without coordinates: name, pixel size, and the wedge of the items.

    An item that does not tell its tilt range has that of the set; an average, or an item of a set that does not tell
    it either, has no missing wedge.
    """
    wedges, common = {}, subtomograms.getAcquisition()
    for item in subtomograms.iterItems():
        own = item.getAcquisition() if item.hasAcquisition() else common
        tilts = not isinstance(item, AverageSubTomogram) and own is not None and own.getAngleMin() is not None
        wedge = acquisition_wedge(own, item.getFileName(), "import it again") if tilts else FULL_RANGE
        wedges.setdefault(_box_name(item), wedge)
    pixel_size = float(subtomograms.getSamplingRate())
    return [Tomogram(name, "", pixel_size, (0, 0, 0), wedge) for name, wedge in wedges.items()]


def _box_name(item):
    if not item._volName.hasValue():
        return f"box_{item.getObjId()}"
    name = item.getVolName()  # its tsId, or, from some packages, its file
    return Path(name).stem if os.sep in name else name


def _row(item, pixel_size, frame):
    """(box centre in unbinned pixels, pixels of the tomogram per pixel of the box, columns of the table)."""
    transform, coordinate = item.getTransform(), item.getCoordinate3D()
    of_relion = is_pseudo_subtomogram(item)
    if of_relion and frame is not None and coordinate is None:
        tomogram = frame.tomogram(item.getVolName())
        coordinate = own_coordinate(item, tomogram, tomogram.getSamplingRate() * frame.scale(item.getVolName()))
    if frame is not None and coordinate is None:
        raise InputError(f"subtomogram {item.getObjId()} has no coordinate, unlike its set: extract them again")
    if frame is None:
        centre, scale, name = np.zeros(3), 1.0, _box_name(item)
        columns = dict(surface_ids=0, cc=np.nan, half=0, parent=0, marker=0, classes=0)
    else:
        name = coordinate.getTomoId()
        centre, columns = frame.position(coordinate), annotations(coordinate)
        scale = pixel_size / frame.tomogram(name).getSamplingRate()
        if transform is None:  # nobody has refined it yet: the pose is the one it was picked with
            transform, scale = coordinate._eulerMatrix, frame.scale(name)
    rotation, shift = pose_from_matrix(np.eye(4) if transform is None else transform.getMatrix())
    if of_relion:
        rotation, shift = particle_pose(rotation, shift, item)
    columns["half"] = columns["half"] or own_half(item)
    cc = own_cc(item)
    columns["cc"] = cc if np.isfinite(cc) else columns["cc"]
    columns["classes"] = max(item.getClassId() or 0, 0) or columns["classes"]  # -1 is RELION's "none"
    columns.update(positions=centre + shift * scale, rotations=rotation, tomogram_ids=name, ids=item.getObjId())
    return centre, scale, columns


def write_subtomograms(table, boxes, output, tomograms):
    """Append particles that were cut from `tomograms` into boxes of their own to a SetOfSubTomograms, ids kept.

    Parameters
    ----------
    table, boxes : ParticleTable and ParticleBoxes of as many rows
    output : SetOfSubTomograms that has the sampling rate of the boxes, and the coordinates they were cut at
    tomograms : SetOfTomograms, or list of Tomogram, that hold every tsId of the table
    """
    check_unique_ids(table)
    frame = CoordinateFrame(tomograms, output.getCoordinates3D().getSamplingRate())
    volumes = Counter(boxes.paths)
    for row in range(len(table)):
        item = SubTomogram()
        item.setObjId(int(table.ids[row]))
        path = boxes.paths[row]
        # Scipion counts the volumes of a stack from 1; 0 is a file of one volume.
        item.setLocation(int(boxes.indices[row]) + 1 if volumes[path] > 1 else 0, project_path(path))
        item.setSamplingRate(boxes.pixel_size)
        item.setAcquisition(frame.tomogram(str(table.tomogram_ids[row])).getAcquisition())
        _place_in_box(item, table, boxes, row, frame)
        output.append(item)


def write_refined_subtomograms(table, source, output):
    """Append the items of the SetOfSubTomograms `source` that are in `table`, with its poses and columns, to `output`.

    Boxes, files and whatever else other packages keep on the items stay as they are.
    """
    check_unique_ids(table)
    frame = coordinate_frame(source)
    _, boxes = read_subtomograms(source)
    box_rows = {key: row for row, key in enumerate(item.getObjId() for item in source.iterItems())}
    rows = {int(key): row for row, key in enumerate(table.ids)}
    boxes = boxes.select([box_rows[key] for key in rows])
    output.copyInfo(source)
    output.setAlignment3D()
    for item in source.iterItems():
        if item.getObjId() in rows:
            refined = item.clone()
            _place_in_box(refined, table, boxes, rows[item.getObjId()], frame)
            output.append(refined)


def _place_in_box(item, table, boxes, row, frame):
    """Give a SubTomogram the pose, tomogram, coordinate and columns of one row."""
    name = str(table.tomogram_ids[row])
    item.setVolName(name)
    if not is_pseudo_subtomogram(item) or table.classes[row]:  # RELION's table has no word for "none"
        item.setClassId(int(table.classes[row]) or None)  # None: nobody classified it
    shift, scale = table.positions[row] - boxes.centers[row], 1.0
    if frame is not None:
        scale = boxes.pixel_size / frame.tomogram(name).getSamplingRate()
        coordinate = item.getCoordinate3D() or Coordinate3D()
        frame.place(coordinate, name, boxes.centers[row])
        coordinate.setObjId(int(table.ids[row]))
        coordinate.setMatrix(matrix_from_pose(table.rotations[row], shift / frame.scale(name)))
        annotate(coordinate, table, row)
        item.setCoordinate3D(coordinate)
    keep_own(item, float(table.cc[row]), int(table.half[row]))
    rotation, shift = table.rotations[row], shift / scale
    if is_pseudo_subtomogram(item):
        extracted, _ = pose_from_matrix(item.getTransform().getMatrix())
        rotation, shift = set_particle_pose(item, extracted, rotation, shift, boxes.pixel_size)
    transform = Transform()
    transform.setMatrix(matrix_from_pose(rotation, shift))
    item.setTransform(transform)


def project_path(path):
    """`path` relative to the project, the current folder, when it lies inside: projects can be moved."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative
