"""What the engine knows of who answers: a name, an attempt, a probe, the queue.

This file decides what an endpoint must be able to do. It refuses to know how it does so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol

import msgspec

from evoselfcode.records import Completion, Failure, Request
from evoselfcode.wire.load import Load

EventKind = Literal[
    "limit",  # what an endpoint may have in flight, at the start and when that moves
    "parked",  # an endpoint is away: it is probed, and its rows wait
    "returned",  # it answers again
    "paused",  # it has too much to do, or said when to ask again
    "joined",  # a replica that was not there before
    "left",  # a replica that is not there any more
    "client_bound",  # this process is what limits the run
    "outage",  # no endpoint is left: the run waits
    "stop",  # the run was asked to stop
]
"""What happened, in one word."""


class Endpoint(Protocol):
    """One replica as the engine sees it."""

    @property
    def name(self) -> str:
        """How it is shown and logged, such as ``http://host:8000``; never holds a key. Two of a run differ in it."""

    async def send(self, request: Request) -> Completion | Failure:
        """Make one attempt; a failure is a value, never an exception. Cancelled: the server stops generating."""

    async def probe(self) -> Failure | None:
        """Ask for one token, as a run would, and say what failed; ``None`` if it answered. Cancelled: as `send`."""

    async def load(self) -> Load | None:
        """Ask for the queue's numbers; ``None`` if there are none or no answer. Cancelled: nothing is left open."""


Members = Callable[[], Awaitable[Sequence[Endpoint]]]
"""Says who is there now; asked at the start and every 30 s. Raises nothing: who cannot find out says what it knew."""


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that happened to an endpoint or to the whole run: a line of ``events.jsonl``.

    Attributes:
        at: When, in Unix seconds.
        kind: What happened.
        endpoint: To which endpoint; ``""`` for the run as a whole.
        reason: Why, in a sentence for people.
        limit: Attempts that the endpoint may have in flight now, for the kind ``limit``.
    """

    at: float
    kind: EventKind
    endpoint: str
    reason: str
    limit: int | None = None
