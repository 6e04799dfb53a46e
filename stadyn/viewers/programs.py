# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that show volumes in 3D, where they are installed: ChimeraX, through the host's plugin, and napari."""

import importlib.util
import os
import shutil
import subprocess
import sys

from pyworkflow.viewer import View

CHIMERAX = ("chimerax", "ChimeraX")
NAPARI = """
import sys, mrcfile, napari
window = napari.Viewer(ndisplay=3)
for path in sys.argv[1:]:
    with mrcfile.open(path, permissive=True) as file:
        window.add_image(file.data.copy(), name=path.split("/")[-1], scale=[float(file.voxel_size.x)] * 3)
napari.run()
"""


def chimerax():
    """(words of the command, environment) of ChimeraX, or None where it is not installed.

    scipion-em-chimera knows where the host installed it; without that plugin it is looked for on the PATH.
    """
    from pwem.viewers.viewer_chimera import Chimera  # which asks the plugin

    program = Chimera.getProgram()
    if program and os.access(program, os.X_OK):
        return [program], dict(Chimera.getEnviron())
    program = next(filter(None, map(shutil.which, CHIMERAX)), None)
    return None if program is None else ([program], None)


def napari():
    """The same of napari: in this Python, or another one's command on the PATH, which needs a reader of MRC files."""
    if importlib.util.find_spec("napari") is not None:
        return [sys.executable, "-c", NAPARI], None
    program = shutil.which("napari")
    return None if program is None else ([program], None)


def in_chimerax(script, viewer, title):
    """The View that opens a script in ChimeraX, or says under `title` how to do that elsewhere."""
    missing = (
        "ChimeraX was not found: install scipion-em-chimera, or put it on the PATH.\n"
        f"The script is written: open it with\n  chimerax {os.path.abspath(script)}"
    )
    folder, name = os.path.split(os.path.abspath(script))
    return ProgramView(chimerax(), folder, [name], lambda: viewer.infoMessage(missing, title))


def in_napari(folder, files, viewer, title):
    """The same of volumes, names in `folder` or absolute paths, in napari."""
    missing = "napari was not found: pip install napari, beside the host or in an environment on the PATH.\n"
    missing += "The volumes are\n  " + "\n  ".join(os.path.join(folder, name) for name in files)
    return ProgramView(napari(), folder, files, lambda: viewer.infoMessage(missing, title))


class ProgramView(View):
    """Files that are opened in a program of its own, or the View that says how to do that elsewhere."""

    def __init__(self, command, folder, files, otherwise):
        """`command`: of `chimerax` or `napari`; `files`: names in `folder`; `otherwise` makes the View for None."""
        self.command, self.folder, self.files, self.otherwise = command, folder, files, otherwise

    def show(self):
        """Start the program beside this one, in the folder: its scripts and blanks in paths then do no harm."""
        if self.command is None:
            self.otherwise().show()
            return
        words, environment = self.command
        subprocess.Popen([*words, *self.files], cwd=self.folder, env=environment)
