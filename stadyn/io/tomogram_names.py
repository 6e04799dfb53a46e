# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of tomograms: what the paths and file names of tables and lists stand for."""

import re

ENDING = re.compile(r"(?<=.)\.(tomostar|mrc|rec|map|em|hdf|st|ali)$", re.IGNORECASE)
RECONSTRUCTION = re.compile(r"^rec_(?=.)|(?<=.)_\d+\.\d\dApx$")
"""What RELION 5 and Warp add to the name of a tilt series for that of its tomogram."""


def tomogram_id(name):
    """The tsId that a path or file name of a tomogram stands for: no folders, no endings of volumes."""
    name = re.split(r"[\\/]", name.strip())[-1]
    while len(shorter := ENDING.sub("", name)) < len(name):
        name = shorter
    return name


def tilt_series_id(name):
    """The name of the tilt series that RELION 5 or Warp made the tomogram `name` of; other names as they are."""
    return RECONSTRUCTION.sub("", name)
