"""C13: memory, tasks, files and threads do not depend on how long the plan is. A million rows are ``make soak``."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from evoselfcode import OpenAICompletionClient, RunConfig
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.run import run_stage

ROWS, IN_FLIGHT = 6_000, 32
EARLY, LATE = range(1_000, 2_000), range(4_500, 5_500)
"""Rows between which is looked, several times: what is in flight comes and goes, a thousand blocks of memory or so."""

MODELS = {"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "vllm"}]}
FEW = ("merge_sort", "find_path", "for", "merge_sort (x)", "test_it", "1", "count_words", "<|endoftext|>")


class Replies(httpx.AsyncBaseTransport):
    """Answers at the event loop's next turn, with one of a few names: nobody has to remember more of them."""

    def __init__(self) -> None:
        self._next = 0
        self._bodies = [
            json.dumps({"choices": [{"index": 0, "text": text, "finish_reason": "stop"}]}).encode() for text in FEW
        ]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        self._next += 1
        body = json.dumps(MODELS).encode() if request.method == "GET" else self._bodies[self._next % len(FEW)]
        return httpx.Response(200, stream=httpx.ByteStream(body))


class Look(NamedTuple):
    """What there is at one moment."""

    blocks: int
    tasks: int
    files: int
    threads: int


def look() -> Look:
    gc.collect()
    files = sum(1 for _ in Path("/proc/self/fd").iterdir())
    return Look(sys.getallocatedblocks(), len(asyncio.all_tasks()), files, threading.active_count())


async def test_nothing_grows_with_the_rows_but_what_must_be_remembered(tmp_path: Path) -> None:
    """Sabotages: in ``_Pool._work``, keep each outcome in a list, start a task for each request that sleeps for an
    hour, or open ``/dev/null`` for each; keep each entry in ``_Run._settle``.
    """
    looks: dict[range, list[Look]] = {EARLY: [], LATE: []}
    seen = 0

    def report(summary: Any, fleet: Any) -> None:
        nonlocal seen
        settled = summary.meter.settled
        if settled - seen < ROWS // 60:
            return
        seen = settled
        for rows, found in looks.items():
            if settled in rows:
                found.append(look())

    config = RunConfig.from_mapping({
        "model": "m",
        "api": {"base_url": "http://fake", "concurrency": IN_FLIGHT, "fim": {"mode": "suffix"}},
        "namegen": {"num_requests": ROWS // 2, "n": 1, "logprobs": False},
        "output": {"dir": str(tmp_path)},
    })  # fmt: skip
    client = OpenAICompletionClient("http://fake", "m", fim_mode="suffix", http_client=Replies())
    summary = await run_stage(NAMES, client, config, report=report)
    assert summary.meter.settled == ROWS
    assert summary.meter.dead == 0
    most, fewest = ([[pick(values) for values in zip(*found, strict=True)] for found in looks.values()]
                    for pick in (max, min))  # fmt: skip
    (_, tasks, _, threads), (_, later_tasks, _, later_threads) = most
    assert (later_tasks, later_threads) == (tasks, threads)
    (blocks, _, files, _), (later_blocks, _, later_files, _) = fewest  # a file is open for a moment, now and then
    assert later_files == files
    assert later_blocks - blocks < (LATE.start - EARLY.start) // 2  # alone 60; 700 in a process that did much before
