# SPDX-License-Identifier: GPL-3.0-or-later
"""The job that aligns particles in rounds, group by group, and goes on from its last finished iteration."""

import hashlib
import json
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from stadyn.core.averaging import finish
from stadyn.core.errors import InputError
from stadyn.core.particle_data import BATCH, batches_of_rows
from stadyn.core.particles import ParticleTable
from stadyn.core.passes import GLOBAL, SCORES, STRANDS, average_group
from stadyn.core.refinement import IterationRecord, Refinement
from stadyn.core.rotations import randomize_azimuth
from stadyn.core.search import AlignmentRound
from stadyn.io.aside import existing_file
from stadyn.io.convergence import forget_iterations, write_iteration
from stadyn.io.mrc import write_volume
from stadyn.io.results import read_result, write_result
from stadyn.io.settings import check_keys, read_settings, write_json

from .chunks import ELSEWHERE, ChunkCrew, exchange_folder
from .common import COMMON_ALLOWED, COMMON_REQUIRED, Work, alone_in_its_folder, peak_memory, warn
from .launchers import Processes
from .processes import ProcessCrew

ENGINES = ("fast", "exhaustive")
LOWPASS, BY_FSC = "lowpass", "fsc"
REFERENCE_FILTERS = (LOWPASS, BY_FSC)


def add_arguments(parser):
    """The command line of the job."""
    parser.add_argument("settings", help="settings file (JSON)")
    parser.add_argument("--chunks", type=int, metavar="N", help="share the particles between N jobs")
    parser.add_argument(
        "--submit",
        metavar="COMMAND",
        help="how such a job is given to a queue, which must wait for its end: 'sbatch --wait --wrap \"{command}\"'",
    )


def run(args):
    """Run the job from a settings file."""
    given = {key: getattr(args, key) for key in ("chunks", "submit") if getattr(args, key) is not None}
    run_settings({**read_settings(args.settings), **given})


@alone_in_its_folder
def run_settings(settings, launcher=None):
    """Align as the settings say; writes particles.npz, average_<group>.mrc and convergence.json.

    While it runs, reference_<group>.mrc is the reference of the iteration under way; slices and FSC of the references
    of all iterations stay in the folder iterations.

    Parameters
    ----------
    settings : dict
    launcher : how the jobs of "chunks" are started, see `ChunkCrew`; by default as processes or by "submit"

    Returns
    -------
    ParticleTable, same rows, order and ids as the input
    """
    allowed = (*COMMON_ALLOWED, "reference", "engine", "score", "reference_filter", *ELSEWHERE)
    check_keys(settings, allowed, (*COMMON_REQUIRED, "rounds"), "the settings of align")
    engine = settings.get("engine", "fast")
    if engine not in ENGINES:
        raise InputError(f"engine {engine!r}: choose one of {', '.join(ENGINES)}")
    score, reference_filter = settings.get("score", GLOBAL), settings.get("reference_filter", LOWPASS)
    if score not in SCORES:
        raise InputError(f"score {score!r}: choose one of {', '.join(SCORES)}")
    by_fsc = reference_filter == BY_FSC
    if reference_filter not in REFERENCE_FILTERS:
        raise InputError(f"reference filter {reference_filter!r}: choose one of {', '.join(REFERENCE_FILTERS)}")
    rounds = tuple(AlignmentRound.from_dict(r) for r in settings["rounds"])
    if not rounds:
        raise InputError("no rounds are given: an alignment needs at least one")
    chunks = _chunks(settings)
    work, devices = Work({**settings, "gpu": None} if chunks else settings), _devices(settings)
    work.progress.per_step = BATCH
    table = work.table
    if settings.get("randomize_azimuth"):
        table = table.replace(rotations=randomize_azimuth(table.rotations, np.random.default_rng(work.seed)))
    refinement = Refinement(rounds, work.box_px, work.pixel_size, work.fmin, engine, work.threads, score, by_fsc)
    if engine == "fast":
        print("fast engine: ranges and limits of the rounds count, samplings and refine levels do not", flush=True)
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1))  # the bits must not depend on the processors that a node shows
        crew = None
        if chunks:
            launcher = launcher or Processes(exchange_folder(work.output), settings.get("submit"))
            crew = stack.enter_context(ChunkCrew(settings, work, _with_work(chunks, work), launcher))
        elif devices is not None:
            crew = stack.enter_context(ProcessCrew(settings, work.box_px, work.pixel_size, engine, score, devices))
        final, records = _align_groups(work, table, refinement, crew)
    print(peak_memory(work.xp), flush=True)
    write_result(work.output / "particles.npz", final)
    write_json(work.output / "convergence.json", [asdict(record) for record in records])
    return final


def _devices(settings):
    """What each of several processes works on, or None when this process does it all."""
    gpus, processes = settings.get("gpu") or [], int(settings.get("processes") or 1)
    if len(gpus) > 1:
        return list(gpus)
    return [None] * processes if processes > 1 and not gpus else None


def _chunks(settings):
    """How many jobs share the work, 0 for none but this; InputError for settings that do not go together."""
    chunks = settings.get("chunks")
    if chunks is None:
        if settings.get("submit"):
            raise InputError('"submit" is given without "chunks": say how many jobs are to share the work')
        return 0
    if chunks < 1:
        raise InputError(f'"chunks" is {chunks}: give 1 or more')
    if (settings.get("processes") or 1) > 1:
        raise InputError('"chunks" and "processes" both share the work: give one of them')
    if settings.get("submit") and len(settings.get("gpu") or []) > 1:
        raise InputError(f'"gpu" is {settings["gpu"]}, but jobs of "submit" work on one GPU each: give [0]')
    return chunks


def _with_work(chunks, work):
    """As many of `chunks` as have something to do; up to STRANDS all, whose sums are those of one process."""
    batches = max(len(batches_of_rows(work.table, rows)) for _, rows in work.groups())
    useful = min(chunks, max(batches, STRANDS))
    if useful < chunks:
        warn(f"the particles make {batches} batches of {BATCH}: of {chunks} chunks only {useful} are started")
    return useful


def _align_groups(work, table, refinement, crew):
    """Every group to its end, with its average; returns the table and the IterationRecords."""
    mask, records, final = work.mask(), [], table
    for group, rows in work.groups():
        checkpoint = Checkpoint(work.output, group, work.settings)
        resumed = checkpoint.load()
        if resumed is None:
            forget_iterations(work.output, group)
        aligned = refinement.run(
            work.source, table, rows, work.reference(group), mask, group, resumed, checkpoint.save,
            work.progress, work.xp, crew, partial(_show_reference, work, group),
        )  # fmt: skip
        records += checkpoint.records
        final = _with_rows(final, aligned, rows)
        high, symmetry = work.box_px // 2 - 1, refinement.rounds[-1].symmetry
        if isinstance(crew, ChunkCrew):
            average = finish(crew.total(aligned, rows, high), symmetry, work.fmin)
        else:
            average = average_group(
                work.source, aligned, rows, work.box_px, high, symmetry, work.fmin, work.threads, work.xp
            )
        work.write_average(group, average)
        print(f"{group}: {len(rows)} particles aligned, mean cc {np.nanmean(aligned.cc[rows]):.4f}", flush=True)
    return final, records


def _show_reference(work, group, volume, shown):
    """The reference of the iteration that is under way, to be looked at while the job runs."""
    label = f"stadyn reference of round {shown.round} iteration {shown.iteration}, data contrast"
    write_volume(work.output / f"reference_{group}.mrc", volume, work.pixel_size, label=label)
    write_iteration(work.output, shown)


def _with_rows(table, aligned, rows):
    columns = {}
    for name in ("positions", "rotations", "cc"):
        columns[name] = getattr(table, name).copy()
        columns[name][rows] = getattr(aligned, name)[rows]
    return table.replace(**columns)


class Checkpoint:
    """The state of one group after its last finished iteration, tied to the settings it was made with."""

    def __init__(self, folder, group, settings):
        self.path = Path(folder) / f"checkpoint_{group}.npz"
        self.round_path = Path(folder) / f"checkpoint_{group}_round.npz"
        self.note = Path(folder) / f"checkpoint_{group}.json"
        relevant = {k: v for k, v in settings.items() if k not in ("threads", "gpu", *ELSEWHERE)}
        key = hashlib.sha256(json.dumps(relevant, sort_keys=True).encode())
        maps = [settings.get("mask"), (settings.get("reference") or {}).get(group)]
        maps.append((settings.get("reference") or {}).get("*"))
        for path in (settings["particles"], settings.get("boxes"), *maps):
            if path:  # another start under the same name is another run
                key.update(existing_file(path).read_bytes())
        self.key = key.hexdigest()
        self.records = []

    def load(self):
        """(iterations done, table, table at the round's start), or None to begin anew, as where it is damaged."""
        try:
            return self._read() if self.note.exists() else None
        except InputError as error:  # to refuse it would be to refuse it for ever
            self.records = []
            warn(f"{error}; it is left out, and the alignment begins at its beginning")
            return None

    def _read(self):
        note = read_settings(self.note)
        if note.get("key") != self.key:
            return None
        table = read_result(self._numbered(self.path, note["done"]), ParticleTable)
        round_table = read_result(self._numbered(self.round_path, note["round_start"]), ParticleTable)
        self.records = [IterationRecord(**record) for record in note["records"]]
        for left in (note["done"] - 1, note["done"] + 1):  # of a save that was cut short before or after its note
            self._numbered(self.path, left).unlink(missing_ok=True)
        print(f"{note['group']}: goes on after iteration {note['done']}", flush=True)
        return note["done"], table, round_table

    def save(self, done, table, round_table, record):
        """Write the state; the small note is renamed into place last, so a broken write is never read."""
        self.records.append(record)
        round_start = done - record.iteration
        write_result(self._numbered(self.path, done), table)
        if record.iteration == 1:  # whatever an earlier run with other settings left there
            write_result(self._numbered(self.round_path, round_start), round_table)
        note = {
            "key": self.key,
            "group": record.group,
            "done": done,
            "round_start": round_start,
            "records": [asdict(r) for r in self.records],
        }
        write_json(self.note, note)
        self._numbered(self.path, done - 1).unlink(missing_ok=True)
        print(
            f"{record.group}: round {record.round} iteration {record.iteration} done, mean cc {record.mean_cc:.4f},"
            f" median turn {record.median_turn_deg:.2f} deg, median shift {record.median_shift_angst:.2f} Å,"
            f" {record.particles / max(record.seconds, 1e-6):.0f} particles/s",
            flush=True,
        )

    @staticmethod
    def _numbered(path, number):
        return path.with_name(f"{path.stem}_{number:03d}{path.suffix}")
