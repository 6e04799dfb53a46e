# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the real GUI for docs/gallery.md: the tree, the workflow, a form, and every viewer, on a virtual screen.

Needs Xvfb, openbox and ImageMagick: ``apt-get install xvfb openbox imagemagick fonts-dejavu-core``.
"""

import argparse
import os
import subprocess
import sys
import tkinter
import traceback
import types
from functools import partial
from pathlib import Path
from tkinter import ttk

from gui import WORKSPACE, open_window, show_steps, widgets
from screen import FONTS, VirtualScreen, install_missing, why_not

WINDOW, TALL_WINDOW = "1600x960+0+0", "1600x1560+0+0"
PAUSE_MS = 1500
"""Between an action and its picture: windows draw themselves when they are idle."""
SHORT_PAUSE_MS = 300
NOT_YET = "not yet"
"""What an action says to be tried again: a busy machine opens a window late."""
OUT = Path(__file__).parents[1] / "docs" / "gallery"

# label of the run, button of its viewer, values of its form, name of the picture
VIEWS = (
    ("2 Import dipoles", "showTomogram", {}, "tomogram"),
    ("3 Align first reference", "showIterations", {}, "iterations"),
    ("3 Align first reference", "showConvergence", {}, "convergence"),
    ("3 Recentre", "showSlices", {}, "slices"),
    ("4 Mask", "showSlices", {}, "mask_on_map"),
    ("5 Align candidates", "showSideBySide", {}, "side_by_side"),
    ("5 Align candidates", "showChanges", {}, "changes_of_poses"),
    ("2 Oversample surfaces", "showParticles", {}, "discs"),
    ("6 Select by CC", "showCCHistogram", {}, "cc_histogram"),
    ("6 Select by CC", "showParticles", {"tomogram": 2}, "particles_in_space"),
    ("6 Select by CC", "showMappedBack", {}, "mapped_back"),
    ("6 Select by CC", "showNeighbours", {}, "neighbours"),
    ("6 Select by CC", "showOrientations", {}, "orientations"),
    ("8 Filter by latitude", "showLatitude", {}, "cc_against_latitude"),
    ("9 Post-processing", "showFSC", {}, "fsc"),
    ("9 Post-processing", "showGuinier", {}, "guinier"),
    ("9 Post-processing", "showSlices", {"mapOfSlices": 1}, "final_map"),
    ("9 Local resolution", "showLocalResolution", {}, "local_resolution"),
)
FORMS = (("7 Align halves", "form_align"), ("6 Select by CC", "form_select"))
# label of the run, parameter with the wand, name of the picture
WIZARDS = (
    ("1 Import tomograms", "tiltMin", "wizard_tilt_range"),
    ("2 Oversample surfaces", "spacing", "wizard_spacing"),
    ("3 Recentre", "point", "wizard_centre"),
    ("4 Mask", "radius", "wizard_mask"),
    ("6 Select by CC", "boxSize", "wizard_box"),
    ("6 Select by CC", "lowpass", "wizard_lowpass"),
    ("6 Select by CC", "exclusionRadius", "wizard_exclusion_radius"),
    ("7 Align halves", "iterations", "wizard_rounds"),
)
VIEWER_FORM = ("5 Align candidates", "viewer_form")


def main():
    """Take all pictures; the exit code is 1 where a program is missing, which is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspace", type=Path, default=WORKSPACE, help="folder of projects/ (%(default)s)")
    parser.add_argument("--project", default="vlp_nine_steps", help="its name (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the pictures (docs/gallery)")
    parser.add_argument("--only", help="part of the names of the pictures to take")
    args = parser.parse_args()
    missing = install_missing()
    if missing:
        print(f"gallery skipped, {why_not()}: apt-get install {' '.join(missing)} {FONTS}", file=sys.stderr)
        return 1
    out = args.out.absolute()  # the host changes into the project
    out.mkdir(parents=True, exist_ok=True)
    screen = VirtualScreen()
    Session(open_window(args.workspace.absolute(), args.project), screen, out, args.only).run()
    return 0


class Session:
    """Actions on the host's window one after the other, each followed by a picture."""

    def __init__(self, window, screen, out, only):
        self.window, self.screen, self.out, self.only = window, screen, out, only
        self.root, self.panel = window.root, window.getViewWidget()
        self.runs = {run.getObjLabel(): run for run in window.project.getRuns()}
        self.actions = self._plan()

    def run(self):
        """Go through all actions, then leave the process: the host's windows run loops of their own."""
        self.root._root().report_callback_exception = self._fail
        self.root.after(3 * PAUSE_MS, self._next)
        self.window.show()

    def _next(self):
        if not self.actions:
            self._leave(0)
        action, opens = self.actions.pop(0)
        if opens:  # the next one is scheduled first: a window of the host does not come back before it is closed
            self.root.after(PAUSE_MS, self._next)
            action()
        else:  # afterwards: a picture lets the window draw itself, and the next action must not come in between
            if action() is NOT_YET:
                self.actions.insert(0, (action, opens))
            self.root.after(SHORT_PAUSE_MS, self._next)

    def _fail(self, *error):
        traceback.print_exception(*error)
        self._leave(1)

    def _leave(self, code):
        self.screen.close()
        sys.stdout.flush()
        os._exit(code)

    def _plan(self):
        plan = []

        def picture(name, open_it, taken_of, close):
            if not self.only or self.only in name:
                plan.append((open_it, True))
                plan.append((lambda: self._take(name, taken_of()), False))
                plan.append((close, False))

        picture("project", self._open_tree, lambda: self.root, lambda: None)
        picture("workflow", self._whole_graph, lambda: self.root, lambda: None)
        for label, name in FORMS:
            picture(name, partial(self._form, label), self._top, self._close_top)
        of_run, name = VIEWER_FORM
        picture(name, partial(self._viewer, of_run), self._top, self._close_top)
        for label, button, values, name in VIEWS:
            picture(name, partial(self._press, label, button, values), self._top, self._close_top)
        for label, parameter, name in WIZARDS:
            picture(name, partial(self._wizard, label, parameter), self._top, self._close_top)
        return plan

    def _run(self, part):
        return next(run for label, run in self.runs.items() if label.startswith(part))

    def _open_tree(self):
        self._resize(WINDOW)
        self.panel._selectItemProtocol(self._run("6 Select by CC"))
        show_steps(self.window)

    def _whole_graph(self):
        """The graph fills the window, every run in it."""
        self._resize(TALL_WINDOW)
        self.root.update()
        rows = next(w for w in widgets(self.panel) if isinstance(w, ttk.PanedWindow))
        rows.sashpos(0, 1380)

    def _resize(self, geometry):
        self.root.attributes("-zoomed", False)
        self.root.geometry(geometry)

    def _form(self, label):
        self.panel._openProtocolForm(self._run(label))

    def _viewer(self, label):
        self.panel._analyzeResults(self._run(label), None)

    def _press(self, label, button, values):
        import pwem
        from pyworkflow.viewer import DESKTOP_TKINTER

        run = self._run(label)
        viewer = pwem.Domain.findViewers(run, DESKTOP_TKINTER)[0](project=self.window.project, protocol=run)
        viewer.setProtocol(run)
        for name, value in values.items():
            getattr(viewer, name).set(value)
        pictures = viewer._getVisualizeDict()
        if button not in pictures:
            raise LookupError(f"run {label} left nothing for {button}: it is older than this picture, make demo anew")
        for view in pictures[button](button):
            view.show()

    def _wizard(self, label, parameter):
        import pwem
        from pyworkflow.viewer import DESKTOP_TKINTER

        run = self._run(label)
        form = types.SimpleNamespace(protocol=run, wizParamName=parameter, root=self.root, showInfo=sys.exit)
        pwem.Domain.findWizards(run, DESKTOP_TKINTER)[parameter]().show(form)

    def _top(self):
        """The window that was opened last, or None while none is open."""
        children = [*self.root._root().winfo_children(), *self.root.winfo_children()]
        windows = [w for w in children if isinstance(w, tkinter.Toplevel) and w.winfo_viewable() and w is not self.root]
        return windows[-1] if windows else None

    def _close_top(self):
        self._top().destroy()

    def _take(self, name, widget):
        if widget is None:
            return NOT_YET
        widget.lift()
        widget.update()
        border, title = 2, 24
        width, height = widget.winfo_width() + 2 * border, widget.winfo_height() + title + border
        crop = f"{width}x{height}+{max(widget.winfo_rootx() - border, 0)}+{max(widget.winfo_rooty() - title, 0)}"
        path = self.out / f"{name}.png"
        smaller = ["+repage", "+dither", "-colors", "128"]
        subprocess.run(["import", "-window", "root", "-crop", crop, *smaller, path], check=True)
        print(path.name, flush=True)
        return None


if __name__ == "__main__":
    sys.exit(main())
