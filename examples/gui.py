# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a project of the demonstration in the host's GUI, with the tree of the nine steps in view."""

import argparse
import os
import sys
from pathlib import Path

from stadyn import host

VIEW = "Tomography"
WORKSPACE = Path("demo/projects")


def main():
    """Open the window and stay until it is closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=WORKSPACE, help="folder of projects/ (%(default)s)")
    parser.add_argument("--project", default="vlp_nine_steps", help="its name (default: %(default)s)")
    args = parser.parse_args()
    if not os.environ.get("DISPLAY"):
        sys.exit("no display: log in with X forwarding (ssh -X), or look at the pictures in docs/gallery.md")
    open_window(args.workspace, args.project).show()
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


if __name__ == "__main__":
    sys.exit(main())
