# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives the tests a Scipion home of their own, before anything imports the host."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent
HOSTS = "[localhost]\nPARALLEL_COMMAND = mpirun -np %_(JOB_NODES)d %_(COMMAND)s\n"


def _scipion_environment():
    home = Path(tempfile.mkdtemp(prefix="stadyn-scipion-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    (home / "config").mkdir()
    (home / "config" / "hosts.conf").write_text(HOSTS)
    return {
        "SCIPION_DOMAIN": "pwem",
        "SCIPION_HOME": str(home),
        "SCIPION_USER_DATA": str(home / "user"),
        "SCIPION_PYTHON": sys.executable,  # else the first python3 in PATH runs the protocols
        "SCIPION_PRIORITY_PACKAGE_LIST": "pwem tomo",
        "SCIPION_NOTIFY": "False",
        "SCIPION_TEST_NOSYNC": "True",
        "MPLBACKEND": "Agg",
        # Protocols run in processes of their own, in the folder of the project.
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }


if "pyworkflow" in sys.modules:
    raise RuntimeError("pyworkflow was imported before conftest.py: run pytest in the repository's root")
os.environ.update(_scipion_environment())
