"""What happened: every attempt, every acknowledgement, every life of the process, in the order of happening.

This file decides what is remembered. What must hold of it is :mod:`sim.checks`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal

from evoselfcode.clients.replies import Reply
from evoselfcode.records import Failure

LIED = "lied"
"""Why a 200 is no completion."""

What = Literal["row", "probe", "models", "load"]
"""What an attempt is for: a row of the plan, or a question of the program's own."""


class Attempt:
    """One attempt on the wire.

    Attributes:
        what: What it is for.
        key: The request's key, where it is for a row.
        replica: Where it went.
        life: The life of the process that made it, counted from 0.
        began: When, in seconds of the loop.
        ended: When its result was there.
        said: ``ok``, ``lie``, a status, or the kind of failure.
        why: The nemesis that was at work there, or what else ended it.
        open_there: Attempts for rows in flight at that replica, this one included, when it began.
        open_all: The same at all replicas.
        limit: How many the engine allowed there at that moment.
    """

    def __init__(self, history: History, what: What, key: str, replica: str, loop: asyncio.AbstractEventLoop) -> None:
        self._history = history
        self._loop = loop
        self.what, self.key, self.replica, self.life = what, key, replica, history.life
        self.began = loop.time()
        self.ended: float | None = None
        self.said = self.why = ""
        self.open_there = self.open_all = self.limit = 0
        self.asked: dict[str, Any] = {}
        self.deadline: asyncio.TimerHandle | None = None
        self.result: asyncio.Future[Reply | Failure] = loop.create_future()

    def end(self, result: Reply | Failure, why: str) -> None:
        """Note the result and hand it over. A second one comes too late."""
        if self.ended is not None:
            return
        self.ended, self.why = self._loop.time(), why
        if isinstance(result, Failure):
            self.said = result.kind
        elif result[0] != 200:
            self.said = str(result[0])
        else:
            self.said = "lie" if why == LIED else "ok"
        if self.deadline is not None:
            self.deadline.cancel()
        self._history.end(self)
        if not self.result.done():
            self.result.set_result(result)


@dataclass
class Life:
    """One life of the process.

    Attributes:
        began: When, in seconds of the loop.
        ended: When.
        how: How it ended.
        steps: At which step of the loop.
    """

    began: float
    ended: float = 0.0
    how: str = ""
    steps: int = 0


@dataclass
class History:
    """What happened.

    Attributes:
        attempts: In the order of beginning.
        acknowledged: When each key was acknowledged, in seconds of the loop.
        lives: The lives of the process.
        ills: What was wrong where: replica, what, from, to.
        notes: All that happened, one line each, for people; kept if `telling`.
        dead: Rows that were given up.
        broken: What must never be.
        limit_of: Says how many attempts the engine allows at a replica now.
    """

    telling: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    acknowledged: dict[str, float] = field(default_factory=dict)
    lives: list[Life] = field(default_factory=list)
    ills: list[tuple[str, str, float, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dead: int = 0
    broken: list[str] = field(default_factory=list)
    limit_of: Callable[[str], int] = lambda replica: 0

    def __post_init__(self) -> None:
        self._open: dict[Attempt, None] = {}
        self._there: Counter[str] = Counter()
        self._hash = blake2b(digest_size=16)

    @property
    def life(self) -> int:
        return len(self.lives) - 1

    @property
    def trace(self) -> str:
        """A hash of everything that happened and when."""
        return self._hash.hexdigest()

    def note(self, now: float, told: str) -> None:
        """Write down that something happened."""
        line = f"{now:.6f} {told}"
        self._hash.update(line.encode() + b"\n")
        if self.telling:
            self.notes.append(line)

    def begin(self, what: What, key: str, replica: str, loop: asyncio.AbstractEventLoop) -> Attempt:
        attempt = Attempt(self, what, key, replica, loop)
        self.attempts.append(attempt)
        self._open[attempt] = None
        if what == "row":
            self._there[replica] += 1
            attempt.open_there, attempt.open_all = self._there[replica], self.flying
            attempt.limit = self.limit_of(replica)
            if key in self.acknowledged:
                self.broken.append(f"row {key[:8]} was asked again after it had been acknowledged")
        self.note(attempt.began, f"{replica} {what} {key[:8]} asked")
        return attempt

    def end(self, attempt: Attempt) -> None:
        del self._open[attempt]
        if attempt.what == "row":
            self._there[attempt.replica] -= 1
        told = f"{attempt.replica} {attempt.what} {attempt.key[:8]} {attempt.said} {attempt.why}"
        self.note(attempt.ended or 0.0, told.rstrip())

    def in_flight(self) -> list[Attempt]:
        """Return the attempts that have no result yet."""
        return [*self._open]

    @property
    def flying(self) -> int:
        """Attempts for rows that have no result yet."""
        return self._there.total()

    def acknowledge(self, keys: Iterable[str], now: float) -> None:
        """Note that a commit returned."""
        for key in keys:
            if key in self.acknowledged:
                self.broken.append(f"(D13) row {key[:8]} was acknowledged twice")
            self.acknowledged[key] = now
            self.note(now, f"row {key[:8]} acknowledged")

    def ill(self, replica: str, what: str, begins: float, ends: float) -> None:
        """Note what is wrong with a replica, and for how long."""
        self.ills.append((replica, what, begins, ends))
        self.note(begins, f"{replica} {what} until {ends:.3f}")
