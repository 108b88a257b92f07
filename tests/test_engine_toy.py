"""The toy server under the real engine, in virtual time: the knee, no run-away, one cut, no growth unused, slow start.

What the governor alone does there is in ``tests/test_engine_governor_toy.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from endpoints import as_it_is, requests
from sim.toy import Toy
from sim.toy_endpoint import ToyEndpoint
from virtual_time import in_virtual_time

from evoselfcode.engine import Event, Fleet, Stop, outcomes
from evoselfcode.records import Completion, Outcome


class Ran:
    """What a run of some virtual time came to."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.ok = self.dead = 0
        self.limit = 0
        self.highest = 0

    @property
    def limits(self) -> list[int]:
        """What the limit moved to, after that of the start."""
        return [event.limit for event in self.events if event.kind == "limit" and event.limit is not None][1:]


async def ran(
    endpoint: ToyEndpoint, seconds: float, *, finish: Callable[[Outcome], Awaitable[Outcome]] = as_it_is, **options: Any
) -> Ran:
    """Ask one endpoint for so long."""
    seen, stop = Ran(), Stop()

    async def members() -> list[ToyEndpoint]:
        return [endpoint]

    fleet = Fleet(members, on_event=seen.events.append, **options)
    async with anyio.create_task_group() as group:

        async def end() -> None:
            await anyio.sleep(seconds)
            seen.limit = fleet.statistics().endpoints[0].limit
            stop.set()

        group.start_soon(end)
        async for done in outcomes(requests(10**6), fleet, finish=finish, stop=stop):
            seen.highest = max(seen.highest, endpoint.busy)
            for outcome in done:
                seen.ok += isinstance(outcome.result, Completion)
                seen.dead += not isinstance(outcome.result, Completion)
        group.cancel_scope.cancel()
    return seen


def goodput(endpoint: ToyEndpoint, since: float, until: float) -> float:
    return sum(tokens for at, tokens in endpoint.tokens if since <= at < until) / (until - since)


@pytest.mark.parametrize("numbers", [True, False])
@in_virtual_time
async def test_the_limit_finds_the_knee(numbers: bool) -> None:
    """C2, C3. Sabotage: 429-only AIMD (``tick`` doubles the limit whatever it sees): 256 and 4,096 in flight."""
    endpoint, best = ToyEndpoint(Toy(64), numbers=numbers), ToyEndpoint(Toy(64), numbers=False)
    found = await ran(endpoint, 900.0)
    await ran(best, 900.0, concurrency=68)
    assert goodput(endpoint, 300, 900) >= 0.95 * goodput(best, 300, 900)
    assert found.dead == 0
    assert found.limit >= 50
    if numbers:
        assert found.highest <= 80
    assert found.limit <= 96
    assert max(found.limits) <= (80 if numbers else 256)
    assert all(event.reason.startswith("limit ") for event in found.events if event.kind == "limit")


@in_virtual_time
async def test_fifty_refusals_are_one_cut() -> None:
    """C4. What is in flight is refused at once. Sabotage: ``EPISODE = 0``."""
    endpoint, refused = ToyEndpoint(Toy(100), numbers=False), list[int]()
    asyncio.get_running_loop().call_later(300.0, lambda: refused.append(endpoint.refuse_all()))
    found = await ran(endpoint, 320.0, most=80)
    cuts = [event for event in found.events if event.kind == "limit" and "refused" in event.reason]
    assert refused[0] >= 50
    assert [event.limit for event in cuts] == [int(0.75 * refused[0])]
    assert found.dead == 0


@pytest.mark.parametrize("numbers", [True, False])
@in_virtual_time
async def test_no_growth_without_use(numbers: bool) -> None:
    """C5. An hour of which the workers spend most elsewhere: about two in flight. Sabotage: drop the checks of use."""

    async def slowly(outcome: Outcome) -> Outcome:
        await anyio.sleep(200.0)
        return outcome

    found = await ran(ToyEndpoint(Toy(64), numbers=numbers), 3600.0, finish=slowly)
    assert found.limits in ([], [20])  # all are free to begin with, and in flight at once
    assert found.limit <= 20
    assert found.ok > 150


@pytest.mark.parametrize("numbers", [True, False])
@in_virtual_time
async def test_who_waits_for_the_rate_uses_no_slot(numbers: bool) -> None:
    """C5. Sabotage: count what is ``held`` as in flight: the limit goes to 256 and 4,096 at one start in 5 s."""
    found = await ran(ToyEndpoint(Toy(64), numbers=numbers), 3600.0, requests_per_second=0.2)
    assert found.limits == []
    assert found.ok > 700


@pytest.mark.parametrize("numbers", [True, False])
@in_virtual_time
async def test_recovery_does_not_bring_the_server_down_again(numbers: bool) -> None:
    """C7. Down from 600 to 900 s; above 64 in its first 20 s it would break. Sabotage: return with the old limit."""
    endpoint = ToyEndpoint(Toy(256), numbers=numbers, away=(600.0, 900.0), fragile=64)
    found = await ran(endpoint, 1200.0)
    back = [at for at in endpoint.arrivals if at >= 900]
    first = [at for at in back if at < back[0] + 1]
    assert not endpoint.fell
    assert len(first) <= 16
    grown = [(event.at, event.limit) for event in found.events if event.kind == "limit" and "outage" in event.reason]
    assert [limit for _, limit in grown[:4]] == [8, 16, 32, 64]
    assert found.dead == 0
    assert found.limit >= 180
    assert sum(600 <= at < 900 for at in endpoint.arrivals) <= 30 + 300
