"""Plan in, outcomes out: workers pull requests from one lazy plan and drive each to its end.

This file decides when an attempt is made, when a worker waits and how a run stops. It refuses to know what a
request says, how it is sent (:class:`evoselfcode.engine.endpoints.Endpoint`) and what becomes of an outcome. The
rules of retrying are :func:`evoselfcode.wire.retry.attempts`; this file carries them out, after a first failure.

Memory does not depend on the length of the plan: each worker has one request under way or one outcome to hand over,
at most :data:`READY` outcomes wait to be taken, and at most as many were taken last.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from typing import Generic, TypeVar

import anyio

from evoselfcode.engine.again import Again
from evoselfcode.engine.fleet import Fleet
from evoselfcode.engine.handover import Handover
from evoselfcode.engine.stop import Stop
from evoselfcode.engine.tending import tend
from evoselfcode.errors import EvoselfcodeError
from evoselfcode.finishing import ended
from evoselfcode.records import FailureKind, Outcome, Request
from evoselfcode.wire.retry import Tried

T = TypeVar("T")

Finish = Callable[[Outcome], Awaitable[T]]
"""Makes of an outcome what is handed on. It holds a worker, no slot: whoever takes long here keeps no endpoint idle."""


class AtOnce(Generic[T]):
    """What never waits in the place of a :data:`Finish`: then a worker either has an attempt in flight or begins one.

    Args:
        make: Makes of an outcome what is handed on, in microseconds.
    """

    def __init__(self, make: Callable[[Outcome], T]) -> None:
        self.make = make


TICK = 1.0
"""Seconds after which :func:`outcomes` yields an empty list, so that its caller can commit and report."""

READY = 512
"""Most outcomes that wait to be taken: with 4,096 in flight as many would take 20 MB, and cost nothing less."""


async def outcomes(
    plan: Iterable[Request | None],
    fleet: Fleet,
    *,
    finish: Finish[T] | AtOnce[T],
    seed: int = 0,
    max_attempts: int = 5,
    timeout: float | None = None,
    stop: Stop | None = None,
    on_failure: Callable[[FailureKind], None] = lambda kind: None,
) -> AsyncGenerator[list[T], None]:
    """Drive every request of `plan` to its outcome; yield what `finish` makes of them in lists, in the order of ending.

    An empty list is yielded after each :data:`TICK` without news. The generator may be left at any time, also by
    ``break`` and by cancellation from another task group: the workers live in one task of their own, which is
    cancelled and awaited before the generator ends, so no task, slot or connection stays behind.

    Args:
        plan: Requests; pulled one at a time, only when a worker is free. ``None`` lets the event loop have a turn: a
            plan that passes over what is settled takes long to find the next request.
        fleet: Who is asked. A slot of it is held during each attempt, never while waiting for a retry. Up to half as
            many requests more than it has slots are under way: one that waits keeps its worker, and no slot idle.
        finish: Makes of an outcome what is yielded; may wait, in the outcome's own worker, unless it is at once.
        seed: Seeds the jitter of each request's waits together with its key.
        max_attempts: Attempts of one request that may end in a failure of its own.
        timeout: Seconds of one attempt, as whoever sends has it; ``None`` is :func:`retry.attempt_seconds`.
        stop: Ends the run early; requests that were not settled yield no outcome.
        on_failure: Told each failed attempt at once, so that an outage can be seen while it lasts.

    Raises:
        EndpointRefused: An endpoint refuses every request alike (key, model, URL, credit).
        EndpointDown: No endpoint answered for longer than the fleet's limit.
    """
    stop = stop or Stop()
    ready: Handover[T] = Handover(1)
    pool = _Pool(iter(plan), fleet, finish, ready, stop, Again(fleet, stop, on_failure, seed, max_attempts, timeout))
    stop.tell(fleet.stop)
    host = asyncio.get_running_loop().create_task(pool.run())
    try:
        while not ready.ended:
            yield await ready.take(TICK)
        await ended(host)
        if host.cancelled():
            raise RuntimeError("the workers were cancelled from outside, by whoever cancels all tasks")
        host.result()
    finally:
        stop.forget(fleet.stop)
        host.cancel()
        try:
            await ended(host)
        finally:
            if host.done() and not host.cancelled():
                host.exception()  # retrieved: it was raised above, or the caller left before it could matter


class _Pool(Generic[T]):
    """The workers of one run."""

    def __init__(
        self,
        plan: Iterator[Request | None],
        fleet: Fleet,
        finish: Finish[T] | AtOnce[T],
        ready: Handover[T],
        stop: Stop,
        again: Again,
    ) -> None:
        self._plan = plan
        self._fleet = fleet
        self._finish = finish
        self._ready = ready
        self._stop = stop
        self._again = again
        self._workers = self._waiting = 0
        self._exhausted = False

    async def run(self) -> None:
        """Run the workers; tell the taker when all have ended. Cancelled: the workers are cancelled and awaited.

        What ends the run is raised as it is; what nobody foresaw is raised in its group, with every traceback.
        """
        try:
            async with anyio.create_task_group() as beside:
                await beside.start(tend, self._fleet)
                async with anyio.create_task_group() as group:
                    self._fleet.grown = lambda: self._grow(group)
                    self._grow(group)
                self._fleet.grown = lambda: None
                beside.cancel_scope.cancel()
        except Exception as raised:
            foreseen, others = (
                raised.split(EvoselfcodeError) if isinstance(raised, BaseExceptionGroup) else (None, raised)
            )
            if foreseen is None or others is not None:
                raise
            raise _first(foreseen) from None
        else:
            if group.cancel_scope.cancel_called:  # nobody cancelled us: a worker ended so by itself, its group with it
                raise RuntimeError("an attempt ended as cancelled although nobody cancelled it")
        finally:
            self._fleet.grown = lambda: None
            self._ready.end()

    def _grow(self, group: anyio.abc.TaskGroup) -> None:
        """Start the workers that the limit asks for; they are never fewer again.

        A worker more than there are slots waits for one, which is a turn of the event loop for each request: there are
        as many more as wait for something else.
        """
        limit = self._fleet.limit
        spare = limit // 2 + 1
        wanted = limit + (min(self._waiting, spare) if isinstance(self._finish, AtOnce) else spare)
        if self._exhausted or wanted <= self._workers:
            return
        self._ready.room = min(wanted, READY)
        while self._workers < wanted:
            self._workers += 1
            group.start_soon(self._work)

    async def _work(self) -> None:
        """Settle requests until the plan is empty or the run stops. Cancelled: the request under way has no outcome."""
        fleet, finish, ready, stopped = self._fleet, self._finish, self._ready, self._stop.is_set
        clock, requested = asyncio.get_running_loop().time, fleet.budget.requested
        take = fleet.take
        for request in self._plan:
            if stopped():
                break
            if request is None:
                await asyncio.sleep(0)
                continue
            member = take() if fleet.starts is None else None
            if member is None and (member := await fleet.slot(request)) is None:
                break
            began = clock()
            requested(began)
            try:
                answer = await member.send(request)
            except BaseException:
                fleet.free(member)
                raise
            now = clock()
            tried = fleet.ended(member, request, answer, now - began, now)
            if tried is None:
                outcome = Outcome(request, answer, 1, now - began)
            else:
                found = await self._once_more(request, tried, began)
                if found is None:
                    break
                outcome = found
            item = finish.make(outcome) if isinstance(finish, AtOnce) else await finish(outcome)
            while not ready.give(item):
                await ready.wait()
        self._exhausted = True

    async def _once_more(self, request: Request, tried: Tried, began: float) -> Outcome | None:
        """Drive a request whose first attempt failed to its end, with another worker in the place of this one."""
        self._waiting += 1
        self._fleet.grown()
        try:
            return await self._again(request, tried, began)
        finally:
            self._waiting -= 1


def _first(group: BaseExceptionGroup[EvoselfcodeError]) -> EvoselfcodeError:
    """Pick one of the errors that several workers met together."""
    for error in group.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("an exception group is never empty")
