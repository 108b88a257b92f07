"""What must not be left half done ends before a cancellation is obeyed, also one that anyio's shields let through."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from embedded import Embedded
from endpoints import Scripted, as_it_is, fleet_of

from evoselfcode import OpenAICompletionClient, RunConfig
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.engine import outcomes
from evoselfcode.finishing import finished
from evoselfcode.records import Choice, Completion, L2r, Request, Sampling
from evoselfcode.storage import Entry, read_entries


def request(number: int) -> Request:
    return Request(key=str(number), prompt=L2r("x"), sampling=Sampling(max_new_tokens=1), number=number)


@pytest.mark.parametrize("times", [1, 3])
async def test_a_cancelled_task_waits_for_its_work(times: int) -> None:
    """Sabotage: await the work under ``CancelScope(shield=True)`` instead of in a task of its own."""
    go, done = asyncio.Event(), False

    async def work() -> None:
        nonlocal done
        await go.wait()
        done = True

    task = asyncio.create_task(finished(work()))
    for _ in range(times):
        await asyncio.sleep(0)
        task.cancel()
    await anyio.wait_all_tasks_blocked()
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done


async def test_an_error_of_the_work_takes_the_cancellations_place() -> None:
    go = asyncio.Event()

    async def work() -> None:
        await go.wait()
        raise ValueError

    task = asyncio.create_task(finished(work()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(ValueError):  # noqa: PT011
        await task


async def test_a_task_cancelled_while_the_journal_is_written_loses_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``asyncio.timeout`` around a run. Sabotage: commit by ``to_thread.run_sync`` alone: it is closed meanwhile."""
    writing, go = threading.Event(), threading.Event()
    write = os.write

    def slow(descriptor: int, data: Any) -> int:
        if b'"entry":' in bytes(data[:40]) and not writing.is_set():
            writing.set()
            go.wait(10)
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", slow)
    monkeypatch.setattr("evoselfcode.storage.journal.COMMIT_ROWS", 8)
    settings = RunConfig.from_mapping({
        "model": "evoselfcode-ngram", "namegen": {"num_requests": 500}, "output": {"dir": str(tmp_path)},
    })  # fmt: skip
    task = asyncio.create_task(run_stage(NAMES, Embedded().client(settings), settings))
    assert await anyio.to_thread.run_sync(writing.wait, 10)
    task.cancel()
    await anyio.wait_all_tasks_blocked()
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    found = list(read_entries(tmp_path / "names"))
    assert len(found) >= 8
    assert all(isinstance(entry, Entry) for entry in found)


async def test_cancelling_twice_leaves_no_worker_and_no_slot() -> None:
    """Sabotage: wait for the workers under a shield in ``outcomes``."""
    started, go = asyncio.Event(), asyncio.Event()

    async def send(asked: Request) -> Completion:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            with anyio.CancelScope(shield=True):
                await go.wait()  # closes its connection
        return Completion((Choice("a", "stop"),))

    fleet = fleet_of(Scripted(send))

    async def consume() -> None:
        async for _ in outcomes((request(i) for i in range(9)), fleet, finish=as_it_is):
            pass

    before = asyncio.all_tasks()
    task = asyncio.create_task(consume())
    await started.wait()
    for _ in range(2):
        task.cancel()
        await anyio.wait_all_tasks_blocked()
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before
    assert fleet.statistics().in_flight == 0


async def test_an_attempt_that_ends_as_cancelled_by_itself_ends_the_stream_loudly() -> None:
    """An injected client may do so. Sabotage: drop the check in ``_host``: the stream ends as if it were complete."""

    async def send(asked: Request) -> Completion:
        if asked.number == 5:
            raise asyncio.CancelledError
        return Completion((Choice("a", "stop"),))

    with pytest.raises(RuntimeError, match="nobody cancelled"):
        async for _ in outcomes((request(i) for i in range(100)), fleet_of(Scripted(send)), finish=as_it_is):
            pass


async def test_workers_cancelled_from_outside_do_not_leave_their_consumer_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A program that cancels all tasks but its own. Sabotage: drop the check in ``outcomes``: it ticks for ever."""
    monkeypatch.setattr("evoselfcode.engine.pool.TICK", 0.001)
    before = asyncio.all_tasks()

    async def send(asked: Request) -> Completion:
        await asyncio.sleep(0 if asked.number < 9 else 60)
        return Completion((Choice("a", "stop"),))

    async def consume() -> None:
        async for batch in outcomes((request(i) for i in range(100)), fleet_of(Scripted(send)), finish=as_it_is):
            if batch:
                for task in asyncio.all_tasks() - before:
                    task.cancel()

    with pytest.raises(RuntimeError, match="cancelled from outside"), anyio.fail_after(5):
        await consume()


@pytest.mark.parametrize("thread", [asyncio.to_thread, anyio.to_thread.run_sync])
def test_the_sync_doors_open_in_a_thread_of_anyios_program(thread: Callable[..., Any]) -> None:
    """Sabotage: ``anyio.run(function)`` in ``run_sync``."""
    client = OpenAICompletionClient()

    async def program() -> Any:
        return await thread(client.complete, "def f")

    assert len(anyio.run(program)) == 1
