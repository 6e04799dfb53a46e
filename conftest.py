# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives the tests a Scipion home of their own, before anything imports the host."""

import atexit
import os
import shutil
import sys
import tempfile

from stadyn.host import prepare_environment

if "pyworkflow" in sys.modules:
    raise RuntimeError("pyworkflow was imported before conftest.py: run pytest in the root of the repository")

home = tempfile.mkdtemp(prefix="stadyn-tests-")
atexit.register(shutil.rmtree, home, ignore_errors=True)
# Whatever Scipion the user has configured, the tests must not touch it.
for name in [name for name in os.environ if name.startswith("SCIPION_")]:
    del os.environ[name]
prepare_environment(home)
os.environ["SCIPION_TEST_NOSYNC"] = "True"
os.environ["MPLBACKEND"] = "Agg"
