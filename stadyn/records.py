# SPDX-License-Identifier: GPL-3.0-or-later
"""What a project of the host, an export or a folder of results says of itself, read without the host or a trace.

A results sheet must be possible on a machine that has only the files, and while the project is in use.
"""

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from .core.errors import InputError
from .projects import HOST_KEYS

DATABASE = "project.sqlite"
SUMMARY = "summary.json"
PARAMETER_TYPES = ("String", "Integer", "Float", "Boolean", "Pointer", "CsvList", "PointerList")
NOT_PARAMETERS = {"status", "initTime", "endTime", "interactive", "workingDir", "allowHeader", "expertLevel",
                  "lastUpdateTimeStamp", "hostFullName", "summaryVar", "methodsVar"}  # fmt: skip
FILES_OF_A_JOB = {"tomograms", "particles", "boxes", "output", "reference", "mask", "gpu", "threads"}
"""Keys of a job's settings that are paths, or say where it ran."""
NUMBER_FILES = ("postprocess.json", "local_resolution.json")


@dataclass(frozen=True)
class RunRecord:
    """One protocol of a project, or a folder of results that stands alone."""

    label: str
    class_name: str = ""
    status: str = "finished"
    seconds: float | None = None
    numbers: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)
    folder: Path | None = None  # of its results

    @property
    def step(self):
        """The step of the paper that the label begins with, or nothing."""
        found = re.match(r"(?:step )?(\d+)", self.label, re.IGNORECASE)
        return found.group(1) if found else ""


def read_records(source):
    """(title, [RunRecord]) of a project's folder, an export's folder, or any folder with a job's results.

    Raises InputError for a folder that is none of these.
    """
    source = Path(source)
    if (source / DATABASE).exists():
        return source.resolve().name, _project_records(source)
    if (source / SUMMARY).exists():
        summary = _read_json(source / SUMMARY)
        if "protocols" in summary:
            return summary.get("project", source.resolve().name), _export_records(summary, source)
    numbers = {key: value for name in NUMBER_FILES for key, value in _read_json(source / name).items()}
    if not numbers:
        raise InputError(
            f"{source} holds no {DATABASE}, {SUMMARY} of an export or {NUMBER_FILES[0]}: give the folder of a project, "
            "of an export, or of a job's results"
        )
    return source.resolve().name, [RunRecord(source.resolve().name, numbers=numbers, folder=source)]


def _read_json(path):
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}): run the step that wrote it again") from error


def _export_records(summary, source):
    """The protocols of an export's summary; the pictures of the export belong to the last."""
    records = []
    for entry in summary["protocols"]:
        numbers = {k: v for k, v in entry.items() if k not in ("step", "protocol", "class", "seconds")}
        records.append(RunRecord(entry["protocol"], entry["class"], seconds=entry.get("seconds"), numbers=numbers))
    return [*records, RunRecord("Pictures of the export", folder=source)]


def _project_records(source):
    try:
        with closing(sqlite3.connect(f"{(source / DATABASE).resolve().as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT id, parent_id, name, classname, value, label FROM Objects").fetchall()
    except sqlite3.Error as error:
        raise InputError(f"{source / DATABASE} cannot be read ({error}): is it a project of the host?") from error
    children, labels = {}, {}
    for key, parent, name, kind, value, label in rows:
        children.setdefault(parent, []).append((key, name.rpartition(".")[2], kind, value))
        labels[key] = label
    # A protocol is an object of its own that has a status.
    runs = [key for key, _, _, _ in sorted(children[None]) if any(c[1] == "status" for c in children.get(key, []))]
    kinds = {key: kind for key, _, kind, _ in children[None]}
    return [_project_record(source, labels[key] or kinds[key], kinds[key], children, key, labels) for key in runs]


def _project_record(source, label, class_name, children, key, labels):
    own = {name: value for _, name, kind, value in children[key] if kind in PARAMETER_TYPES}
    parameters = {
        name: _shown(child, kind, value, children, labels)
        for child, name, kind, value in children[key]
        if kind in PARAMETER_TYPES and not name.startswith("_") and name not in HOST_KEYS | NOT_PARAMETERS
    }
    folder = source / (own.get("workingDir") or "") / "extra"
    parameters.update(_job_settings(folder))
    return RunRecord(
        label, class_name, own.get("status") or "", _duration(own), _read_json(folder / SUMMARY), parameters, folder
    )


def _job_settings(folder):
    """{"job: key": value} of the settings that the run's jobs were given: choices and presets as what they became."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        settings = _read_json(path)
        if isinstance(settings, dict) and "output" in settings and "particles" in settings:
            kept = {k: v for k, v in settings.items() if k not in FILES_OF_A_JOB and v not in (None, [], {})}
            found.update({f"{path.stem}: {key}": value for key, value in kept.items()})
    return found


def _shown(child, kind, value, children, labels):
    """A parameter's value as a reader knows it: a pointer as the label it leads to, a truth value in words."""
    if kind == "Boolean":
        return {"1": "yes", "0": "no"}.get(value, value)
    if kind == "PointerList":
        items = [item for item in children.get(child, []) if item[2] == "Pointer"]
        return ", ".join(_shown(*item[:1], *item[2:], children, labels) for item in items)
    if kind == "Pointer":
        if not value:
            return ""
        extended = [v for _, name, _, v in children.get(child, []) if name == "_extended" and v]
        target = labels.get(int(value)) or value
        return ".".join([target, *extended])
    return value or ""


def _duration(own):
    try:
        began, ended = (datetime.fromisoformat(own[name]) for name in ("initTime", "endTime"))
    except (KeyError, TypeError, ValueError):
        return None
    return (ended - began).total_seconds()
