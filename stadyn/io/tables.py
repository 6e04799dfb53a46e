# SPDX-License-Identifier: GPL-3.0-or-later
"""Particles in the file formats of the field: told apart by name and content, read and written through one door."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.particles import EVEN, ODD, UNASSIGNED, ParticleTable

from .aside import existing_file, read_text
from .chimerax import write_chimerax
from .dynamo_files import CROP_TABLE, read_dynamo, read_dynamo_folder, write_dynamo, write_dynamo_folder
from .em import HEADER_BYTES
from .eman2 import read_eman2, write_eman2
from .emclarity import is_emclarity, read_emclarity, write_emclarity
from .motive_lists import STOPGAP_BLOCK, is_av3, read_av3, read_stopgap, write_av3, write_stopgap
from .numbering import with_numbers_beside, with_numbers_for, write_numbers
from .particle_files import Context, ParticleFile, proper_rotations
from .particle_places import somewhere, with_pixel_sizes
from .peet import check_peet_lists, is_peet, read_peet, write_peet
from .pytom_xml import read_pytom, write_pytom
from .relion import is_relion, read_relion, version_of, write_relion
from .results import read_result, write_result
from .star import read_star
from .tomogram_lists import optimisation_set

IN_FOLDERS = (".csv", ".json", ".lst", ".star", ".tbl", ".xml")
"""Endings that tell the format of a folder; .em files in one are volumes as a rule."""
OWN_KEPT = ("cc", "surface_ids", "ids", "half", "parent", "marker", "classes")


@dataclass(frozen=True)
class Format:
    """One file format; `read` or `write` is None where it goes one way only."""

    title: str
    endings: tuple  # of names, the first is that of new files
    read: Callable = None  # (path, context) -> ParticleFile
    write: Callable = None  # (path, file, context) -> messages
    numbered: bool = False  # knows tomograms by number: a .doc beside the file names them
    one_tomogram: bool = False  # one file a tomogram


def read_particles(path, format_name=None, context=None, rescale=True):
    """The `ParticleFile` of a file, or of all files of a folder, in any format of `FORMATS`.

    Parameters
    ----------
    format_name : key of `FORMATS`; told from name and content by default
    context : Context, what is known besides the file
    rescale : bool, bring positions to the pixel sizes of the tomograms that the context lists, with a message

    RELION's optimisation set stands for the particle file that it names.
    Raises InputError for a file that is missing, malformed or of no known format.
    """
    context = context or Context()
    name = format_name or format_of(path)
    found = _known(name)
    path = (optimisation_set(path) or (path,))[0]
    if found.read is None:
        raise InputError(f"{path} is for {found.title}, which stadyn only writes: give a table of particles")
    whole_folder = name == "dynamo-folder"
    paths = _files_in(path, found) if Path(path).is_dir() and not whole_folder else [Path(path)]
    if name == "peet":
        check_peet_lists(paths)
    files = [_read(p, found, numbered_context(p, name, context)) for p in paths]
    file = _joined(files) if len(files) > 1 else files[0]
    listed = {name: context.tomogram(name) for name in file.tomogram_ids()}
    targets = {name: t.pixel_size for name, t in listed.items() if t is not None and t.pixel_size}
    return somewhere(path, with_pixel_sizes(file, targets) if rescale else file)


def numbered_context(path, format_name, context):
    """The context with the numbers of tomograms that a list beside the table at `path` gives, where it needs them."""
    if format_name == "dynamo-folder":
        return with_numbers_beside(Path(path) / CROP_TABLE, context)
    return with_numbers_beside(path, context) if _known(format_name).numbered else context


def write_particles(path, file, format_name=None, context=None):
    """Write a `ParticleFile`; returns a tuple of messages on what the format has no place for.

    Formats of one file a tomogram write a folder when `path` has no ending. Formats that number tomograms leave a
    .doc beside the file, which names them.
    """
    context = context or Context()
    path = Path(path)
    found = _known(format_name or format_for(path))
    if found.write is None:
        raise InputError(f"{path} cannot be written as {found.title}: choose another format (--to)")
    if found.numbered:
        context = with_numbers_for(path, file.tomogram_ids(), context)
    if not (found.one_tomogram and not path.suffix):
        messages = found.write(path, file, context)
    else:
        if path.exists() and not path.is_dir():
            raise InputError(f"{path} is a file: name a folder for the {found.title} files")
        path.mkdir(exist_ok=True)
        messages = ()
        for name in file.tomogram_ids():
            own = file.select(file.particles.tomogram_ids == name)
            messages += found.write(path / f"{name.replace('/', '_')}{found.endings[0]}", own, context)
    if found.numbered:
        messages += write_numbers(path, file.tomogram_ids(), context)
    return tuple(dict.fromkeys(messages))


def format_of(path):
    """The key in `FORMATS` of what is at `path`, by its name and then its content; InputError for anything else."""
    path = Path(path)
    if path.is_dir():
        if (path / CROP_TABLE).is_file():
            return "dynamo-folder"
        inside = next((p for p in sorted(path.iterdir()) if p.suffix.lower() in IN_FOLDERS), None)
        if inside is None:
            raise InputError(f"{path} is a folder without {CROP_TABLE} or {', '.join(IN_FOLDERS)} files: name a file")
        return format_of(inside)
    existing_file(path, "table")
    ending = path.suffix.lower()
    by_name = {".tbl": "dynamo", ".npz": "stadyn", ".lst": "eman2", ".json": "eman2", ".xml": "pytom"}
    by_name |= {".cmm": "chimerax", ".cxc": "chimerax", ".bild": "chimerax"}
    if ending in by_name:
        return by_name[ending]
    if ending == ".em" and path.stat().st_size > HEADER_BYTES and is_av3(path):
        return "av3"
    if ending == ".star":
        return _star_format(path)
    if ending in (".csv", ".txt"):
        text = read_text(path, "table")
        # PEET first: a heading of its that ends in its version and date has 26 words, too.
        for name, recognised in {"peet": is_peet, "emclarity": is_emclarity}.items():
            if recognised(text):
                return name
    raise InputError(f"{path} is no table of particles that is known: say its format (--from), one of {_names('read')}")


def format_for(path):
    """The key in `FORMATS` that a new file's name asks for; InputError where several would do."""
    ending = Path(path).suffix.lower()
    fitting = [name for name, f in FORMATS.items() if f.write and ending in f.endings]
    if not fitting:
        raise InputError(f"{path} names no format by its ending: say which (--to), one of {_names('write')}")
    if len(fitting) > 1:
        raise InputError(f"{path} may be {' or '.join(fitting)}: say which (--to)")
    return fitting[0]


def _read(path, found, context):
    """One file, with the missing wedges that the list of tomograms says where the file does not."""
    file = found.read(path, context)
    listed = {name: context.tomogram(name) for name in file.tomogram_ids()}
    wedges = {name: t.wedge for name, t in listed.items() if t is not None and t.wedge is not None}
    return replace(file, wedges=wedges | file.wedges)


def _known(name):
    if name not in FORMATS:
        raise InputError(f'format "{name}" is not known: give one of {", ".join(FORMATS)}')
    return FORMATS[name]


def _names(way):
    return ", ".join(name for name, f in FORMATS.items() if getattr(f, way))


def _star_format(path):
    blocks = read_star((optimisation_set(path) or (path,))[0])
    if STOPGAP_BLOCK in blocks:
        return "stopgap"
    if is_relion(blocks):
        return f"relion{version_of(blocks)}"
    raise InputError(f"{path} holds no particles with coordinates: give a particle STAR file or STOPGAP's motive list")


def _files_in(folder, found):
    paths = [p for p in sorted(Path(folder).iterdir()) if p.suffix.lower() in found.endings]
    if not paths:
        raise InputError(f"{folder} holds no {' or '.join(found.endings)} files: name a folder of {found.title} files")
    return paths


def _joined(files):
    """One `ParticleFile` of several; numbers that occur in more than one are given anew."""
    table = ParticleTable.concatenate([file.particles for file in files])
    messages = dict.fromkeys(m for file in files for m in file.messages)
    if len(np.unique(table.ids)) < len(table):
        table = table.renumbered()
        messages["particles are numbered anew: their numbers occur in several files"] = None
    sizes = {name: size for file in files for name, size in file.pixel_sizes.items()}
    wedges = {name: wedge for file in files for name, wedge in file.wedges.items()}
    return ParticleFile(table, sizes, wedges, tuple(messages))


def _read_stadyn(path, context):
    table = read_result(path, ParticleTable)
    if not len(table):
        raise InputError(f"{path} holds no particles: run the step that wrote it again")
    if not np.isin(table.half, (UNASSIGNED, ODD, EVEN)).all():
        raise InputError(f"{path} holds half-sets other than 0, 1 and 2: run the step that wrote it again")
    table = table.replace(rotations=proper_rotations(path, table.rotations))
    return ParticleFile(table, context.known_pixel_sizes(np.unique(table.tomogram_ids).tolist(), {}))


def _write_stadyn(path, file, context):
    write_result(path, file.particles)
    return file.lost("stadyn's own table", OWN_KEPT)


FORMATS = {
    "dynamo": Format("Dynamo", (".tbl",), read_dynamo, write_dynamo, numbered=True),
    "dynamo-folder": Format("a Dynamo data folder", (), read_dynamo_folder, write_dynamo_folder),
    "relion5": Format("RELION 5", (".star",), read_relion, partial(write_relion, version=5)),
    "relion4": Format("RELION 4", (".star",), read_relion, partial(write_relion, version=4)),
    "relion3": Format("RELION 3, Warp and M", (".star",), read_relion, partial(write_relion, version=3)),
    "av3": Format("AV3 and TOM", (".em",), read_av3, write_av3, numbered=True),
    "stopgap": Format("STOPGAP", (".star",), read_stopgap, write_stopgap, numbered=True),
    "peet": Format("PEET", (".csv",), read_peet, write_peet, one_tomogram=True),
    "emclarity": Format("emClarity", (".csv",), read_emclarity, write_emclarity, one_tomogram=True),
    "pytom": Format("PyTom", (".xml",), read_pytom, write_pytom),
    "eman2": Format("EMAN2", (".lst", ".json"), read_eman2, write_eman2),
    "chimerax": Format("ChimeraX", (".cmm", ".cxc", ".bild"), None, write_chimerax, one_tomogram=True),
    "stadyn": Format("stadyn's own tables", (".npz",), _read_stadyn, _write_stadyn),
}
"""By the name that --from and --to take."""
