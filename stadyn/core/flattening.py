# SPDX-License-Identifier: GPL-3.0-or-later
"""An average of a curved surface in the surface's own coordinates: two along it, one above it.

Everything here is in pixels of the volume, from its box centre, as (x, y, z). The
surface is a sphere through ``(0, 0, apex)`` of curvature ``1 / radius`` (0: a
plane); z points outward, away from the sphere's centre.
"""

from copy import copy

import numpy as np
from scipy import ndimage

from .resample import fourier_resize

WORKING_PIXEL_ANGST = 5.0
"""A lattice with cells of tens of Å needs no finer voxels than this."""
RADII_ANGST = np.concatenate([np.geomspace(150, 2000, 40), [np.inf]])
"""Curvatures tried: from a small vesicle to a plane."""
CURVATURE_EXTENT_ANGST = 130.0
LATERAL_ANGST = 100.0
"""Extent from the axis in which layers are looked at: a little more than the first ring of the HIV-1 lattice."""

WINDOW_ANGST = 60.0
"""Half the thickness within which the lattice's protein lies; the HIV-1 membrane is 140 Å away."""


class Sampler:
    """A volume that can be read at any points; spline coefficients are computed once, large volumes binned first.

    ``pixel_size`` is that of the points, which is the binned one.
    """

    def __init__(self, volume, pixel_size):
        volume = np.asarray(volume, np.float32)
        n = volume.shape[0]
        target = 2 * round(n * pixel_size / WORKING_PIXEL_ANGST / 2)
        if target < 0.8 * n:
            volume = fourier_resize(volume, target)
        self.binning = n / volume.shape[0]
        self.pixel_size = pixel_size * self.binning
        self.box_px = volume.shape[0]
        self._coefficients = ndimage.spline_filter(volume, order=3, output=np.float32)
        self._origin, self._rotation = np.zeros(3), np.eye(3)

    def seen_from(self, origin, rotation):
        """The same volume, read at ``origin + rotation @ point``."""
        view = copy(self)
        view._origin, view._rotation = self._origin + self._rotation @ origin, self._rotation @ rotation
        return view

    def __call__(self, points):
        """Values at `points` (..., 3), pixels (x, y, z) from the origin; beyond the box the nearest voxel's."""
        points = np.asarray(points) @ self._rotation.T + self._origin
        indices = np.moveaxis(points[..., ::-1] + self.box_px // 2, -1, 0)
        return ndimage.map_coordinates(self._coefficients, indices, order=3, prefilter=False, mode="nearest")


def surface_frame(u, v, curvature):
    """Points and normals of a sphere of given curvature through the origin, z outward.

    Parameters
    ----------
    u, v : (...) float arrays, arc lengths along x and y (azimuthal equidistant map about the z axis)
    curvature : float, 1 / radius

    Returns
    -------
    points, normals : (..., 3) float arrays
    """
    u, v = np.broadcast_arrays(np.asarray(u, float), np.asarray(v, float))
    arc = np.hypot(u, v)
    angle = arc * curvature
    safe = np.maximum(arc, 1e-9)
    normals = np.stack([np.sin(angle) * u / safe, np.sin(angle) * v / safe, np.cos(angle)], axis=-1)
    # sinc keeps the limit of a plane: R sin(s / R) -> s, R (cos(s / R) - 1) -> 0.
    across = np.sinc(angle / np.pi)
    drop = -0.5 * curvature * arc**2 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.stack([across * u, across * v, drop], axis=-1), normals


def flatten(sampler, u, v, heights, curvature, apex=0.0):
    """(h, ...) values of a volume at arcs `u`, `v` (...) and `heights` (h,) over a sphere through (0, 0, apex)."""
    points, normals = surface_frame(u, v, curvature)
    points = points + np.array([0, 0, apex])
    return np.stack([sampler(points + height * normals) for height in heights])


def fit_curvature(sampler, radius_px=None):
    """Curvature (1 / px) of the layers in an average: that under which height alone explains most of it.

    Rings about the axis are averaged first, for the lattice and its noise would
    otherwise count as variation that no curvature explains.

    Parameters
    ----------
    sampler : Sampler
    radius_px : float, extent from the axis; about 130 Å by default
    """
    reach = radius_px or min(CURVATURE_EXTENT_ANGST / sampler.pixel_size, sampler.box_px // 2 - 2)
    rings = np.arange(0.0, reach + 1e-6, 1.5)
    azimuth = np.arange(12) * np.pi / 6
    u, v = rings[:, None] * np.cos(azimuth), rings[:, None] * np.sin(azimuth)
    heights = _heights(sampler)[2:-2]

    def explained(curvature):
        profiles = flatten(sampler, u, v, heights, curvature).mean(axis=-1)
        mean = np.average(profiles, axis=1, weights=rings)
        return mean.var() / np.average(profiles.var(axis=0), weights=rings)

    best = max(sampler.pixel_size / RADII_ANGST, key=explained)
    curvatures = (
        np.linspace(0.85 * best, 1.15 * best, 13) if best else np.linspace(0, sampler.pixel_size / RADII_ANGST[-2], 5)
    )
    return float(max(curvatures, key=explained))


def layer_height(sampler, curvature, reach_angst=100.0):
    """Height (px) of the layer that varies most along the surface: the lattice, never the smooth membrane.

    Parameters
    ----------
    sampler : Sampler
    curvature : float, 1 / px
    reach_angst : float, heights further from the box centre are not looked at
    """
    heights = _heights(sampler)
    heights = heights[np.abs(heights) * sampler.pixel_size <= reach_angst]
    u, v = _disc(_lateral_px(sampler), 1.0)
    variance = flatten(sampler, u, v, heights, curvature).var(axis=1)
    variance = np.clip(variance - np.median(variance), 0, None)
    variance = ndimage.gaussian_filter1d(variance, 10.0 / sampler.pixel_size)
    center = heights[np.argmax(variance)]
    return _windowed_centroid(heights, variance, center, WINDOW_ANGST / sampler.pixel_size)


def cell_centroid(sampler, apex, curvature, radius_angst=LATERAL_ANGST):
    """Height (px) of the centroid of the dark density of the cells about the axis, near the layer at `apex`."""
    heights = apex + np.arange(-80.0, 80.1, 2.0) / sampler.pixel_size
    heights = heights[np.abs(heights) < sampler.box_px // 2 - 1]
    u, v = _disc(radius_angst / sampler.pixel_size, 0.5)
    density = -flatten(sampler, u, v, heights, curvature).mean(axis=1)
    density = np.clip(density - np.median(density), 0, None)
    return _windowed_centroid(heights, density, apex, WINDOW_ANGST / sampler.pixel_size)


def layer_centroid(volume, pixel_size):
    """Height (px of `volume`) of the unit cell's density centroid in an average centred on its axis, protein dark."""
    sampler = Sampler(volume, pixel_size)
    curvature = fit_curvature(sampler)
    return cell_centroid(sampler, layer_height(sampler, curvature), curvature) * sampler.binning


def _windowed_centroid(heights, weight, center, half_width):
    """Centroid inside a window that follows it."""
    for _ in range(10):
        share = weight * np.clip(1 - ((heights - center) / half_width) ** 2, 0, None)
        if share.sum() <= 0:
            return float(center)
        center = np.sum(share * heights) / share.sum()
    return float(center)


def _lateral_px(sampler):
    return min(LATERAL_ANGST / sampler.pixel_size, sampler.box_px // 2 - 2)


def _heights(sampler):
    reach = sampler.box_px // 2 - 2
    return np.arange(-reach, reach + 1.0)


def _disc(radius, step):
    """Points (m,), (m,) of a square grid inside a disc."""
    axis = np.arange(-np.floor(radius / step), np.floor(radius / step) + 1) * step
    u, v = np.meshgrid(axis, axis)
    inside = np.hypot(u, v) <= radius
    return u[inside], v[inside]
