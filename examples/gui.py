# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a project of the demonstration in the host's GUI, with the tree of the nine steps in view."""

import argparse
import os
import sys
import tkinter
from pathlib import Path

from stadyn import host

VIEW = "Tomography"
WORKSPACE = Path("demo/projects")
OURS = "Virus-like particles (stadyn)"
TREE_WIDTH = 430
AFTER_MS = 1500
"""Until the host has filled its window."""


def main():
    """Open the window and stay until it is closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=WORKSPACE, help="folder of projects/ (%(default)s)")
    parser.add_argument("--project", default="vlp_nine_steps", help="its name (default: %(default)s)")
    args = parser.parse_args()
    if not os.environ.get("DISPLAY"):
        sys.exit("no display: log in with X forwarding (ssh -X), or look at the pictures in docs/gallery.md")
    window = open_window(args.workspace, args.project)
    window.root.after(AFTER_MS, show_steps, window)
    window.show()
    return 0


def open_window(workspace, name):
    """The host's window on a project; call its `show` to begin."""
    if not (Path(workspace) / "projects" / name).is_dir():
        sys.exit(f"project {name} is not in {workspace}: run `make demo` first, or name another with --workspace")
    os.environ["MPLBACKEND"] = "TkAgg"
    host.prepare_environment(workspace)
    project = host.open_project(workspace, name, create=False)
    project.getSettings().setProtocolView(VIEW)
    project.getSettings().write()
    from pyworkflow.gui.project import ProjectWindow  # needs the environment, and a display

    return ProjectWindow(project.path)


def show_steps(window):
    """Open the nine steps in the tree of protocols, fold what else is there, and make them readable."""
    panel = window.getViewWidget()
    tree = panel.protTree
    for item in _below(tree, ""):
        tree.item(item, open=OURS in item or OURS in tree.item(item, "text") or tree.parent(item) == "")
    next(w for w in widgets(panel) if isinstance(w, tkinter.PanedWindow)).sash_place(0, TREE_WIDTH, 0)
    window.root.update()  # before it is laid out, a tree does not know where its end is
    tree.yview_moveto(1.0)


def _below(tree, item):
    for child in tree.get_children(item):
        yield child
        yield from _below(tree, child)


def widgets(widget):
    """All that is inside a widget."""
    for child in widget.winfo_children():
        yield child
        yield from widgets(child)


if __name__ == "__main__":
    sys.exit(main())
