"""The virtual clock that other tests trust: it jumps, keeps the order, and stands still for threads."""

from __future__ import annotations

import asyncio
import time

import anyio
import anyio.to_thread
import pytest
from virtual_time import START, in_virtual_time, run


@in_virtual_time
async def test_a_year_passes_at_once_and_in_order() -> None:
    """Sabotage: do not move the clock in ``select``: the test takes a year."""
    loop, seen = asyncio.get_running_loop(), []

    async def note(seconds: float) -> None:
        await anyio.sleep(seconds)
        seen.append(loop.time() - START)

    async with anyio.create_task_group() as group:
        for seconds in (365 * 86400.0, 1.0, 60.0):
            group.start_soon(note, seconds)
    assert seen == pytest.approx([1.0, 60.0, 365 * 86400.0])


@in_virtual_time
async def test_a_deadline_is_kept() -> None:
    began = asyncio.get_running_loop().time()
    with anyio.move_on_after(30.0):
        await anyio.sleep_forever()
    assert asyncio.get_running_loop().time() - began == pytest.approx(30.0)


@in_virtual_time
async def test_the_clock_stands_still_while_a_thread_works() -> None:
    """Sabotage: leave the threads out of ``select``: the deadline passes at once."""
    with anyio.fail_after(0.001):
        await anyio.to_thread.run_sync(time.sleep, 0.01)


def test_a_program_that_would_wait_for_ever_fails() -> None:
    """Sabotage: pass ``None`` on to the selector: the test hangs."""

    async def program() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="wait for ever"):
        run(program)
