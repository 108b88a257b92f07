"""Plan in, outcomes out: workers pull requests from one lazy plan and drive each to its end.

This file decides when an attempt is made, when a worker waits and how a run stops. It refuses to know what a
request says, how it is sent (``send`` is handed in) and what becomes of an outcome. The rules of retrying are
:func:`evoselfcode.wire.retry.attempts`; this file only carries them out.

Memory does not depend on the length of the plan: each worker has one request under way or one outcome to hand over,
at most ``workers`` outcomes wait to be taken, and at most as many and one were taken last.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from random import Random
from typing import TypeVar

import anyio

from evoselfcode.engine.gate import Gate
from evoselfcode.errors import EndpointDown, EndpointRefused, EvoselfcodeError
from evoselfcode.finishing import ended
from evoselfcode.records import Completion, Failure, FailureKind, Outcome, Request
from evoselfcode.wire import retry

Sender = Callable[[Request], Awaitable[Completion | Failure]]
"""Makes one attempt; a failure is a value, never an exception."""

T = TypeVar("T")

Finish = Callable[[Outcome], Awaitable[T]]
"""Makes of an outcome what is handed on. It holds a worker, no slot: whoever takes long here keeps no endpoint idle."""

TICK = 1.0
"""Seconds after which :func:`outcomes` yields an empty list, so that its caller can commit and report."""


class Stop:
    """A polite request to stop: no new attempt starts, attempts in flight may end.

    Set it from the same event loop (a signal handler of that loop, another task).
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Ask to stop. Asking twice changes nothing."""
        self._event.set()

    def is_set(self) -> bool:
        """Say whether somebody asked."""
        return self._event.is_set()

    async def wait(self, seconds: float) -> bool:
        """Wait up to `seconds` and say whether the stop came. Cancelled: nothing changed."""
        with anyio.move_on_after(seconds):
            await self._event.wait()
        return self._event.is_set()


async def outcomes(
    plan: Iterable[Request | None],
    send: Sender,
    gate: Gate,
    *,
    finish: Finish[T],
    workers: int,
    seed: int = 0,
    max_attempts: int = 5,
    outage_limit: float = 600.0,
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
        send: Makes one attempt.
        gate: Held around each attempt, never while waiting for a retry.
        finish: Makes of an outcome what is yielded; may wait, in the outcome's own worker.
        workers: Requests under way at once; a request that waits for its retry keeps its worker, not its slot.
        seed: Seeds the jitter of each request's waits together with its key.
        max_attempts: Attempts of one request that may end in a failure of its own.
        outage_limit: Seconds that one request may wait for an endpoint that is away.
        stop: Ends the run early; requests that were not settled yield no outcome.
        on_failure: Told each failed attempt at once, so that an outage can be seen while it lasts.

    Raises:
        EndpointRefused: The endpoint refuses every request alike (key, model, URL, credit).
        EndpointDown: The endpoint was away for longer than `outage_limit`.
    """
    stop = stop or Stop()
    ready: asyncio.Queue[T | None] = asyncio.Queue(maxsize=workers)
    settle = _Settler(send, gate, seed, max_attempts, outage_limit, stop, on_failure)
    host = asyncio.get_running_loop().create_task(_host(iter(plan), settle, finish, ready, workers))
    try:
        last = False
        while not last:
            batch, last = await _take(ready)
            yield batch
            if host.cancelled() and ready.empty():
                raise RuntimeError("the workers were cancelled from outside, by whoever cancels all tasks")
        await host
    finally:
        host.cancel()
        try:
            await ended(host)
        finally:
            if host.done() and not host.cancelled():
                host.exception()  # retrieved: it was raised above, or the caller left before it could matter


async def _host(
    plan: Iterator[Request | None], settle: _Settler, finish: Finish[T], ready: asyncio.Queue[T | None], workers: int
) -> None:
    """Run the workers; tell the taker when all have ended. Cancelled: the workers are cancelled and awaited.

    What ends the run is raised as it is; what nobody foresaw is raised in its group, with every traceback.
    """
    try:
        async with anyio.create_task_group() as group:
            for _ in range(workers):
                group.start_soon(_worker, plan, settle, finish, ready)
    except Exception as raised:
        await ready.put(None)
        foreseen, others = raised.split(EvoselfcodeError) if isinstance(raised, BaseExceptionGroup) else (None, raised)
        if foreseen is None or others is not None:
            raise
        raise _first(foreseen) from None
    else:
        await ready.put(None)
        if group.cancel_scope.cancel_called:  # nobody cancelled us: a worker ended so by itself, its group with it
            raise RuntimeError("an attempt ended as cancelled although nobody cancelled it")


def _first(group: BaseExceptionGroup[EvoselfcodeError]) -> EvoselfcodeError:
    """Pick one of the errors that several workers met together."""
    for error in group.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("an exception group is never empty")


async def _worker(
    plan: Iterator[Request | None], settle: _Settler, finish: Finish[T], ready: asyncio.Queue[T | None]
) -> None:
    """Settle requests until the plan is empty or the run stops. Cancelled: the request under way has no outcome."""
    for request in plan:
        if settle.stopping:
            return
        if request is None:
            await asyncio.sleep(0)
            continue
        outcome = await settle(request)
        if outcome is not None:
            await ready.put(await finish(outcome))


async def _take(ready: asyncio.Queue[T | None]) -> tuple[list[T], bool]:
    """Wait up to a tick for news; return all that is ready, and whether the workers have ended."""
    with anyio.move_on_after(TICK) as waiting:
        first = await ready.get()
    if waiting.cancelled_caught:
        return [], False
    batch, ended = ([], True) if first is None else ([first], False)
    while not ready.empty():
        item = ready.get_nowait()
        if item is None:
            ended = True
        else:
            batch.append(item)
    return batch, ended


class _Settler:
    """Drives one request to its outcome, as the retry policy says."""

    def __init__(
        self,
        send: Sender,
        gate: Gate,
        seed: int,
        max_attempts: int,
        outage_limit: float,
        stop: Stop,
        on_failure: Callable[[FailureKind], None],
    ) -> None:
        self._send = send
        self._gate = gate
        self._seed = seed
        self._max_attempts = max_attempts
        self._outage_limit = outage_limit
        self._stop = stop
        self._on_failure = on_failure

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    async def __call__(self, request: Request) -> Outcome | None:
        """Return the outcome, or ``None`` if the run stops first. Cancelled: an attempt in flight is abandoned."""
        clock = asyncio.get_running_loop().time
        began = clock()
        failures: list[FailureKind] = []
        attempts = 0

        async def attempt() -> Completion | Failure | None:
            nonlocal attempts
            async with self._gate:
                if self.stopping:
                    return None
                attempts += 1
                answer = await self._send(request)
            if isinstance(answer, Failure):
                failures.append(answer.kind)
                self._on_failure(answer.kind)
            return answer

        async def pause(wait: retry.Wait) -> bool:
            return not await self._stop.wait(wait.seconds)

        steps = retry.attempts(
            max_attempts=self._max_attempts,
            random=Random(f"{self._seed}/{request.key}"),
            outage_limit=self._outage_limit,
        )
        result = await retry.drive(steps, attempt, pause)
        if result is None:
            return None
        if isinstance(result, Failure):
            _raise_if_the_run_ends(result)
        return Outcome(request, result, attempts, clock() - began, tuple(failures))


def _raise_if_the_run_ends(failure: Failure) -> None:
    """Raise for failures that every other request would meet too."""
    action = retry.policy(failure.kind)
    if action == "stop_run":
        said = f"the endpoint refuses the requests{failure.http}: {failure.message}"
        raise EndpointRefused(said, hint=retry.HINTS.get(failure.kind))
    if action == "wait":
        raise EndpointDown(
            f"the endpoint was away for too long, last failure {failure.kind}{failure.http}: {failure.message}",
            hint="rows that were not asked are not lost: run the same command again when it is back",
        )
