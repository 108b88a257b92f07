"""When an attempt that has a slot may start: a rate of requests, and a budget of tokens.

This file decides that those who wait start in the order in which they came, and that all of them hear of a stop. It
refuses to know who holds a slot. How many tokens may start is :mod:`evoselfcode.engine.budget`'s; aiolimiter's bucket
serves the smallest amount first, so that a large one may starve: it is asked for one start at a time only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

from aiolimiter import AsyncLimiter

from evoselfcode.engine.budget import TokenBudget
from evoselfcode.records import Completion, Failure, Given, L2r, Request
from evoselfcode.wire import retry

BURST_SECONDS = 0.02
"""Part of a second's starts that may come at once, so that a fast rate does not suffer from late wake-ups."""

CHARACTERS = 3
"""Characters of a prompt that are taken for one token until the server has counted it."""


class Starts:
    """Who may start when.

    A slot is taken before a start is waited for, so that a start granted by the rate happens at once and the rate
    holds at the wire.

    Args:
        requests_per_second: Most starts in one second, or ``None`` for no limit. They are spread over the second:
            a bucket that held all of it would be granted at once, and twice the rate would start in the first.
        tokens_per_minute: Most tokens in one minute, or ``None`` for no limit.
    """

    def __init__(self, requests_per_second: float | None, tokens_per_minute: int | None) -> None:
        self._rate = None if requests_per_second is None else _limiter(requests_per_second)
        self._per_minute = tokens_per_minute
        self._budget: TokenBudget | None = None
        self._queue: deque[asyncio.Future[bool]] = deque()
        self._waiting: set[asyncio.Future[bool]] = set()
        self._news = asyncio.Event()
        self._stopped = False

    async def admitted(self, request: Request) -> bool:
        """Wait until `request` may start; ``False`` when the run stops.

        Cancelled, or the run stops: its tokens are given back; a start that the rate has granted may be used up.
        """
        if self._stopped or (self._per_minute is not None and not await self._booked(self._per_minute, request)):
            return False
        if self._rate is None:
            return True
        with self._heard() as start:
            self._queue.append(start)
            self._news.set()
            return await start

    async def _booked(self, per_minute: int, request: Request) -> bool:
        """Wait until the tokens of `request` may start; ``False`` when the run stops."""
        loop = asyncio.get_running_loop()
        self._budget = budget = self._budget or TokenBudget(per_minute, loop.time())
        tokens, started = estimate(request), False
        seconds = budget.wait(loop.time(), tokens)
        with self._heard() as start:
            timer = loop.call_later(seconds, _grant, start)
            try:
                started = await start
            finally:
                timer.cancel()
                if not started:
                    budget.used(loop.time(), tokens, 0)
        return started

    def ended(self, request: Request, result: Completion | Failure, now: float) -> None:
        """Correct what was estimated of an attempt by what its server counted; one that was not served took nothing."""
        if self._budget is None:
            return
        estimated = estimate(request)
        if isinstance(result, Failure):
            if retry.policy(result.kind) == "wait":
                self._budget.used(now, estimated, 0)
        elif result.usage.completion_tokens is not None:
            self._budget.used(now, estimated, (result.usage.prompt_tokens or 0) + result.usage.completion_tokens)

    async def run(self) -> None:
        """Let them start at the rate, one after the other, until cancelled. Cancelled: nobody starts any more."""
        while self._rate is not None:
            while not self._queue:
                self._news.clear()
                await self._news.wait()
            await self._rate.acquire()
            while self._queue:
                first = self._queue.popleft()
                if not first.done():
                    first.set_result(True)
                    break

    def stop(self) -> None:
        """Let nobody start any more."""
        self._stopped = True
        for future in self._waiting:
            if not future.done():
                future.set_result(False)

    @contextmanager
    def _heard(self) -> Generator[asyncio.Future[bool], None, None]:
        """Make a future that a stop answers."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            yield future
        finally:
            self._waiting.discard(future)


def _grant(start: asyncio.Future[bool]) -> None:
    if not start.done():
        start.set_result(True)


def estimate(request: Request) -> int:
    """Return how many tokens a request may take: its prompt's, and all that its choices may have."""
    prompt = request.prompt
    if isinstance(prompt, Given):
        characters = len(prompt.text) + len(prompt.before) + len(prompt.suffix or "")
    else:
        characters = len(prompt.prompt) if isinstance(prompt, L2r) else len(prompt.prefix) + len(prompt.suffix)
    return 1 + characters // CHARACTERS + request.sampling.n * request.sampling.max_new_tokens


def _limiter(requests_per_second: float) -> AsyncLimiter:
    bucket = max(1.0, requests_per_second * BURST_SECONDS)
    return AsyncLimiter(bucket, bucket / requests_per_second)
