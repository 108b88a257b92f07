"""What happened to the endpoints of a run, kept beside its journal: ``events.jsonl``, one event a line.

This file decides where events are kept. A run without events has no such file, and no run needs it to resume.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from evoselfcode.engine import Event
from evoselfcode.storage import Appender, plain, storage_errors

EVENTS = "events.jsonl"
"""Name of the file."""


class EventLog:
    """Appends events to the file of a run's folder.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / EVENTS
        self._pending: list[Event] = []
        self._file: Appender | None = None

    @property
    def pending(self) -> bool:
        """Whether there is something to commit."""
        return bool(self._pending)

    def append(self, event: Event) -> None:
        """Take an event. Never blocks."""
        self._pending.append(event)

    def commit(self) -> None:
        """Write what was taken. Blocks for the disk: call it off the event loop.

        Raises:
            StorageError: It cannot be written.
        """
        events, self._pending = self._pending, []
        if not events:
            return
        if self._file is None:
            self._file = Appender(self._path, frame=plain)
        for event in events:
            self._file.append(msgspec.json.encode(event))
        self._file.commit()

    def close(self) -> None:
        """Write the rest and close the file.

        Raises:
            StorageError: It cannot be written.
        """
        self.commit()
        if self._file is not None:
            self._file.close()


def read_events(folder: Path) -> list[dict[str, Any]]:
    """Read the events of a run as plain data, in order; a line that is damaged or not whole is left out.

    Raises:
        StorageError: The file cannot be read.
    """
    path = folder / EVENTS
    if not path.exists():
        return []
    with storage_errors(path, "read"):
        lines = path.read_bytes().split(b"\n")
    found = []
    for line in lines:
        try:
            found.append(msgspec.to_builtins(msgspec.json.decode(line, type=Event)))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
    return found
