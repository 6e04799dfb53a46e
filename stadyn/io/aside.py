# SPDX-License-Identifier: GPL-3.0-or-later
"""Files appear whole or not at all: written under another name in the same folder, then renamed; one run a folder."""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import socket
import time
from pathlib import Path

from stadyn.core.errors import InputError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""What the system says when a disk, or the user's share of it, is full."""
LEFT_ASIDE = re.compile(r"\.(?P<machine>.+)\.(?P<pid>\d+)\.[0-9a-f]{8}\.part")
"""Names under which `written_aside` writes: who writes is in them."""
STALE_SECONDS = 3600
"""No file grows so slowly: one that did not change for so long has nobody who writes it, wherever that would be."""

TEXT_START = 2**16
"""Bytes at the start of a file that show whether it is text."""


@contextlib.contextmanager
def written_aside(path):
    """A `Path` to write to; it becomes `path` when the block ends well, and is removed when it does not.

    The bytes are on the disk before the name is: after a power cut there is the old file or the new one.

    Raises InputError when the folder of `path` is missing, full or not writable, or `path` is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: create the folder {path.parent} first")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"cannot write {path}: the folder {path.parent} is not writable, choose another")
    # Not tempfile.mkstemp: its files are readable by their owner only, and results are shared in a lab.
    aside = path.with_name(f".{_machine()}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        yield aside
        with open(aside, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(aside, path)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise InputError(f"cannot write {path}: {no_room(path.parent)}") from error
        raise
    finally:
        aside.unlink(missing_ok=True)


def no_room(folder):
    """What to say and to do when the disk of `folder` is full."""
    return (
        f"no room is left on the disk of {folder}, free some and run the same again, it goes on from what is finished"
    )


@contextlib.contextmanager
def claimed(folder):
    """Hold `folder`, created if need be, for this process alone, and remove what a killed one left half-written.

    The system lets go of it when the process ends, however it ends. On a file system without locks nothing is held,
    and of what is half-written only what cannot be written on any more is removed.

    Raises InputError when another process holds it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"{folder} is being written by another run: wait for its end or stop it") from error
        except OSError:  # NFS without its lock daemon, say
            pass
        for left in (*folder.glob(".*.part"), *folder.glob("*/.*.part")):
            if _is_abandoned(left):
                left.unlink(missing_ok=True)
        yield folder
    finally:
        os.close(handle)


def _is_abandoned(path):
    """Can nobody be writing the half-written file `path` any more?

    The lock on its folder does not tell: where locks are not shared between nodes, each node gets it.
    """
    name = LEFT_ASIDE.fullmatch(path.name)
    if name is None:
        return False  # not ours
    if name["machine"] == _machine() and not _works(int(name["pid"])):
        return True
    try:
        return time.time() - path.stat().st_mtime > STALE_SECONDS
    except FileNotFoundError:  # renamed meanwhile
        return False


def _machine():
    """This computer, and within it the container that counts its processes."""
    try:
        return f"{socket.gethostname()}-{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:  # not Linux
        return socket.gethostname()


def _works(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


def existing_file(path, what="file"):
    """`path` as a `Path` of a readable, non-empty file; `what` names it in the InputError otherwise."""
    path = Path(path)
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise InputError(f"{what} {path} cannot be found: check the path") from error
    if path.is_dir():
        raise InputError(f"{what} {path} is a folder: name a file in it")
    if not os.access(path, os.R_OK):
        raise InputError(f"{what} {path} is not readable: change its rights")
    if size == 0:
        raise InputError(f"{what} {path} is empty: write or copy it again")
    return path


def read_text(path, what="file"):
    """The text of a file in UTF-8; anything else is an InputError."""
    path = existing_file(path, what)
    with open(path, "rb") as start:
        if b"\0" in start.read(TEXT_START):  # a volume of gigabytes named by mistake is not read whole
            raise InputError(f"{what} {path} is not text (it holds a null byte): give a plain text file in UTF-8")
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets like to add a byte-order mark
    except UnicodeDecodeError as error:
        raise InputError(f"{what} {path} is not text at byte {error.start}: give a plain text file in UTF-8") from error
    if "\0" in text:
        raise InputError(f"{what} {path} is not text (it holds a null byte): give a plain text file in UTF-8")
    return text
