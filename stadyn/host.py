# SPDX-License-Identifier: GPL-3.0-or-later
"""Scipion without its launcher: the environment it insists on, its projects, and what its runs report."""

import contextlib
import io
import os
import re
import shutil
import sqlite3
import sys
import time
from pathlib import Path

from .core.errors import InputError
from .io.aside import NO_ROOM, no_room, written_aside

HOSTS_CONF = "[localhost]\nPARALLEL_COMMAND = mpirun -np %_(JOB_NODES)d %_(COMMAND)s\n"
SAYS_LITTLE = "not found running on the machine|returned non-zero exit status"
"""What the host says of a run whose process, or job, is gone; the log knows the cause."""
CAUSE = r"stadyn [a-z-]+: |([A-Za-z_]\w*\.)*\w*(Error|Exception|Interrupt)\b"
"""Lines of a log that say why: a job's own sentence, or the end of a traceback."""
REFUSED = r"(?:Failed to submit to queue|There was a problem submitting this protocol).*?\['', '(.*)'\]"
"""What the host says where the queue refuses a job, in the words of a list in Python."""
FULL = "database or disk is full|No space left on device|Disk quota exceeded"
"""What the host's database and the system say of a full disk."""
NO_LOG_BYTES = 4096
"""With less room not even a log tells that there is none."""
POLL_SECONDS = 2.0
"""Between two looks at a run that a queue system holds; a local one is waited for."""


def prepare_environment(workspace):
    """Set what the host needs and the user has not set. Call it before the first import of pyworkflow.

    Parameters
    ----------
    workspace : folder that holds ``projects/`` and, unless SCIPION_HOME is set, the host's configuration
    """
    workspace = Path(workspace).absolute()
    home = Path(os.environ.setdefault("SCIPION_HOME", str(workspace / ".scipion")))
    hosts = Path(os.environ.get("SCIPION_HOSTS", home / "config" / "hosts.conf"))
    if not hosts.exists():
        hosts.parent.mkdir(parents=True, exist_ok=True)
        with written_aside(hosts) as aside:
            aside.write_text(HOSTS_CONF)
    os.environ["SCIPION_USER_DATA"] = str(workspace)
    defaults = {
        "SCIPION_DOMAIN": "pwem",
        "SCIPION_PYTHON": sys.executable,
        "SCIPION_PRIORITY_PACKAGE_LIST": "pwem tomo stadyn",
        "SCIPION_NOTIFY": "False",
        "MPLBACKEND": "Agg",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    # Runs are processes of their own: they must load this very copy of the package.
    package_root = str(Path(__file__).parents[1])
    paths = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    if package_root not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join([package_root, *paths])


@contextlib.contextmanager
def needing_room(folder):
    """Say that the disk of `folder` is full, in one sentence, where the host prints a traceback and ends in another.

    What is printed on standard error in the block comes at its end.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            yield
    except Exception as error:  # the host raises nothing else where its database does
        if re.search(FULL, str(error)) or getattr(error, "errno", None) in NO_ROOM:
            said = io.StringIO()
            raise InputError(no_room(folder)) from error
        raise
    finally:
        lines = said.getvalue().splitlines(keepends=True)
        if any(re.search(FULL, line) for line in lines):  # the host's traces, over many lines
            lines = [line for line in lines if line.startswith(("stadyn ", "its log: ", "warning: "))]
        sys.stderr.writelines(lines)


def known_protocols():
    """{class name: class} of every protocol that the host finds."""
    import pyworkflow

    return pyworkflow.Config.getDomain().getProtocols()


def has_project(workspace, name):
    """Is there a project `name` under `workspace`?"""
    from pyworkflow.project import Manager

    return Manager(workspace=str(Path(workspace).absolute())).hasProject(name)


def open_project(workspace, name, create):
    """The host's project `name` under `workspace`, new or existing; changes into its folder.

    Raises InputError if it is there and should not, or the reverse.
    """
    from pyworkflow.project import Manager

    manager = Manager(workspace=str(Path(workspace).absolute()))
    exists = has_project(workspace, name)
    if create and exists:
        raise InputError(f"project {name!r} is already in {workspace}: give another --project, or --resume it")
    if not create and not exists:
        raise InputError(f"project {name!r} is not in {workspace}: nothing to resume")
    if create:
        manager.createProject(name)
    try:
        project = manager.loadProject(name)
    except Exception as error:  # the host raises nothing else
        if re.search(FULL, str(error)):
            raise
        why = _one_line(str(error))
        path = manager.getProjectPath(name)
        raise InputError(f"{path} cannot be opened ({why}): put its databases back, or make another project") from error
    if not create and not project.getRuns():
        raise InputError(f"{project.path} holds no protocols: put its project.sqlite back, or make another project")
    return project


def parents(project, refresh=False):
    """{id: ids of the runs that it takes input from or waits for} of the project's runs, read again on `refresh`."""
    runs = {run.getObjId(): run for run in project.getRuns(refresh=refresh)}
    graph = project.getRunsGraph()
    found = {}
    for key, run in runs.items():
        nodes = graph.getNode(run.strId()).getParents()
        waits = {int(p) for p in run.getPrerequisites()}
        found[key] = ({node.run.getObjId() for node in nodes if node.run is not None} | waits) & runs.keys()
    return found


def runs_in_order(project):
    """The project's protocols, each after those it takes input from or waits for, else as they were loaded."""
    needed = parents(project, refresh=True)
    runs = {run.getObjId(): run for run in project.runs}
    ordered = []
    while needed:
        ready = min((key for key, needs in needed.items() if not needs & needed.keys()), default=None)
        if ready is None:
            raise InputError("the protocols of this workflow wait for each other in a circle")
        ordered.append(runs[ready])
        del needed[ready]
    return ordered


def launch(project, run):
    """Run one protocol in a process of its own, through the host, and wait for its end.

    One that was cut short goes on: its finished steps are kept, and its jobs start from what they saved.
    """
    from pyworkflow.protocol.constants import MODE_RESUME

    _drop_half_made_steps(run)
    run._prerequisites.clear()  # they are finished, and with any the host would only schedule
    run.runMode.set(MODE_RESUME)
    project.launchProtocol(run, wait=True)
    wait_for(project, run)


def _drop_half_made_steps(run):
    """Remove a database of steps without its table, which a full disk leaves, and which the host cannot read again."""
    path = Path(run.getStepsFile())
    if not path.exists():
        return
    with contextlib.closing(sqlite3.connect(path)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    if "Objects" not in tables:
        path.unlink()


def wait_for(project, run):
    """Wait until a run that the host calls active has ended, or is found dead."""
    while run.isActive():
        time.sleep(POLL_SECONDS)
        project._updateProtocol(run, checkPid=True)


def works_still(project, run):
    """Is the process, or the queued job, of a run that is not over still there?

    The number of a process is not asked: it may be unknown yet, and after a restart of the machine anybody's.
    """
    if run.isActive() and run.useQueueForProtocol() and len(run.getJobIds()):
        return project.checkJobId(run)
    return bool(_processes(project, run))


def _processes(project, run):
    """Numbers of the processes of this machine that carry out a run."""
    here, database = os.path.realpath(project.path), run.getDbPath()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = [os.fsdecode(word) for word in path.read_bytes().split(b"\0")]
        except OSError:  # ended meanwhile
            continue
        if database in words and any(os.path.isabs(word) and os.path.realpath(word) == here for word in words):
            found.append(int(path.parent.name))
    return found


def reset(project, run):
    """Make a run what it was before it began, as the host's *Reset* does: its folder and outputs are removed.

    What of it still works is ended first: it would write into the folder of the run that follows.
    """
    import psutil

    from .protocols.orphans import StopsItsOrphans, stop_processes

    if run.isActive() and run.useQueueForProtocol() and len(run.getJobIds()) and project.checkJobId(run):
        project.stopProtocol(run)
    with contextlib.suppress(psutil.NoSuchProcess):
        stop_processes([psutil.Process(number) for number in _processes(project, run)])
    if isinstance(run, StopsItsOrphans):
        run.stopOrphans()
    run.setAborted()  # of an active one the host kills whatever process has its number now
    project.resetProtocol(run)


def outlast(project, run):
    """Wait for the end of a run that outlived those who started it."""
    while works_still(project, run):
        time.sleep(POLL_SECONDS)
    project._updateProtocol(run, checkPid=True)


def failure(run):
    """(sentence, log) why a run failed, as the user should read it, and where the whole story is."""
    stdout, stderr = os.path.abspath(run.getStdoutLog()), os.path.abspath(run.getStderrLog())
    message = _one_line(run.getErrorMessage())
    if not message or re.search(SAYS_LITTLE, message):
        # Logs of a resumed run go on where the first one stopped: the last cause counts.
        lines = [line for log in (stdout, stderr) for line in _lines(log) if re.match(CAUSE, line)]
        causes = [line for line in lines if not re.search(SAYS_LITTLE, line)]
        message = causes[-1] if causes else message or "it ended without a word"
    if refused := re.search(REFUSED, message):
        why = " ".join(refused[1].replace("\\n", " ").split())
        message = f"the queue takes no job ({why}): check hosts.conf and what the form asks of the queue"
    if re.search(FULL, message) or shutil.disk_usage(run.getWorkingDir()).free < NO_LOG_BYTES:
        message = no_room(os.path.abspath(run.getWorkingDir()))
    return message, stderr if _lines(stderr) else stdout


def _one_line(message):
    text = re.sub(r"\x1b\[[0-9;]*m", "", message or "").replace("Protocol failed:", "").strip()
    return " ".join(text.split())


def _lines(path):
    if not os.path.exists(path):
        return []
    with open(path, errors="replace") as file:
        return [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in file]


def paper_step(run):
    """The step of the paper that a protocol's label begins with, as text; empty if it does not."""
    found = re.match(r"(?:step )?(\d+)", run.getObjLabel(), re.IGNORECASE)
    return found.group(1) if found else ""


def particle_count(objects):
    """How many particles are among a protocol's inputs or outputs [(name, object), ...]; None without any set of them.

    Averages and dipoles are no particles, those a selection excluded are not counted as its result, and subtomograms
    are not counted again as the coordinates they were cut at.
    """
    from tomo.objects import SetOfAverageSubTomograms, SetOfCoordinates3D, SetOfMeshes, SetOfSubTomograms

    counts = []
    for kind, others in ((SetOfCoordinates3D, SetOfMeshes), (SetOfSubTomograms, SetOfAverageSubTomograms)):
        found = [item for name, item in objects if isinstance(item, kind) and "xcluded" not in name]
        sizes = {item.getFileName(): item.getSize() for item in found if not isinstance(item, others)}
        counts += [sum(sizes.values())] if sizes else []
    return max(counts, default=None)


def inputs_of(run):
    """[(name, object), ...] of what a protocol's pointers lead to."""
    return [(name, pointer.get()) for name, pointer in run.iterInputAttributes() if pointer.get() is not None]


def outputs_of(run):
    """[(name, object), ...] of what a protocol made."""
    return [(name, item) for name, item in run.iterOutputAttributes() if item is not None]
