"""The runner's journal: what is settled goes in, what is durable is told, and a full disk is waited for.

This file decides how long a run waits for space and who hears of it. While it waits no outcome is taken from the
engine, whose workers then fill a bounded queue and stop: nothing more is paid for than what is in flight. When a
commit is due, and what follows a failed one, is :mod:`evoselfcode.storage.journal`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from time import time
from typing import NamedTuple

import anyio
import anyio.to_thread
import msgspec

from evoselfcode.datagen.pipeline.summary import Commits
from evoselfcode.engine import Stop
from evoselfcode.errors import DiskFull
from evoselfcode.finishing import being_cancelled, finished
from evoselfcode.storage import Entry, Journal

AGAIN = 1.0
"""Seconds between two looks whether there is space."""

Acknowledged = Callable[[Sequence[str]], None]
"""Told the keys of requests when their entries are durable; must not block."""

_log = logging.getLogger(__name__)


class Patience(NamedTuple):
    """How long a run waits for space on a full disk.

    Attributes:
        seconds: At most so long.
        stop: Ends the waiting.
        waiting: Called about once a second meanwhile.
    """

    seconds: float
    stop: Stop
    waiting: Callable[[], None]


class Committing:
    """The journal of one run under way.

    Args:
        folder: The run's folder, whose lock the caller holds.
        settings: The run's fingerprint; the names of the journal's files begin with a digest of it.
        patience: How long to wait for space.
        acknowledged: Told what is durable.
        shard: The shard of the run that the folder holds, as the names of the journal's files say it.
        commits: Counts what was made durable.

    Raises:
        StorageError: The journal cannot be opened.
        RunMismatch: The folder holds the journal of another shard.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, object],
        patience: Patience,
        acknowledged: Acknowledged,
        shard: str,
        commits: Commits,
    ) -> None:
        digest = blake2b(msgspec.json.encode(settings, order="deterministic"), digest_size=4).hexdigest()
        self._journal = Journal(folder, run=digest, shard=shard)
        self._folder = folder
        self._patience = patience
        self._acknowledged = acknowledged
        self._commits = commits
        self.append: Callable[[Entry], None] = self._journal.append

    async def commit_if_due(self, now: float) -> None:
        """Commit if a second has passed or enough waits; see :meth:`commit`."""
        if self._journal.due(now):
            await self.commit(now)

    async def commit(self, now: float) -> None:
        """Make all that was taken durable, waiting for space if there is none.

        Raises:
            DiskFull: There was none for too long, or the run is stopped.
            StorageError: The disk cannot be believed any more.
            RunMismatch: Another process has taken the folder over.

        Cancelled: what is being written is written to its end; what waits for space is not acknowledged.
        """
        waited = 0.0
        while True:
            try:
                keys = await finished(anyio.to_thread.run_sync(self._journal.commit, now))
            except DiskFull as error:
                if waited >= self._patience.seconds or self._patience.stop.is_set() or being_cancelled():
                    raise
                if not waited:
                    _log.warning(
                        "%s; %d settled requests wait in memory and nothing more is asked. It is tried again every "
                        "second, for up to %g s", error.message, self._journal.pending, self._patience.seconds,
                    )  # fmt: skip
            else:
                self._commits.add(anyio.current_time() - now - waited, time())
                self._tell(keys)
                break
            self._patience.waiting()
            await self._patience.stop.wait(AGAIN)
            waited += AGAIN
        if waited:
            _log.warning("there is space in %s again after %g s: the run goes on", self._folder, waited)

    async def aclose(self) -> None:
        """Commit once more, and close.

        Raises:
            StorageError: What was not acknowledged is not.
            RunMismatch: Another process has taken the folder over.

        Cancelled: it is brought to its end.
        """
        now = anyio.current_time()
        self._tell(await finished(anyio.to_thread.run_sync(self._journal.close, now)))

    def _tell(self, keys: list[str]) -> None:
        if keys:
            self._acknowledged(keys)
