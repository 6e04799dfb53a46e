# SPDX-License-Identifier: GPL-3.0-or-later
"""Subtomogram averaging of virus-like particles after Scaramuzza & Castaño-Díez (2021), and its Scipion plugin.

`Plugin` is loaded only when the host asks for it, so that the numerics import where Scipion is not installed.
"""

__version__ = "0.1.0"

_logo = "icon.png"
_references = ["Scaramuzza2021", "CastanoDiez2012"]


def __getattr__(name):  # PEP 562
    if name == "Plugin":
        from .plugin import Plugin

        return Plugin
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
