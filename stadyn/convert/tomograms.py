# SPDX-License-Identifier: GPL-3.0-or-later
"""Scipion's tomograms as the engine's: absolute path, pixel size, shape, and the wedge of the acquisition."""

import os
from pathlib import Path

from pwem.objects import Transform
from tomo.convert.mdoc import normalizeTSId
from tomo.objects import TomoAcquisition
from tomo.objects import Tomogram as ScipionTomogram

from stadyn.core.errors import InputError
from stadyn.core.tomograms import MissingWedge, Tomogram
from stadyn.io.mrc import read_header

FULL_RANGE = MissingWedge(-90.0, 90.0)
"""No missing wedge: what averages of many particles have."""


def volume_path(item):
    """The absolute path of a Scipion image, without the ``:mrc`` that some packages append."""
    return os.path.abspath(item.getFileName().removesuffix(":mrc"))


def acquisition_wedge(acquisition, owner, remedy):
    """The `MissingWedge` of a TomoAcquisition; InputError naming `owner` and the `remedy` when it has no tilt range."""
    low = acquisition.getAngleMin() if acquisition is not None and hasattr(acquisition, "getAngleMin") else None
    high = acquisition.getAngleMax() if low is not None else None
    if low is None or high is None:
        raise InputError(f"{owner} does not say its tilt range: {remedy}")
    if not -90 <= low < high <= 90:
        raise InputError(f"{owner} has tilts from {low:g} to {high:g} degrees: {remedy}")
    return MissingWedge(low, high)


def read_tomogram(item):
    """One Scipion Tomogram as a `stadyn.core.tomograms.Tomogram`.

    Raises InputError for a tomogram without tsId, pixel size, file or tilt range.
    """
    name = item.getTsId()
    if not name:
        raise InputError(f"tomogram {item.getFileName()} has no tsId: import it again")
    if not item.getSamplingRate():
        raise InputError(f"tomogram {name} has no pixel size: give it when the tomograms are imported")
    remedy = "import the tomograms with their minimum and maximum tilt angle"
    wedge = acquisition_wedge(item.getAcquisition(), f"tomogram {name}", remedy)
    path = volume_path(item)
    if not os.path.exists(path):
        raise InputError(f"tomogram {name} is not at {path}: put the file back or import it again")
    return Tomogram(name, path, float(item.getSamplingRate()), read_header(path).shape, wedge)


def read_tomograms(tomograms):
    """All of a SetOfTomograms (or list of Tomogram), in order; InputError also for two of one tsId."""
    result = [read_tomogram(item) for item in tomograms]
    names = [tomogram.id for tomogram in result]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two tomograms have the tsId {twice}: rename one file and import again")
    return result


def pixel_size_mismatch(tomogram, tolerance=0.01):
    """A sentence if the file of a Tomogram states another pixel size than the set, else None.

    A header of 0 or 1 Å says nothing: that is what programs write that do not know.
    """
    stated = read_header(tomogram.path).pixel_size
    if stated in (0.0, 1.0) or abs(stated - tomogram.pixel_size) <= tolerance * tomogram.pixel_size:
        return None
    return (
        f"{tomogram.path} states {stated:.4g} Å a pixel in its header, not {tomogram.pixel_size:.4g}: "
        "give that pixel size, or correct the header (IMOD: alterheader)"
    )


def append_tomograms(output, tomograms, acquisition=None, ctf_corrected=False):
    """Append `stadyn.core.tomograms.Tomogram`s to a SetOfTomograms, which takes the pixel size of the first.

    Parameters
    ----------
    acquisition : TomoAcquisition with what is common to all; each tomogram's tilt range is its own
    """
    output.setSamplingRate(tomograms[0].pixel_size)
    for tomogram in tomograms:
        own = TomoAcquisition() if acquisition is None else acquisition.clone()
        own.setAngleMin(tomogram.wedge.min_deg)
        own.setAngleMax(tomogram.wedge.max_deg)
        own.setTiltAxisAngle(0.0)  # along y
        output.setAcquisition(own)
        item = ScipionTomogram()
        item.setTsId(tomogram.id)
        item.setFileName(tomogram.path)
        item.setSamplingRate(tomogram.pixel_size)
        item.setAcquisition(own)
        item.setCtfCorrected(ctf_corrected)
        origin = Transform()  # the centre, as the host's own import has it; Å
        origin.setShifts(*(-0.5 * n * tomogram.pixel_size for n in reversed(tomogram.shape)))
        item.setOrigin(origin)
        output.append(item)


def match_tomogram(name, tomograms):
    """The tsId that a file means by `name`: itself, the stem of a tomogram's file, or as the host spells it.

    Parameters
    ----------
    tomograms : iterable of `stadyn.core.tomograms.Tomogram`

    Returns `name` unchanged when nothing matches.
    """
    for spelling in (lambda t: t.id, lambda t: Path(t.path).stem, lambda t: Path(os.path.realpath(t.path)).stem):
        for tomogram in tomograms:
            if name == spelling(tomogram):
                return tomogram.id
    host = normalizeTSId(name)
    return host if any(host == tomogram.id for tomogram in tomograms) else name
