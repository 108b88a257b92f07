"""One simulated replica: slots, a queue, a rate of decoding, and everything that can be wrong with it.

It works by callbacks of the loop alone, so that it outlives the process that asks it. This file decides what becomes
of an attempt that has arrived. It refuses to know why something is wrong and when (:mod:`sim.nemesis`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from evoselfcode.clients.replies import CONNECT_SECONDS, Reply
from evoselfcode.records import Failure
from sim import replies
from sim.history import LIED, Attempt

NETWORK = 0.002
"""Seconds from the client to the server."""


LONGEST = 4.0
"""Longest completion, in medians: ``max_tokens`` cuts what is longer."""


class Speed:
    """How long a replica takes for one request.

    Args:
        tokens: Median length of a completion, in tokens; lengths are log-normal.
        spread: Sigma of the logarithm of the length.
        rate: Tokens a second that all requests together get in the limit; half of it at `half` requests.
        half: Requests at which half of the rate is reached.
    """

    def __init__(self, tokens: float, spread: float, rate: float = 9000.0, half: float = 90.0) -> None:
        self.tokens, self.spread, self.rate, self.half = tokens, spread, rate, half

    def seconds(self, random: Random, running: int) -> float:
        length = self.tokens * min(LONGEST, random.lognormvariate(0.0, self.spread))
        return length * (running + self.half) / self.rate


HEALTHY: dict[str, Any] = {
    "down": False, "lost": False, "wedged": False, "clogged": False,
    "busy": None, "broken": 0.0, "lying": 0.0, "factor": 1.0,
}  # fmt: skip


class Replica:
    """A server.

    Attributes:
        down: Refuses connections.
        lost: Packets to it vanish: a connection is given up after its time.
        wedged: Takes requests and never answers; lists its models all the same.
        clogged: Its replies wait until it is not.
        busy: Status and Retry-After that completions are refused with, or ``None``.
        broken: Share of completions that end in a 500.
        lying: Share of 200s that are none.
        factor: How much slower than usual it is.
        fragile_until: Until when more than `fragile` requests in its house kill it.
        why: What is wrong with it, in the words of the history.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str, slots: int, speed: Speed, random: Random) -> None:
        self._loop = loop
        self._random = random
        self.name, self.slots, self.speed = name, slots, speed
        self.states: list[dict[str, Any]] = []
        self.suffer()
        self.fragile_until, self.fragile = 0.0, 64
        self.dies: Callable[[Replica], None] = lambda replica: None
        self.running: dict[Attempt, asyncio.TimerHandle | None] = {}
        self.queue: deque[Attempt] = deque()
        self.held: list[tuple[Attempt, Reply]] = []

    def suffer(self) -> None:
        """Be in the state that all troubles together make, the latest on top."""
        state = HEALTHY | {name: value for trouble in self.states for name, value in trouble.items()}
        self.down, self.lost, self.wedged, self.clogged = (
            bool(state[it]) for it in ("down", "lost", "wedged", "clogged")
        )
        self.busy: tuple[int, float | None] | None = state["busy"]
        self.broken, self.lying, self.factor = (float(state[it]) for it in ("broken", "lying", "factor"))
        self.why = "+".join(trouble["why"] for trouble in self.states)

    @property
    def house(self) -> int:
        """Requests that the server has taken and not answered."""
        return len(self.running) + len(self.queue) + len(self.held)

    def arrive(self, attempt: Attempt, asked: dict[str, Any] | None) -> None:
        """Take an attempt from the network. `asked` is the body of a completion, else ``None``."""
        if attempt.ended is not None:
            return
        if self.lost:
            self._later(CONNECT_SECONDS, attempt, Failure("connect", f"no connection within {CONNECT_SECONDS:g} s"))
        elif self.down:
            self._later(NETWORK, attempt, Failure("connect", "connection refused"))
        elif asked is None:
            about = replies.models() if attempt.what == "models" else None
            about = about or replies.metrics(len(self.running), len(self.queue))
            self._later(NETWORK, attempt, about)
        elif self.busy is not None:
            status, hint = self.busy
            self._later(NETWORK, attempt, replies.refusal(status, "the server is overloaded", hint))
        elif self._loop.time() < self.fragile_until and self.house >= self.fragile:
            self.dies(self)
            self._later(NETWORK, attempt, Failure("disconnect", "the server closed the connection"))
        elif self._random.random() < self.broken:
            self._later(0.05, attempt, replies.refusal(500, "Internal Server Error"))
        else:
            attempt.asked = asked
            self.queue.append(attempt)
            self._pump()

    def _later(self, seconds: float, attempt: Attempt, result: Reply | Failure) -> None:
        self._loop.call_later(seconds, attempt.end, result, self.why)

    def _pump(self) -> None:
        while self.queue and len(self.running) < self.slots:
            attempt = self.queue.popleft()
            if attempt.ended is not None:
                continue
            seconds = self.factor * self.speed.seconds(self._random, len(self.running) + 1)
            self.running[attempt] = self._loop.call_later(seconds, self._done, attempt)

    def _done(self, attempt: Attempt) -> None:
        if self.wedged:
            self.running[attempt] = None
            return
        del self.running[attempt]
        reply, why = replies.completion(attempt.asked), ""
        if self._random.random() < self.lying:
            reply, why = replies.lie(self._random.choice(replies.LIES), attempt.asked), LIED
        if self.clogged:
            self.held.append((attempt, reply))
        else:
            attempt.end(reply, why)
        self._pump()

    def leave(self, attempt: Attempt) -> None:
        """The client went away: stop generating, as vLLM does."""
        timer = self.running.pop(attempt, None)
        if timer is not None:
            timer.cancel()
        self._pump()

    def break_all(self) -> None:
        """Break every connection."""
        house = [*self.running, *self.queue, *(attempt for attempt, _ in self.held)]
        for timer in self.running.values():
            if timer is not None:
                timer.cancel()
        self.running.clear()
        self.queue.clear()
        self.held.clear()
        for attempt in house:
            attempt.end(Failure("disconnect", "the server closed the connection"), self.why)

    def unclog(self) -> None:
        """Let the replies out that waited."""
        self.clogged = False
        held, self.held = self.held, []
        for attempt, reply in held:
            attempt.end(reply, "")
