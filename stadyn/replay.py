# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a saved workflow through the host, unattended: ``python -m stadyn replay WORKFLOW [alias=value ...]``."""

import os
import sys
import time
from datetime import datetime
from pathlib import Path

from . import host
from .core.errors import InputError
from .event_log import EventLog
from .io.aside import claimed
from .projects import folder_name, new_project, read_record, sentence, was_cut_short
from .rerun import AGAIN, KEPT, Change, was_changing
from .workflow import TYPE_NAMES, parse_values, read_workflow
from .workflow_values import wrong_links

UNUSABLE = '"$`\\\n'
"""What means something else in the commands that the host writes with paths in double quotes."""


def add_arguments(parser):
    """Declare the command line."""
    parser.add_argument(
        "workflow",
        metavar="WORKFLOW",
        help="JSON exported by the host, .json.template, or a template's bare name (vlp_nine_steps)",
    )
    parser.add_argument(
        "values", metavar="alias=value", nargs="*", help="answers to the template's questions; see --list"
    )
    parser.add_argument("--set", metavar="alias=value", action="append", default=[], help="the same, spelled out")
    parser.add_argument("--list", action="store_true", help="show what the template asks for, and stop")
    parser.add_argument(
        "--projects",
        metavar="DIR",
        help="folder for the host's projects (default: $SCIPION_USER_DATA, else ./stadyn_projects)",
    )
    parser.add_argument(
        "--project", metavar="NAME", help="name of the project (default: the workflow's name and the time)"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with an existing project; finished protocols are skipped. With values that differ from the "
        "project's, what they change and all that depends on it runs again, its old results are removed, "
        "and the rest is kept",
    )
    parser.add_argument(
        "--update",
        action="store_true",
        help="with --resume: the same for a WORKFLOW edited since; changes made in the host's forms are undone",
    )
    parser.add_argument(
        "--plan", action="store_true", help="with --resume: show what is kept and what runs again, and stop"
    )
    parser.add_argument("--until", metavar="LABEL", help="stop after the protocol with this label")
    parser.add_argument("--export", metavar="DIR", help="leave final tables, maps, FSC and summary.json there")
    parser.add_argument("--log", metavar="FILE", help="one JSON line per event")
    _let_values_follow_options(parser)


def _let_values_follow_options(parser):
    """Take ``alias=value`` wherever it stands; argparse alone refuses positionals after an option."""
    parse = parser.parse_known_args

    def parse_mixed(args=None, namespace=None):
        namespace, left = parse(args, namespace)
        namespace.values += [word for word in left if not word.startswith("-")]
        return namespace, [word for word in left if word.startswith("-")]

    parser.parse_known_args = parse_mixed


def run(args):
    """Make or resume the project and run it; returns the exit code."""
    workflow = read_workflow(args.workflow)
    if args.list:
        _print_fields(workflow)
        return 0
    values = parse_values([*args.values, *args.set])
    workspace = Path(args.projects or os.environ.get("SCIPION_USER_DATA") or "stadyn_projects").expanduser().absolute()
    export = Path(args.export).absolute() if args.export else None
    _check_options(args, workspace, export)
    log = EventLog(args.log)
    try:
        return _replay(args, workflow, values, workspace, export, log)
    except InputError as error:
        log.add("stopped", error=str(error))
        raise
    except KeyboardInterrupt:
        log.add("stopped", error="interrupted by the user")
        print(f"\nstadyn replay: interrupted, go on with --resume --project {args.project}", file=sys.stderr)
        return 130  # as shells say it


def _replay(args, workflow, values, workspace, export, log):
    start_folder = os.getcwd()
    args.project = folder_name(workspace, args.project or f"{workflow.name}-{datetime.now():%y%m%d-%H%M%S}")
    anew = not args.resume or was_cut_short(workspace, args.project)  # then nothing has run in it
    answers = workflow.answers(values)
    protocols = workflow.filled(values) if anew else []
    if args.until and anew:
        _last(args.until, [protocol.get("object.label") or protocol["object.className"] for protocol in protocols])
    host.prepare_environment(workspace)
    ok = True
    try:
        with host.needing_room(workspace):
            if anew:
                project = _new_project(args, workflow, answers, protocols, workspace)
            else:
                project = host.open_project(workspace, args.project, create=False)
        # Two replays would run the same protocols.
        with claimed(project.path), host.needing_room(project.path):
            if not anew:
                project = _changed(args, workflow, answers, project, start_folder, log)
            if not args.plan:
                ok = _run_all(project, _chosen(project, args.until), log)
            if ok and export and not args.plan:
                from .export import export_results

                print(f"exported to {export}: {', '.join(export_results(project, export, log.events))}")
    finally:
        os.chdir(start_folder)
    return 0 if ok else 1


def _check_options(args, workspace, export):
    if args.resume and not args.project:
        raise InputError("--resume needs --project NAME, the project to go on with")
    for option in ("update", "plan"):
        if getattr(args, option) and not args.resume:
            raise InputError(f"--{option} needs --resume and --project NAME, the project that is changed")
    strange = sorted(set(str(workspace)) & set(UNUSABLE))
    if strange:
        raise InputError(f"--projects {workspace}: the host runs nothing in a path with {strange[0]!r}: choose another")
    if export:
        existing = next(path for path in (export, *export.parents) if path.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK):
            raise InputError(f"--export {export}: {existing} is no folder that can be written to: choose another")


def _print_fields(workflow):
    if workflow.description:
        print(workflow.description, end="\n\n")
    if not workflow.fields:
        print(f"{workflow.path.name} asks for nothing")
        return
    rows = [("alias", "what", "type", "default")]
    rows += [(alias, f.label, TYPE_NAMES[f.type], f.default) for alias, f in workflow.fields.items()]
    _print_table(rows)


def _new_project(args, workflow, answers, protocols, workspace):
    project = new_project(workspace, args.project, workflow.path, answers, protocols)
    print(f"project {args.project} in {workspace}: {len(protocols)} protocols from {workflow.path.name}")
    return project


def _changed(args, workflow, answers, project, folder, log):
    """The existing `project` with what the command line asks of it; unchanged if that is only to go on."""
    if not (answers or args.update or args.plan or was_changing()):
        return project
    record = read_record()
    if "runs" not in record:
        raise InputError(
            f"project {args.project} does not say what replay made it from: resume it unchanged, or make another"
        )
    values = {**record["values"], **answers}
    change = Change(project, workflow, values, folder)
    if change.undoes_results() or args.plan:
        _tell(change, log)
    if args.plan:
        return project
    change.apply()
    # In memory, what depends on a run still knows the outputs that it had.
    return host.open_project(Path(project.path).parents[1], args.project, create=False)


def _tell(change, log):
    """Print and log what becomes of each protocol of a changed project, and why."""
    rows = [("protocol", "is", "why")]
    for verdict in change.verdicts:
        rows.append((verdict.run.getObjLabel(), verdict.state, verdict.reason))
        if verdict.state == KEPT:
            log.add("kept", **_about(verdict.run))
        elif verdict.state == AGAIN:
            log.add("rerun", **_about(verdict.run), changes=verdict.changes, depends_on=verdict.causes)
    _print_table(rows)
    print(flush=True)


def _chosen(project, until):
    """The protocols to run, in order, up to and with the label `until`."""
    runs = host.runs_in_order(project)
    if until is None:
        return runs
    return runs[: _last(until, [run.getObjLabel() for run in runs]) + 1]


def _last(until, labels):
    """Where the label `until` stands among `labels`."""
    matching = [i for i, label in enumerate(labels) if label.lower() == until.lower()]
    if not matching:
        raise InputError(f"--until {until!r}: no protocol has this label; there are: {', '.join(labels)}")
    return matching[0]


def _run_all(project, runs, log):
    """Run in order until one fails; prints as it goes and a table at the end. Returns whether all finished."""
    width = max(len(run.getObjLabel()) for run in runs)
    rows = []
    for number, planned in enumerate(runs, 1):
        run = project.getProtocol(planned.getObjId(), fromRuns=True)
        label = run.getObjLabel()
        print(f"[{number:2d}/{len(runs)}] {label:{width}s} ", end="", flush=True)
        row = _run_one(project, run, log)
        rows.append(row)
        print(_outcome(row), flush=True)
        if row["event"] == "failed":
            break
    _print_summary(rows)
    if row["event"] == "failed":
        sys.stdout.flush()
        print(f"stadyn replay: {label} failed: {row['error']}\nits log: {row['log']}", file=sys.stderr, flush=True)
    return row["event"] != "failed"


def _about(run):
    return {"step": host.paper_step(run), "protocol": run.getObjLabel(), "class": run.getClassName()}


def _run_one(project, run, log):
    about = _about(run)
    if not run.isFinished() and host.works_still(project, run):
        print("works still ", end="", flush=True)
        host.outlast(project, run)
    if run.isFinished():
        log.add("skipped", **about, seconds=0.0, **_counts(run))
        return log.events[-1]
    log.add("started", **about)
    began = time.monotonic()
    errors = wrong_links(run) or run.validate()
    if errors:
        log.add(
            "failed",
            **about,
            seconds=0.0,
            **_counts(run),
            error=sentence(errors),
            log=os.path.abspath(run.getWorkingDir()),
        )
        return log.events[-1]
    host.launch(project, run)
    seconds = round(time.monotonic() - began, 1)
    if run.isFinished():
        log.add("finished", **about, seconds=seconds, **_counts(run))
    else:
        error, where = host.failure(run)
        log.add("failed", **about, seconds=seconds, **_counts(run), error=error, log=where)
    return log.events[-1]


def _counts(run):
    return {
        "particles_in": host.particle_count(host.inputs_of(run)),
        "particles_out": host.particle_count(host.outputs_of(run)),
    }


def _outcome(row):
    if row["event"] == "skipped":
        return "finished before"
    counts = f"{_number(row['particles_in']):>7s} -> {_number(row['particles_out']):7s}"
    return f"{counts} {row['seconds']:8.1f} s" + ("  FAILED" if row["event"] == "failed" else "")


def _number(count):
    return "" if count is None else str(count)


def _print_summary(rows):
    table = [("step", "protocol", "particles in", "out", "seconds")]
    table += [
        (r["step"], r["protocol"], _number(r["particles_in"]), _number(r["particles_out"]), f"{r['seconds']:.1f}")
        for r in rows
    ]
    table.append(("", "total", "", "", f"{sum(r['seconds'] for r in rows):.1f}"))
    print()
    _print_table(table)


def _print_table(rows):
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for i, row in enumerate(rows):
        print("  ".join(f"{cell!s:{width}s}" for cell, width in zip(row, widths, strict=True)).rstrip())
        if i == 0:
            print("  ".join("-" * width for width in widths))
