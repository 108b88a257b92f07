"""C14 where names are drawn: two megabytes in the place of a name hold nothing up, and each text gets its reason.

What is measured is the CPU time of the event loop's thread from one turn to the next, so that other work of the machine
does not count. How late the loop is while code is drawn: :mod:`test_code_hostile`.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import httpx
import pytest
from hostile_code import BIG

from evoselfcode import OpenAICompletionClient, RunConfig
from evoselfcode.datagen.filters import NameJudge, parse_name
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.records import Choice, L2r, Request, Sampling

MONSTERS = {
    "<": "empty",
    "<|": "empty",
    "<|fim_": "empty",
    "a": "regex",
    " ": "empty",
    "\t\n": "empty",
    "a<": "malformed",
    "a\x00": "malformed",
    "é": "empty",
    "_": "regex",
    "((": "empty",
    "a(": None,
    "\u2028": "empty",
    "def ": "malformed",
}
"""What is repeated to fill two megabytes, and the reason it is dropped for."""

TURNS = 3
MOST_CPU = 0.05
"""Seconds of CPU that one monster may hold the loop up for; measured: 0.015 for the worst, a name without end."""


class Replies(httpx.AsyncBaseTransport):
    """Answers with one monster after the other.

    Attributes:
        turns: For each reply, the CPU seconds of each turn of the event loop until the next.
    """

    def __init__(self) -> None:
        self.turns: list[list[float]] = [[]]
        self._bodies = [
            json.dumps({"choices": [{"index": 0, "text": (piece * BIG)[:BIG], "finish_reason": "stop"}]},
                       ensure_ascii=False).encode()
            for piece in MONSTERS
        ]  # fmt: skip

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.01)
        self.turns.append([])
        body = self._bodies[len(self.turns) % len(MONSTERS)] if request.method == "POST" else b'{"data": [{"id": "m"}]}'
        return httpx.Response(200, stream=httpx.ByteStream(body))

    async def probe(self) -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0)
            self.turns[-1].append(time.thread_time() - began)


async def test_two_megabytes_hold_nothing_up(tmp_path: Path) -> None:
    """Sabotage: look for special tokens in all of a text (``raw[:LOOKED_AT]``)."""
    config = RunConfig.from_mapping({
        "model": "m",
        "api": {"base_url": "http://fake", "concurrency": 1, "fim": {"mode": "none"}},
        "namegen": {"num_requests": TURNS * len(MONSTERS), "n": 1, "logprobs": False},
        "output": {"dir": str(tmp_path)},
    })  # fmt: skip
    replies = Replies()
    client = OpenAICompletionClient("http://fake", "m", fim_mode="none", http_client=replies)
    probing = asyncio.create_task(replies.probe())
    summary = await run_stage(NAMES, client, config, arms=["L2R"])
    probing.cancel()
    assert summary.meter.settled == TURNS * len(MONSTERS)
    assert summary.meter.failures == {}
    longest = [max(turns, default=0.0) for turns in replies.turns[-summary.meter.settled :]]
    least = [min(longest[at :: len(MONSTERS)]) for at in range(len(MONSTERS))]
    assert max(least) < MOST_CPU, least


REQUEST = Request(key="", prompt=L2r("def "), sampling=Sampling(max_new_tokens=1), arm="L2R")


@pytest.mark.parametrize(("piece", "reason"), MONSTERS.items())
def test_a_monster_gets_its_reason(piece: str, reason: str | None) -> None:
    """Sabotage: leave ``isascii`` out in ``parse_name``."""
    judge = NameJudge("^[a-z_][a-z0-9_]{2,64}$", ())
    found = judge(parse_name(REQUEST, 0, Choice((piece * BIG)[:BIG], "stop")))
    assert found.reason == (reason or "regex")
