# SPDX-License-Identifier: GPL-3.0-or-later
"""A project of the host made from a workflow, and checked as far as it can be before anything runs."""

import glob
import json
import os
import re
import shutil
import sys
from pathlib import Path

from . import host
from .core.errors import InputError
from .io.aside import claimed
from .io.settings import read_settings, write_json
from .workflow_values import check_values, strangers

RECORD = "replay.json"
"""In the project's folder: what it was made from, so that a resumed one is the same."""

HOST_KEYS = {
    "runName",
    "runMode",
    "hostName",
    "forceSchedule",
    "numberOfMpi",
    "numberOfThreads",
    "useGpu",
    "gpuList",
    "binThreads",
}
"""Keys of an exported protocol that belong to the host, whether the protocol defines them or not."""


def new_project(workspace, name, path, values, protocols):
    """Make project `name` from the `protocols` of the workflow at `path`; current folder becomes the project's.

    Raises InputError, and leaves no project, for a protocol that is not installed, a file that is
    not there, and whatever else a protocol can say without its inputs.
    """
    folders = [os.getcwd(), Path(path).parent]  # that relative paths may start from
    _check_classes(protocols, path)
    if host.has_project(workspace, name) and not was_cut_short(workspace, name):
        return host.open_project(workspace, name, create=True)  # which refuses it
    with claimed(_unfinished(workspace, name)):
        if was_cut_short(workspace, name):  # and not by now finished by another run, for open_project to refuse
            shutil.rmtree(_folder(workspace, name), ignore_errors=True)
        project = host.open_project(workspace, name, create=True)
        try:
            runs = _load(project, path, protocols, folders)
        except InputError:
            os.chdir(folders[0])
            shutil.rmtree(_folder(workspace, name))
            _unfinished(workspace, name).rmdir()
            raise
        write_record({"workflow": str(path), "values": values, "runs": runs})
        _unfinished(workspace, name).rmdir()
    return project


def _load(project, path, protocols, folders):
    """The `protocols` of a workflow as runs of `project`, checked; {id in the workflow: id of the run}."""
    loaded = project.loadProtocols(jsonStr=json.dumps(protocols))
    if len(loaded) != len(protocols):
        raise InputError(f"{path}: the host loaded {len(loaded)} of {len(protocols)} protocols")
    for protocol in protocols:  # Step.__init__ of pyworkflow 3.11 loses the label that loadProtocols hands it
        run = loaded[protocol["object.id"]]
        run.setObjLabel(protocol.get("object.label") or protocol["object.className"])
        run.setObjComment(protocol.get("object.comment") or "")
        _check_parameters(run, folders)
        project.mapper.store(run)
    project.mapper.commit()
    host.runs_in_order(project)  # which refuses those that wait for each other
    return {key: run.getObjId() for key, run in loaded.items()}


def was_cut_short(workspace, name):
    """Was the making of project `name` cut short, so that some of its protocols are not there?"""
    return _unfinished(workspace, name).exists() and not (_folder(workspace, name) / RECORD).exists()


def _unfinished(workspace, name):
    """The folder beside project `name` that is there, and held, while it is made."""
    return Path(workspace) / f".{name}.unfinished"


def _folder(workspace, name):
    return Path(workspace) / "projects" / name


def read_record():
    """What the project in whose folder we are was made from: workflow, values, runs; {} unless replay made it."""
    return read_settings(RECORD) if Path(RECORD).exists() else {}


def write_record(record):
    """Keep what `read_record` reads."""
    write_json(RECORD, record)


def sentence(errors):
    """The messages of a protocol's validation as one line, each once; the host puts a label between asterisks."""
    errors = dict.fromkeys(error.partition("Traceback:")[0] for error in errors)
    return " ".join(" ".join(re.sub(r"^\*(.+?)\* ", r"\1 ", error) for error in errors).split())


def folder_name(workspace, name):
    """The name that the host gives to the folder of a project `name`; any that is there already is taken as it is."""
    there = name not in ("", ".", "..") and "/" not in name and _folder(workspace, name).is_dir()
    return name if there else re.sub(r"[^\w-]", "-", name)


def _check_classes(protocols, path):
    known = host.known_protocols()
    unknown = sorted({p["object.className"] for p in protocols} - known.keys())
    if any(name.startswith("StadynProt") for name in unknown):
        raise InputError(f"the host does not find {unknown[0]}: install this package into this Python (pip install .)")
    if unknown:
        raise InputError(f"{path}: protocol {', '.join(unknown)} is not installed: install its plugin, or leave it out")
    check_values(path, protocols, known)
    for protocol in protocols:
        parameters = {name for name, _ in known[protocol["object.className"]]().iterDefinitionAttributes()}
        for said in strangers(protocol, parameters | HOST_KEYS):
            print(f"warning: {said}", file=sys.stderr)


def _check_parameters(run, folders):
    from pyworkflow.protocol.params import PathParam

    for name, parameter in run.getDefinition().iterParams():
        attribute = getattr(run, name)
        if not run.evalParamCondition(name) or hasattr(attribute, "getExtended") or not hasattr(attribute, "get"):
            continue
        if isinstance(parameter, PathParam):
            _make_absolute(run, parameter, attribute, folders)
        _check_value(run, parameter, attribute.get())
    pending = any(pointer.hasValue() for _, pointer in run.iterInputAttributes())
    if not pending:
        errors = run.validate()
    else:  # ours survive inputs that are not there yet, others need not
        errors = run._validate() if type(run).__module__.startswith("stadyn.") else []
    if errors:
        raise InputError(f"{run.getObjLabel()}: {sentence(errors)}")


def _check_value(run, parameter, value):
    choices = getattr(parameter, "choices", None)
    if choices and value is not None and not 0 <= int(value) < len(choices):
        known = ", ".join(f"{i} {choice}" for i, choice in enumerate(choices))
        raise InputError(f"{run.getObjLabel()}: {parameter.label.get()} {value} is none of {known}")
    errors = parameter.validate(value)
    if errors:
        raise InputError(f"{run.getObjLabel()}: {parameter.label.get()} {sentence(errors)}")


def _make_absolute(run, parameter, attribute, folders):
    value = attribute.get()
    if not value or not str(value).strip():
        return
    path = os.path.expanduser(value)
    for folder in folders:  # a run's own folder is the project, not where the user stands
        if os.path.exists(os.path.join(folder, path)):
            attribute.set(os.path.abspath(os.path.join(folder, path)))
            return
    if not glob.glob(path):
        raise InputError(f"{run.getObjLabel()}: {parameter.label.get()} {value!r}: no such file or folder")
