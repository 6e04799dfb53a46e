# SPDX-License-Identifier: GPL-3.0-or-later
"""CC thresholds that can be dragged in their histograms, and the new selection that they make."""

from stadyn.plots.selection import plot_cc_threshold

LABEL = "New selection with these thresholds"


class ThresholdDragger:
    """Moves the threshold of a histogram with the mouse, and counts anew.

    Parameters
    ----------
    axes : dict tomogram -> matplotlib Axes that `plot_cc_threshold` drew
    fits : dict tomogram -> CCThreshold
    redraw : called without arguments after a change
    """

    def __init__(self, axes, fits, redraw):
        self.axes, self.fits, self.redraw = axes, fits, redraw
        self.moved, self._held = {}, None

    def press(self, event):
        """The histogram under the mouse takes its threshold there."""
        self._held = next((name for name, ax in self.axes.items() if ax is event.inaxes), None)
        self.drag(event)

    def drag(self, event):
        """Follow the mouse while its button is down."""
        if self._held is not None and event.inaxes is self.axes[self._held]:
            self.move(self._held, event.xdata)

    def release(self, event=None):
        """Let go."""
        self._held = None

    def move(self, name, threshold):
        """Put the threshold of a tomogram somewhere."""
        self.moved[name] = float(threshold)
        ax, limits = self.axes[name], (self.axes[name].get_xlim(), self.axes[name].get_ylim())
        ax.clear()
        plot_cc_threshold(ax, self.fits[name], title=name, threshold=threshold)
        ax.set(xlim=limits[0], ylim=limits[1])
        self.redraw()

    def text(self):
        """The thresholds as the form of a selection has them; those that were not moved stay with their fit."""
        return ", ".join(f"{name}={value:.4f}" for name, value in sorted(self.moved.items()))


def new_selection(project, run, text):
    """A copy of a selection's run in the project, with typed thresholds, ready to be executed."""
    copy = project.copyProtocol(run)
    copy.threshold.set(text)
    copy.setObjLabel(f"{run.getObjLabel()} (thresholds moved)")
    project.saveProtocol(copy)
    return copy


def interaction(viewer, figure, fits):
    """What a window of CC histograms does with the mouse, as `FigureView` wants it."""

    def install(window):
        dragger = ThresholdDragger(dict(zip(fits, figure.axes, strict=True)), fits, window.canvas.draw_idle)
        for event, handler in (
            ("button_press_event", dragger.press),
            ("motion_notify_event", dragger.drag),
            ("button_release_event", dragger.release),
        ):
            window.canvas.mpl_connect(event, handler)
        window.say("drag the orange line to move a threshold")
        window.add_button(LABEL, lambda: _select(viewer, window, dragger.text()))

    return install


def _select(viewer, window, text):
    if not text:
        window.say("drag a threshold first")
        return
    copy = new_selection(viewer.getProject(), viewer.protocol, text)
    window.say(f"{copy.getObjLabel()} is in the project, not yet executed: {text}")
    host = getattr(viewer, "windows", None)
    if host is not None:
        host.getViewWidget()._openProtocolForm(copy)
