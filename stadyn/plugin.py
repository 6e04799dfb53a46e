# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Scipion host asks of a plugin: its name, its page, and that it needs no external program."""

import pwem


class Plugin(pwem.Plugin):
    """The plugin as the host knows it: pure Python, run by the host's own interpreter."""

    __module__ = "stadyn"  # the host takes the plugin's name and folder from here
    _url = "https://github.com/scipion-em/scipion-em-stadyn"

    @classmethod
    def _defineVariables(cls):
        """No variable: there is no program outside this package."""

    @classmethod
    def getEnviron(cls):
        """None: jobs run in the environment of the host."""

    @classmethod
    def defineBinaries(cls, env):
        """Nothing to install."""
