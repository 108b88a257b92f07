"""What workers hand over: who waits for room is woken by a taker, and who takes by what is given, or by the end."""

from __future__ import annotations

import asyncio

import anyio
from virtual_time import in_virtual_time

from evoselfcode.engine.handover import Handover


@in_virtual_time
async def test_all_who_wait_for_room_hear_of_it_and_who_was_cancelled_stops_nobody() -> None:
    """Sabotages: wake the first alone; wake those who were cancelled, too."""
    ready: Handover[int] = Handover(1)
    assert ready.give(1)
    assert not ready.give(2)
    givers = [asyncio.create_task(ready.wait()) for _ in range(4)]
    await asyncio.sleep(0)
    givers[0].cancel()
    await asyncio.sleep(0)
    assert await ready.take(1.0) == [1]
    await asyncio.sleep(0)
    assert [giver.done() for giver in givers] == [True] * 4
    assert givers[0].cancelled()
    assert ready.give(2)


@in_virtual_time
async def test_who_takes_waits_for_something_for_its_time_or_for_the_end() -> None:
    """Sabotages: do not wake it for what is given; for the end; wait on after its time."""
    ready: Handover[int] = Handover(8)
    clock, began = asyncio.get_running_loop().time, asyncio.get_running_loop().time()
    assert await ready.take(1.0) == []
    assert 1.0 <= clock() - began < 1.1
    for tell, taken in ((lambda: ready.give(7), [7]), (ready.end, [])):
        asyncio.get_running_loop().call_later(0.5, tell)
        with anyio.fail_after(5):
            assert await ready.take(60.0) == taken
    assert ready.ended
    assert clock() - began < 2.1
