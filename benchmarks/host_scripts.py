# SPDX-License-Identifier: GPL-3.0-or-later
"""The nine steps replayed by us, exported by the host, and run again by the host's own scripts: the same tables?"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from killed_replay import same, start, workplace

from stadyn.host import open_project, prepare_environment

POLL_SECONDS = 10
STILL_SECONDS = 300
"""The host sleeps half a minute for each level of the workflow; where nothing moves for longer, it is lost."""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder of a simulation; default: one is made")
    parser.add_argument("--folder", help="where to work; default: a temporary folder")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, data = workplace(args, temporary)
        if start(folder, data, None).wait():
            sys.exit(f"the replay failed: see {folder / 'replay.log'}")
        sys.exit(compare(folder))


def compare(folder):
    """Export project `one`, run it again as `two` by the host's scripts, print what differs; returns the exit code."""
    prepare_environment(folder)
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    project = open_project(folder, "one", create=False)
    workflow = folder / "workflow.json"
    project.exportProtocols(project.getRuns(), str(workflow))
    began = time.monotonic()
    for script, *words in (("create", "two", str(workflow)), ("schedule", "two")):
        subprocess.run([sys.executable, "-m", f"pyworkflow.project.scripts.{script}", *words], check=True)
    finished = wait_for_all(folder, len(project.getRuns()))
    print(f"{finished} of {len(project.getRuns())} protocols finished after {time.monotonic() - began:.0f} s")
    ours, theirs = results(folder / "projects" / "one"), results(folder / "projects" / "two")
    differing = [name for name in sorted(ours.keys() | theirs.keys()) if not equal(ours.get(name), theirs.get(name))]
    print(f"{len(ours)} tables and maps, {len(differing)} differ", *differing, sep="\n")
    return int(bool(differing) or finished < len(project.getRuns()))


def wait_for_all(folder, count):
    """How many runs of project `two` finished, once all did or none moved for long."""
    finished, since = 0, time.monotonic()
    while finished < count and time.monotonic() - since < STILL_SECONDS:
        time.sleep(POLL_SECONDS)
        logs = (folder / "projects" / "two" / "Runs").glob("*/logs/run.stdout")
        now = sum("PROTOCOL FINISHED" in log.read_text(errors="replace") for log in logs)
        finished, since = now, since if now == finished else time.monotonic()
    return finished


def results(project):
    """{number of the protocol in the workflow and name of the file: path} of a project's tables and maps."""
    found = {}
    for number, run in enumerate(sorted((project / "Runs").iterdir())):
        for path in run.glob("extra/**/*"):
            if path.suffix in (".npz", ".mrc") and not path.name.startswith(("checkpoint", "input_boxes")):
                found[number, str(path.relative_to(run))] = path
    return found


def equal(one, other):
    """Are two files there, and the same?"""
    return one is not None and other is not None and same(one, other)


if __name__ == "__main__":
    main()
