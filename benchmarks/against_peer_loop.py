# SPDX-License-Identifier: GPL-3.0-or-later
"""Fast mode against the loop that peers run for each candidate angle, on the same particles.

    python benchmarks/against_peer_loop.py [--boxes 48 64 96] [--particles 500] [--peer 16 8 4] [--all]

For every angle the peer rotates the masked reference in the full box (compiled, linear),
transforms it, applies wedge and low-pass, multiplies, transforms back and takes the peak: one
angle after another, 375 of them down to a 1 degree grid, transforms on 2 threads, the peak at
the end interpolated by parabolas. Its time per particle does not depend on the particle, so it
is measured on fewer of them; both errors are those of exactly these particles. Box 96 at the two
lower SNRs takes the peer another quarter of an hour: only with ``--all``.
"""

import argparse

import numpy as np
import scipy.fft
import scipy.ndimage
from aligning import THREADS, compare_on_some, local_search
from planted_particles import SNRS, WEDGE, frequencies, plant
from rows import Rows

from stadyn.core.arrays import to_host
from stadyn.core.fourier import lowpass_radius
from stadyn.core.search import rotation_grid
from stadyn.core.wedge import wedge_weights

ASKED = 500
LONG_BOX, LONG_SNR = 96, 0.05
"""From this box on, only this SNR unless all are asked for."""


def weights(box_px, high):
    """(n, n, n // 2 + 1) float32: wedge times low-pass."""
    k = frequencies(box_px)
    radius = np.linalg.norm(k, axis=-1)
    return wedge_weights(WEDGE, k) * (radius <= high) * (radius > 0)


def parabola(cc, peak):
    """(3,) sub-pixel peak z, y, x of a periodic map, by a parabola through three voxels along each axis."""
    out = np.array(peak, float)
    for axis in range(3):
        left, right = (np.array(peak), np.array(peak))
        left[axis] -= 1
        right[axis] = (right[axis] + 1) % cc.shape[axis]
        a, b, c = cc[tuple(left)], cc[tuple(peak)], cc[tuple(right)]
        out[axis] += 0.5 * (a - c) / (a - 2 * b + c)
    return out


class PeerLoop:
    """Rotate, transform, weigh, multiply, transform back, look for the peak; then the next angle.

    Parameters
    ----------
    planted : Planted
    settings : AlignmentRound, what is searched
    xp, fft, ndimage : NumPy and SciPy's modules, or CuPy's
    """

    def __init__(self, planted, settings, xp=np, fft=scipy.fft, ndimage=scipy.ndimage):
        self.settings, self.xp, self.fft, self.ndimage = settings, xp, fft, ndimage
        n = planted.box_px
        self.weight = xp.asarray(weights(n, lowpass_radius(n, planted.pixel_size, settings.lowpass_angst)))
        mean = np.sum(planted.reference * planted.mask) / np.sum(planted.mask)
        self.reference = xp.asarray(((planted.reference - mean) * planted.mask).astype(np.float32))
        axis = scipy.fft.fftfreq(n, 1 / n) * planted.pixel_size
        radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
        self.outside = xp.asarray(radius > settings.shift_limit_angst[0])

    def transform(self, box):
        """rfftn of one particle."""
        return self.fft.rfftn(self.xp.asarray(box))

    def correlate(self, data, rotation):
        """The cc of one particle's transform with the reference turned by `rotation`, at every shift."""
        n = len(self.reference)
        matrix = rotation.T[::-1, ::-1]
        offset = np.full(3, n // 2) - matrix @ np.full(3, n // 2)
        turned = self.ndimage.affine_transform(self.reference, self.xp.asarray(matrix), offset, order=1)
        model = self.fft.rfftn(turned) * self.weight
        power = self.xp.abs(model) ** 2
        power = 2 * power.sum() - power[..., 0].sum()
        return self.fft.irfftn(data * model.conj(), s=turned.shape) / self.xp.sqrt(power)

    def align(self, box, rotation):
        """(rotation, shift px x, y, z) of one particle."""
        s = self.settings
        data = self.transform(box)
        cone = (s.cone_range_deg, s.cone_sampling_deg)
        turn = (s.inplane_range_deg, s.inplane_sampling_deg)
        best = (-np.inf, rotation, None)
        for _ in range(s.refine + 1):
            for candidate in best[1] @ rotation_grid(*cone, *turn):
                cc = self.correlate(data, candidate)
                cc[self.outside] = -np.inf
                peak = int(cc.argmax())
                value = float(cc.ravel()[peak])
                if value > best[0]:
                    best = (value, candidate, np.unravel_index(peak, cc.shape))
            cone = (s.refine_factor * cone[1], cone[1] / 2)
            turn = (s.refine_factor * turn[1], turn[1] / 2)
        peak = parabola(to_host(self.correlate(data, best[1])), best[2])
        n = len(self.reference)
        return best[1], ((peak + n / 2) % n - n / 2)[::-1]


def peer_table(loop, planted, rows):
    """The table with the peer's poses of some rows."""
    rotations, positions = planted.start.rotations.copy(), planted.start.positions.copy()
    with scipy.fft.set_workers(THREADS):
        for row, box in zip(rows, planted.boxes(rows), strict=True):
            rotations[row], shift = loop.align(box, rotations[row])
            positions[row] += shift
    return planted.start.replace(rotations=rotations, positions=positions)


def compare(rows, planted, snr, peers, repeats):
    """Both sides on one set of particles: one row."""
    planted = planted.at(snr)
    settings = local_search(planted)
    loop = PeerLoop(planted, settings)
    loop.correlate(loop.transform(planted.reference), np.eye(3))
    name = f"peer loop, box {planted.box_px}, SNR {snr:g}, {len(planted)} particles, {peers} by the peer"
    compare_on_some(rows, name, planted, settings, lambda p: peer_table(loop, planted, p), peers, repeats, ASKED)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boxes", type=int, nargs="+", default=[48, 64, 96])
    parser.add_argument("--peer", type=int, nargs="+", default=[16, 8, 4], help="particles of the peer, for each box")
    parser.add_argument("--all", action="store_true", help="large boxes at every SNR")
    parser.add_argument("--particles", type=int, default=500)
    parser.add_argument("--snr", type=float, nargs="+", default=SNRS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rows = Rows()
    for box_px, peers in zip(args.boxes, args.peer, strict=True):
        planted = plant(args.particles, box_px, args.seed)
        for snr in args.snr if args.all or box_px < LONG_BOX else (LONG_SNR,):
            compare(rows, planted, snr, peers, min(args.repeats, peers))
    rows.end()


if __name__ == "__main__":
    main()
