"""The climb, carried out: a run of the names stage whose limit is moved from level to level, and looked at.

This file decides when a level is warm, when it has been measured for long enough, and what ends the climb early. It
refuses to know which level comes next (:mod:`evoselfcode.bench.ladder`), and what the figures mean. What is sent is
what a run of the names stage sends, by the same engine, parsed and judged as there; nothing is written.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import anyio
import msgspec

from evoselfcode.bench.ladder import Ladder
from evoselfcode.bench.levels import Begun, Client, Level, Queue, Tally, lateness, level_of
from evoselfcode.bench.processor import Used, used
from evoselfcode.bench.verdict import Cut
from evoselfcode.bench.watching import Watch
from evoselfcode.engine import Fleet, Stop
from evoselfcode.engine.governor import Limits
from evoselfcode.engine.knee import PATIENCE, Measurement, Reading
from evoselfcode.engine.member import Member
from evoselfcode.errors import EvoselfcodeError

WARM = 0.2
"""Part of the seconds of a level that its warm-up takes at least."""

SETTLED = 0.2
"""Attempts of a level, as a part of it, that end before it is measured, besides those that were in flight when it
began: what began with another number in flight, or with all others at once, says nothing of it. Upwards it makes the
0.7 of :data:`evoselfcode.engine.knee.SETTLED`."""

LOOKS = 10
"""Looks at one level in its seconds; the scatter between them tells the error of its goodput."""

PULSE = 0.05
"""Seconds between two looks at the event loop's own delay."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        seconds: Seconds of a level that are measured; up to three times as many where the error is above 1 %.
        most: Highest level.
        max_seconds: Seconds of the whole.
        max_requests: Attempts of the whole; ``None`` is no bound.
    """

    seconds: float = 10.0
    most: int = 1024
    max_seconds: float = 600.0
    max_requests: int | None = None


class Book:
    """What is known so far: kept outside, so that it is not lost when the climb is cancelled.

    Attributes:
        ladder: The levels.
        cut: What ended the climb early, if something did.
        attempts: Attempts that were made.
        error: What the endpoint ended it with.
    """

    def __init__(self) -> None:
        self.ladder = Ladder(1, 1)
        self.cut: Cut | None = None
        self.attempts = 0
        self.error: EvoselfcodeError | None = None


class Climb:
    """One climb.

    Args:
        fleet: Who is asked; made with the members of `watch`.
        watch: Sees every attempt.
        wish: What was asked for.
        first: Lowest level: one request for each replica.
        told: Told each level when it is measured.
        processor: Reads what this process used.
    """

    def __init__(
        self,
        fleet: Fleet,
        watch: Watch,
        wish: Wish,
        *,
        first: int = 1,
        told: Callable[[Level], None] = lambda level: None,
        processor: Callable[[], Used] = used,
    ) -> None:
        self._fleet = fleet
        self._watch = watch
        self._wish = wish
        self._first = first
        self._told = told
        self._processor = processor
        self._late = 0.0
        self._loads: list[Queue] = []
        self._parts: dict[Member, int] = {}

    async def run(self, asked: AsyncGenerator[object, None], book: Book, stop: Stop) -> None:
        """Ask by `asked`, which is left when enough is known; write what was found into `book`.

        Cancelled: attempts in flight are abandoned; what was measured before is in the book.
        """
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                try:
                    async with aclosing(asked):
                        async for _ in asked:
                            pass
                    book.cut = book.cut or "requests"
                except EvoselfcodeError as error:
                    book.cut, book.error = "endpoint", error
                group.cancel_scope.cancel()

            async def heed() -> None:
                while not await stop.wait(3600.0):
                    pass
                book.cut = "stopped"
                group.cancel_scope.cancel()

            for beside in (ask, heed, self._listen, self._read):
                group.start_soon(beside)
            try:
                await self._climb(book)
            finally:
                book.attempts = self._watch.attempts
            group.cancel_scope.cancel()

    async def _climb(self, book: Book) -> None:
        ladder = book.ladder = Ladder(self._first, self._wish.most)
        deadline = anyio.current_time() + self._wish.max_seconds
        while (limit := ladder.next()) is not None:
            if anyio.current_time() + self._wish.seconds * (1 + WARM) > deadline:
                book.cut = "time"
                return
            with anyio.move_on_at(deadline) as scope:
                level = await self._level(limit)
            if scope.cancelled_caught:
                book.cut = "time"
                return
            ladder.add(level)
            self._told(level)

    async def _level(self, limit: int) -> Level:
        """Measure one level. Cancelled: nothing is known of it."""
        watch, clock = self._watch, anyio.current_time
        watch.begun, watch.tally, before = Begun(), Tally(), watch.in_flight
        self._share(limit)
        warm = clock() + WARM * self._wish.seconds
        while watch.tally.ended < before + SETTLED * limit or clock() < warm:
            await anyio.sleep(self._wish.seconds * WARM / 4)
            self._share(limit)
        return await self._measured(limit)

    async def _measured(self, limit: int) -> Level:
        watch, clock, seconds = self._watch, anyio.current_time, self._wish.seconds
        tally = watch.tally = Tally()
        measurement = Measurement(limit, 0)
        began, before = clock(), self._processor()
        reading: Reading | None = None
        late: list[float] = []
        seen, area = (0, 0, 0.0), watch.area()
        self._late, self._loads = 0.0, []
        while (passed := clock() - began) < (seconds if reading and reading.final else PATIENCE * seconds):
            await anyio.sleep(min(seconds / LOOKS, PATIENCE * seconds - passed))
            self._share(limit)
            now = (tally.completions, tally.tokens, tally.seconds)
            measurement.add(1, now[0] - seen[0], now[1] - seen[1], now[2] - seen[2])
            seen, reading = now, measurement.reading()
            late.append(self._late)
            self._late = 0.0
        passed, after = clock() - began, self._processor()
        in_flight = (watch.area() - area) / passed
        longest, often = lateness(late)
        cpu = after.cpu - before.cpu
        client = Client(
            cpu_us_per_request=1e6 * cpu / max(1, tally.completions),
            core=cpu / passed,
            kept_waiting=(after.waited - before.waited) / passed,
            late_s=longest,
            late_share=often,
        )
        loads = self._loads
        queue = Queue(_mean([it.running for it in loads]), _mean([it.waiting for it in loads])) if loads else None
        return level_of(limit, in_flight, passed, watch.begun, tally, reading, client=client, server=queue)

    def _share(self, limit: int) -> None:
        """Divide the level among the replicas that are there, evenly; one that came since gets its part, too."""
        members, now = self._fleet.members, anyio.current_time()
        each, rest = divmod(limit, len(members) or 1)
        for place, member in enumerate(members):
            part = max(1, each + (place < rest))
            if self._parts.get(member) != part:  # else a slow start after an outage would be undone
                self._parts[member] = part
                member.share(Limits(fixed=part), now)

    async def _listen(self) -> None:
        """Measure by how much the event loop comes late, until cancelled."""
        while True:
            before = anyio.current_time()
            await anyio.sleep(PULSE)
            self._late = max(self._late, anyio.current_time() - before - PULSE)

    async def _read(self) -> None:
        """Read the servers' queues now and then, until cancelled."""
        while True:
            await anyio.sleep(self._wish.seconds / LOOKS)
            if (told := await self._watch.read()) is not None:
                self._loads.append(told)


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)
