# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the demonstration: who was selected, the lattice in 3D, FSC curves, and slices of the final map."""

import numpy as np
from matplotlib.figure import Figure  # no pyplot: no display and no global state
from truth import run_file

from stadyn.core.fsc import FSCCurve
from stadyn.core.particles import ParticleTable
from stadyn.core.selection import CCThreshold
from stadyn.io.mrc import read_header, read_volume
from stadyn.io.results import read_result
from stadyn.plots.fsc import plot_fsc
from stadyn.plots.maps import plot_slices
from stadyn.plots.particles import plot_particles
from stadyn.plots.saving import save_figure
from stadyn.plots.selection import plot_cc_threshold


def draw_all(project, out, true_map, truth_curve):
    """Draw every picture into `out`.

    Parameters
    ----------
    project : Path, folder of the host's project
    out : Path, where the export lies
    true_map : (n, n, n) array, the truth in the frame of the final map
    truth_curve : FSCCurve of the map of all particles against the truth
    """
    draw_selection(project, out / "cc_histograms.png")
    draw_lattice(project, out / "lattice.png")
    draw_fscs(project, truth_curve, out / "fsc_and_truth.png")
    draw_maps(out / "final_map.mrc", true_map, out / "map_and_truth.png")


def selection_file(project, name):
    """A result of step 6's selection."""
    return run_file(project, "StadynProtSelectCC", "select", name)


def tomogram_names(project):
    """The tomograms that have particles after the selection."""
    return np.unique(read_result(selection_file(project, "particles.npz"), ParticleTable).tomogram_ids)


def draw_selection(project, path):
    """The CC histogram of each tomogram, its mixture and threshold."""
    names = tomogram_names(project)
    figure, axes = grid(len(names), (5.4 * len(names), 4.2))
    for ax, name in zip(axes, names, strict=True):
        plot_cc_threshold(ax, read_result(selection_file(project, f"threshold_{name}.npz"), CCThreshold), title=name)
    save_figure(figure, path)


def draw_lattice(project, path):
    """The particles of each tomogram in space, coloured by CC, those that step 6 excluded in red."""
    kept, excluded = (
        read_result(selection_file(project, f"{n}.npz"), ParticleTable) for n in ("particles", "excluded")
    )
    names = np.unique(kept.tomogram_ids)
    figure, axes = grid(len(names), (7.0 * len(names), 6.0), projection="3d")
    for ax, name in zip(axes, names, strict=True):
        rows, left = kept.tomogram_ids == name, excluded.tomogram_ids == name
        _, points = plot_particles(ax, kept.select(rows), excluded.select(left), size=10)
        figure.colorbar(points, ax=ax, label="CC", shrink=0.6, pad=0.12)
        ax.set_title(f"{name}: {rows.sum()} kept, {left.sum()} excluded")
    save_figure(figure, path)


def draw_fscs(project, truth_curve, path):
    """The half-maps against each other, and the map of all particles against the truth."""
    halves = read_result(run_file(project, "StadynProtPostprocess", "postprocess", "fsc.npz"), FSCCurve)
    figure, axes = grid(2, (12, 4.6))
    plot_fsc(axes[0], halves).set_title("half-maps against each other")
    plot_fsc(axes[1], truth_curve).set_title("all particles against the true map")
    save_figure(figure, path)


def draw_maps(path, true_map, picture):
    """Three slices of the final map, and below them the same slices of the true map."""
    pixel_size = read_header(path).pixel_size
    figure = Figure(figsize=(12, 8), layout="constrained")
    axes = figure.subplots(2, 3)
    for row, volume, name in zip(axes, (read_volume(path), true_map), ("final map", "true map"), strict=True):
        plot_slices(row, volume, pixel_size)
        row[0].set_title(f"{name}, protein bright")
    save_figure(figure, picture)


def grid(columns, size, **axes):
    """A figure and its row of axes."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(1, columns, squeeze=False, subplot_kw=axes)[0]
