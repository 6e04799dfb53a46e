# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks that can be drawn over the maps of a run: the one it used first, then those of the project."""

import os

from pwem.objects import VolumeMask
from pyworkflow.protocol import params

from stadyn.convert.averages import map_path
from stadyn.io.mrc import read_header, read_volume

OWN = {"mask.mrc": "mask.mrc", "unit_cell_mask.mrc": "the unit cell of the score"}
"""Masks that runs write, and what they are called."""


def masks_of(protocol):
    """{label: path} of the masks that exist, the one that the run used or made first."""
    found = {label: protocol.resultPath(name) for name, label in OWN.items()}
    given = getattr(protocol, "inputMask", None)
    mask = None if given is None else given.get()
    if mask is not None:
        found = {"the mask of this run": map_path(mask)[0], **found}
    project = protocol.getProject()
    for run in project.getRuns(refresh=False) if project is not None else ():
        for _, output in run.iterOutputAttributes(VolumeMask):
            label = run.getObjLabel()
            found[f"{label} ({run.getObjId()})" if label in found else label] = map_path(output)[0]
    there, paths = {}, set()
    for label, path in found.items():
        if os.path.exists(path) and os.path.realpath(path) not in paths:
            there[label] = path
            paths.add(os.path.realpath(path))
    return there


def used_mask(protocol):
    """Does the run have a mask of its own, which `masks_of` then names first?"""
    given = getattr(protocol, "inputMask", None)
    own = any(os.path.exists(protocol.resultPath(name)) for name in OWN)
    return own or (given is not None and given.get() is not None)


def mask_parameter(form, protocol, name):
    """The choice of a mask to be outlined."""
    form.addParam(
        name,
        params.EnumParam,
        choices=["none", *masks_of(protocol)],
        default=1 if used_mask(protocol) and masks_of(protocol) else 0,
        label="Outline of the mask",
        help="Orange: where the soft mask is at one half. At first the mask that this run used, if any; any other mask "
        "of the project can be laid over the map, to see what it would hold.",
    )


def chosen_mask(viewer, name):
    """(volume, Å per pixel) of the mask that the form asks for, or None."""
    chosen = getattr(viewer, name).get()
    if chosen == 0:
        return None
    path = list(masks_of(viewer.protocol).values())[chosen - 1]
    return read_volume(path), read_header(path).pixel_size
