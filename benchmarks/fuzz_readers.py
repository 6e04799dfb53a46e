# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reader on damaged files, for minutes each: no crash, no hang, no memory above 2 GB.

Damage is decided by hypothesis, and half of the time by atheris where it is installed (``pip install '.[fuzz]'``).
Times are those of the processor, so that the run may be stopped and continued (kill -STOP, -CONT) or slowed down.
"""

import argparse
import sys
from pathlib import Path

from stadyn.tests.io.fuzzing import HEADING, fuzz, has_atheris, names, read_state, write_state


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readers", nargs="*", help="names; those of the state are run again (default: the rest)")
    parser.add_argument("--seconds", type=float, default=600.0, help="of the processor, for each reader; default 600")
    parser.add_argument("--state", help="JSON file of finished readers, which are not run again")
    parser.add_argument("--out", default="fuzz_failures", help="folder for the inputs that fail")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without-atheris", action="store_true")
    args = parser.parse_args()
    sys.exit(run(args))


def run(args):
    """Fuzz what is asked and print its rows; returns the exit code."""
    known = names()
    unknown = sorted(set(args.readers) - set(known))
    if unknown:
        print(f"no reader is called {unknown[0]}: known are {', '.join(known)}")
        return 2
    Path(args.out).mkdir(parents=True, exist_ok=True)
    guided = has_atheris() and not args.without_atheris
    print(f"hypothesis{' and atheris' if guided else ' alone'}, {args.seconds:g} s a reader, seed {args.seed}")
    print(HEADING, flush=True)
    rows = {}
    for name in args.readers or known:
        earlier = read_state(args.state) if args.state else {}
        if name in earlier and not args.readers:
            rows[name] = earlier[name]
        else:
            rows[name] = fuzz(name, args.seconds, args.out, args.seed, guided)
            if args.state:
                write_state(args.state, {**read_state(args.state), name: rows[name]})
        print(rows[name], flush=True)
        for finding in rows[name].findings:
            print(f"    {finding}", flush=True)
    failed = [name for name, row in rows.items() if not row.passed]
    total = sum(row.inputs for row in rows.values())
    print(f"{total} inputs: {'FAILED: ' + ', '.join(failed) if failed else 'passed'}")
    return int(bool(failed))


if __name__ == "__main__":
    main()
