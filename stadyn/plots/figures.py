# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole figures: results in, a matplotlib Figure out, the same for windows, files and the command line."""

import numpy as np
from matplotlib.figure import Figure  # no pyplot: no display and no global state

from .convergence import plot_convergence
from .fsc import plot_fsc
from .guinier import plot_guinier
from .iterations import plot_iteration
from .maps import density_at, plot_average_planes, plot_local_resolution, plot_slices, point_words
from .overlay import plot_mapped_back
from .particles import COLORBAR_LABELS, plot_particles
from .poses import plot_changes, plot_neighbours, plot_orientations
from .selection import plot_cc_threshold, plot_latitude
from .tomograms import plot_tomogram_slice

PANEL = 4.6
"""Inches of a panel that stands beside others."""
SLICE = 3.9
"""Inches of a slice."""
MAX_COLUMNS = 3


def cc_figure(fits, titles=None):
    """The CC histogram of each tomogram: `fits` {tomogram: CCThreshold}, `titles` {tomogram: text} above them."""
    figure, axes = _panels(len(fits), size=(5.4, 4.2))
    for ax, (name, fit) in zip(axes, fits.items(), strict=True):
        plot_cc_threshold(ax, fit, title=(titles or {}).get(name, name))
    return figure


def latitude_figure(fits):
    """CC against latitude, before and after, of each group: `fits` {group: LatitudeFit}."""
    figure = Figure(figsize=(11, 0.8 + 3.4 * len(fits)), layout="constrained")
    for axes, (name, fit) in zip(figure.subplots(len(fits), 2, squeeze=False), fits.items(), strict=True):
        before, after = plot_latitude(axes, fit, title=f"{name}: as scored")
        after.set(title=f"{name}: {after.get_title()}")
    return figure


def fsc_figure(curve):
    """The curves of an `FSCCurve`."""
    figure = Figure(figsize=(7.2, 5), layout="constrained")
    plot_fsc(figure.subplots(), curve)
    return figure


def guinier_figure(fit):
    """The plot of a `GuinierFit`."""
    figure = Figure(figsize=(7.2, 5), layout="constrained")
    plot_guinier(figure.subplots(), fit)
    return figure


def local_resolution_figure(result):
    """Slices and histogram of a `LocalResolution`."""
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    plot_local_resolution(figure.subplots(1, 3), result)
    return figure


def slices_figure(volume, pixel_size, point=(0, 0, 0), limits=None, title=None, mask=None):
    """Three orthogonal slices of a map through `point`, (x, y, z) px from the centre; see `draw_slices`."""
    figure = Figure(figsize=(3 * SLICE, SLICE + 0.7), layout="constrained")
    draw_slices(figure.subplots(1, 3), volume, pixel_size, point, limits, title, mask)
    return figure


def draw_slices(axes, volume, pixel_size, point=(0, 0, 0), limits=None, title=None, mask=None):
    """Draw on three axes of a figure, whose title then says where they are cut and the density there.

    Parameters
    ----------
    limits : (low, high) values of black and white
    mask : (volume, Å per pixel) of a mask to be outlined
    """
    plot_slices(axes, volume, pixel_size, point, limits, mask)
    where = f"{point_words(point, pixel_size)}, density {density_at(volume, point):.4g}"
    axes[0].figure.suptitle(f"{title}\n{where}" if title else where, fontsize=11)


def averages_figure(volumes, pixel_size, point=(0, 0, 0), title=None, mask=None):
    """The same three slices of several maps, a column each: `volumes` {name: (z, y, x) array}; see `draw_averages`."""
    figure = Figure(figsize=(max(2, len(volumes)) * 3.2 + 0.6, 9), layout="constrained")
    draw_averages(figure.subplots(3, len(volumes), squeeze=False), volumes, pixel_size, point, title, mask)
    return figure


def draw_averages(axes, volumes, pixel_size, point=(0, 0, 0), title=None, mask=None):
    """Draw on (3, maps) axes of a figure, whose title then says where they are cut; `mask` as in `draw_slices`."""
    for column, (name, volume) in zip(axes.T, volumes.items(), strict=True):
        plot_average_planes(column, volume, pixel_size, name, point, mask)
    for ax in axes[:, 1:].ravel():
        ax.set(ylabel="", yticklabels=[])
    where = point_words(point, pixel_size)
    axes[0, 0].figure.suptitle(f"{title}, {where}" if title else where, fontsize=11)


def particles_figure(tables, color_by="cc", excluded=None, discs_px=0.0, normals_px=0.0, orders=None):
    """The particles of each tomogram in space.

    Parameters
    ----------
    tables : dict tomogram -> ParticleTable
    color_by : see `stadyn.plots.particles.plot_particles`
    excluded : dict tomogram -> ParticleTable, drawn as red crosses
    discs_px, normals_px : float, sizes of discs and lines along the axes; 0 draws none
    orders : dict tomogram -> (n,) order scores, for that colouring
    """
    figure, axes = _panels(len(tables), size=(7.0, 6.2), projection="3d")
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        left = (excluded or {}).get(name)
        size = 12 if len(table) < 3000 else 4
        drawn = plot_particles(ax, table, left, color_by, normals_px, size, discs_px, (orders or {}).get(name))
        if color_by in COLORBAR_LABELS:
            figure.colorbar(drawn[1], ax=ax, label=COLORBAR_LABELS[color_by], shrink=0.6, pad=0.14)
        count = f"{len(table)} particles" + (f", {len(left)} excluded" if left is not None else "")
        ax.set_title(f"{name}: {count}")
    return figure


def orientations_figure(tables):
    """Where the axes of the particles of each tomogram point: `tables` {tomogram: ParticleTable}."""
    figure, axes = _panels(len(tables), size=(6.0, 4.2))
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        drawn = plot_orientations(ax, table)
        ax.set_title(f"{name}: {len(table)} particles")
        figure.colorbar(drawn, ax=ax, label="particles per cell of equal area")
    return figure


def changes_figure(before, after, pixel_size):
    """What an alignment changed about the poses, shifts in Å."""
    figure, axes = _panels(3)
    plot_changes(axes, before, after, pixel_size)
    return figure


def neighbours_figure(table, pixel_size, radius_angst=150.0):
    """Where the neighbours of each particle lie in its own frame, Å."""
    figure, axes = _panels(2, size=(5.4, 5.0))
    plot_neighbours(axes, table, pixel_size, radius_angst)
    return figure


def tomogram_figure(section, height, dipoles=(), title=None):
    """A z slice of a tomogram with the spheres of its VLPs."""
    figure = Figure(figsize=(8, 7.4), layout="constrained")
    plot_tomogram_slice(figure.subplots(), section, height, dipoles).set_title(title)
    return figure


def mapped_back_figure(section, copies, extent=None, title=None):
    """A section of a tomogram without and with the outlines of the average at its poses."""
    figure, axes = _panels(2, size=(7.0, 6.6))
    plot_mapped_back(axes, section, copies, extent)
    figure.suptitle(title)
    return figure


def convergence_figure(records):
    """Mean CC, turns and shifts of each iteration: a list of `stadyn.core.refinement.IterationRecord`."""
    figure, axes = _panels(3)
    plot_convergence(axes, records)
    return figure


def iteration_figure(references, shown=-1):
    """What the particles were compared with in one iteration, and the FSC of all up to it.

    Parameters
    ----------
    references : list of `stadyn.core.refinement.IterationReference` of one group, in their order
    shown : int, which of them
    """
    figure = Figure(figsize=(3 * SLICE, 2 * SLICE + 0.9), layout="constrained")
    plot_iteration(figure, references, shown)
    return figure


def by_tomogram(table):
    """{tomogram: ParticleTable} of a table."""
    return {str(name): table.select(table.tomogram_ids == name) for name in np.unique(table.tomogram_ids)}


def _panels(count, size=(PANEL, 4.0), **axes):
    """A figure of `count` axes in rows of up to three, and the axes."""
    columns = min(count, MAX_COLUMNS)
    rows = -(-count // max(columns, 1))
    figure = Figure(figsize=(size[0] * max(columns, 1.2), size[1] * max(rows, 1)), layout="constrained")
    return figure, [figure.add_subplot(rows, columns, i + 1, **axes) for i in range(count)]
