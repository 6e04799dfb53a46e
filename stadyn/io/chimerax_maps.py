# SPDX-License-Identifier: GPL-3.0-or-later
"""A script that opens maps in ChimeraX: as surfaces about their common centre, one colour each, protein bright."""

from pathlib import Path

from .aside import written_aside
from .mrc import read_header, read_volume, write_volume

SCRIPT = "maps.cxc"
SD_LEVEL = 3.0
"""Of a surface, in standard deviations of its map."""
COLORS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7")


def write_bright_copies(folder, maps):
    """The maps with protein bright, as names of files in `folder` or absolute paths.

    Parameters
    ----------
    folder : existing folder, that takes ``<name>_bright.mrc`` of those with dark protein
    maps : dict name -> (path, is protein bright in the file?)
    """
    paths = []
    for name, (path, bright) in maps.items():
        if bright:
            paths.append(str(Path(path).resolve()))
        else:
            paths.append(f"{name}_bright.mrc")
            write_volume(
                Path(folder) / paths[-1], -read_volume(path), read_header(path).pixel_size,
                label="stadyn map to be looked at, protein bright",
            )  # fmt: skip
    return paths


def write_maps_script(folder, paths):
    """Write maps.cxc, which opens maps (names in `folder` or absolute paths); returns its path."""
    folder, lines = Path(folder), []
    for number, path in enumerate(paths, 1):
        z, y, x = (n // 2 for n in read_header(folder / path).shape)
        lines += [
            f'open "{path}" id {number}',
            f"volume #{number} originIndex {x},{y},{z} step 1 style surface sdLevel {SD_LEVEL:g}",
            f"color #{number} {COLORS[(number - 1) % len(COLORS)]}",
        ]
        lines += [f"transparency #{number} 40"] if len(paths) > 1 else []
    with written_aside(folder / SCRIPT) as aside:
        aside.write_text("\n".join([*lines, "view"]) + "\n", encoding="utf-8")
    return folder / SCRIPT
