# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual screen for windows, and the programs it needs, by apt where they are missing and may be installed.

``python examples/screen.py`` readies a machine for the tests that open windows, or says which ones will be skipped.
"""

import os
import shutil
import subprocess
import sys
import time

SCREEN = "1600x1600x24"
PACKAGES = {"Xvfb": "xvfb", "openbox": "openbox", "import": "imagemagick"}
"""Program -> package of Debian and Ubuntu that brings it."""
FONTS = "fonts-dejavu-core"
APT_SECONDS = 600
FOR_TESTS = ("Xvfb",)


def main():
    """Install what the tests of windows need; the exit code is always 0, for they are skipped where it is missing."""
    missing = install_missing(FOR_TESTS)
    if missing:
        print(
            f"the tests that open windows will be skipped: {why_not()}; apt-get install {' '.join(missing)} {FONTS}",
            file=sys.stderr,
        )
    return 0


def install_missing(programs=tuple(PACKAGES)):
    """Packages of `programs` that are still missing after apt was asked for them, where it may be."""
    missing = _missing(programs)
    if missing and may_install():
        install = ["apt-get", "install", "--yes", "--quiet", *missing, FONTS]
        if not _apt(install):  # a fresh container has no list of packages yet
            _apt(["apt-get", "update", "--quiet"])
            _apt(install)
        missing = _missing(programs)
    return missing


def may_install():
    """Is there an apt, and the right to use it?"""
    return shutil.which("apt-get") is not None and os.geteuid() == 0


def why_not():
    """Why packages are still missing, in words."""
    if shutil.which("apt-get") is None:
        return "programs are missing and there is no apt-get here"
    return "apt-get failed" if os.geteuid() == 0 else "programs are missing and only root may install them"


def _missing(programs):
    return [PACKAGES[program] for program in programs if shutil.which(program) is None]


def _apt(command):
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        return subprocess.run(command, check=False, env=quiet, timeout=APT_SECONDS, stdout=sys.stderr).returncode == 0
    except subprocess.TimeoutExpired:
        return False


class VirtualScreen:
    """A screen of its own with a window manager, so that pictures do not depend on where they are taken."""

    def __init__(self):
        read, write = os.pipe()
        command = ["Xvfb", "-displayfd", str(write), "-screen", "0", SCREEN]
        self.processes = [subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)]
        os.close(write)
        with os.fdopen(read) as answer:
            os.environ["DISPLAY"] = f":{answer.readline().strip()}"
        self.processes.append(subprocess.Popen(["openbox"], stderr=subprocess.DEVNULL))
        time.sleep(1)

    def close(self):
        """End both."""
        for process in reversed(self.processes):
            process.terminate()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
