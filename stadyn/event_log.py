# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens in a replay, as a list in memory and as lines of JSON in a file that programs read meanwhile."""

import json
import os
from datetime import datetime
from pathlib import Path

from .core.errors import InputError
from .io.aside import NO_ROOM, no_room


class EventLog:
    """What happened, kept in memory and written as one JSON line each.

    Raises InputError at once when the file cannot be written: in the morning it would be too late.
    """

    def __init__(self, path=None):
        self.events = []
        self._path = path and Path(path).absolute()
        if self._path:
            self._write("")

    def add(self, event, **details):
        """Record one event, now."""
        self.events.append({"event": event, "time": datetime.now().isoformat(timespec="seconds"), **details})
        if self._path:
            self._write(json.dumps(self.events[-1]) + "\n")

    def _write(self, text):
        """Append `text` whole or not at all, so that every line stays valid."""
        data = memoryview(text.encode())
        try:
            handle = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o666)
            try:
                size = os.fstat(handle).st_size
                try:
                    while data:
                        data = data[os.write(handle, data) :]
                except OSError:
                    os.ftruncate(handle, size)
                    raise
            finally:
                os.close(handle)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise InputError(f"cannot write {self._path}: {no_room(self._path.parent)}") from error
            raise InputError(
                f"the log {self._path} cannot be written ({error.strerror}): name another file in --log"
            ) from error
