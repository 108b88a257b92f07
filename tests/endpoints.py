"""Endpoints with a script, and fleets of them, for tests of the engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from evoselfcode.engine import Event, Fleet, outcomes
from evoselfcode.records import Choice, Completion, Failure, L2r, Outcome, Request, Sampling
from evoselfcode.wire.load import Load

DONE = Completion((Choice("x", "stop"),))

Send = Callable[[Request], Awaitable[Completion | Failure]]


class Scripted:
    """An endpoint whose attempts are a function's; it answers probes as long as `away` is ``None``."""

    def __init__(self, send: Send, name: str = "http://a:1", *, load: Load | None = None) -> None:
        self.name = name
        self.send = send
        self.away: Failure | None = None
        self.probes = 0
        self._load = load

    async def probe(self) -> Failure | None:
        self.probes += 1
        return self.away

    async def load(self) -> Load | None:
        return self._load


def fleet_of(*endpoints: Scripted, slots: int | None = 4, events: list[Event] | None = None, **options: Any) -> Fleet:
    """Make a fleet of endpoints that stay."""

    async def members() -> list[Scripted]:
        return list(endpoints)

    if events is not None:
        options["on_event"] = events.append
    return Fleet(members, concurrency=slots, **options)


async def as_it_is(outcome: Outcome) -> Outcome:
    return outcome


def requests(count: int) -> Iterator[Request]:
    for number in range(count):
        yield Request(key=f"{number:04x}", prompt=L2r("p"), sampling=Sampling(max_new_tokens=1), number=number)


async def collect(fleet: Fleet, count: int = 20, **options: Any) -> list[Outcome]:
    """Ask the fleet for `count` outcomes and return them in the order of ending."""
    found: list[Outcome] = []
    async for batch in outcomes(requests(count), fleet, finish=as_it_is, **options):
        found += batch
    return found
