# SPDX-License-Identifier: GPL-3.0-or-later
"""The job that brings particles from one format of the field to another, and says what was left behind; models, too."""

import os
import sys
from dataclasses import replace
from pathlib import Path

from stadyn.core.errors import InputError
from stadyn.io.dipole_files import MODELS, read_dipole_file
from stadyn.io.dipoles import write_dipoles
from stadyn.io.particle_files import Context
from stadyn.io.particle_places import outside
from stadyn.io.tables import FORMATS, format_of, numbered_context, read_particles, write_particles
from stadyn.io.tomogram_lists import optimisation_set, read_tomogram_list


def add_arguments(parser):
    """The command line of the job."""
    names = ", ".join(FORMATS)
    parser.add_argument("input", help="table of particles, a folder of them, or dipoles (.mod, .omd)")
    parser.add_argument("output", help="file to write; a folder for PEET, emClarity and ChimeraX with many tomograms")
    parser.add_argument("--from", dest="from_format", metavar="FORMAT", help=f"told from the file by default: {names}")
    parser.add_argument("--to", dest="to_format", metavar="FORMAT", help="told from the name by default")
    parser.add_argument("--tomograms", metavar="FILE", help=".doc, .vll, RELION's tomograms.star or optimisation set")
    parser.add_argument("--pixel-size", type=float, metavar="A", help="Å a pixel of positions, if the file is silent")
    parser.add_argument(
        "--no-pixel-shift", action="store_true",
        help="take pixel numbers as they are: Dynamo, AV3, STOPGAP and emClarity count from 1, PEET from half a pixel",
    )  # fmt: skip
    parser.add_argument(
        "--add-origins", action="store_true", help="RELION 5: apply rlnOrigin to the centred coordinates once more"
    )
    parser.add_argument("--box", type=int, metavar="PX", help="side of the boxes of a Dynamo data folder")
    parser.add_argument("--half-from-class", action="store_true", help="Dynamo: column 22 holds the half-sets, 1 and 2")


def run(args):
    """Convert, print what was done, and each message on a line of its own."""
    messages = convert(
        args.input, args.output, args.from_format, args.to_format, args.tomograms, args.pixel_size,
        pixel_shift=not args.no_pixel_shift, add_origins=args.add_origins, half_from_class=args.half_from_class,
        box_px=args.box,
    )  # fmt: skip
    for message in messages:
        print(message, file=sys.stderr)


def convert(source, target, from_format=None, to_format=None, tomograms=None, pixel_size=None, **reading):
    """Read `source`, write `target`; returns the messages of both, and prints how many particles there were.

    Models of dipoles (IMOD's .mod, Dynamo's .omd) become the CSV of dipoles.

    Parameters
    ----------
    from_format, to_format : keys of `stadyn.io.tables.FORMATS`, told from the files by default
    tomograms : path of a list of tomograms, by default the one that an optimisation set names
    pixel_size : float, Å
    reading : further fields of `stadyn.io.particle_files.Context`
    """
    if pixel_size is not None and not 0 < pixel_size < 1e4:
        raise InputError(f"pixel size {pixel_size:g} Å: it must be above 0")
    if reading.get("box_px") is not None and not 1 < reading["box_px"] <= 1024:
        raise InputError(f"box of {reading['box_px']} pixels: give 2 to 1024")
    if os.path.exists(source) and os.path.exists(target) and os.path.samefile(source, target):
        raise InputError(f"{source} would be overwritten, with all that the new table lacks: choose another name")
    if str(source).lower().endswith(MODELS):
        return _convert_dipoles(source, target)
    tomograms = tomograms or (optimisation_set(source) or (None, None))[1]
    listed = read_tomogram_list(tomograms) if tomograms else ()
    from_format = from_format or format_of(source)
    context = numbered_context(source, from_format, Context(listed, pixel_size, **reading))
    file = read_particles(source, from_format, context)
    if set(file.tomogram_ids()) <= set(file.pixel_sizes):  # positions may have been brought to the list's since
        context = replace(context, pixel_size=None)
    messages = (*file.messages, *outside(file, context), *write_particles(target, file, to_format, context))
    print(f"{len(file.particles)} particles of {len(file.tomogram_ids())} tomograms written to {target}", flush=True)
    return messages


def _convert_dipoles(source, target):
    """The same for models of dipoles."""
    if Path(target).suffix.lower() != ".csv":
        raise InputError(f"{source} holds dipoles, not particles: convert it to a .csv")
    dipoles = read_dipole_file(source)
    write_dipoles(target, dipoles)
    tomograms = {dipole.tomogram_id for dipole in dipoles}
    print(f"{len(dipoles)} dipoles of {len(tomograms)} tomograms written to {target}", flush=True)
    return ()
