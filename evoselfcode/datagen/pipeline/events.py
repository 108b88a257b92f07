"""What happened to the endpoints of a run, kept beside its journal: ``events.jsonl``, one event a line.

This file decides where events are kept. A run without events has no such file, and none needs it to resume: on a full
disk they wait, and whether the run does is the journal's matter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec

from evoselfcode.engine import Event
from evoselfcode.errors import DiskFull
from evoselfcode.finishing import finished
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

    def append(self, event: Event) -> None:
        """Take an event. Never blocks."""
        self._pending.append(event)

    async def commit(self) -> None:
        """Write what was taken; without space for it, the next commit does. Cancelled: it is brought to its end.

        Raises:
            StorageError: It cannot be written for another reason.
        """
        if self._pending:
            await finished(anyio.to_thread.run_sync(self._write))

    async def aclose(self) -> None:
        """Write the rest, if there is space, and close the file. Cancelled: it is brought to its end.

        Raises:
            StorageError: The rest cannot be written for another reason.
        """
        try:
            await self.commit()
        finally:
            self._close()

    def _write(self) -> None:
        events, self._pending = self._pending, []
        try:
            if self._file is None:
                self._file = Appender(self._path, frame=plain)
            for event in events:
                self._file.append(msgspec.json.encode(event))
            self._file.commit()
        except DiskFull:
            self._pending[:0] = events  # what was written in part may be written twice
            self._close()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


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
