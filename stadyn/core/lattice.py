# SPDX-License-Identifier: GPL-3.0-or-later
"""The lattice in an average: the symmetry axis to centre particles on, and the unit cells around it."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import RectBivariateSpline
from scipy.ndimage import maximum_filter
from scipy.optimize import minimize
from scipy.signal import fftconvolve
from scipy.spatial.transform import Rotation

from .errors import InputError
from .flattening import Sampler, cell_centroid, fit_curvature, flatten, layer_height, surface_frame
from .masks import soft_edge
from .rotations import rotation_z
from .subboxing import tilts_to_normals

PATCH_SPACINGS = 1.4
"""Radius of the patch whose symmetry is judged: it must hold the first ring, for at 30 Å one cell alone looks round."""
GRID_ANGST = 7.5
TILT_STEPS_DEG = (-4.0, 0.0, 4.0)
CANDIDATES = 7
COMPARABLE = 0.5
"""Axes with less than this fraction of the best symmetry are no candidates."""

TEMPLATE_ANGST = 35.0
"""Radius of the central density that is looked for around; replaced by 0.6 of the spacing once that is known."""
NEAREST_RING = 0.7
"""The first ring is the nearest maximum with this fraction of the best correlation: no farther one outshines it."""
VISIBLE = 0.3
"""A cell is marked when it correlates with the central one by this fraction of what the first ring does."""


@dataclass(frozen=True, eq=False)
class AxisSite:
    """A symmetry axis of an average; particles follow with ``table.moved(shift, rotation)``."""

    shift: np.ndarray  # (3,) pixels from the box centre
    rotation: np.ndarray  # (3, 3) frame of the centred average -> frame of the old one; its z is the axis
    symmetry_cc: float  # self-correlation under the rotations of the group, 1 when perfect, about 0 off any axis
    brightness: float  # how much protein (minus the mean density) the cell on the axis holds


def find_symmetry_axis(
    volume, pixel_size, order=6, spacing_angst=75.0, surface_radius_angst=None, max_shift_angst=None
):
    """The n-fold axis with the fullest unit cell in an average of a surface lattice.

    After alignment without symmetry the box centre sits at a random point of the
    cell. Moving it to the axis is a shift along the surface together with a tilt
    of the normal, by shift / radius: symmetry imposed without either destroys the average.
    Of several axes within reach the nearest may be one at a lattice edge whose own
    cell is mostly missing, so the product of symmetry and protein on the axis decides.

    The symmetry of a point is the share of the density's azimuthal variation
    about it that repeats n times a turn, in which 2-fold and 3-fold axes of a
    hexagonal lattice score low, and a smooth membrane not at all.

    Parameters
    ----------
    volume : (n, n, n) float array, protein dark, z outward
    pixel_size : float, Å
    order : int, of the axis
    spacing_angst : float, lattice constant
    surface_radius_angst : float, radius of the VLP; measured in the average by default
    max_shift_angst : float, reach along the surface; 0.9 of the spacing by default (the nearest axis is within 0.58)

    Raises
    ------
    InputError
        When the box is too small to hold the first ring of neighbours.
    """
    sampler = Sampler(volume, pixel_size)
    px = sampler.pixel_size
    patch = _Patch(order, PATCH_SPACINGS * spacing_angst / px, px)
    half = sampler.box_px // 2 - 1
    if patch.radius > half:
        raise InputError(
            f"box of {2 * half * px:.0f} Å: a lattice of {spacing_angst:g} Å needs {2 * patch.radius * px:.0f} Å"
            " to show its symmetry; enlarge the box"
        )
    curvature = fit_curvature(sampler) if surface_radius_angst is None else px / surface_radius_angst
    apex = layer_height(sampler, curvature)
    reach = (0.9 * spacing_angst if max_shift_angst is None else max_shift_angst) / px
    axes = []
    for start in _coarse_maxima(sampler, patch, curvature, apex, reach, GRID_ANGST / px):
        found = _refine(sampler, patch, start, curvature, apex, reach)
        if all(np.hypot(*(found[1][:2] - other[1][:2])) > 0.4 * spacing_angst / px for other in axes):
            axes.append(found)
    best = max(score for score, _ in axes)
    sites = [
        _site(sampler, score, pose, curvature, apex, spacing_angst)
        for score, pose in axes
        if score >= COMPARABLE * best
    ]
    return max(sites, key=lambda site: site.brightness * site.symmetry_cc)


@dataclass(frozen=True, eq=False)
class UnitCells:
    """The unit cells seen in a centred, symmetric average; the one on the axis comes first."""

    markers: np.ndarray  # (m, 3) pixels from the box centre
    normals: np.ndarray  # (m, 3) outward unit normals of the surface there
    spacing_angst: float  # lattice constant, measured
    surface_radius_angst: float  # inf for a plane
    correlations: np.ndarray  # (m,) with the central cell


def find_unit_cells(volume, pixel_size, order=6, max_radius_angst=None):
    """Unit cells of the lattice around the axis of an average, as one would mark them by hand (paper, step 5B).

    The average is flattened along its own curvature and correlated with its
    central cell. The nearest ring of maxima gives lattice constant and azimuth;
    further cells are taken where the lattice predicts a maximum and there is one.

    Parameters
    ----------
    volume : (n, n, n) float array, centred on the axis (z, outward)
    pixel_size : float, Å
    order : int, of the axis; the lattice is hexagonal for 6 and 3, square for 4
    max_radius_angst : float, markers farther from the axis are left out; a quarter cell inside the box by default

    Raises
    ------
    InputError
        When no ring of neighbours is seen in the box.
    """
    sampler = Sampler(volume, pixel_size)
    curvature = fit_curvature(sampler)
    apex = layer_height(sampler, curvature)
    flat = _FlatLayer(sampler, curvature, apex)
    spacing, azimuth = flat.first_ring(order, TEMPLATE_ANGST)
    spacing, azimuth = flat.first_ring(order, 0.6 * spacing * flat.pixel_size, spacing)
    limit = sampler.box_px // 2 - 0.25 * spacing if max_radius_angst is None else max_radius_angst / sampler.pixel_size
    arcs, correlations = flat.cells(order, spacing, azimuth, limit)
    points, normals = surface_frame(*arcs.T, curvature)
    # The surface passes through the box centre, the first marker, whatever height the density lies at.
    radius = sampler.pixel_size / curvature if curvature > 0 else np.inf
    return UnitCells(points * sampler.binning, normals, spacing * sampler.pixel_size, radius, correlations)


class _FlatLayer:
    """The lattice layer unrolled on a plane, and its correlation with the cell on the axis."""

    def __init__(self, sampler, curvature, apex):
        self.pixel_size = sampler.pixel_size
        self.half = sampler.box_px // 2 - 2
        axis = np.arange(-self.half, self.half + 1.0)
        self.u, self.v = np.meshgrid(axis, axis)
        heights = apex + np.arange(-40.0, 40.1, 5.0) / sampler.pixel_size
        self.layers = flatten(sampler, self.u, self.v, heights, curvature)

    def _correlate(self, radius):
        """Spline of the normalised cross-correlation with the disc of `radius` on the axis, all heights together."""
        weight = soft_edge(np.hypot(self.u, self.v) - radius, 2.0).astype(float)
        weight /= weight.sum()
        template = self.layers - np.einsum("yx,hyx->h", weight, self.layers)[:, None, None]

        def smear(image, kernel):
            return fftconvolve(image, kernel[::-1, ::-1], mode="same")

        covariance = sum(smear(layer, weight * part) for layer, part in zip(self.layers, template, strict=True))
        variance = sum(smear(layer**2, weight) - smear(layer, weight) ** 2 for layer in self.layers)
        own = np.einsum("yx,hyx->", weight, template**2)
        cc = covariance / np.sqrt(np.maximum(variance, 1e-6 * own) * own)
        return RectBivariateSpline(self.v[:, 0], self.u[0], cc)

    def first_ring(self, order, radius_angst, near=None):
        """Distance (px) and azimuth (radians) of the nearest cells; within 25 % of `near` when that is known."""
        radius = radius_angst / self.pixel_size
        self.cc = self._correlate(radius)
        low, high = (
            (0.9 * radius, self.half - 0.5 * radius) if near is None else (0.75 * near, min(1.25 * near, self.half))
        )
        distances = np.arange(low, high, 0.1)
        azimuth = np.radians(np.arange(0, 360 / order, 0.5))
        if len(distances) < 3:
            raise InputError(
                f"box of {2 * self.half * self.pixel_size:.0f} Å is too small to show neighbouring unit cells"
            )
        ring = sum(self.read(distances[:, None], azimuth + 2 * np.pi * k / order) for k in range(order)) / order
        peaks = (ring == maximum_filter(ring, size=(2 * int(2 / 0.1) + 1, 31), mode=("nearest", "wrap")))[1:-1]
        rows, columns = np.nonzero(peaks & (ring[1:-1] > max(NEAREST_RING * ring[1:-1][peaks].max(initial=0), 0)))
        if not len(rows):
            raise InputError(
                "no ring of neighbouring unit cells is seen in the average: mark them by hand, or align further"
            )
        first = np.argmin(rows)
        return distances[rows[first] + 1], azimuth[columns[first]]

    def read(self, distance, azimuth):
        """Correlation at polar arcs."""
        return self.cc(distance * np.sin(azimuth), distance * np.cos(azimuth), grid=False)

    def cells(self, order, spacing, azimuth, limit):
        """Cells the lattice predicts and the correlation confirms, nearest first: (m, 2) arcs, (m,) correlations."""
        angle = 2 * np.pi / (4 if order == 4 else 6)
        reach = int(limit / spacing) + 2
        i, j = (g.ravel() for g in np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1)))
        arcs = (
            spacing
            * np.stack([i + j * np.cos(angle), j * np.sin(angle)], axis=-1)
            @ rotation_z(np.degrees(azimuth))[:2, :2].T
        )
        distance = np.hypot(*arcs.T)
        order_by_distance = np.lexsort((np.round(np.arctan2(*arcs.T[::-1]), 6), np.round(distance, 6)))
        arcs = arcs[order_by_distance]
        arcs = arcs[np.hypot(*arcs.T) <= min(limit, self.half)]
        arcs = np.concatenate([arcs[:1], [self._nearest_maximum(arc, 0.15 * spacing) for arc in arcs[1:]]])
        correlations = self.cc(arcs[:, 1], arcs[:, 0], grid=False)
        ring = np.mean(correlations[1 : 1 + round(2 * np.pi / angle)])
        seen = correlations >= VISIBLE * ring
        return arcs[seen], correlations[seen]

    def _nearest_maximum(self, arc, reach):
        """The best-correlated point within `reach` of a predicted one."""
        step = np.linspace(-reach, reach, 21)
        u, v = np.meshgrid(arc[0] + step, arc[1] + step)
        values = np.where(np.hypot(u - arc[0], v - arc[1]) <= reach, self.cc(v, u, grid=False), -np.inf)
        best = np.unravel_index(np.argmax(values), values.shape)
        return np.array([u[best], v[best]])


class _Patch:
    """Polar sampling of the lattice layer about an axis, and the symmetry of what it reads."""

    def __init__(self, order, radius, pixel_size):
        self.order, self.radius = order, radius
        rings = np.arange(1.0, radius + 1e-6, max(1.0, 6.0 / pixel_size))
        heights = np.arange(-40.0, 40.1, 10.0) / pixel_size
        azimuth = np.arange(6 * order) * 2 * np.pi / (6 * order)
        ring, height, phi = np.meshgrid(rings, heights, azimuth, indexing="ij")
        self.points = np.stack([ring * np.cos(phi), ring * np.sin(phi), height], axis=-1)
        self.squared = ring**2
        fade = np.clip((radius - rings) / (0.25 * radius), 0, 1)
        self.weights = (rings * fade)[:, None] * np.exp(-0.5 * (heights * pixel_size / 25.0) ** 2)[None, :]

    def symmetry(self, sampler, curvature):
        """Self-correlation under the group's rotations, ring means taken out, averaged over all but the identity."""
        local = self.points.copy()
        local[..., 2] -= 0.5 * curvature * self.squared
        values = sampler(local)
        power = np.abs(np.fft.rfft(values, axis=-1)[..., 1:]) ** 2
        power = np.einsum("rh,rhm->m", self.weights, power)
        share = power[self.order - 1 :: self.order].sum() / max(power.sum(), 1e-30)
        return (self.order * share - 1) / (self.order - 1)


def _pose(parameters, curvature, apex):
    """Origin and rotation of a frame on the surface from (u, v, tilt about x, tilt about y; degrees)."""
    point, normal = surface_frame(parameters[0], parameters[1], curvature)
    extra = Rotation.from_rotvec(np.radians([parameters[2], parameters[3], 0.0])).as_matrix()
    return point + np.array([0, 0, apex]), tilts_to_normals(normal)[0] @ extra


def _coarse_maxima(sampler, patch, curvature, apex, reach, step):
    """Starts (u, v, tilts), the local maxima of the symmetry on a grid over the surface, best first."""
    axis = np.arange(-np.ceil(reach / step), np.ceil(reach / step) + 1) * step
    u, v = np.meshgrid(axis, axis)
    inside = np.hypot(u, v) <= reach + 1e-6
    grid = np.stack([u[inside], v[inside]], axis=1)
    scores = np.array([patch.symmetry(sampler.seen_from(*_pose((*p, 0, 0), curvature, apex)), curvature) for p in grid])
    near = np.linalg.norm(grid[:, None] - grid[None], axis=-1) < 2.1 * step
    peaks = np.flatnonzero(scores >= np.where(near, scores[None], -np.inf).max(axis=1))
    peaks = peaks[scores[peaks] >= COMPARABLE * scores.max()]
    peaks = peaks[np.argsort(-scores[peaks])][:CANDIDATES]
    return [(*grid[i], 0.0, 0.0) for i in peaks]


def _refine(sampler, patch, start, curvature, apex, reach):
    """(symmetry, (u, v, tilts)) of the axis nearest to a start, shift and tilt free."""

    def cost(parameters):
        beyond = max(np.hypot(*parameters[:2]) - reach, 0.0)
        return 0.1 * beyond - patch.symmetry(sampler.seen_from(*_pose(parameters, curvature, apex)), curvature)

    tilted = [(*start[:2], a, b) for a in TILT_STEPS_DEG for b in TILT_STEPS_DEG]
    start = np.array(min(tilted, key=cost))
    simplex = start + np.vstack([np.zeros(4), np.diag([1.0, 1.0, 2.0, 2.0])])
    found = minimize(
        cost,
        start,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 0.02, "fatol": 1e-5, "maxfev": 160},
    )
    return -found.fun, found.x


def _site(sampler, score, parameters, curvature, apex, spacing_angst):
    """The AxisSite of a refined axis, its origin moved along the axis to the centroid of the cell."""
    origin, rotation = _pose(parameters, curvature, apex)
    local = sampler.seen_from(origin, rotation)
    cell = _Patch(1, 0.5 * spacing_angst / sampler.pixel_size, sampler.pixel_size)
    brightness = -np.average(local(cell.points).mean(axis=-1), weights=cell.weights)
    height = cell_centroid(local, 0.0, curvature)
    shift = (origin + rotation @ np.array([0, 0, height])) * sampler.binning
    return AxisSite(shift, rotation, float(score), float(brightness))
