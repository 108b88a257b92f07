"""When an attempt that has a slot may start: a rate of requests, and a budget of tokens.

This file decides in which order those who wait may start: as they came. It refuses to know who holds a slot.
aiolimiter's bucket serves the smallest amount first, so that a large one may starve: it is asked for one start at a
time only, and tokens are counted by :mod:`evoselfcode.engine.budget`.
"""

from __future__ import annotations

import asyncio
from collections import deque

from aiolimiter import AsyncLimiter

from evoselfcode.engine.budget import TokenBudget
from evoselfcode.records import Completion, Given, L2r, Request

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
        self._queue: deque[tuple[asyncio.Future[bool], int]] = deque()
        self._news = asyncio.Event()
        self._stopped = False

    async def admitted(self, request: Request) -> bool:
        """Wait until `request` may start; ``False`` when the run stops. Cancelled: a granted start may be used up."""
        if self._stopped:
            return False
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append((future, estimate(request)))
        self._news.set()
        return await future

    def used(self, request: Request, completion: Completion, now: float) -> None:
        """Correct what was estimated of a request by what its server counted."""
        usage = completion.usage
        if self._budget is not None and usage.completion_tokens is not None:
            used = (usage.prompt_tokens or 0) + usage.completion_tokens
            self._budget.used(now, used - estimate(request))

    async def run(self) -> None:
        """Let them start, one after the other, until cancelled. Cancelled: nobody starts any more."""
        loop = asyncio.get_running_loop()
        if self._per_minute is not None:
            self._budget = TokenBudget(self._per_minute, loop.time())
        while True:
            while not self._queue:
                self._news.clear()
                await self._news.wait()
            future, tokens = self._queue[0]
            if not future.done():
                if self._budget is not None:
                    await _until(self._budget, tokens)
                if self._rate is not None:
                    await self._rate.acquire()
            if self._queue and self._queue[0][0] is future:
                self._queue.popleft()
            if not future.done():
                future.set_result(True)

    def stop(self) -> None:
        """Let nobody start any more."""
        self._stopped = True
        while self._queue:
            future, _ = self._queue.popleft()
            if not future.done():
                future.set_result(False)


async def _until(budget: TokenBudget, tokens: int) -> None:
    """Wait until `tokens` may be asked for. Cancelled: they were not taken."""
    now = asyncio.get_running_loop().time
    while (seconds := budget.wait(now(), tokens)) > 0:  # noqa: ASYNC110  time is what is waited for
        await asyncio.sleep(seconds)


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
