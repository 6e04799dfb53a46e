# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m stadyn NAME ...``: the command line, one subcommand per job."""

import argparse
import importlib
import os
import sys

from .core.errors import InputError
from .io.aside import NO_ROOM, no_room
from .io.settings import write_json

COMMANDS = {
    "align": ("stadyn.jobs.align", "align particles to a reference, in rounds"),
    "align-chunk": ("stadyn.jobs.chunk_worker", "work on chunks of an alignment, which starts this itself"),
    "average": ("stadyn.jobs.average", "average particles at their poses"),
    "score": ("stadyn.jobs.score", "cross-correlation of particles with a reference at their poses"),
    "select": ("stadyn.jobs.select", "select particles by cross-correlation, rebuilding the reference"),
    "extract": ("stadyn.jobs.extract", "write subtomograms to files"),
    "find-shells": ("stadyn.jobs.find_shells", "find virus-like particles in tomograms"),
    "pick": ("stadyn.picker.command", "mark virus-like particles in tomograms by two clicks each, in a window"),
    "simulate": ("stadyn.jobs.simulate", "simulate tomograms of virus-like particles with a known truth"),
    "evaluate": ("stadyn.jobs.evaluate", "compare a particle table with the known truth"),
    "mask": ("stadyn.jobs.mask", "make a soft mask from a map"),
    "postprocess": ("stadyn.jobs.postprocess", "FSC, resolution and sharpened map of two half-maps"),
    "local-resolution": ("stadyn.jobs.local_resolution", "local resolution of two half-maps"),
    "plot": ("stadyn.jobs.plot", "pictures of results: a file, or all in a run's folder"),
    "convert": ("stadyn.jobs.convert", "bring a table of particles from one format to another"),
    "sheet": ("stadyn.sheet", "one page with the results of a project"),
    "replay": ("stadyn.replay", "run a saved workflow through the host, unattended"),
}


def main(argv=None):
    """Run one subcommand; returns its exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="python -m stadyn", description="Subtomogram averaging of virus-like particles."
    )
    parser.add_argument("--ended", metavar="FILE", help="how it ended, as JSON, for queue systems that do not tell")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    wanted = next((word for word in argv if word in COMMANDS), None)
    for name, (module, summary) in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=summary)
        if name == wanted:  # the others stay unimported: a job must start fast, and without the host
            importlib.import_module(module).add_arguments(subparser)
    args = parser.parse_args(argv)
    ended = vars(args).pop("ended")  # not the command's business
    code, sentence = 0, None
    try:
        code = importlib.import_module(COMMANDS[args.command][0]).run(args) or 0
    except (InputError, OSError) as error:
        code, sentence = 1, str(_sentence(error))
        print(f"stadyn {args.command}: {sentence}", file=sys.stderr)
    return code if not ended or _tell(ended, args.command, code, sentence) else 1


def _tell(path, command, code, sentence):
    """Write how the command ended to `path`; returns whether that could be written."""
    try:
        write_json(path, {"code": code, "sentence": sentence})
    except InputError as error:
        print(f"stadyn {command}: {error}", file=sys.stderr)
        return False
    return True


def _sentence(error):
    """What an InputError says; for an OSError what the system refused, and what to do; others are raised again."""
    if isinstance(error, InputError):
        return error
    if error.errno in NO_ROOM:
        return no_room(error.filename or os.getcwd())
    if error.filename is None:  # not about a file of the user's
        raise error
    return f"{error.filename} cannot be used ({error.strerror}): check the path and its rights"


if __name__ == "__main__":
    sys.exit(main())
