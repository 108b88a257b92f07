"""Every attempt at every replica, seen as it goes through: counted, timed, bounded.

This file decides what is noted of an attempt and that no more are made than allowed. It refuses to know which level is
measured; whoever measures puts fresh counters in place. It has no clock of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

import anyio

from evoselfcode.bench.levels import Begun, Queue, Tally
from evoselfcode.engine import Endpoint, Members
from evoselfcode.records import Completion, Failure, Request
from evoselfcode.wire.load import Load


class Watch:
    """Stands between the engine and the endpoints.

    Args:
        members: Says who is there.
        clock: Returns the time in seconds.
        most: Attempts that may be made; ``None`` is no bound.
        spent: Called when they were made; no attempt may follow.

    Attributes:
        begun: What is added to when an attempt begins, and by it when it fails.
        tally: What is added to when an attempt ends; its figures are of those only that began with `begun`.
        in_flight: Attempts that are under way.
        attempts: Attempts that were made in all.
    """

    def __init__(
        self, members: Members, clock: Callable[[], float], *, most: int | None, spent: Callable[[], None]
    ) -> None:
        self._members = members
        self._clock = clock
        self._most = inf if most is None else most
        self._spent = spent
        self._seen: dict[str, _Watched] = {}
        self.begun = Begun()
        self.tally = Tally()
        self.in_flight = self.attempts = 0
        self._area, self._moved = 0.0, 0.0

    async def members(self) -> Sequence[Endpoint]:
        """Return who is there, each behind a watch. Cancelled: nothing changed."""
        there = await self._members()
        self._seen = {one.name: self._seen.get(one.name) or _Watched(self, one) for one in there}
        return [*self._seen.values()]

    async def send(self, endpoint: Endpoint, request: Request) -> Completion | Failure:
        """Make one attempt at `endpoint`. Cancelled: it is no longer in flight, and counts as nothing more."""
        begun, began = self.begun, self._clock()
        self.attempts += 1
        if self.attempts == self._most:
            self._spent()
        begun.attempts += 1
        self._move(began, 1)
        try:
            answer = await endpoint.send(request)
        finally:
            ended = self._clock()
            self._move(ended, -1)
        if isinstance(answer, Failure):
            begun.failures[answer.kind] += 1
        self.tally.ended += 1
        if begun is self.begun:  # else it tells of another level
            self.tally.add(answer, ended - began)
        return answer

    def area(self) -> float:
        """Return the seconds that all attempts together have been in flight.

        Its growth by the seconds that passed is how many were on the average: answers come in lumps, and a look now and
        then meets always the same side of them.
        """
        return self._area + self.in_flight * (self._clock() - self._moved)

    def _move(self, now: float, by: int) -> None:
        self._area += self.in_flight * (now - self._moved)
        self._moved = now
        self.in_flight += by

    async def read(self) -> Queue | None:
        """Ask all for the numbers of their queues, at once, and add them up; ``None`` if one has none.

        Cancelled: nothing is left open.
        """
        seen = [*self._seen.values()]
        async with anyio.create_task_group() as group:
            for endpoint in seen:
                group.start_soon(endpoint.read)
        loads = [endpoint.seen for endpoint in seen]
        if not loads or None in loads:
            return None
        told = [load for load in loads if load is not None]
        return Queue(sum(load.running for load in told), sum(load.waiting for load in told))


class _Watched:
    """One endpoint. Its queue is read by whoever measures; the engine is told what was read last."""

    def __init__(self, watch: Watch, endpoint: Endpoint) -> None:
        self._watch = watch
        self._endpoint = endpoint
        self.name = endpoint.name
        self.seen: Load | None = None

    async def send(self, request: Request) -> Completion | Failure:
        return await self._watch.send(self._endpoint, request)

    async def probe(self) -> Failure | None:
        return await self._endpoint.probe()

    async def load(self) -> Load | None:
        return self.seen

    async def read(self) -> None:
        self.seen = await self._endpoint.load()
