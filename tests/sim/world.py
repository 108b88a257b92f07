"""The world that a simulated process asks: replicas behind a transport, and what is remembered of each attempt.

This file decides how a call becomes an attempt at a replica. It stands in the place of the sockets
(:func:`evoselfcode.clients.lane.way.lanes_to`); everything above it is the real program.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from random import Random
from urllib.parse import urlsplit

import msgspec

from evoselfcode.clients.lane import way
from evoselfcode.clients.replies import Reply, late
from evoselfcode.records import Failure
from evoselfcode.wire.dialect import Call
from sim.history import Attempt, History, What
from sim.loop import Killed, SteppedLoop
from sim.replica import NETWORK, Replica, Speed


class World:
    """Replicas, by host, and the attempts made.

    Args:
        loop: The loop.
        history: Told each attempt.
        count: Replicas.
        slots: Requests that each runs at once.
        speed: How long each takes.
        seed: Of lengths and lies.

    Attributes:
        keys: The key of the request with each seed; what has another seed is a question of the program's own.
        dead: The process was killed: nothing it sends goes out.
    """

    def __init__(
        self, loop: SteppedLoop, history: History, *, count: int, slots: int, speed: Speed, seed: object
    ) -> None:
        self.loop, self.history = loop, history
        names = [f"replica-{number}" for number in range(count)]
        self.replicas = [Replica(loop, name, slots, speed, Random(f"{seed}/{name}")) for name in names]
        self._by_host = {replica.name: replica for replica in self.replicas}
        self.keys: dict[int, str] = {}
        self.dead = False

    def url(self, replica: Replica) -> str:
        return f"http://{replica.name}:8000/v1"

    def start(self, call: Call, timeout: float) -> Attempt:
        """Send a call on its way; the attempt's future has the result."""
        if self.dead:
            raise Killed("is dead already")
        replica = self._by_host[urlsplit(call.url).hostname or ""]
        asked = msgspec.json.decode(call.body) if call.body else None
        what, key = self._about(call, asked)
        attempt = self.history.begin(what, key, replica.name, self.loop)
        self.loop.call_later(NETWORK, replica.arrive, attempt, asked)
        attempt.deadline = self.loop.call_later(timeout, self._late, replica, attempt, timeout)
        return attempt

    def _about(self, call: Call, asked: dict[str, int] | None) -> tuple[What, str]:
        if asked is None:
            return ("models" if call.url.endswith("/models") else "load"), ""
        key = self.keys.get(asked.get("seed", -1), "")
        return ("row" if key else "probe"), key

    def _late(self, replica: Replica, attempt: Attempt, timeout: float) -> None:
        if attempt.ended is None:
            attempt.end(late(timeout), replica.why)
            replica.leave(attempt)

    def abandon(self, attempt: Attempt) -> None:
        """The client closed the connection."""
        if attempt.ended is None:
            attempt.end(Failure("disconnect", "the client went away"), "cancelled")
            self._by_host[attempt.replica].leave(attempt)

    def killed(self) -> None:
        """Every connection of the process is gone."""
        for attempt in self.history.in_flight():
            attempt.end(Failure("disconnect", "the client was killed"), "killed")
            self._by_host[attempt.replica].leave(attempt)


class Lane:
    """The transport: what the client opens instead of sockets."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def send(self, call: Call, timeout: float) -> Reply | Failure:
        attempt = self._world.start(call, timeout)
        try:
            return await attempt.result
        except asyncio.CancelledError:
            self._world.abandon(attempt)
            raise

    async def aclose(self) -> None:
        """Nothing is open."""


@contextmanager
def network(world: World) -> Iterator[None]:
    """Let calls go to `world` instead of sockets."""

    def lanes_to(url: str, headers: Mapping[str, str], at: str = "") -> Lane:
        return Lane(world)

    real = way.lanes_to
    way.lanes_to = lanes_to  # type: ignore[assignment]
    try:
        yield
    finally:
        way.lanes_to = real
