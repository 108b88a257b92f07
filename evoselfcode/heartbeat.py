"""The heart of a run: it beats as long as the event loop turns, and tells how the run is going.

This file decides when a beat is due, where it is written, and how old the last one is. It beats too while a long
journal is read, an endpoint is waited for, or files are written: a run that waits is alive. A run whose event loop is
blocked is not, and a liveness probe sees it by the age of the file. What a beat says is :mod:`evoselfcode.progress`.

Nobody has to hear it: a beat that cannot be written is remarked on once, and ends no run.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from evoselfcode.errors import StorageError
from evoselfcode.progress import Beat, Progress
from evoselfcode.storage import atomic_write
from evoselfcode.terminal import say

HEARTBEAT = "heartbeat.json"
"""The file of the beats in a run's folder."""

FIRST = 2.0
"""Seconds to the first beat at the earliest: a process that is refused, as the folder is another's, is gone by then."""

LEAST = 1.0
"""Seconds from one file to the next, however often a line is printed."""


class Heart:
    """Beats for one run; each beat is told, and replaces files.

    Args:
        progress: Follows the run.
        folder: The run's folder.
        seconds: From one beat that is written to the next.
        tell: Shows a beat.
        every: Seconds from one that is shown to the next.
        files: What each beat writes, and where: a path, and what makes the file's lines of the beat.
    """

    def __init__(
        self,
        progress: Progress,
        folder: Path,
        seconds: float,
        *,
        tell: Callable[[Beat], None],
        every: float,
        files: Iterable[tuple[Path, Callable[[Beat], Iterable[bytes]]]],
    ) -> None:
        self._progress = progress
        self._folder = folder
        self._seconds = seconds
        self._tell = tell
        self._every = every
        self._files = tuple(files)
        self._complained = False

    async def beats(self) -> None:
        """Beat until cancelled. Cancelled: the last beat is whole, or was not written."""
        import anyio
        import anyio.to_thread

        began = anyio.current_time()
        write_at = began + min(FIRST, max(LEAST, self._seconds))
        while True:
            await anyio.sleep(min(self._every, max(LEAST, self._seconds)))
            beat, now = self.take(), anyio.current_time()
            if beat.state != "starting" or now - began >= FIRST:
                self._tell(beat)
            if now >= write_at:
                write_at = now + max(LEAST, self._seconds)
                await anyio.to_thread.run_sync(self._write, beat)

    def last(self) -> None:
        """Beat once more when the run has ended, so that the last file says how it stood. Blocks for the disk."""
        if self._progress.summary is not None:
            self._progress.end()
            self._write(self.take())

    def take(self) -> Beat:
        """Return how the run is going now."""
        free = None
        with suppress(OSError):
            free = shutil.disk_usage(self._folder).free
        return self._progress.beat(at=round(time.time(), 3), pid=os.getpid(), rss=resident(), free=free)

    def _write(self, beat: Beat) -> None:
        for path, lines in self._files:
            if beat.state == "starting" and not path.parent.is_dir():  # the run's folder is not there yet
                continue
            try:
                atomic_write(path, lines(beat))
            except StorageError as error:
                if not self._complained:
                    self._complained = True
                    say(f"warning: no heartbeat can be written, the run goes on: {error}")


def written(beat: Beat) -> list[bytes]:
    """Return the lines of a heartbeat's file."""
    return [msgspec.json.format(msgspec.json.encode(beat)), b"\n"]


def resident() -> int:
    """Return the memory that this process has, in bytes; 0 where the system does not say."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def age_of(run: Path) -> float | None:
    """Return how old the last beat is, in seconds, or ``None`` if there is none that can be read.

    Args:
        run: The run's folder, or the file of its beats.
    """
    path = run / HEARTBEAT if run.is_dir() else run
    try:
        at = json.loads(path.read_bytes())["at"]
        return max(0.0, time.time() - float(at))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
