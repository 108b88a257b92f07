"""The journal, written: an entry is acknowledged when it is durable, and when nobody else has taken the folder over.

This file decides when a commit is due, when another file is begun, and what follows a write or sync that failed. It
refuses to know what an entry says. Entries that were not acknowledged stay pending, so that a commit can be repeated.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

import msgspec

from evoselfcode.errors import RunMismatch, StorageError
from evoselfcode.storage import disk, jsonl
from evoselfcode.storage.entries import Entry
from evoselfcode.storage.files import make_folder, storage_errors
from evoselfcode.storage.layout import (
    JOURNAL,
    Head,
    Name,
    Seal,
    Seals,
    every_segment,
    generation_of,
    name_of,
    write_seals,
    writer_of,
)
from evoselfcode.storage.recap import SUFFIX, Recap
from evoselfcode.storage.segment import OpenSegment

COMMIT_ROWS = 256
"""Entries after which a commit is due: fdatasync then costs less than 5 µs an entry."""

COMMIT_SECONDS = 1.0
"""Seconds after which a commit is due: what a kill can cost, besides the requests in flight."""

COMMIT_BYTES = 4 << 20
"""Bytes after which a commit is due: what waits in memory."""

SEGMENT_ROWS = 250_000
SEGMENT_BYTES = 512 << 20
"""Entries and bytes after which a file is sealed and another begun."""

MOST_FAILURES = 1
"""Failed syncs and writes that another file makes good. At the second nothing this disk says can be believed."""


class Journal:
    """Appends entries to files of its own; an entry is acknowledged when :meth:`commit` has returned.

    Args:
        folder: The folder of a run, whose lock the caller holds.
        run: Names the run in the names of files, in digits and small letters; one that is there keeps its name.
        shard: The shard of the run that this folder holds, such as ``3of8``.
        generation: The rewriting of the journal that it begins; that which counts if left out.

    Raises:
        StorageError: A file cannot be created, repaired or synced.
        RunMismatch: The folder holds the journal of another shard.
    """

    def __init__(self, folder: Path, *, run: str = "run", shard: str = "0of1", generation: int | None = None) -> None:
        self._journal = folder / JOURNAL
        self._encode = msgspec.json.Encoder().encode
        self._pending: list[bytes] = []
        self._entries: list[Entry] = []
        self._pending_bytes = 0
        self._committed_at: float | None = None
        self._failures = 0
        self._seals: dict[str, Seal] = {}
        make_folder(self._journal)
        with storage_errors(self._journal, "begin a file in"):
            current = generation_of(folder)
            self._generation = current.number if generation is None else generation
            taken = max((segment.name.attempt for segment in every_segment(folder)), default=0)
            earlier = swept(folder, current.number)
            self._name, self._segment = _create(self._journal, earlier, taken, run, shard)
            try:
                saw = {str(name): _repaired(self._journal / str(name)) for name in earlier}
                self._begin(saw)
                disk.sync_folder(folder)
            except BaseException:
                self._segment.abandon()
                raise

    @property
    def pending(self) -> int:
        """Entries that are not acknowledged yet."""
        return len(self._entries)

    def append(self, entry: Entry) -> None:
        """Take an entry; never blocks."""
        line = jsonl.frame(self._encode(entry))
        self._pending.append(line)
        self._pending_bytes += len(line)
        self._entries.append(entry)

    def due(self, now: float) -> bool:
        """Say whether a commit is due at `now` (seconds on any steady clock)."""
        if self._committed_at is None:
            self._committed_at = now
        waiting = len(self._entries)
        return waiting > 0 and (
            waiting >= COMMIT_ROWS or now - self._committed_at >= COMMIT_SECONDS or self._pending_bytes >= COMMIT_BYTES
        )

    def commit(self, now: float) -> list[str]:
        """Make all entries taken durable, and return their keys. Blocks for the disk: call it off the event loop.

        Raises:
            DiskFull: None is acknowledged; they stay pending, and a commit may succeed when there is space.
            StorageError: None is acknowledged, and none will be: the next process begins a file of its own.
            RunMismatch: None is acknowledged: another process has taken the folder over.
        """
        acknowledged = [entry.key for entry in self._entries]
        if self._failures > MOST_FAILURES:
            raise StorageError(f"cannot append to {self._journal}: it failed to sync twice")
        if self._pending:
            data = b"".join(self._pending)
            with storage_errors(self._journal, "append to"):
                self._make_durable(data)
            self._refuse_if_fenced()
            self._pending, self._entries, self._pending_bytes = [], [], 0
        self._committed_at = now
        return acknowledged

    def close(self, now: float) -> list[str]:
        """Commit, seal and close; return the keys of what was committed. Blocks for the disk.

        A file without entries is taken away again.

        Raises:
            StorageError: The last entries are not acknowledged.
            RunMismatch: They are not: another process has taken the folder over.
        """
        try:
            acknowledged = self.commit(now)
            self._refuse_if_fenced()
            with storage_errors(self._journal, "close"):
                self._seal()
        except BaseException:
            self._segment.abandon()
            raise
        with storage_errors(self._journal, "close"):
            self._segment.close()
            if not self._segment.rows and not self._seals:
                disk.remove(self._segment.path)
        return acknowledged

    def _make_durable(self, data: bytes) -> None:
        """Append to the open file; what that does not take, another is begun for, once."""
        if self._segment.usable and (self._segment.rows >= SEGMENT_ROWS or self._segment.size >= SEGMENT_BYTES):
            self._seal_if_possible()
            self._segment.close()
        for last in (False, True):
            try:
                self._append(data)
            except OSError as error:
                if not self._worth_another(error) or last:
                    raise
            else:
                break

    def _append(self, data: bytes) -> None:
        if not self._segment.usable:
            self._next()
        self._segment.append(data, len(self._entries))
        self._recap.add(self._entries, data)

    def _worth_another(self, error: OSError) -> bool:
        """Say whether another file may take what this one did not."""
        if error.errno in disk.FULL:
            return False
        self._segment.usable = False
        if error.errno == errno.EFBIG:  # a limit on the size of one file (ulimit -f)
            return self._segment.rows > 0
        self._failures += 1
        return self._failures <= MOST_FAILURES

    def _next(self) -> None:
        """Begin the next file of this attempt; one that was given up is closed, and gone if it holds no entry."""
        self._segment.abandon()
        if self._segment.rows:
            self._seal_if_possible()
        elif self._name.part > 1:  # the first says what this attempt saw
            disk.remove(self._segment.path)
        self._name = self._name._replace(part=self._name.part + 1)
        self._segment = OpenSegment(self._journal / str(self._name))
        self._begin(None)

    def _begin(self, saw: dict[str, int] | None) -> None:
        writer = f"process {os.getpid()} on {os.uname().nodename}"
        head = Head(name=str(self._name), writer=writer, generation=self._generation, saw=saw)
        try:
            self._segment.append(head.line(), 0)
            self._recap = Recap(self._segment.path, self._segment.size)
            disk.sync_folder(self._journal)
        except OSError:
            self._segment.usable = False
            raise

    def _seal(self) -> None:
        """Write down what the file holds: for whoever looks for lost ones, and for whoever goes on."""
        if self._segment.rows:
            self._recap.write()
            self._seals[self._segment.path.name] = self._segment.seal()
            write_seals(self._journal / self._name.seals, Seals(self._generation, self._seals))

    def _seal_if_possible(self) -> None:
        with suppress(StorageError):  # entries that wait are worth more; the next seal says it again
            self._seal()

    def _refuse_if_fenced(self) -> None:
        """Refuse to acknowledge what another process, which has taken the folder over, does not see.

        Raises:
            RunMismatch: There is a newer attempt, or this one's file was moved away.
        """
        newer = self._journal / str(self._name._replace(attempt=self._name.attempt + 1, part=1))
        if newer.exists():
            by = writer_of(newer) or "a process that cannot be named"
            raise RunMismatch(f"{by} has taken {self._journal.parent} over ({newer.name})", hint=_FENCED)
        if not self._segment.in_place:
            raise RunMismatch(f"somebody has moved {self._segment.path} away", hint=_FENCED)


def _create(journal: Path, earlier: list[Name], taken: int, run: str, shard: str) -> tuple[Name, OpenSegment]:
    """Take the next attempt above those that are taken: whoever creates its first file has it."""
    strange = next((name.shard for name in earlier if name.shard != shard), None)
    if strange is not None:
        raise RunMismatch(
            f"{journal} is the journal of shard {strange}, not of {shard}",
            hint="set output.dir to another folder, or run with the same number of shards",
        )
    while True:
        there = [name.attempt for path in journal.iterdir() if (name := name_of(path.name))]
        attempt = max(taken, *there, 0) + 1
        name = Name(attempt, 1, shard, earlier[-1].run if earlier else run)
        try:
            return name, OpenSegment(journal / str(name))
        except FileExistsError:
            continue


def _repaired(path: Path) -> int:
    """Cut half a line off the end of a file that another process left, and return how long it is."""
    descriptor = disk.open_to_append(path)
    try:
        return jsonl.repair(path, descriptor)
    finally:
        disk.close(descriptor)


def swept(folder: Path, current: int) -> list[Name]:
    """Remove what a rewriting of the journal left behind when it was killed; return the segments that stay.

    Args:
        folder: The folder of a run.
        current: The generation that counts.

    Raises:
        OSError: A file cannot be removed.
    """
    kept = []
    for segment in every_segment(folder):
        if segment.generation in (0, current):
            kept.append(segment.name)
        else:
            disk.remove(segment.path.with_suffix(SUFFIX))  # first, for nobody looks for that of a segment that is gone
            disk.remove(segment.path)
            disk.remove(segment.path.with_name(segment.name.seals))
    return kept


_FENCED = "this one was taken for dead, and ends; what it had acknowledged counts"
