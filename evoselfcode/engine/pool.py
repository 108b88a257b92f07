"""Plan in, outcomes out: workers pull requests from one lazy plan and drive each to its end.

This file decides when an attempt is made, when a worker waits and how a run stops. It refuses to know what a
request says, how it is sent (:class:`evoselfcode.engine.endpoints.Endpoint`) and what becomes of an outcome. The
rules of retrying are :func:`evoselfcode.wire.retry.attempts`; this file carries them out, after a first failure.

Memory does not depend on the length of the plan: each worker has one request under way or one outcome to hand over,
at most as many outcomes as workers wait to be taken, and at most as many and one were taken last.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

import anyio

from evoselfcode.engine.fleet import Fleet
from evoselfcode.engine.handover import Handover
from evoselfcode.engine.member import Member
from evoselfcode.engine.stop import Stop
from evoselfcode.engine.tending import tend
from evoselfcode.errors import EndpointRefused, EvoselfcodeError
from evoselfcode.finishing import ended
from evoselfcode.records import Completion, Failure, FailureKind, Outcome, Request
from evoselfcode.wire import retry

T = TypeVar("T")

Finish = Callable[[Outcome], Awaitable[T]]
"""Makes of an outcome what is handed on. It holds a worker, no slot: whoever takes long here keeps no endpoint idle."""

TICK = 1.0
"""Seconds after which :func:`outcomes` yields an empty list, so that its caller can commit and report."""

ROW_ATTEMPTS = 3
"""Deadlines of one attempt that the attempts of a row may take together."""


async def outcomes(
    plan: Iterable[Request | None],
    fleet: Fleet,
    *,
    finish: Finish[T],
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
        fleet: Who is asked. A slot of it is held during each attempt, never while waiting for a retry. Half as many
            requests more than it has slots are under way: one that waits keeps its worker, and no slot idle.
        finish: Makes of an outcome what is yielded; may wait, in the outcome's own worker.
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
    pool = _Pool(iter(plan), fleet, finish, ready, stop, _Rules(seed, max_attempts, timeout), on_failure)
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


@dataclass(frozen=True)
class _Rules:
    """How requests are retried."""

    seed: int
    max_attempts: int
    timeout: float | None

    def steps(self, request: Request) -> retry.Steps:
        sampling = request.sampling
        seconds = retry.attempt_seconds(sampling.max_new_tokens) if self.timeout is None else self.timeout
        return retry.attempts(
            max_attempts=self.max_attempts,
            random=Random(f"{self.seed}/{request.key}"),
            deadline=ROW_ATTEMPTS * seconds,
        )


class _Pool(Generic[T]):
    """The workers of one run."""

    def __init__(
        self,
        plan: Iterator[Request | None],
        fleet: Fleet,
        finish: Finish[T],
        ready: Handover[T],
        stop: Stop,
        rules: _Rules,
        on_failure: Callable[[FailureKind], None],
    ) -> None:
        self._plan = plan
        self._fleet = fleet
        self._finish = finish
        self._ready = ready
        self._stop = stop
        self._rules = rules
        self._on_failure = on_failure
        self._workers = 0
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
        """Start the workers that the limit asks for; they are never fewer again."""
        limit = self._fleet.limit
        wanted = limit + limit // 2 + 1
        if self._exhausted or wanted <= self._workers:
            return
        self._ready.room = wanted
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
            if member is None and (member := await self._slot(request)) is None:
                break
            began = clock()
            requested(began)
            try:
                answer = await member.send(request)
            except BaseException:
                fleet.free(member)
                raise
            now = clock()
            if isinstance(answer, Completion):
                fleet.answered(member, answer, now - began, now)
                outcome = Outcome(request, answer, 1, now - began)
            else:
                tried = fleet.failed(member, answer, now - began, now)
                found = await self._again(request, tried, began)
                if found is None:
                    break
                outcome = found
            if fleet.starts is not None and isinstance(outcome.result, Completion):
                fleet.starts.used(request, outcome.result, now)
            item = await finish(outcome)
            while not ready.give(item):
                await ready.wait()
        self._exhausted = True

    async def _slot(self, request: Request) -> Member | None:
        """Wait for a slot, and for a start; ``None`` when the run stops. Cancelled: none is held."""
        fleet, starts = self._fleet, self._fleet.starts
        while True:
            member = fleet.take() or await fleet.slot()
            if member is None:
                return None
            if starts is not None:
                try:
                    admitted = await starts.admitted(request)
                except BaseException:
                    fleet.free(member)
                    raise
                if not admitted or member.in_flight > member.open:
                    fleet.free(member)
                    if admitted:
                        continue  # it went away meanwhile
                    return None
            if self._stop.is_set():
                fleet.free(member)
                return None
            return member

    async def _again(self, request: Request, tried: retry.Tried, began: float) -> Outcome | None:
        """Drive a request whose first attempt failed to its end; ``None`` if the run stops first."""
        fleet, clock = self._fleet, asyncio.get_running_loop().time
        steps = self._rules.steps(request)
        failures: list[FailureKind] = []
        next(steps)  # it was made
        attempts = 1
        told: retry.Tried | None = tried
        while True:
            if told is not None and isinstance(told.result, Failure):
                failures.append(told.result.kind)
                self._on_failure(told.result.kind)
            try:
                step = steps.send(told)
            except StopIteration as ended:
                return _settled(Outcome(request, ended.value, attempts, clock() - began, tuple(failures)))
            told = None
            if isinstance(step, retry.Wait):
                if await self._stop.wait(step.seconds):
                    return None
                continue
            if step.paid and not await self._afford(request):
                return None
            member = await self._slot(request)
            if member is None:
                return None
            attempts += 1
            sent = clock()
            try:
                answer = await member.send(request)
            except BaseException:
                fleet.free(member)
                raise
            now = clock()
            if isinstance(answer, Completion):
                fleet.answered(member, answer, now - sent, now)
                told = retry.Tried(answer)
            else:
                told = fleet.failed(member, answer, now - sent, now)

    async def _afford(self, request: Request) -> bool:
        """Wait until the budget allows a retry; ``False`` if the run stops first. Cancelled: nothing was taken."""
        random: Random | None = None
        while not self._fleet.budget.take(asyncio.get_running_loop().time()):
            random = random or Random(f"{self._rules.seed}/{request.key}/budget")
            if await self._stop.wait(random.uniform(0.5, 1.5)):
                return False
        return True


def _settled(outcome: Outcome) -> Outcome:
    """Return it, or raise for a failure that every other request would meet too."""
    failure = outcome.result
    if isinstance(failure, Failure) and retry.policy(failure.kind) == "stop_run":
        said = f"the endpoint refuses the requests{failure.http}: {failure.message}"
        raise EndpointRefused(said, hint=retry.HINTS.get(failure.kind))
    return outcome


def _first(group: BaseExceptionGroup[EvoselfcodeError]) -> EvoselfcodeError:
    """Pick one of the errors that several workers met together."""
    for error in group.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("an exception group is never empty")
