# SPDX-License-Identifier: GPL-3.0-or-later
"""What the particles of an alignment were compared with, iteration by iteration, also while it runs."""

from pyworkflow.protocol import params

from stadyn.core.errors import InputError
from stadyn.io.convergence import read_iterations
from stadyn.plots.figures import iteration_figure
from stadyn.plots.iterations import plot_iteration

from .base import Picture

FOLDER = "align"


class Iterations(Picture):
    """The reference of one iteration and the FSC of all of them; buttons step through, and read what is new."""

    name, label = "Iterations", "Iteration by iteration"
    help = (
        "Slices of what the particles are compared with, which is the average of the poses of the iteration before, "
        "and the FSC of the averages of every other particle. Can be opened while the alignment runs: the newest "
        "iteration is shown, and a button reads what came since. A reference that gains no detail any more is done."
    )

    def available(self, protocol):
        return bool(read_iterations(protocol.resultPath(FOLDER)))

    def parameters(self, form, protocol):
        form.addParam(
            "groupOfIterations", params.EnumParam, choices=list(read_iterations(protocol.resultPath(FOLDER))),
            default=0, label="Tomogram or half", help="One of the groups that are aligned apart.",
        )  # fmt: skip
        form.addParam(
            "iterationShown",
            params.IntParam,
            default=0,
            validators=[params.GE(0)],
            label="Iteration",
            help="Counted through all rounds from 1; 0: the newest.",
        )

    def figures(self, viewer):
        group, references = self._chosen(viewer)
        wanted = viewer.iterationShown.get()
        if wanted > len(references):
            raise InputError(f"iteration {wanted} is not there: {len(references)} have begun")
        return {f"iterations_{group}": iteration_figure(references, wanted - 1)}  # 0, the newest, becomes -1

    def views(self, viewer):
        views = super().views(viewer)
        for view in views:
            view.interaction = self._stepping(viewer, view.figure)
        return views

    def _chosen(self, viewer):
        groups = read_iterations(viewer.protocol.resultPath(FOLDER))
        group = list(groups)[viewer.groupOfIterations.get()]
        return group, groups[group]

    def _stepping(self, viewer, figure):
        def install(window):
            group, references = self._chosen(viewer)
            wanted = viewer.iterationShown.get()
            stepper = IterationStepper(figure, lambda: read_iterations(viewer.protocol.resultPath(FOLDER))[group],
                                       (wanted or len(references)) - 1, window.canvas.draw_idle)  # fmt: skip
            window.add_button("Previous iteration", lambda: stepper.step(-1))
            window.add_button("Next iteration", lambda: stepper.step(1))
            window.add_button("Newest", stepper.newest)

        return install


class IterationStepper:
    """Draws another iteration into a figure; every step reads what is there by then.

    Parameters
    ----------
    figure : that `iteration_figure` made
    read : callable that gives the IterationReferences of the group
    shown : int, index of the one that is drawn
    redraw : called without arguments after a change
    """

    def __init__(self, figure, read, shown, redraw):
        self.figure, self.read, self.shown, self.redraw = figure, read, shown, redraw

    def step(self, change):
        """One iteration on or back, as far as there are any."""
        references = self.read()
        self.shown = min(max(self.shown + change, 0), len(references) - 1)
        self._draw(references)

    def newest(self):
        """The last iteration that has begun by now."""
        references = self.read()
        self.shown = len(references) - 1
        self._draw(references)

    def _draw(self, references):
        self.figure.clear()
        plot_iteration(self.figure, references, self.shown)
        self.redraw()
