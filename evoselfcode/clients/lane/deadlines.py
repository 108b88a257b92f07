"""One timer for everything that waits: whoever is still there when its time has passed is told so.

Things that wait equally long come due in the order in which they began, so they stand in line: one queue for each
duration, the earliest in front. To join and to leave are one operation on a dict, and only the fronts are looked at,
when the timer fires. This file refuses to know what waits, and what for.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any, Protocol


class Waits(Protocol):
    """What can be late."""

    def expire(self) -> None:
        """Be told that the time has passed."""


Queue = dict[Any, float]
"""Who waits, by when, the earliest in front; to leave is to be deleted from it."""


class Deadlines:
    """Deadlines of one event loop, all on one timer.

    Args:
        loop: Whose clock and timer are used.

    Attributes:
        loop: The same.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._equal: dict[float, Queue] = {}
        self._others: list[Queue] = []
        self._timer: asyncio.TimerHandle | None = None
        self._next = inf

    def watch(self, who: Waits, seconds: float, now: float) -> Queue:
        """Let `who` join those that wait for as many seconds; return their queue, to be deleted from."""
        queue = self._equal.get(seconds)
        if queue is None:
            queue = self._equal[seconds] = {}
        self.join(queue, who, now + seconds)
        return queue

    def join(self, queue: Queue, who: Waits, when: float) -> None:
        """Let `who` wait in `queue` until `when`; not before those that are in it."""
        queue[who] = when
        if when < self._next:
            self._arm(when)

    def queue(self) -> Queue:
        """Return a queue of its own, that is looked after as long as this object lives."""
        queue: Queue = {}
        self._others.append(queue)
        return queue

    def rest(self) -> None:
        """Put the timer away if nobody waits."""
        if self._timer is not None and not any(self._equal.values()) and not any(self._others):
            self._timer.cancel()
            self._timer, self._next = None, inf

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = when
        self._timer = self.loop.call_at(when, self._fire) if when < inf else None

    def _fire(self) -> None:
        """Tell those that are late; set the timer to the next."""
        now = self.loop.time()
        self._timer, self._next = None, inf
        late: list[Waits] = []
        soonest = inf
        for queue in [*self._equal.values(), *self._others]:
            for who, when in queue.items():
                if when > now:
                    soonest = min(soonest, when)
                    break
                late.append(who)
        self._equal = {seconds: queue for seconds, queue in self._equal.items() if queue}
        self._arm(soonest)
        for who in late:  # each leaves its queue, and may join another
            who.expire()
