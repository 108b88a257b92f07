"""What people decided about names: an append-only file in the run's folder that says every decision in order.

This file decides what a decision is, when it is safe, and what undoing means. It refuses to know who asked for it.

A line is ``{"func_name": …, "decision": "accept" | "reject" | "undo", "tags": […], "time": …}``. A decision is about a
name in its canonical form (``quick_sort`` and ``quickSort`` are one), and the last one counts; ``undo`` means that
nothing is decided. So to undo is to write down what was decided before, and no line is ever changed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Self

import msgspec

from evoselfcode.datagen.filters import canonical
from evoselfcode.errors import StorageError
from evoselfcode.storage import Damage, jsonl, take_lock

DECISIONS = "decisions.jsonl"
"""The file, in the folder of the run."""

Choice = Literal["accept", "reject", "undo"]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the file.

    Attributes:
        func_name: The name as it was shown.
        decision: ``undo`` means that nothing is decided; the tags are kept all the same.
        tags: All tags of the name from now on.
        time: When it was decided (UTC, ISO 8601).
    """

    func_name: str
    decision: Choice
    tags: tuple[str, ...] = ()
    time: str = ""


class State(NamedTuple):
    """What is decided about a name."""

    decision: Choice = "undo"
    tags: tuple[str, ...] = ()


UNDECIDED = State()


def read_decisions(path: Path) -> Iterator[Decision | Damage]:
    """Yield the decisions of a file in order; none if there is no file.

    Raises:
        StorageError: The file cannot be read.
    """
    if path.exists():
        yield from jsonl.read_as(path, _decoded, unframe=bytes.strip)


def standing(path: Path, warnings: list[str]) -> dict[str, Decision]:
    """Read what holds for each canonical name: the last decision about it, unless it took one back.

    A last line without its newline was never acknowledged: it cannot be read.

    Args:
        path: The file; it need not be there.
        warnings: Told of lines that cannot be read.

    Raises:
        StorageError: The file cannot be read.
    """
    last, damaged = {}, 0
    for row in read_decisions(path):
        if isinstance(row, Damage):
            damaged += 1
        else:
            last[canonical(row.func_name)] = row
    if damaged:
        warnings.append(f"{damaged} lines of {path.name} cannot be read and are left out")
    return {key: row for key, row in last.items() if row.decision != "undo"}


class Decisions:
    """Takes decisions and remembers them; enter it to be the only one who does.

    Its lock is not the run's: names can be reviewed while the run goes on.

    Args:
        folder: The run's folder.
        now: Tells the time, UTC, ISO 8601.
    """

    def __init__(self, folder: Path, *, now: Callable[[], str] = lambda: _utc_now()) -> None:
        self.path = folder / DECISIONS
        self._now = now
        self._lock = -1
        self._file: jsonl.Appender | None = None
        self._forget()

    def _forget(self) -> None:
        self.damaged = 0
        self.revision = 0
        self.counts: Counter[str] = Counter()
        self.tags: Counter[str] = Counter()
        self._names: dict[str, str] = {}
        self._states: dict[str, State] = {}
        self._undo: list[tuple[str, State]] = []

    def __enter__(self) -> Self:
        """Take the lock, repair a torn tail and read what was decided.

        Raises:
            StorageError: The file cannot be opened, repaired or read.
            RunMismatch: Another process reviews this run.
        """
        self._lock = take_lock(
            self.path.with_name(".review.lock"),
            f"another process reviews the names in {self.path.parent}",
            hint="use the page that it serves; two tabs of it do not disturb each other",
        )
        try:
            self._open()
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file and give the lock back."""
        if self._file:
            self._file.close()
        os.close(self._lock)

    def state(self, name: str) -> State:
        """Return what is decided about a name."""
        return self._states.get(canonical(name), UNDECIDED)

    def names(self) -> list[str]:
        """Return the names that something is decided about, in the order of their first decision."""
        return [name for key, name in self._names.items() if key in self._states]

    def decide(self, name: str, decision: Choice | None, tags: tuple[str, ...] | None) -> None:
        """Decide about a name; it is safe when this returns. Blocks for the disk: call it off the event loop.

        Args:
            name: The name.
            decision: ``None`` leaves it as it is.
            tags: All tags from now on; ``None`` leaves them as they are.

        Raises:
            StorageError: Nothing is decided. The next call opens the file anew.
        """
        before = self.state(name)
        wanted = State(decision or before.decision, before.tags if tags is None else tags)
        if wanted != before:
            self._write(name, wanted)

    def undo(self) -> str | None:
        """Undo the last decision that is not undone yet; return its name, or ``None`` if there is none.

        Blocks for the disk: call it off the event loop.

        Raises:
            StorageError: Nothing is undone. The next call opens the file anew.
        """
        if not self._undo:
            return None
        key, before = self._undo[-1]
        name = self._names[key]
        self._write(name, before)
        return name

    def _write(self, name: str, state: State) -> None:
        file = self._file or self._open()
        row = Decision(func_name=name, decision=state.decision, tags=state.tags, time=self._now())
        file.append(msgspec.json.encode(row))
        try:
            file.commit()
        except StorageError:  # what the file holds now is unknown: it is read anew before it is written again
            self._file = None
            file.close()
            raise
        self._apply(row)

    def _open(self) -> jsonl.Appender:
        file = jsonl.Appender(self.path, frame=jsonl.plain)
        self._forget()
        try:
            for row in read_decisions(self.path):
                if isinstance(row, Damage):
                    self.damaged += 1
                else:
                    self._apply(row)
        except BaseException:
            file.close()
            raise
        self._file = file
        return file

    def _apply(self, row: Decision) -> None:
        """Take a row for decided. A row that says what was before the last one undoes it."""
        key, after = canonical(row.func_name), State(row.decision, row.tags)
        before = self._states.get(key, UNDECIDED)
        if self._undo and self._undo[-1] == (key, after):
            self._undo.pop()
        elif before != after:
            self._undo.append((key, before))
        self.revision += 1
        self._names.setdefault(key, row.func_name)
        self.counts[before.decision] -= 1
        self.counts[after.decision] += 1
        self.tags.subtract(before.tags)
        self.tags.update(after.tags)
        if after == UNDECIDED:
            self._states.pop(key, None)
        else:
            self._states[key] = after


def _decoded(document: bytes) -> Decision | None:
    try:
        return msgspec.json.decode(document, type=Decision)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
