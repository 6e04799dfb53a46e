# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a result is where the truth is known: particles against true sites, a map against the true map."""

from pathlib import Path

import numpy as np

from stadyn.core.evaluation import evaluate
from stadyn.core.fsc import half_map_fsc
from stadyn.core.particles import ParticleTable
from stadyn.core.refinement import Refinement
from stadyn.core.resample import rescale_map, rotate_volume
from stadyn.core.search import AlignmentRound
from stadyn.core.symmetry import symmetry_order
from stadyn.core.tomograms import MissingWedge, Tomogram
from stadyn.io.mrc import read_header, read_volume
from stadyn.io.results import read_result
from stadyn.jobs.evaluate import read_particles, summary

TOLERANCE_ANGST = 20.0
"""A particle this near to a true site is that site: a quarter of the lattice's spacing."""
SEED = 1


class MapSource:
    """One map, given to the engine as if it were a particle without a missing wedge."""

    def __init__(self, volume, pixel_size):
        self.volume = volume
        self.tomograms = {"map": Tomogram("map", "", pixel_size, volume.shape, MissingWedge(-90.0, 90.0))}

    def boxes(self, table, rows, box_px):
        """((1, n, n, n) box, (1, 3) centre) of the map."""
        return np.asarray(self.volume, np.float32)[None], np.zeros((1, 3))


def compare_particles(path, truth_path, pixel_size, symmetry="C6"):
    """Figures (dict) of a table, .npz or Dynamo .tbl, against the simulation's truth.npz."""
    truth = read_result(truth_path, ParticleTable)
    table = read_particles(path, dict(enumerate(np.unique(truth.tomogram_ids).tolist(), 1)))
    return summary(evaluate(table, truth, TOLERANCE_ANGST / pixel_size, symmetry_order(symmetry)), pixel_size)


def compare_map(path, true_path, mask_path, lowpass_angst, symmetry="C6"):
    """Figures of a map against the true map, both with protein bright: FSC after a rigid alignment, and the hand.

    The true map has no noise, so it is the one that is turned into the other's frame. The mirrored
    true map gets the same search, or the comparison of hands would not be fair.

    Parameters
    ----------
    path, true_path, mask_path : maps; the true map is brought to the box and pixel size of the first
    lowpass_angst : float, of the alignment and of the correlations

    Returns
    -------
    dict; the FSCCurve against the truth; the true map in the frame of the map
    """
    volume, mask, pixel_size = read_volume(path), read_volume(mask_path), read_header(path).pixel_size
    truth = rescale_map(read_volume(true_path), read_header(true_path).pixel_size, pixel_size, volume.shape[0])
    own, own_cc = superpose(truth, volume, mask, pixel_size, lowpass_angst, symmetry)
    _, mirror_cc = superpose(mirrored(truth), volume, mask, pixel_size, lowpass_angst, symmetry)
    curve = half_map_fsc(volume, own, pixel_size, mask, SEED)
    figures = {
        "resolution_05_angst": round(curve.resolution_05_angst, 3),
        "correlation": round(own_cc, 4),
        "correlation_mirrored": round(mirror_cc, 4),
    }
    return figures, curve, own


def superpose(reference, volume, mask, pixel_size, lowpass_angst, symmetry):
    """`reference` turned and shifted onto `volume` by the alignment engine; and their correlation under the mask.

    Parameters
    ----------
    reference, volume, mask : (n, n, n) arrays; the mask is in the frame of the volume
    """
    search = AlignmentRound(
        iterations=1, cone_range_deg=20.0, inplane_range_deg=360.0, shift_limit_angst=(30.0, 30.0, 30.0), shift_modus=4,
        lowpass_angst=lowpass_angst, symmetry=symmetry,
    )  # fmt: skip
    start = ParticleTable(np.zeros((1, 3)), np.eye(3)[None], ["map"])
    engine = Refinement((search,), volume.shape[0], pixel_size)
    pose = engine.run(MapSource(volume, pixel_size), start, np.arange(1), reference=reference)
    rotation, shift = pose.rotations[0], pose.positions[0]
    moved = rotate_volume(reference, rotation.T, -rotation.T @ shift)
    return moved, correlation(moved, volume, mask, pixel_size, lowpass_angst)


def correlation(a, b, mask, pixel_size, lowpass_angst):
    """Pearson correlation of two maps under a mask, up to a low-pass."""
    a, b = (lowpassed(volume, pixel_size, lowpass_angst) for volume in (a, b))
    total = mask.sum()
    a, b = (volume - np.sum(volume * mask) / total for volume in (a, b))
    return float(np.sum(a * b * mask) / np.sqrt(np.sum(a * a * mask) * np.sum(b * b * mask)))


def lowpassed(volume, pixel_size, lowpass_angst):
    """The map without Fourier coefficients beyond a radius."""
    n = volume.shape[0]
    axis, last = np.fft.fftfreq(n, pixel_size), np.fft.rfftfreq(n, pixel_size)
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + last**2)
    return np.fft.irfftn(np.fft.rfftn(volume) * (radius <= 1 / lowpass_angst), volume.shape)


def mirrored(volume):
    """x reversed about the box centre, index n // 2."""
    flipped = volume[:, :, ::-1]
    return np.roll(flipped, 1, axis=2) if volume.shape[0] % 2 == 0 else flipped


def run_file(project, class_name, *names):
    """A file in the `extra` folder of the last run of one protocol class in a project's folder."""
    runs = sorted(Path(project).glob(f"Runs/*_{class_name}"))
    if not runs:
        raise FileNotFoundError(f"no run of {class_name} in {project}")
    return runs[-1].joinpath("extra", *names)
