"""When an attempt that has a slot may start: a rate of requests, and a budget of tokens.

This file decides that those who wait start in the order in which they came, and that all of them hear of a stop. It
refuses to know whose slot they hold. How many tokens may start is :mod:`evoselfcode.engine.budget`'s; aiolimiter's
bucket serves the smallest amount first, so that a large one may starve: it is asked for one start at a time only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

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
    holds at the wire. Whose slot is of no use when its turn comes, because its endpoint went away, is sent away, and
    what was granted is the next one's.

    Args:
        requests_per_second: Most starts in one second, or ``None`` for no limit. They are spread over the second:
            a bucket that held all of it would be granted at once, and twice the rate would start in the first.
        tokens_per_minute: Most tokens in one minute, or ``None`` for no limit.
    """

    def __init__(self, requests_per_second: float | None, tokens_per_minute: int | None) -> None:
        self._per_second = requests_per_second or 0.0
        self._rate = None if requests_per_second is None else _limiter(requests_per_second)
        self._per_minute = tokens_per_minute
        self._budget: TokenBudget | None = None
        self._queue: deque[_Waiter] = deque()
        self._news = asyncio.Event()
        self._stopped = False

    async def admitted(self, request: Request, usable: Callable[[], bool]) -> bool:
        """Wait until `request` may start; ``False`` when its slot is of no use any more, or the run stops.

        Cancelled: the next one has its start, unless it was granted already.

        Args:
            request: What is to start.
            usable: Says whether its slot can be used now.
        """
        if self._stopped:
            return False
        waiter = _Waiter(request, usable)
        self._queue.append(waiter)
        self._news.set()
        return await waiter.start

    async def run(self) -> None:
        """Let them start, one after the other, until cancelled. Cancelled: nobody starts any more."""
        clock, rate = asyncio.get_running_loop().time, self._rate
        if self._per_minute is not None:
            self._budget = self._budget or TokenBudget(self._per_minute, clock())
        kept: float | None = None  # since when there is a start that the rate granted and nobody could use
        while True:
            first = await self._first()
            tokens = estimate(first.request)
            if self._budget is not None and (seconds := self._budget.wait(clock(), tokens)) > 0:
                await asyncio.sleep(seconds)
            if rate is not None and kept is None:
                await rate.acquire()
            if first.start.done() or not first.usable():  # not any more: what was granted is another's
                kept = kept or clock()
                if self._budget is not None:
                    self._budget.used(clock(), tokens, 0)
                continue
            self._queue.popleft().start.set_result(True)
            if rate is not None and kept is not None:  # as if it were granted now: what leaked since is paid again
                await rate.acquire(min(1.0, (clock() - kept) * self._per_second))
            kept = None

    async def _first(self) -> _Waiter:
        """Wait for the first who can use a start; who cannot is sent away. Cancelled: nothing else changed."""
        while True:
            while not self._queue:
                self._news.clear()
                await self._news.wait()
            first = self._queue[0]
            if not first.start.done():
                if first.usable():
                    return first
                first.start.set_result(False)
            self._queue.popleft()
            await asyncio.sleep(0)  # it gives its slot back, and the next one's may be of use then

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

    def stop(self) -> None:
        """Let nobody start any more."""
        self._stopped = True
        for waiter in self._queue:
            if not waiter.start.done():
                waiter.start.set_result(False)


class _Waiter:
    """Who waits for a start."""

    def __init__(self, request: Request, usable: Callable[[], bool]) -> None:
        self.request = request
        self.usable = usable
        self.start: asyncio.Future[bool] = asyncio.get_running_loop().create_future()


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
