# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures to files that appear whole or not at all."""

from pathlib import Path

from stadyn.core.errors import InputError
from stadyn.io.aside import written_aside

DPI = 150


def save_figure(figure, path, dpi=DPI):
    """Write a matplotlib Figure to `path`, whose ending chooses the format; returns the path.

    Raises InputError for an ending that stands for no format of pictures, and as `written_aside` does.
    """
    path = Path(path)
    kind, known = path.suffix.lstrip("."), figure.canvas.get_supported_filetypes()
    if kind not in known:
        raise InputError(f"{path} does not end in a format of pictures: choose one of .{', .'.join(sorted(known))}")
    with written_aside(path) as aside:
        figure.savefig(aside, dpi=dpi, format=kind)
    return path
