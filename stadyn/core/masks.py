# SPDX-License-Identifier: GPL-3.0-or-later
"""Soft masks: geometric ones about the box centre, and one grown from the density of an average.

Every mask is (n, n, n) float32 [z, y, x] within [0, 1]: 1 up to its surface, then a cosine edge of
`soft_px` pixels down to 0. Distances are taken from the box centre, index n // 2. z points outward,
away from the particle the patch was cut from.
"""

import numpy as np
from scipy import ndimage

from .errors import InputError
from .resample import box_coordinates

BINARY_LEVEL = 0.5
GROWING_LEVEL = 0.3  # a Gaussian-filtered mask cut below one half has grown: by half a sigma at this level
MAX_GROWTHS = 60
CONTRASTS = {"bright": 1.0, "dark": -1.0}


def sphere(box_px, radius_px, soft_px, center=(0, 0, 0)):
    """Ball of `radius_px` about `center`, (x, y, z) px from the box centre."""
    x, y, z = box_coordinates(box_px)
    distance = np.sqrt((x - center[0]) ** 2 + (y - center[1]) ** 2 + (z - center[2]) ** 2)
    return soft_edge(distance - radius_px, soft_px)


def cylinder(box_px, radius_px, z_min_px, z_max_px, soft_px):
    """Cylinder about the z axis, between `z_min_px` and `z_max_px` from the box centre."""
    x, y, z = box_coordinates(box_px)
    return soft_edge(np.hypot(x, y) - radius_px, soft_px) * _between(z, z_min_px, z_max_px, soft_px)


def curved_slab(box_px, surface_radius_px, radius_px, z_min_px, z_max_px, soft_px):
    """Part of a spherical shell: the mask of step 8, which roughly follows the curvature of the VLP.

    Parameters
    ----------
    box_px : int, side of the box
    surface_radius_px : float, radius of the VLP through the box centre; its centre lies at z = -surface_radius_px
    radius_px : float, extent from the z axis
    z_min_px, z_max_px : float, heights over that sphere, outward positive
    soft_px : float, width of the cosine edge
    """
    x, y, z = box_coordinates(box_px)
    height = np.sqrt(x**2 + y**2 + (z + surface_radius_px) ** 2) - surface_radius_px
    return soft_edge(np.hypot(x, y) - radius_px, soft_px) * _between(height, z_min_px, z_max_px, soft_px)


def filtered_mask(volume, pixel_size, contrast, lowpass_angst=15.0, cell_radius_angst=37.0, threshold=None,
                  extend_px=2, soft_px=5, radius_px=None):  # fmt: skip
    """Mask grown from an average by filtering and binarising until it holds the central unit cell.

    The paper's post-processing mask: the low-passed map is binarised, the piece at the centre
    (neighbouring cells touch it, a separate membrane does not) is filtered and binarised again
    until the centre and all density of the central cell are inside; then it gets a soft edge.

    Parameters
    ----------
    volume : (n, n, n) float array
    pixel_size : float, Å
    contrast : "bright" or "dark", of the protein in `volume`
    lowpass_angst : float, full width at half maximum of the Gaussian that smooths the map
    cell_radius_angst : float, the density this near to the centre must be inside;
        half the spacing of the immature HIV-1 lattice by default
    threshold : float, density (protein positive) of the first binarisation; None: Otsu's
    extend_px, soft_px : float, how far the mask is extended, and the width of its edge beyond
    radius_px : float, nothing farther from the centre is inside; None: the edge ends at the box border

    Raises
    ------
    InputError
        If no density is above the threshold.
    """
    if contrast not in CONTRASTS:
        raise InputError(f"contrast {contrast!r} is unknown: say bright or dark")
    box = volume.shape[0]
    sigma_px = lowpass_angst / pixel_size / 2.355  # from the full width at half maximum
    smooth = ndimage.gaussian_filter(CONTRASTS[contrast] * np.asarray(volume, np.float32), sigma_px)
    distance = _distance_from_center(box)
    reach = (box - 1) // 2 - soft_px - extend_px if radius_px is None else radius_px - extend_px
    limit = distance <= reach
    level = otsu_threshold(smooth[limit]) if threshold is None else threshold
    dense = (smooth > level) & limit
    cell = dense & (distance <= cell_radius_angst / pixel_size)
    if not cell.any():
        raise InputError(
            f"no density within {cell_radius_angst:g} Å of the centre exceeds {level:.3g}: lower the threshold, check "
            f"that the protein is {contrast}, or recentre the map"
        )
    inside = _grow_to_hold(dense, cell, limit, max(1.0, 0.5 * lowpass_angst / pixel_size))
    return soft_edge(ndimage.distance_transform_edt(~inside) - extend_px, soft_px)


def check_mask(mask, volume=None):
    """What is wrong with a mask, as a list of sentences; empty when nothing is.

    Parameters
    ----------
    mask : (n, n, n) float array
    volume : (n, n, n) float array, optional; a map whose density the soft edge must not cut
    """
    mask = np.asarray(mask)
    if not np.isfinite(mask).all():
        return ["the mask holds values that are not finite: make it anew"]
    if mask.max() <= 0:
        return ["the mask is empty: make it anew with a lower threshold or a larger radius"]
    messages = []
    if mask.min() < -1e-5 or mask.max() > 1 + 1e-5:
        messages.append(f"the mask's values span {mask.min():.3g} to {mask.max():.3g}: scale them to 0 .. 1")
    if ((mask > 0.05) & (mask < 0.95)).sum() < 0.5 * _surface_voxels(mask):
        messages.append("the mask is not soft: give it an edge of 3 pixels or more, or the FSC will be too good")
    if max(np.abs(face).max() for face in _faces(mask)) > 0.05:
        messages.append("the mask touches the border of the box: make it smaller or the box larger")
    if volume is not None and _density_cut(mask, volume) > 0.5:
        messages.append("the mask's edge runs through density: extend it, or the FSC will be too good")
    return messages


def soft_edge(outside_px, soft_px):
    """1 where `outside_px` <= 0, 0 from `soft_px` on, half a cosine between; float32."""
    if soft_px <= 0:
        return (outside_px <= 0).astype(np.float32)
    phase = np.clip(outside_px / soft_px, 0, 1)
    return (0.5 + 0.5 * np.cos(np.pi * phase)).astype(np.float32)


def otsu_threshold(values, bins=256):
    """The value that best parts `values` into two classes (Otsu 1979, doi:10.1109/TSMC.1979.4310076)."""
    counts, edges = np.histogram(values, bins=bins)
    centers = 0.5 * (edges[1:] + edges[:-1])
    below = np.cumsum(counts)
    above = counts.sum() - below
    mass = np.cumsum(counts * centers)
    valid = (below > 0) & (above > 0)
    gap = np.where(valid, mass / np.maximum(below, 1) - (mass[-1] - mass) / np.maximum(above, 1), 0)
    return float(edges[1:][np.argmax(below * above * gap**2)])


def _distance_from_center(box):
    x, y, z = box_coordinates(box)
    return np.sqrt(x**2 + y**2 + z**2)


def _between(height, low, high, soft_px):
    return soft_edge(low - height, soft_px) * soft_edge(height - high, soft_px)


def _grow_to_hold(dense, cell, limit, sigma_px):
    """The smallest grown piece of `dense` that holds every voxel of `cell` and the box centre, holes filled."""
    center = tuple(n // 2 for n in dense.shape)
    nearest = np.argwhere(cell)
    seed = tuple(nearest[np.argmin(((nearest - center) ** 2).sum(axis=1))])
    grown = dense
    for _ in range(MAX_GROWTHS):
        labels, _ = ndimage.label(grown)
        piece = labels == labels[seed]
        if piece[center] and piece[cell].all():
            return ndimage.binary_fill_holes(piece)
        grown = (ndimage.gaussian_filter(grown.astype(np.float32), sigma_px) > GROWING_LEVEL) & limit | grown
    raise InputError("the mask did not reach the box centre by growing: lower the threshold or recentre the map")


def _surface_voxels(mask):
    inside = mask > BINARY_LEVEL
    return int((inside & ~ndimage.binary_erosion(inside)).sum())


def _faces(mask):
    return [np.take(mask, index, axis) for axis in range(3) for index in (0, -1)]


def _density_cut(mask, volume):
    """Spread of the density in the outer half of the mask's edge, relative to that inside the mask."""
    edge, inside = (mask > 0.01) & (mask < BINARY_LEVEL), mask > 0.95
    if not edge.any() or not inside.any():
        return 0.0
    background = np.median(volume[mask <= 0.01]) if (mask <= 0.01).any() else 0.0
    return float(np.sqrt(np.mean((volume[edge] - background) ** 2) / np.mean((volume[inside] - background) ** 2)))
