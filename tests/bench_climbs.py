"""Climbs in virtual time: the ladder, carried out by the real engine, at toy servers and at endpoints with a script."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio
from endpoints import Scripted, requests
from sim.toy_endpoint import ToyEndpoint

from evoselfcode.bench.levels import Client, Latency, Level
from evoselfcode.bench.measuring import Book, Climb, Wish
from evoselfcode.bench.processor import Used
from evoselfcode.bench.watching import Watch
from evoselfcode.engine import AtOnce, Fleet, Stop, outcomes

IDLE = Client(cpu_us_per_request=100.0, core=0.1)
FULL = Client(cpu_us_per_request=100.0, core=0.97)


def level(limit: int, goodput: float, *, failures: dict[str, int] | None = None, **changes: object) -> Level:
    """Make a level by hand: everything in flight, no error, no tokens told."""
    figures: dict[str, object] = {
        "limit": limit, "in_flight": float(limit), "seconds": 10.0, "attempts": 1000, "failures": failures or {},
        "completions": 1000, "goodput": goodput, "error": 0.0, "requests_per_second": goodput,
        "prompt_tokens_per_second": None, "completion_tokens_per_second": None,
        "latency_s": Latency(limit / goodput, limit / goodput, limit / goodput) if goodput else Latency(0, 0, 0),
        "client": IDLE, "server": None,
    }  # fmt: skip
    return Level(**(figures | changes))  # type: ignore[arg-type]


async def climbed(
    endpoints: Sequence[Scripted | ToyEndpoint],
    wish: Wish,
    *,
    stop: Stop | None = None,
    processor: Callable[[], Used] = lambda: Used(0.0, 0.0),
    told: Callable[[Level], None] = lambda level: None,
    **limits: float,
) -> Book:
    """Climb at these endpoints."""

    async def members() -> Sequence[Scripted | ToyEndpoint]:
        return endpoints

    enough, book = Stop(), Book()
    watch = Watch(members, anyio.current_time, most=wish.max_requests, spent=enough.set)
    fleet = Fleet(watch.members, most=1, outage_limit=30.0, **limits)  # type: ignore[arg-type]
    asked = outcomes(requests(10**7), fleet, finish=AtOnce(lambda outcome: None), max_attempts=1, stop=enough)
    climb = Climb(fleet, watch, wish, first=len(endpoints), told=told, processor=processor)
    await climb.run(asked, book, stop or Stop())
    return book
