# SPDX-License-Identifier: GPL-3.0-or-later
"""What other values change in a project that has run: its protocols that are kept, and those that run again and why."""

import contextlib
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from . import host
from .core.errors import InputError
from .projects import HOST_KEYS, new_project, read_record, write_record

KEPT, AGAIN, OPEN = "kept", "runs again", "not finished yet"
"""What becomes of a protocol's run; one that is open and was begun goes on from what it saved."""


@dataclass(frozen=True)
class Verdict:
    """What becomes of one run, and why.

    Attributes
    ----------
    run : the host's protocol
    state : KEPT, AGAIN or OPEN
    changes : {parameter: (old, new)}
    causes : labels of the protocols that it takes input from and that are not kept
    """

    run: object
    state: str
    changes: dict = field(default_factory=dict)
    causes: tuple = ()

    @property
    def reason(self):
        """Why it is not kept, as the user reads it."""
        if self.changes:
            return ", ".join(f"{name} {_shown(old)} -> {_shown(new)}" for name, (old, new) in self.changes.items())
        return f"depends on {', '.join(self.causes)}" if self.state == AGAIN else ""


class Change:
    """The runs of a project beside what a workflow with other values asks of them.

    Parameters
    ----------
    project : the host's project, loaded and held by this process
    workflow : Workflow that the project was made from
    values : {alias: text}, all that differ from the workflow's defaults
    folder : where relative paths of the workflow start

    Raises
    ------
    InputError
        For whatever a new project would be refused for, and when the project's protocols are not the workflow's.
        Nothing has been changed then.
    """

    def __init__(self, project, workflow, values, folder):
        self._project, self._path, self._values, self._folder = project, workflow.path, values, folder
        with self._where_paths_start():
            protocols = workflow.filled(values)
        self._ids = read_record()["runs"]
        runs = {run.getObjId(): run for run in host.runs_in_order(project)}
        classes = {key: runs[number].getClassName() for key, number in self._ids.items() if number in runs}
        if classes != {protocol["object.id"]: protocol["object.className"] for protocol in protocols}:
            here = f"project {Path(project.path).name}"
            raise InputError(f"the protocols of {workflow.path.name} are not those replayed in {here}: make another")
        self._wanted = self._as_made_anew(protocols)
        self.verdicts = self._judge(runs)

    @contextlib.contextmanager
    def _where_paths_start(self):
        os.chdir(self._folder)
        try:
            yield
        finally:
            os.chdir(self._project.path)

    def _as_made_anew(self, protocols):
        """{run id: {parameter: value}} of a project made with these values, which is removed again."""
        path = Path(self._project.path)
        scratch = path.parents[1] / f".{path.name}.changed"
        shutil.rmtree(scratch, ignore_errors=True)  # of a replay that was killed
        try:
            with self._where_paths_start():
                made = new_project(scratch, path.name, self._path, self._values, protocols)
                here = {number: self._ids[key] for key, number in read_record()["runs"].items()}
                wanted = {here[run.getObjId()]: _parameters(run, here) for run in made.getRuns()}
                made.closeMapper()
            return wanted
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _judge(self, runs):
        """A `Verdict` for every run of the project, each after those it depends on; also for runs that a user added."""
        parents, verdicts = host.parents(self._project), {}
        for key, run in runs.items():
            now, wanted = _parameters(run), self._wanted.get(key, {})
            # The host's own keys say where and how fast a protocol computes, not what: others undo no result.
            changes = {
                name: (now[name], value)
                for name, value in wanted.items()
                if name not in HOST_KEYS and not _same(now[name], value)
            }
            above = [parent for parent in runs if parent in parents[key]]
            causes = tuple(runs[parent].getObjLabel() for parent in above if verdicts[parent].state != KEPT)
            # What has begun while its input is not finished has begun with another input.
            if changes or (causes and not run.isSaved()):
                verdicts[key] = Verdict(run, AGAIN, changes, causes)
            else:
                verdicts[key] = Verdict(run, KEPT if run.isFinished() else OPEN, causes=causes)
        return list(verdicts.values())

    def undoes_results(self):
        """Does anything run again? If not, at most what is open gets new values."""
        return any(verdict.state == AGAIN for verdict in self.verdicts)

    def apply(self):
        """Give the runs their new values, and make all that is not kept run again; what it had made is removed.

        Should it be killed, `was_changing` is true, and the same change goes on.
        """
        record = read_record()
        write_record({**record, "workflow": str(self._path), "values": self._values, "changing": True})
        runs = {verdict.run.getObjId(): verdict.run for verdict in self.verdicts}
        for verdict in reversed(self.verdicts):  # so that nothing finished ever depends on what is gone
            if verdict.state == AGAIN and not verdict.run.isSaved():
                host.reset(self._project, verdict.run)
        for verdict in self.verdicts:
            if verdict.state != KEPT:
                self._set(verdict.run, runs)
        write_record({**read_record(), "changing": False})

    def _set(self, run, runs):
        now, wanted = _parameters(run), self._wanted.get(run.getObjId(), {})
        others = {name: value for name, value in wanted.items() if not _same(now[name], value)}
        for name, value in others.items():
            _set_parameter(getattr(run, name), value, runs)
        if others:
            self._project.mapper.store(run)
            self._project.mapper.commit()


def was_changing():
    """Was a change of the project, in whose folder we are, cut short?"""
    return read_record().get("changing", False)


def _parameters(run, ids=None):
    """{name: value} of a run's form; a link is (run id, output), its id looked up in `ids`, or a list of such."""
    from pyworkflow.object import PointerList

    def link(pointer):
        if pointer is None or pointer.getObjValue() is None:
            return None
        number = pointer.getObjValue().getObjId()
        return (ids[number] if ids else number, pointer.getExtended() or "")

    values = {}
    for name, attribute in run.iterDefinitionAttributes():
        if isinstance(attribute, PointerList):
            values[name] = [link(pointer) for pointer in attribute]
        elif attribute.isPointer():
            values[name] = link(attribute)
        elif hasattr(attribute, "hasPointer") and attribute.hasPointer():
            values[name] = link(attribute.getPointer())
        else:
            values[name] = attribute.get()
    return values


def _set_parameter(attribute, value, runs):
    from pyworkflow.object import Pointer, PointerList

    def pointer_to(link):
        pointer = Pointer(runs[link[0]])
        pointer.setExtended(link[1])
        return pointer

    if isinstance(attribute, PointerList):
        attribute.clear()
        for link in value:
            attribute.append(pointer_to(link))
    elif attribute.isPointer():
        attribute.set(runs[value[0]] if value else None)
        attribute.setExtended(value[1] if value else "")
    elif isinstance(value, tuple):
        attribute.setPointer(pointer_to(value))
    else:
        attribute.set(value)


def _same(one, other):
    """Are two values of a parameter the same? The host's database makes no difference between empty and none."""
    return one == other or (one in (None, "") and other in (None, ""))


def _shown(value):
    if isinstance(value, tuple):
        return ".".join(str(part) for part in value)
    if isinstance(value, list):
        return " ".join(_shown(item) for item in value) or "nothing"
    return "nothing" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)
