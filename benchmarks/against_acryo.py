# SPDX-License-Identifier: GPL-3.0-or-later
"""Fast mode against acryo's zero-mean normalised cross-correlation on the CPU, same particles and angles.

    python benchmarks/against_acryo.py [--particles 500] [--acryo 8]

Needs acryo (``pip install acryo``, in an environment of its own: it asks for a newer NumPy than Scipion's host).
acryo is used as its manual does: a ``SubtomogramLoader`` over the volume aligns its molecules by
``ZNCCAlignment`` with rotations, the largest shifts, the tilt range and our low-pass as its cutoff,
two particles at a time on two threads of dask. Its angles are the 375 of the other rows level by level,
each level about the best pose so far. Its time per particle does not depend on the particle: it
takes fewer of them, and both errors are those of exactly these. Turning the templates, which it
does once for all particles, is not counted; cutting the particles is, on both sides.
"""

import argparse
import sys

import numpy as np
import scipy.fft
from aligning import THREADS, compare_on_some, local_search
from planted_particles import WEDGE, molecule, plant, spectrum
from rows import Rows
from scipy.spatial.transform import Rotation

from stadyn.core.search import rotation_grid
from stadyn.core.simulation_model import PointCloud

ASKED = 100


def flipped(rotations):
    """(..., 3, 3) matrices for vectors z, y, x instead of x, y, z: acryo's order."""
    return np.asarray(rotations)[..., ::-1, ::-1]


def template_of(planted):
    """(n, n, n) float32: the true map, protein bright, about (n - 1) / 2, where acryo turns it.

    The middle of our boxes is half a voxel further. Protein is bright because corners that turn into the
    box are filled with the template's first percentile.
    """
    n, cloud = planted.box_px, molecule(planted.symmetry)
    moved = PointCloud(cloud.points - 0.5 * planted.pixel_size, cloud.weights, cloud.sigma)
    return scipy.fft.irfftn(spectrum(moved, n, planted.pixel_size), s=(n,) * 3).astype(np.float32)


class AcryoSearch:
    """One acryo model for each level of a local search."""

    def __init__(self, planted, settings):
        from acryo.alignment import ZNCCAlignment

        self.planted, self.template = planted, template_of(planted)
        self.limit = settings.shift_limit_angst[0] / planted.pixel_size
        self.bright = -planted.volume
        self.levels = []
        cone, turn = settings.cone_sampling_deg, settings.inplane_sampling_deg
        ranges = (settings.cone_range_deg, settings.inplane_range_deg)
        for _ in range(settings.refine + 1):
            grid = rotation_grid(ranges[0], cone, ranges[1], turn)
            model = ZNCCAlignment(
                self.template,
                planted.mask,
                rotations=Rotation.from_matrix(flipped(grid)),
                cutoff=planted.pixel_size / settings.lowpass_angst,
                tilt=(WEDGE.min_deg, WEDGE.max_deg),
            )
            self.levels.append(model)  # its templates are turned already
            ranges = (settings.refine_factor * cone, settings.refine_factor * turn)
            cone, turn = cone / 2, turn / 2

    def table(self, rows):
        """The table with acryo's poses of some rows."""
        import dask
        from acryo import Molecules, SubtomogramLoader

        start, n = self.planted.start, self.planted.box_px
        molecules = Molecules(start.positions[rows][:, ::-1], Rotation.from_matrix(flipped(start.rotations[rows])))
        loader = SubtomogramLoader(self.bright, molecules, order=3, scale=1.0, output_shape=(n,) * 3)
        with dask.config.set(scheduler="threads", num_workers=THREADS):
            for model in self.levels:
                loader = loader.align(
                    self.template,
                    mask=self.planted.mask,
                    max_shifts=self.limit,
                    alignment_model=lambda *_, model=model, **__: model,
                )
        rotations, positions = start.rotations.copy(), start.positions.copy()
        rotations[rows] = flipped(loader.molecules.rotator.as_matrix())
        positions[rows] = loader.molecules.pos[:, ::-1]
        return start.replace(rotations=rotations, positions=positions)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--box", type=int, default=48)
    parser.add_argument("--particles", type=int, default=500)
    parser.add_argument("--acryo", type=int, default=8, help="particles of acryo")
    parser.add_argument("--snr", type=float, nargs="+", default=(0.05, 0.01))
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--seed", type=int, default=9)
    args = parser.parse_args()
    try:
        import acryo
    except ImportError:
        sys.exit("acryo is not installed: python -m venv .venv-acryo, and pip install acryo scikit-learn in it")
    rows, clean = Rows(), plant(args.particles, args.box, args.seed)
    print(f"# both sides on {THREADS} threads, one BLAS and FFT thread inside each", flush=True)
    for snr in args.snr:
        planted = clean.at(snr)
        settings = local_search(planted)
        search = AcryoSearch(planted, settings)
        name = f"acryo {acryo.__version__} ZNCC, box {args.box}, SNR {snr:g}, {args.particles} particles"
        name = f"{name}, {args.acryo} by acryo"
        compare_on_some(rows, name, planted, settings, search.table, args.acryo, args.repeats, ASKED)
    rows.end()


if __name__ == "__main__":
    main()
