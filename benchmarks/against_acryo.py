# SPDX-License-Identifier: GPL-3.0-or-later
"""Fast mode against acryo's zero-mean normalised cross-correlation on the CPU, same particles and angles.

    python benchmarks/against_acryo.py [--particles 500] [--acryo 12]

Needs acryo (``pip install acryo``, in an environment of its own: it asks for a newer NumPy than Scipion's host).
acryo turns one dictionary of templates for all particles; it gets the 375 angles of the other
rows level by level, and at each level the particle cut out in the frame of its best pose so far,
as its own loader cuts it. Its time per particle does not depend on the particle: it takes
fewer of them, two threads at a time, and both errors are those of exactly these. Turning the
templates is not counted.
"""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.fft
from aligning import THREADS, compare_on_some, local_search
from planted_particles import WEDGE, molecule, plant, spectrum
from rows import Rows
from scipy.ndimage import affine_transform
from scipy.spatial.transform import Rotation

from stadyn.core.search import rotation_grid
from stadyn.core.simulation_model import PointCloud

ASKED = 100


def flipped(rotations):
    """(..., 3, 3) matrices for vectors z, y, x instead of x, y, z: acryo's order."""
    return np.asarray(rotations)[..., ::-1, ::-1]


class AcryoSearch:
    """One acryo model for each level of a local search."""

    def __init__(self, planted, settings):
        from acryo.alignment import ZNCCAlignment

        n = planted.box_px
        self.limit = (settings.shift_limit_angst[0] / planted.pixel_size,) * 3
        # acryo turns about (n - 1) / 2, half a voxel before the middle of our boxes, and takes protein as bright:
        # corners that turn into the box are filled with the template's first percentile.
        cloud = molecule(planted.symmetry)
        half = PointCloud(cloud.points - 0.5 * planted.pixel_size, cloud.weights, cloud.sigma)
        template = scipy.fft.irfftn(spectrum(half, n, planted.pixel_size), s=(n,) * 3)
        cutoff = planted.pixel_size / settings.lowpass_angst
        self.levels = []
        cone, turn = settings.cone_sampling_deg, settings.inplane_sampling_deg
        ranges = (settings.cone_range_deg, settings.inplane_range_deg)
        for _ in range(settings.refine + 1):
            grid = rotation_grid(ranges[0], cone, ranges[1], turn)
            model = ZNCCAlignment(
                template.astype(np.float32),
                planted.mask,
                rotations=Rotation.from_matrix(flipped(grid)),
                cutoff=cutoff,
                tilt=(WEDGE.min_deg, WEDGE.max_deg),
            )
            model.align(np.zeros((n,) * 3, np.float32), self.limit)  # templates are turned at the first call
            self.levels.append(model)
            ranges = (settings.refine_factor * cone, settings.refine_factor * turn)
            cone, turn = cone / 2, turn / 2

    def align(self, box, rotation):
        """(rotation, shift px x, y, z) of one particle."""
        n = len(box)
        for model in self.levels:
            matrix = flipped(rotation)
            offset = np.full(3, n // 2) - matrix @ np.full(3, (n - 1) / 2)
            cut = affine_transform(-box, matrix, offset, order=3, mode="nearest")
            result = model.align(cut, self.limit, Rotation.from_matrix(matrix).as_quat())
            shift = rotation @ result.shift[::-1]
            turned = flipped(Rotation.from_quat(result.quat).as_matrix())
            rotation = rotation @ turned
        return rotation, shift


def acryo_table(search, planted, rows):
    """The table with acryo's poses of some rows."""
    rotations, positions = planted.start.rotations.copy(), planted.start.positions.copy()
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(search.align, planted.boxes(rows), rotations[rows])
    for row, (rotation, shift) in zip(rows, found, strict=True):
        rotations[row] = rotation
        positions[row] += shift
    return planted.start.replace(rotations=rotations, positions=positions)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--box", type=int, default=48)
    parser.add_argument("--particles", type=int, default=500)
    parser.add_argument("--acryo", type=int, default=12, help="particles of acryo")
    parser.add_argument("--snr", type=float, nargs="+", default=(0.05, 0.01))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=9)
    args = parser.parse_args()
    try:
        import acryo
    except ImportError:
        sys.exit("acryo is not installed: python -m venv .venv-acryo, and pip install acryo scikit-learn in it")
    rows, clean = Rows(), plant(args.particles, args.box, args.seed)
    for snr in args.snr:
        planted = clean.at(snr)
        settings = local_search(planted)
        search = AcryoSearch(planted, settings)
        name = f"acryo {acryo.__version__} ZNCC, box {args.box}, SNR {snr:g}, {args.particles} particles"
        name = f"{name}, {args.acryo} by acryo"

        def theirs(part, search=search, planted=planted):
            return acryo_table(search, planted, part)

        compare_on_some(rows, name, planted, settings, theirs, args.acryo, args.repeats, ASKED)
    rows.end()


if __name__ == "__main__":
    main()
