# SPDX-License-Identifier: GPL-3.0-or-later
"""What an alignment and the workers of its chunks tell each other: files in one folder that all of them see.

The alignment posts one request at a time, named by a digest of its content; a worker
claims a chunk of it and leaves the answer beside it. Both names follow from the content, so
an answer that outlived a crash is found again by whoever asks the same, and two workers
that answer the same write the same. Clocks of different machines are never compared.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
from pathlib import Path

import numpy as np

from stadyn.core.averaging import AverageSum
from stadyn.core.errors import InputError
from stadyn.core.particle_data import batches_of_rows
from stadyn.core.particles import ParticleTable
from stadyn.core.passes import STRANDS
from stadyn.core.search import AlignmentRound
from stadyn.io.results import read_result, write_result
from stadyn.io.settings import read_settings, write_json

BEAT_SECONDS = 5.0
"""Between two signs of life, of the alignment and of its workers."""


@dataclasses.dataclass(frozen=True, eq=False)
class Request:
    """What all chunks are to do next: add up their particles, or align them when `settings` are given."""

    job: str  # digest of the settings of the job
    chunks: int
    cut: ParticleTable  # poses the boxes are cut at
    rows: np.ndarray  # of the group, in the tables
    high: float  # Fourier pixels
    low: float
    coarse: bool
    table: ParticleTable  # present poses
    first: np.ndarray = None  # (n,) bool, particles of the first of two sums
    anchors: np.ndarray = None  # (n, 3) px
    reference: np.ndarray = None  # (box, box, box)
    mask: np.ndarray = None
    settings: AlignmentRound = None

    def round_key(self):
        """Digest of what a worker prepares once: the same for all requests of a round."""
        return digest([self.job, self.chunks, self.cut, self.rows, self.high, self.low, self.coarse])

    def share(self, chunk):
        """Sorted rows of chunk 1, 2, ...: every so many-th batch, so that the batches themselves stay what they are."""
        return np.sort(np.concatenate([self.rows[:0], *batches_of_rows(self.cut, self.rows)[chunk - 1 :: self.chunks]]))

    def strands(self):
        """Partial sums in each chunk: those of an unbroken run, wherever the number of chunks divides them."""
        return STRANDS // self.chunks if STRANDS % self.chunks == 0 else 1


@dataclasses.dataclass(frozen=True, eq=False)
class PartialSum:
    """An `AverageSum` as a file holds it."""

    sums: np.ndarray  # float64
    n: int

    @classmethod
    def of(cls, total):
        """That of an `AverageSum`."""
        return cls(total.sums, total.n)

    def restored(self, box_px, high):
        """The `AverageSum` it was."""
        total = AverageSum(box_px, high)
        if self.sums.shape != total.sums.shape:
            raise InputError(f"a partial sum holds {len(self.sums)} coefficients instead of {len(total.sums)}")
        total.sums, total.n = self.sums, int(self.n)
        return total


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
    """What one chunk gave: the poses of its share, or the sums of its strands."""

    positions: np.ndarray = None  # (b, 3)
    rotations: np.ndarray = None  # (b, 3, 3)
    cc: np.ndarray = None  # (b,)
    sums: tuple = ()  # of (PartialSum, PartialSum), one for each strand


def digest(value):
    """Hexadecimal digest of dataclasses, arrays and plain values, by their content."""
    key = hashlib.sha256()
    _feed(key, value)
    return key.hexdigest()[:24]


def _feed(key, value):
    if dataclasses.is_dataclass(value):
        value = [getattr(value, f.name) for f in dataclasses.fields(value)]
    if isinstance(value, np.ndarray):
        key.update(f"{value.dtype} {value.shape}".encode())
        key.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (list, tuple)):
        for item in value:
            _feed(key, item)
    else:
        key.update(json.dumps(value, sort_keys=True, default=str).encode())
    key.update(b";")


def owner_name(session, worker):
    """Who holds a claim."""
    return f"{session} {worker}"


class Exchange:
    """The folder, seen from either side."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.beat = self.folder / "beat"
        self._note, self._told = self.folder / "now.json", None

    # ----- the alignment's side

    def open(self, session):
        """Begin a session: claims and presence of an earlier one are void, its answers are not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in (*self.folder.glob("claim_*"), *self.folder.glob("here_*")):
            left.unlink(missing_ok=True)
        self.tell(session)

    def tell(self, session, request=None, ended=False):
        """What the workers of a session are to do now."""
        write_json(self._note, {"session": session, "request": request, "ended": ended})

    def post(self, name, request):
        """Write a request, unless an earlier run did."""
        if not self._request(name).exists():
            write_result(self._request(name), request)

    def take(self, name, chunk):
        """The `Answer` of a chunk, or None; one that cannot be read is removed, and has to be given again."""
        path = self.answer_path(name, chunk)
        if not self.exists(path):
            return None
        try:
            return read_result(path, Answer)
        except InputError:
            self.refuse(name, chunk)
            return None

    def owner(self, name, chunk):
        """Who claimed a chunk, or an empty text."""
        path = self.claim_path(name, chunk)
        return path.read_text() if path.exists() else ""

    def refuse(self, name, chunk):
        """Have a chunk answered again."""
        self.answer_path(name, chunk).unlink(missing_ok=True)
        self.claim_path(name, chunk).unlink(missing_ok=True)

    def leave(self, worker):
        """A worker is gone."""
        (self.folder / f"here_{worker}").unlink(missing_ok=True)

    def sign(self, worker):
        """What a worker last wrote to show that it is there; an empty text for one that is not."""
        path = self.folder / f"here_{worker}"
        try:
            return path.read_text() if self.exists(path) else ""
        except FileNotFoundError:
            return ""

    def void_claims(self, name, owners):
        """Release the chunks of a request that nobody of `owners` holds; returns {chunk: who had claimed it}."""
        chunks = {}
        for path in self.folder.glob(f"claim_{name}_*"):
            chunk = int(path.name.rsplit("_", 1)[1])
            owner = path.read_text()
            if owner not in owners and not self.exists(self.answer_path(name, chunk)):
                path.unlink(missing_ok=True)
                chunks[chunk] = owner
        return chunks

    def forget(self, name):
        """Remove a request with its answers."""
        for path in (self._request(name), *self.folder.glob(f"claim_{name}_*"), *self.folder.glob(f"answer_{name}_*")):
            path.unlink(missing_ok=True)

    # ----- a worker's side

    def arrive(self, worker, session):
        """Begin anew as a worker of a session: what it had claimed is void if a queue started its job again."""
        for path in self.folder.glob("claim_*"):
            if path.read_text() == owner_name(session, worker):
                path.unlink(missing_ok=True)
        self.show(worker, 0)

    def show(self, worker, count):
        """Be present, and still alive."""
        (self.folder / f"here_{worker}").write_text(f"present {count}")

    def present(self, worker):
        """Is a worker there, at work or waiting?"""
        return self.exists(self.folder / f"here_{worker}")

    def now(self, session):
        """The name of the present request, None for none yet; EOFError when the session has ended."""
        try:
            note = read_settings(self._note)
        except InputError as error:  # the folder was removed
            raise EOFError from error
        except OSError:  # a stale handle: replaced on another node while it was read
            return self._told
        if note["ended"] or note["session"] != session:
            raise EOFError
        self._told = note["request"]
        return self._told

    def request(self, name):
        """The `Request` of a name, or None when it is over already, or not to be seen from here yet."""
        try:
            return read_result(self._request(name), Request)
        except InputError:
            if self.exists(self._request(name)):
                raise
            return None

    def claim(self, name, chunk, owner):
        """Take a chunk that nobody has answered or claimed; False if somebody has."""
        if self.exists(self.answer_path(name, chunk)):
            return False
        try:
            handle = os.open(self.claim_path(name, chunk), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except OSError:  # taken, or the folder is gone
            return False
        with os.fdopen(handle, "w") as file:
            file.write(owner)
        return True

    def answer(self, name, chunk, answer):
        """Leave an `Answer`; when the alignment no longer wants it, nothing."""
        with contextlib.suppress(FileNotFoundError):
            if self._request(name).exists():
                write_result(self.answer_path(name, chunk), answer)

    # ----- names

    def exists(self, path):
        """Does a file exist? By listing the folder, which a network file system does not answer from memory."""
        try:
            return path.name in os.listdir(self.folder)
        except FileNotFoundError:
            return False

    def _request(self, name):
        return self.folder / f"request_{name}.npz"

    def answer_path(self, name, chunk):
        """Where the answer of a chunk is."""
        return self.folder / f"answer_{name}_{chunk}.npz"

    def claim_path(self, name, chunk):
        """Where it says who works on a chunk."""
        return self.folder / f"claim_{name}_{chunk}"
