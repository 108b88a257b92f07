"""The toy server as an endpoint of the real engine, on an event loop in virtual time."""

from __future__ import annotations

import asyncio
import math
from random import Random

from evoselfcode import records
from evoselfcode.records import Choice, Completion, Failure, Usage
from evoselfcode.wire.load import Load
from sim.toy import Lengths, Request, Toy, log_normal

GONE, LOST = Failure("connect", "connection refused"), Failure("disconnect", "connection closed")


class ToyEndpoint:
    """One replica.

    Args:
        toy: The server, whose clock is that of the event loop from the first attempt on.
        numbers: Whether it says how busy it is.
        away: From when to when it is down, in seconds after the first attempt: nobody can connect, and whatever it was
            at is lost.
        fragile: Most that it survives in the first 20 s after that; above, it goes down for ever.
        lengths: Draws the tokens of a choice.

    Attributes:
        arrivals: When each attempt came, in seconds after the first.
        fell: Whether it broke down.
        refused: Attempts that were refused as too many.
        tokens: When each answer was given, and its tokens.
    """

    name = "http://toy:8000"

    def __init__(
        self,
        toy: Toy,
        *,
        numbers: bool,
        away: tuple[float, float] = (math.inf, math.inf),
        fragile: int | None = None,
        lengths: Lengths | None = None,
    ) -> None:
        self.toy = toy
        self.arrivals: list[float] = []
        self.fell = False
        self.refused = 0
        self.tokens: list[tuple[float, float]] = []
        self._numbers = numbers
        self._away = away
        self._fragile = fragile
        self._lengths = lengths or log_normal()
        self._random = Random(0)
        self._began: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._asked: dict[int, asyncio.Future[Completion | Failure]] = {}

    async def send(self, request: records.Request) -> Completion | Failure:
        """Wait for the server. Cancelled: the server goes on for nothing."""
        self._advance()
        self.arrivals.append(self.toy.now)
        if self.down:
            return GONE
        asked = Request(None, self.toy.now)  # type: ignore[arg-type]
        lengths = [self._lengths(self._random) for _ in range(request.sampling.n)]
        if not self.toy.offer(asked, lengths):
            self.refused += 1
            return Failure("rate_limited", "too many requests", 429, 5.0)
        weak = self._away[1] <= self.toy.now < self._away[1] + 20
        if self._fragile is not None and weak and self.busy > self._fragile:
            self.fell = True
            self._lose()
            return GONE
        future = asyncio.get_running_loop().create_future()
        self._asked[id(asked)] = future
        self._arm()
        return await future

    async def probe(self) -> Failure | None:
        """Say whether anybody is there."""
        self._advance()
        return GONE if self.down else None

    async def load(self) -> Load | None:
        """Say how busy the server is."""
        self._advance()
        return self.toy.load() if self._numbers and not self.down else None

    @property
    def down(self) -> bool:
        return self.fell or self._away[0] <= self.toy.now < self._away[1]

    @property
    def busy(self) -> int:
        return len(self.toy.running) + len(self.toy.queue)

    def _advance(self) -> None:
        """Bring the server to the loop's time, and answer who is done."""
        loop = asyncio.get_running_loop()
        if self._began is None:
            self._began = loop.time()
            if self._away[0] < math.inf:
                loop.call_at(self._began + self._away[0], self._lose)
        for done in self.toy.advance(loop.time() - self._began):
            self.tokens.append((self.toy.now, done.tokens))
            future = self._asked.pop(id(done))
            if not future.done():
                usage = Usage(prompt_tokens=10, completion_tokens=round(done.tokens))
                future.set_result(Completion((Choice("x", "stop"),), usage))
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        at = self.toy.next_end()
        if at < math.inf and self._began is not None:
            self._timer = asyncio.get_running_loop().call_at(self._began + at, self._advance)

    def refuse_all(self) -> int:
        """Answer all that is under way with 429, at once; return how many there were."""
        count = len(self._asked)
        self._lose(Failure("rate_limited", "too many requests", 429, 5.0))
        return count

    def _lose(self, failure: Failure = LOST) -> None:
        """Drop all that is under way."""
        self.toy.running.clear()
        self.toy.queue.clear()
        for future in self._asked.values():
            if not future.done():
                future.set_result(failure)
        self._asked.clear()
