# SPDX-License-Identifier: GPL-3.0-or-later
"""Spherical shells found in a tomogram: where virus-like particles lie, without a click."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.ndimage import map_coordinates
from scipy.optimize import minimize

from .errors import InputError
from .surfaces import fibonacci_directions
from .tomograms import Dipole
from .wedge import wedge_weights

VOXEL_ANGST = 16.0
"""Side of the voxels that are searched: a layer of protein is two or three of them thick."""
RADIUS_STEP_ANGST = 20.0
LAYER_ANGST, LEAFLET_ANGST = 15.0, 10.0
"""Gaussian sd of the protein layer and of each leaflet of the bilayer."""
HALF_BILAYER_ANGST = 20.0
"""From the middle of a bilayer to the head groups of either leaflet. One broad layer in their place would settle on
either of them, for the spectrum is whitened, and the radius would be off by as much."""
BACKGROUND_ANGST = 250.0
"""Density that varies over longer than this is background: ice thickness, not shells."""
CLIP = 3.0
"""Standard deviations; gold beads and their halos are an order of magnitude darker than any shell."""
REFINE_ANGST = (20.0, 8.0)
"""Blur of the tomogram in the two passes of the refinement; the first is too coarse to take one leaflet for another."""
LEAST_INSIDE = 0.35
"""A shell of which less than this fraction lies in the tomogram is no longer told from noise."""
OVERLAP = 0.9
"""No two VLPs have their centres nearer than this fraction of the sum of their radii."""
POLE = 0.85
"""|cos| to the beam beyond which a shell's normal lies well inside the missing wedge of any tilt series."""


@dataclass(frozen=True)
class Shell:
    """One shell; the radius is that of the protein layer, the lattice, and not of the membrane outside it."""

    center: tuple  # (x, y, z) pixels of the tomogram, 0-based
    radius: float  # pixels
    score: float  # standard deviations of the matched filter's response to noise


@dataclass(frozen=True)
class ShellSearch:
    """What shells are looked for; lengths in Å."""

    smallest_angst: float = 200.0
    largest_angst: float = 700.0
    membrane_angst: float = 140.0  # from the layer out to the middle of the bilayer; 0: no membrane
    threshold: float = 8.0  # least score: the largest response to noise alone is about 6.5
    most: int = 0  # shells of a tomogram, best first; 0: all

    def __post_init__(self):
        if not 0 < self.smallest_angst <= self.largest_angst:
            raise InputError(
                f"radii from {self.smallest_angst:g} to {self.largest_angst:g} Å: give the smallest and the largest, "
                "both positive"
            )
        for name in ("membrane_angst", "threshold", "most"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} is {getattr(self, name)}: it must be 0 or more")

    @property
    def radii(self):
        """(r,) Å, the radii that are tried before the refinement."""
        steps = int(np.ceil((self.largest_angst - self.smallest_angst) / RADIUS_STEP_ANGST))
        return np.linspace(self.smallest_angst, self.largest_angst, steps + 1)

    @property
    def layers(self):
        """((offset from the radius, width), ...) Å of what a shell is made of."""
        leaflets = (self.membrane_angst - HALF_BILAYER_ANGST, self.membrane_angst + HALF_BILAYER_ANGST)
        return ((0.0, LAYER_ANGST), *((offset, LEAFLET_ANGST) for offset in leaflets if self.membrane_angst))


def find_shells(volume, pixel_size, wedge, search=None, progress=None):
    """Shells of a tomogram, best first.

    Matched filters of concentric layers, one for each radius, in the whitened
    spectrum of the binned tomogram: what a tilt series does not see of a shell, its
    top and bottom, is missing from the filter too. The response is divided by its
    own noise and by the part of the shell that lies inside the tomogram. The best
    response at each place, over all radii, competes with those it would overlap
    with; centre and radius of those that stay are refined on the layers themselves.

    Parameters
    ----------
    volume : (z, y, x) array, may be memory-mapped; protein dark
    pixel_size : float, Å
    wedge : MissingWedge
    search : ShellSearch
    progress : callable(done, total) or None

    Returns
    -------
    list of Shell

    Raises InputError for a tomogram that is too small, constant, or holds voxels that are no numbers.
    """
    search = search or ShellSearch()
    factor = max(1, int(VOXEL_ANGST / pixel_size + 0.3))
    binned = bin_volume(volume, factor)
    if min(binned.shape) < 8:
        raise InputError(
            f"tomogram of {' x '.join(map(str, volume.shape[::-1]))} pixels of {pixel_size:g} Å is too small to look "
            "for shells in: check the pixel size"
        )
    if not np.isfinite(binned).all() or binned.max() == binned.min():
        wrong = "voxels that are NaN or infinite" if not np.isfinite(binned).all() else "one value only"
        raise InputError(f"the tomogram holds {wrong}: write it again")
    filters = _Filters(binned, factor * pixel_size, wedge, search)
    score, radius = filters.best_responses(progress)
    images = [filters.image(sd) for sd in REFINE_ANGST]
    shells = []
    for center, start, value in _peaks(score, radius, search, filters.voxel):
        center, found = _refined(images, center, start / filters.voxel, search, filters.voxel)
        center = center * factor + (factor - 1) / 2  # centre of a binned voxel -> pixels of the tomogram
        shells.append(Shell(tuple(float(v) for v in center), float(found * factor), float(value)))
    return shells


def shell_dipoles(shells, tomogram_id, shape):
    """Each shell as a `Dipole`, numbered from 1; its north point lies in the image plane, where there is most room.

    Parameters
    ----------
    shells : sequence of Shell
    tomogram_id : str
    shape : (z, y, x) of the tomogram
    """
    dipoles = []
    for number, shell in enumerate(shells, 1):
        x, y, z = shell.center
        room = {(1, 0): shape[2] - 1 - x, (-1, 0): x, (0, 1): shape[1] - 1 - y, (0, -1): y}
        towards = max(room, key=room.get)
        north = (x + towards[0] * shell.radius, y + towards[1] * shell.radius, z)
        dipoles.append(Dipole(tomogram_id, number, shell.center, north))
    return dipoles


def bin_volume(volume, factor):
    """Means of cubes of `factor` voxels, slab by slab: (z, y, x) float32, smaller; an incomplete rim is left out."""
    if factor == 1:
        return np.array(volume, np.float32)
    shape = [n // factor for n in volume.shape]
    out = np.empty(shape, np.float32)
    for z in range(shape[0]):
        slab = np.asarray(volume[z * factor : (z + 1) * factor, : shape[1] * factor, : shape[2] * factor], np.float32)
        out[z] = slab.reshape(factor, shape[1], factor, shape[2], factor).mean((0, 2, 4))
    return out


class _Filters:
    """Whitened spectrum of a binned tomogram, and what matched filters make of it."""

    def __init__(self, binned, voxel, wedge, search):
        self.size, self.voxel, self.search = binned.shape, voxel, search
        reach = (search.largest_angst + search.membrane_angst) / voxel
        self.padded = [scipy.fft.next_fast_len(int(n + reach), real=True) for n in binned.shape]
        bright = np.mean(binned) - binned
        sd = max(float(np.std(bright)), 1e-12)
        bright = np.clip(bright / sd, -CLIP, CLIP).astype(np.float32)
        frequencies = np.meshgrid(
            *(scipy.fft.fftfreq(n) for n in self.padded[:2]), scipy.fft.rfftfreq(self.padded[2]), indexing="ij"
        )
        # As fractions of the sampling frequency the axes share one unit, which is all that the wedge asks for.
        sampled = wedge_weights(wedge, np.stack(frequencies[::-1], axis=-1))
        self.k = (np.sqrt(sum(f**2 for f in frequencies)) / voxel).astype(np.float32)
        spectrum = scipy.fft.rfftn(bright, self.padded)
        self.gain = sampled * _whitening(np.abs(spectrum) ** 2, self.k, sampled > 0)
        self.spectrum = spectrum * self.gain
        self.extent = scipy.fft.rfftn(np.ones(self.size, np.float32), self.padded)
        self.background = 1 - np.exp(-0.5 * (self.k * BACKGROUND_ANGST) ** 2)

    def _back(self, spectrum):
        nz, ny, nx = self.size
        return scipy.fft.irfftn(spectrum, self.padded)[:nz, :ny, :nx]

    def response(self, radius):
        """(z, y, x) the filter of one radius (Å) about every voxel, in standard deviations of its noise."""
        shells = [(radius + offset) ** 2 * np.sinc(2 * self.k * (radius + offset)) for offset, _ in self.search.layers]
        blurred = sum(s * _blur(self.k, width) for s, (_, width) in zip(shells, self.search.layers, strict=True))
        raw = self._back(self.spectrum * (blurred * self.gain * self.background))
        area = sum((radius + offset) ** 2 for offset, _ in self.search.layers)
        inside = self._back(self.extent * (sum(shells) / area))
        raw = np.where(inside >= LEAST_INSIDE, raw / np.sqrt(np.maximum(inside, LEAST_INSIDE)), 0)
        seen = raw[raw != 0]
        return raw / (1.4826 * np.median(np.abs(seen))) if len(seen) else raw

    def best_responses(self, progress=None):
        """Largest response over all radii at every voxel, and the radius (Å) it has there."""
        best = np.full(self.size, -np.inf, np.float32)
        best_radius = np.zeros(self.size, np.float32)
        for i, radius in enumerate(self.search.radii, 1):
            response = self.response(radius)
            better = response > best
            best[better], best_radius[better] = response[better], radius
            if progress:
                progress(i, len(self.search.radii))
        return best, best_radius

    def image(self, blur_angst):
        """The whitened tomogram, protein bright, without background, blurred by a Gaussian of this sd."""
        return self._back(self.spectrum * (self.background * _blur(self.k, blur_angst)))


def _blur(k, sd):
    """Fourier transform of a Gaussian of unit integral, at frequencies `k` of the same unit."""
    return np.exp(-2 * (np.pi * k * sd) ** 2)


def _whitening(power, k, sampled):
    """1 / sqrt of the mean power at each |k|: shells then stand out from white noise, whatever the optics did."""
    ring = np.rint(k / k[0, 0, 1]).astype(np.int32)
    count = np.bincount(ring[sampled], minlength=ring.max() + 1)
    mean = np.bincount(ring[sampled], power[sampled], ring.max() + 1) / np.maximum(count, 1)
    mean = np.maximum(mean, 1e-6 * mean.max() + 1e-12)
    return (1 / np.sqrt(mean))[ring].astype(np.float32)


def _peaks(score, radius, search, voxel):
    """((x, y, z) voxels, radius Å, score) of shells that do not overlap a better one, best first."""
    order = np.flatnonzero(score >= search.threshold)
    order = order[np.argsort(-score.ravel()[order], kind="stable")]
    centers = np.stack(np.unravel_index(order, score.shape)[::-1], axis=-1).astype(float)
    radii = radius.ravel()[order].astype(float)
    found, free = [], np.ones(len(order), bool)
    while free.any() and not 0 < search.most <= len(found):
        best = int(np.argmax(free))
        found.append((centers[best], radii[best], float(score.ravel()[order[best]])))
        distance = np.linalg.norm(centers - centers[best], axis=1) * voxel
        free &= distance >= OVERLAP * (radii + radii[best])
    return found


def _refined(images, center, radius, search, voxel):
    """Centre and radius (voxels) of the ellipsoid on whose layers each of `images` in turn is brightest.

    Directions near the beam, where the missing wedge hides the layers, do not count.
    """
    directions = fibonacci_directions(600)
    directions = directions[np.abs(directions[:, 2]) < POLE]
    quadratic = _quadratic(directions)
    layers = [(offset / voxel, (1 + offset / (radius * voxel)) ** 2) for offset, _ in search.layers]
    size = np.array(images[0].shape[::-1])

    def cost(parameters, image, unit):
        distance = parameters[3] * (1 + quadratic @ parameters[4:])
        total = 0.0
        for offset, share in layers:
            points = parameters[:3] + directions * (distance + offset)[:, None]
            inside = np.all((points >= 0) & (points <= size - 1), axis=1)
            total += share * map_coordinates(image, points[inside, ::-1].T, order=1).sum()
        # Axis ratios beyond 1.3 or so are paid for: single bright spots must not bend the surface.
        return -total / (unit * len(directions)) + 20 * np.sum(parameters[4:] ** 2)

    found = np.array([*center, radius, *[0] * 6])
    for image in images:
        spread = np.array([1, 1, 1, 1, *[0.04] * 6])
        simplex = found + np.vstack([np.zeros(10), np.diag(spread)])
        options = {"initial_simplex": simplex, "xatol": 0.01, "fatol": 1e-4, "maxfev": 1500, "adaptive": True}
        found = minimize(cost, found, (image, image.std()), method="Nelder-Mead", options=options).x
    return found[:3], found[3] * (1 + np.mean(_quadratic(fibonacci_directions(256)) @ found[4:]))


def _quadratic(directions):
    """(n, 6) quadratic shapes of which a surface is made, beside a sphere, along (n, 3) unit vectors."""
    x, y, z = directions.T
    return np.stack([x * x - 1 / 3, y * y - 1 / 3, z * z - 1 / 3, x * y, y * z, z * x], axis=-1)
