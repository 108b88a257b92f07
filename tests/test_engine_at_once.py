"""Where nobody waits for a verdict there are as many workers as slots, and one more for each request that waits."""

from __future__ import annotations

import anyio
from endpoints import DONE, Scripted, fleet_of, requests
from virtual_time import in_virtual_time

from evoselfcode.engine import AtOnce, outcomes
from evoselfcode.engine.pool import READY
from evoselfcode.records import Completion, Failure, Outcome, Request


def number_of(outcome: Outcome) -> int:
    return outcome.request.number


@in_virtual_time
async def test_no_worker_waits_for_a_slot() -> None:
    """A wait for a slot is a turn of the event loop for each request. Sabotage: start a worker more than slots."""
    waiting: list[int] = []
    flying: list[int] = []

    async def send(request: Request) -> Completion:
        await anyio.sleep(0.01)
        waiting.append(fleet.statistics().waiting)
        flying.append(fleet.statistics().in_flight)
        return DONE

    fleet = fleet_of(Scripted(send), slots=4)
    found = [number async for batch in outcomes(requests(40), fleet, finish=AtOnce(number_of)) for number in batch]
    assert sorted(found) == list(range(40))
    assert set(waiting) == {0}
    assert max(flying) == 4


@in_virtual_time
async def test_a_request_that_waits_leaves_no_slot_idle() -> None:
    """Sabotage: leave ``self._fleet.grown()`` out."""
    order: list[int] = []

    async def send(request: Request) -> Completion | Failure:
        order.append(request.number)
        if request.number < 2 and order.count(request.number) == 1:
            return Failure("server_error", "", 500, retry_after=5.0)
        await anyio.sleep(0.01)
        return DONE

    fleet = fleet_of(Scripted(send), slots=2)
    found = [number async for batch in outcomes(requests(30), fleet, finish=AtOnce(number_of)) for number in batch]
    assert sorted(found) == list(range(30))
    assert order[:2] == [0, 1]
    assert sorted(order[-2:]) == [0, 1]


@in_virtual_time
async def test_many_replies_at_once_wait_with_their_workers() -> None:
    """What waits to be taken is memory besides. Sabotage: let as many wait as there are workers."""

    async def send(request: Request) -> Completion:
        await anyio.sleep(1)
        return DONE

    fleet = fleet_of(Scripted(send), slots=3 * READY)
    taken = [len(batch) async for batch in outcomes(requests(6 * READY), fleet, finish=AtOnce(number_of))]
    assert sum(taken) == 6 * READY
    assert max(taken) == READY
