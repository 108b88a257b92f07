"""All endpoints of a run: who is asked next, who waits for a slot, and how they are all together.

This file decides which endpoint an attempt goes to and that no endpoint has more in flight than it may. It refuses to
know when a row is given up (:mod:`evoselfcode.wire.retry`) and how time passes (:mod:`evoselfcode.engine.tending`).

A slot is a number: taking one that is free costs no task, no future and no lock. As long as somebody waits, no slot is
free: who gives one back hands it to the first who waits. Of several endpoints with a free slot two are drawn, and the
one with the smaller part of its limit in use is asked ("power of two choices", Mitzenmacher 2001).
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain
from random import Random
from time import time

from evoselfcode.engine.endpoints import Endpoint, Event, EventKind, Members
from evoselfcode.engine.governor import Limits
from evoselfcode.engine.member import Member
from evoselfcode.engine.readings import FleetStatistics
from evoselfcode.engine.starts import Starts
from evoselfcode.records import Completion, Failure, Request
from evoselfcode.wire.retry import Tried
from evoselfcode.wire.retry_budget import RetryBudget

HEALTHY = 0.9
"""Share of the attempts of late that are answered where the endpoints are well, and a row that fails is at fault."""

OUTAGE_LIMIT = 3600.0
"""Seconds for which a run waits for an endpoint."""


class Fleet:
    """The endpoints of one run, in one event loop. It does nothing before :func:`evoselfcode.engine.pool.outcomes`.

    Args:
        members: Says who is there.
        concurrency: Attempts in flight of all endpoints together, shared evenly; ``None`` finds the limits out.
        most: Most attempts in flight of one endpoint, where the limit is found out.
        requests_per_second: Most starts in one second, of all endpoints together; ``None`` is no limit.
        tokens_per_minute: Most tokens asked for in one minute, of all endpoints together; ``None`` is no limit.
        outage_limit: Seconds without any endpoint after which the run ends.
        seed: Seeds what is drawn.
        on_event: Told what happens, at once.

    Attributes:
        members: Who is there now.
        budget: What retries may add.
        starts: When an attempt that has a slot may start; ``None`` is at once.
        news: Set when an endpoint may have more attempts in flight, or fewer; :attr:`grown` is called then.
        lag: See :class:`FleetStatistics`.
        client_bound: See :class:`FleetStatistics`.
    """

    def __init__(
        self,
        members: Members,
        *,
        concurrency: int | None = None,
        most: int | None = None,
        requests_per_second: float | None = None,
        tokens_per_minute: int | None = None,
        outage_limit: float = OUTAGE_LIMIT,
        seed: int = 0,
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> None:
        self.ask = members
        self.outage_limit = outage_limit
        self.members: list[Member] = []
        self.budget = RetryBudget()
        self.starts = None
        if requests_per_second is not None or tokens_per_minute is not None:
            self.starts = Starts(requests_per_second, tokens_per_minute)
        self.lag = 0.0
        self.client_bound = False
        self.grown: Callable[[], None] = lambda: None
        self.news = asyncio.Event()
        self._concurrency = concurrency
        self._total = sys.maxsize if concurrency is None else concurrency
        self._most = most
        self._random = Random(f"{seed}/fleet")
        self._on_event = on_event
        self._waiters: deque[asyncio.Future[Member | None]] = deque()
        self._waiting = self._in_flight = 0
        self._stopped = False

    def take(self) -> Member | None:
        """Take a slot if one is free. Give it back by :meth:`ended` or :meth:`free`."""
        if self._in_flight >= self._total:
            return None  # of all together: a replica that came shares with others whose attempts have not ended yet
        members = self.members
        if len(members) == 1:
            member = members[0]
            if member.in_flight >= member.open:
                return None
        else:
            found = self._pick(members)
            if found is None:
                return None
            member = found
        member.in_flight += 1
        if member.in_flight > member.peak:
            member.peak = member.in_flight
        self._in_flight += 1
        return member

    def _pick(self, members: list[Member]) -> Member | None:
        """Draw two endpoints and return the less busy; if neither has a free slot, the next that has."""
        count = len(members)
        if count == 0:
            return None
        draw = self._random.random
        first = int(draw() * count)
        second = (first + 1 + int(draw() * (count - 1))) % count
        a, b = members[first], members[second]
        if a.in_flight < a.open:
            return b if b.in_flight < b.open and b.in_flight * a.open < a.in_flight * b.open else a
        if b.in_flight < b.open:
            return b
        for member in chain(members[first:], members[:first]):
            if member.in_flight < member.open:
                return member
        return None

    async def slot(self, request: Request) -> Member | None:
        """Wait for a slot, and until `request` may start; ``None`` when the run stops. Cancelled: none is held."""
        starts = self.starts
        while not self._stopped and (member := self.take() or await self._next_free()) is not None:
            member.held += 1
            try:
                admitted = member.allows() if starts is None else await starts.admitted(request, member.allows)
            except BaseException:
                self.free(member)
                raise
            finally:
                member.held -= 1
            if admitted and not self._stopped:
                return member
            self.free(member)  # its endpoint went away meanwhile
        return None

    async def _next_free(self) -> Member | None:
        """Wait for a slot; ``None`` when the run stops. Cancelled: none is held."""
        future: asyncio.Future[Member | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(future)
        self._waiting += 1
        try:
            return await future
        except BaseException:
            if future.done() and not future.cancelled() and (member := future.result()) is not None:
                self.free(member)
            raise
        finally:
            self._waiting -= 1

    def free(self, member: Member) -> None:
        """Give a slot back, and hand it to the first who waits."""
        waiters = self._waiters
        if waiters and member.in_flight <= member.open:
            while waiters:
                future = waiters.popleft()
                if not future.done():
                    future.set_result(member)
                    return
        member.in_flight -= 1
        self._in_flight -= 1
        if waiters:
            self._hand_out()

    def _hand_out(self) -> None:
        """Give the slots that are free to those who wait."""
        while self._waiters and (member := self.take()) is not None:
            self.free(member)  # which hands it to the first who waits

    def ended(
        self, member: Member, request: Request, result: Completion | Failure, seconds: float, now: float
    ) -> Tried | None:
        """Take an attempt that ended, and its slot back; of one that was cancelled, :meth:`free` takes its slot alone.

        Its tokens are set right first, then its endpoint learns of it, and its slot is free last: none is handed on of
        an endpoint that has just gone away.

        Args:
            member: Where it was made.
            request: What was asked.
            result: What it gave.
            seconds: How long it took.
            now: When it ended, in seconds of the loop's clock.

        Returns:
            What the retry policy is told of a failure; ``None`` for a completion.
        """
        if self.starts is not None:
            self.starts.ended(request, result, now)
        if isinstance(result, Completion):
            member.answered(result, seconds, now)
            self.free(member)
            return None
        counts = member.failed(result, now)
        self.free(member)
        return Tried(result, seconds, counts, now, member.name, self.healthy)

    def went_away(self, tried: Tried) -> bool:
        """Say whether an endpoint answered nobody after an attempt that failed there, until it was parked."""
        there = (member.health.went for member in self.members if member.name == tried.endpoint)
        return any(answered <= tried.at <= parked for went in there for answered, parked in went)

    @property
    def healthy(self) -> bool:
        """Whether nine in ten of the attempts of late were answered."""
        shares = [member.health.shares() for member in self.members]
        good, bad = sum(share[0] for share in shares), sum(share[1] for share in shares)
        return good >= HEALTHY * (good + bad)

    @property
    def limit(self) -> int:
        """Attempts in flight when all endpoints are well."""
        return min(self._total, sum(member.limit for member in self.members))

    @property
    def away_since(self) -> float | None:
        """Since when nobody answers; ``None`` while somebody may."""
        since = [member.health.away_since for member in self.members]
        return max((at for at in since if at is not None), default=None) if None not in since else None

    def stop(self) -> None:
        """Let nobody wait for a slot any more."""
        if not self._stopped:
            self.tell("stop", "", f"no new attempt starts; {self._in_flight} in flight may end")
        self._stopped = True
        while self._waiters:
            future = self._waiters.popleft()
            if not future.done():
                future.set_result(None)
        if self.starts is not None:
            self.starts.stop()

    async def refresh(self) -> tuple[list[Member], list[Member]]:
        """Ask who is there, and return who joined and who left. Cancelled: nothing changed."""
        there = {endpoint.name: endpoint for endpoint in await self.ask()}
        now = asyncio.get_running_loop().time()
        left = [member for member in self.members if member.name not in there]
        known = {member.name for member in self.members}
        coming = [endpoint for name, endpoint in there.items() if name not in known]
        first = not self.members
        stay = [member for member in self.members if member.name in there]
        limits = self._limits(len(stay) + len(coming))
        joined = [self._join(endpoint, limits[len(stay) + at], now) for at, endpoint in enumerate(coming)]
        if (joined or left) and self._concurrency is not None:
            for member, share in zip(stay, limits, strict=False):
                member.share(share, now)
        self.members = [*stay, *joined]
        self.budget.endpoints = max(1, len(self.members))
        for member in left:
            member.leave()
            self.tell("left", member.name, "it is no longer among the replicas")
        for member in joined:
            if not first:
                self.tell("joined", member.name, "a new replica", member.limit)
            elif self._concurrency is None:  # else it does not move
                self.tell("limit", member.name, f"limit {member.limit} at the start", member.limit)
        self._reopened()
        return joined, left

    def _join(self, endpoint: Endpoint, limits: Limits, now: float) -> Member:
        random = Random(f"{self._random.random()}/{endpoint.name}")
        return Member(endpoint, limits, now, random, self.tell, self._reopened)

    def _limits(self, count: int) -> Sequence[Limits]:
        """Return the bounds of each of `count` endpoints."""
        if self._concurrency is None:
            return [Limits(most=self._most)] * count
        share, rest = divmod(self._concurrency, count or 1)
        return [Limits(fixed=share + (at < rest)) for at in range(count)]

    def _reopened(self) -> None:
        """Hand out what became free, and let whoever watches look again."""
        self._hand_out()
        self.news.set()
        self.grown()

    def tell(self, kind: EventKind, endpoint: str, reason: str, limit: int | None = None) -> None:
        """Note what happened."""
        self._on_event(Event(time(), kind, endpoint, reason, limit))

    def statistics(self) -> FleetStatistics:
        """Read the fleet."""
        return FleetStatistics(
            endpoints=tuple(member.statistics() for member in self.members),
            waiting=self._waiting,
            budget=self.budget.left(asyncio.get_running_loop().time()),
            lag=self.lag,
            client_bound=self.client_bound,
        )
