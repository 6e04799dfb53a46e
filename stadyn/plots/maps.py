# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps as grey slices through their centre, local resolution as colour, and averages side by side."""

import numpy as np

from .colors import BLUE, ORANGE, VERMILION, YELLOW

MASK_LEVEL = 0.5
"""Of a soft mask: where its outline is drawn."""
GREY_PERCENTILES = (0.5, 99.5)
# vertical axis, horizontal axis, how to cut [z, y, x] at an (x, y, z) point
PLANES = {
    "xy": ("y", "x", lambda volume, point: volume[point[2], :, :]),
    "xz": ("z", "x", lambda volume, point: volume[:, point[1], :]),
    "yz": ("z", "y", lambda volume, point: volume[:, :, point[0]]),
}


def plot_slice(ax, volume, pixel_size, plane="xy", point=(0, 0, 0), limits=None, cmap="gray", colorless=None):
    """One slice of a map; axes in Å from the box centre, z and y upwards.

    Parameters
    ----------
    ax : matplotlib Axes
    volume : (z, y, x) float array
    pixel_size : float, Å
    plane : "xy", "xz" or "yz"
    point : (3,) int, (x, y, z) px from the box centre, that the slice contains
    limits : (low, high) values of the first and the last colour; None: the slice's 0.5 and 99.5 percentiles
    cmap : str, matplotlib's colour map
    colorless : (z, y, x) bool array, voxels left white

    Returns
    -------
    matplotlib AxesImage
    """
    image = cut_plane(volume, plane, point)
    if limits is None:
        limits = np.percentile(image, GREY_PERCENTILES)
    if colorless is not None:
        image = np.ma.masked_where(cut_plane(colorless, plane, point), image)
    return plot_plane(ax, image, pixel_size, plane, limits, cmap)


def cut_plane(volume, plane, point=(0, 0, 0)):
    """The (vertical, horizontal) slice of a map through `point`, (x, y, z) px from the box centre."""
    place = [n // 2 + int(offset) for n, offset in zip(volume.shape[::-1], point, strict=True)]
    return PLANES[plane][2](volume, place)


def plot_plane(ax, image, pixel_size, plane, limits=None, cmap="gray"):
    """One slice that was cut before, (vertical, horizontal), as `plot_slice` draws it."""
    low, high = np.percentile(image, GREY_PERCENTILES) if limits is None else limits
    extent = _extent(image.shape, pixel_size)
    drawn = ax.imshow(image, cmap=cmap, vmin=low, vmax=high, origin="lower", extent=extent, interpolation="nearest")
    vertical, horizontal, _ = PLANES[plane]
    ax.set(xlabel=f"{horizontal} (Å)", ylabel=f"{vertical} (Å)")
    return drawn


def _extent(shape, pixel_size):
    """(left, right, bottom, top) Å of the edges of a slice (rows, columns), 0 in the middle of the central pixel."""
    left, bottom = ((-(n // 2) - 0.5) * pixel_size for n in shape[::-1])
    return left, left + shape[1] * pixel_size, bottom, bottom + shape[0] * pixel_size


def plot_outline(ax, mask, plane, place_angst=(0, 0, 0)):
    """The outline of a mask on a slice that `plot_slice` drew; nothing where the slice does not meet its box.

    Parameters
    ----------
    mask : (volume [z, y, x], Å per pixel); box and pixel size may be others than those of the map
    plane : "xy", "xz" or "yz"
    place_angst : (3,) float, (x, y, z) Å from the box centre, that the slice contains
    """
    volume, pixel_size = mask
    place = np.rint(np.asarray(place_angst) / pixel_size).astype(int)
    sides = np.array(volume.shape[::-1])
    if np.any(place < -(sides // 2)) or np.any(place >= sides - sides // 2):
        return
    image = cut_plane(volume, plane, place)
    if image.min() < MASK_LEVEL <= image.max():
        left, right, bottom, top = _extent(image.shape, pixel_size)
        half = 0.5 * pixel_size  # a contour runs through the middles of pixels
        x = np.linspace(left + half, right - half, image.shape[1])
        y = np.linspace(bottom + half, top - half, image.shape[0])
        ax.contour(x, y, image, levels=[MASK_LEVEL], colors=[ORANGE], linewidths=1.6)


def plot_slices(axes, volume, pixel_size, point=(0, 0, 0), limits=None, mask=None):
    """Three orthogonal slices of a map through `point` (px from the centre), the other two planes as yellow lines.

    `mask`, (volume, Å per pixel), is outlined in orange.
    """
    if limits is None:
        limits = np.percentile(volume, GREY_PERCENTILES)
    place = np.asarray(point) * pixel_size
    for ax, plane in zip(axes, PLANES, strict=True):
        plot_slice(ax, volume, pixel_size, plane, point, limits)
        right, up = (place["xyz".index(axis)] for axis in plane)
        ax.axhline(up, color=YELLOW, linewidth=0.6, alpha=0.8)
        ax.axvline(right, color=YELLOW, linewidth=0.6, alpha=0.8)
        if mask is not None:
            plot_outline(ax, mask, plane, place)
    return axes


def point_words(point, pixel_size):
    """Where a point (px from the centre) lies, in px and Å."""
    angst = np.round(np.asarray(point) * pixel_size, 1)
    px, angst = (", ".join(f"{value:g}" for value in values) for values in (point, angst))
    return f"({px}) px = ({angst}) Å from the centre"


def density_at(volume, point):
    """The value of a map at `point`, (x, y, z) px from the box centre."""
    return 0.0 + float(volume[tuple(n // 2 + int(p) for n, p in zip(volume.shape, point[::-1], strict=True))])  # no -0


def plot_local_resolution(axes, result):
    """A `LocalResolution`: its xy and xz slices in colour, then the histogram, on three axes."""
    inside = result.resolution[result.mask]
    limits = tuple(np.quantile(inside, (0.02, 0.98)))
    for ax, plane in zip(axes[:2], ("xy", "xz"), strict=True):
        drawn = plot_slice(
            ax, result.resolution, result.pixel_size, plane, limits=limits, cmap="viridis", colorless=~result.mask
        )
    axes[1].figure.colorbar(drawn, ax=axes[1], label="resolution (Å)", shrink=0.8)
    axes[2].hist(inside, bins=60, color=BLUE)
    axes[2].axvline(result.median_angst, color=VERMILION, linewidth=2, label=f"median {result.median_angst:.2f} Å")
    axes[2].set(xlabel=f"local resolution at FSC {result.threshold:g} (Å)", ylabel="voxels")
    axes[2].legend(frameon=False, fontsize=8)
    return axes


def plot_average_planes(axes, volume, pixel_size, name, point=(0, 0, 0), mask=None):
    """The three slices of one of several maps that are compared, on three axes, with the map's own grey scale."""
    plot_slices(axes, volume, pixel_size, point, mask=mask)
    axes[0].set_title(name, fontsize=9)
    return axes
