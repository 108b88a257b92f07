"""The stream in somebody else's program: over real sockets, in a task group, for a hundred thousand rows."""

from __future__ import annotations

import asyncio
import gc
import os
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import httpx
import orjson
import pytest
from embedded import Embedded
from fakes import fake, serving

from evoselfcode import OpenAICompletionClient, RunConfig, stream_funcnames


def sockets() -> int:
    """Count the sockets that this process holds."""
    return sum(
        str(link.readlink()).startswith("socket:") for link in Path("/proc/self/fd").iterdir() if link.is_symlink()
    )


@pytest.mark.parametrize("how", ["cancel", "break", "raise"])
async def test_leaving_after_100_rows_leaves_no_task_and_no_socket(how: str) -> None:
    """Sabotage: close nothing in ``Pool.aclose``."""
    settings = RunConfig.from_mapping({"api": {"concurrency": 16}, "namegen": {"num_requests": 5000, "n": 4}})
    rows = 0

    async def consume(scope: anyio.CancelScope, url: str) -> None:
        nonlocal rows
        client = OpenAICompletionClient(url, "Qwen2.5-Coder-32B")
        async for _ in stream_funcnames(client, settings, mode="FIM"):
            rows += 1
            if rows == 100:
                if how == "break":
                    break
                if how == "raise":
                    raise ValueError
                scope.cancel()
                await anyio.sleep_forever()

    before = sockets()
    with serving(fake("vllm-0.12")) as url:
        tasks = asyncio.all_tasks()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(consume, group.cancel_scope, url)
        except* ValueError:
            assert how == "raise"
        for _ in range(100):  # what was broken off is closed by the loop's own hook
            await asyncio.sleep(0)
        assert rows == 100
        assert asyncio.all_tasks() == tasks
    assert sockets() == before


async def test_memory_is_flat_over_a_hundred_thousand_rows() -> None:
    """Only the names themselves may add up, about 100 bytes each. Sabotage: keep every outcome in a list."""
    numbers = count()

    def names(number: int, body: dict[str, Any]) -> httpx.Response | None:
        if not number:
            return None
        choices = [
            {"index": i, "text": f"name_{next(numbers)}", "finish_reason": "stop", "logprobs": None}
            for i in range(body["n"])
        ]
        return httpx.Response(200, content=orjson.dumps({"choices": choices}))

    settings = RunConfig.from_mapping({"namegen": {"num_requests": 1000, "n": 100}})
    rows = early = 0
    async for _ in stream_funcnames(Embedded(names).client(), settings, mode="L2R"):
        rows += 1
        if rows == 10_000:
            early = resident()
    assert rows == 100_000
    assert resident() - early < 24 * 2**20


def resident() -> int:
    """Return the bytes of memory that this process occupies."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
