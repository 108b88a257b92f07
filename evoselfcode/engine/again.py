"""What follows a first attempt that failed: the retry policy, carried out.

This file decides how the steps of :func:`evoselfcode.wire.retry.attempts` are done: waits hold no slot and end at a
stop, and retries on a row's own account wait until the budget allows them. What the steps are is the policy's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from evoselfcode.engine.fleet import Fleet
from evoselfcode.engine.member import Member
from evoselfcode.engine.stop import Stop
from evoselfcode.errors import EndpointRefused
from evoselfcode.records import Failure, FailureKind, Outcome, Request
from evoselfcode.wire import retry

ROW_ATTEMPTS = 3
"""Deadlines of one attempt that the attempts of a row may take together."""


class Again:
    """Drives requests whose first attempt failed to their end.

    Args:
        fleet: Who is asked.
        stop: Ends all waits.
        on_failure: Told each failed attempt at once.
        seed: Seeds the jitter of each request's waits together with its key.
        max_attempts: Attempts of one request that may end in a failure of its own.
        timeout: Seconds of one attempt; ``None`` is :func:`retry.attempt_seconds`.
    """

    def __init__(
        self,
        fleet: Fleet,
        stop: Stop,
        on_failure: Callable[[FailureKind], None],
        seed: int,
        max_attempts: int,
        timeout: float | None,
    ) -> None:
        self._fleet = fleet
        self._stop = stop
        self._on_failure = on_failure
        self._seed = seed
        self._max_attempts = max_attempts
        self._timeout = timeout

    async def __call__(self, request: Request, tried: retry.Tried, began: float) -> Outcome | None:
        """Return what becomes of `request`, or ``None`` if the run stops first.

        Cancelled: an attempt in flight is abandoned.

        Args:
            request: The request.
            tried: What its first attempt came to.
            began: When that began, in seconds of the loop's clock.

        Raises:
            EndpointRefused: Every other request would be refused, too.
        """
        clock = asyncio.get_running_loop().time
        steps = self._steps(request)
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
            member = await self._fleet.slot(request)
            if member is None:
                return None
            attempts += 1
            told = await self._attempt(request, member)

    def _steps(self, request: Request) -> retry.Steps:
        most = request.sampling.max_new_tokens
        seconds = retry.attempt_seconds(most) if self._timeout is None else self._timeout
        return retry.attempts(
            max_attempts=self._max_attempts,
            random=Random(f"{self._seed}/{request.key}"),
            deadline=ROW_ATTEMPTS * seconds,
            went_away=self._fleet.went_away,
        )

    async def _attempt(self, request: Request, member: Member) -> retry.Tried:
        """Make one attempt with a slot that is held, and give it back. Cancelled: given back, too."""
        fleet, clock = self._fleet, asyncio.get_running_loop().time
        began = clock()
        try:
            answer = await member.send(request)
        except BaseException:
            fleet.free(member)
            raise
        now = clock()
        return fleet.ended(member, request, answer, now - began, now) or retry.Tried(answer)

    async def _afford(self, request: Request) -> bool:
        """Wait until the budget allows a retry; ``False`` if the run stops first. Cancelled: nothing was taken."""
        random: Random | None = None
        while not self._fleet.budget.take(asyncio.get_running_loop().time()):
            random = random or Random(f"{self._seed}/{request.key}/budget")
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
