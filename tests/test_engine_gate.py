"""The gate: slots are never exceeded, given back in every case, and the rate holds at the wire."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import pytest

from evoselfcode.engine import Gate


async def test_never_more_in_flight_than_slots() -> None:
    """Sabotage: release before the attempt ends."""
    gate, now, peak = Gate(3), 0, 0

    async def attempt() -> None:
        nonlocal now, peak
        async with gate:
            now += 1
            peak = max(peak, now)
            await anyio.lowlevel.checkpoint()
            now -= 1

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(attempt)
    assert peak == 3
    assert gate.statistics().peak == 3
    assert gate.statistics().in_flight == 0


async def test_who_waits_for_a_slot_is_counted() -> None:
    """Sabotage: let ``waiting`` be the attempts in flight."""
    gate, release = Gate(4), anyio.Event()

    async def attempt() -> None:
        async with gate:
            await release.wait()

    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(attempt)
        await anyio.wait_all_tasks_blocked()
        seen = gate.statistics()
        release.set()
    assert (seen.in_flight, seen.waiting, seen.slots) == (4, 2, 4)


@pytest.mark.parametrize("rate", [None, 1000.0])
async def test_cancellation_gives_the_slot_back(rate: float | None) -> None:
    gate = Gate(1, rate)
    with anyio.move_on_after(0):
        async with gate:
            await anyio.sleep(1)
    assert gate.statistics().in_flight == 0


async def test_cancelled_while_waiting_for_the_rate_holds_no_slot() -> None:
    """Sabotage: drop the release in ``Gate.__aenter__``."""
    gate = Gate(1, 0.001)
    async with gate:
        pass  # the one start that the bucket grants
    with anyio.move_on_after(0.01):
        async with gate:
            raise AssertionError("the rate was not waited for")
    assert gate.statistics().in_flight == 0


async def test_the_rate_holds_over_one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """50 a second: no window of one second, the first included, sees more than 51. Time is the loop's, and virtual.

    Sabotage: ``AsyncLimiter(requests_per_second, 1)``, which grants a whole second at once when it begins.
    """
    loop = asyncio.get_running_loop()
    clock, starts = 0.0, []
    monkeypatch.setattr(loop, "time", lambda: clock)
    gate = Gate(64, 50.0)

    async def worker() -> None:
        for _ in range(5):
            async with gate:
                starts.append(clock)

    async with anyio.create_task_group() as group:
        for _ in range(40):
            group.start_soon(worker)
        while len(starts) < 200:
            await anyio.lowlevel.checkpoint()
            clock += 0.001
    for begin in [0.1 * tick for tick in range(20)]:
        assert sum(begin <= start < begin + 1 for start in starts) <= 51
