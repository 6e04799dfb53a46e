# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pixels the coordinates of a particle STAR file count, of the several sizes that RELION's optics state."""

import numpy as np

from stadyn.core.errors import InputError

from .particle_files import Columns

TILT_SERIES, IMAGE, ORIGINAL = "rlnTomoTiltSeriesPixelSize", "rlnImagePixelSize", "rlnMicrographOriginalPixelSize"
LABELS = (TILT_SERIES, "rlnMicrographPixelSize", IMAGE, "rlnPixelSize", ORIGINAL)
"""The first that is there is taken; ORIGINAL, that of the movies, only on request."""
WARP = ".tomostar"
"""Ending of Warp's names of tomograms."""


def stated_pixel_sizes(path, columns, optics, given, messages):
    """(n,) Å per pixel of the coordinates, 0 where the file does not say.

    RELION 4 counts pixels of the tilt series. Warp 2 exports RELION 4's columns, and counts pixels of the images that
    it cuts (its option --output_angpix): in the 2D series of a public set, of 4400 x 6000 x 1000 pixels of 0.789 Å and
    images of 4 Å, all particles lie within 900 x 1200 x 200. In version 3 it is up to the program that picked.

    Parameters
    ----------
    given : float or None, Å, the option: it chooses where it is not for RELION to say
    messages : list, gets a sentence where another size might be meant
    """
    own = next((name for name in LABELS[:-1] if columns.has(name)), None)
    if own is not None:
        return columns.numbers(own)
    labels = [name for name in LABELS if optics and name in optics]
    if labels and labels != [ORIGINAL] and "rlnOpticsGroup" in optics:
        return _of_optics(path, columns, optics, labels, given, messages)
    if columns.has("rlnDetectorPixelSize"):
        detector = columns.numbers("rlnDetectorPixelSize")
        if columns.has("rlnMagnification"):  # version 3.0: micrometres on the detector
            return detector * 1e4 / np.maximum(columns.numbers("rlnMagnification"), 1e-6)
        return detector  # template matching writes Å here
    return np.zeros(len(columns))


def _of_optics(path, columns, optics, labels, given, messages):
    table = Columns(path, optics, "row of the optics")
    numbers = table.integers("rlnOpticsGroup")
    groups = columns.integers("rlnOpticsGroup", int(numbers[0]) if len(numbers) == 1 else None)
    lacking = np.setdiff1d(groups, numbers)
    if len(lacking):
        raise InputError(f"{path} has particles of optics group {lacking[0]}, which its optics lack: add the group")
    rows = {number: i for i, number in enumerate(numbers.tolist())}
    row = np.array([rows[group] for group in groups.tolist()])
    sizes = {label: table.numbers(label)[row] for label in labels}
    warp = {TILT_SERIES, IMAGE} <= set(labels) and _is_warps(columns)
    if labels[0] == TILT_SERIES and not warp:
        return sizes[TILT_SERIES]
    fitting = [label for label in labels if given and np.allclose(sizes[label], given, rtol=0.01)]
    label = fitting[0] if fitting else IMAGE if warp else labels[0]
    rival = TILT_SERIES if warp else ORIGINAL
    other = sizes.get(rival, sizes[label])
    if not fitting and not np.allclose(sizes[label], other, rtol=0.01):
        why = ", as Warp exports them" if warp else ""
        messages.append(
            f"positions were taken to count pixels of {sizes[label][0]:.6g} Å ({label}){why}, not of {other[0]:.6g} Å "
            f"({rival}): if they do, say so (--pixel-size)"
        )
    return sizes[label]


def _is_warps(columns):
    """Are tomograms called as Warp's are, by columns of pixels?"""
    pixels = columns.has("rlnTomoName", "rlnCoordinateX") and not columns.has("rlnCenteredCoordinateXAngst")
    return pixels and bool(np.char.endswith(columns.texts("rlnTomoName"), WARP).any())
