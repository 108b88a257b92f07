"""Hostile code through the whole stage: nothing crashes, nothing stalls, and every draw is there with its verdict."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from crews import examiners, resident
from embedded import Embedded
from hostile_code import monsters

from evoselfcode import RunConfig
from evoselfcode.datagen.code.codegen import CODE, CodeJudge
from evoselfcode.datagen.code.examiner import MEMORY
from evoselfcode.datagen.code.filtering import FILTERED, QUARANTINED, RAW, filter_code
from evoselfcode.datagen.code.processes import processors
from evoselfcode.datagen.filters.gates import CODE_REASONS
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.datagen.pipeline.summary import Summary
from evoselfcode.records import Candidate, Request, Verdict
from evoselfcode.storage import Draw, Entry, read_entries

COUNT, N = 1_000, 4
PROBE_SECONDS = 0.005
MOST_LAG = 0.050
STARTED = 64 * 2**20
"""Bytes that a process which looks at code holds before it has seen any; measured: 25 MB."""


@dataclass
class Hostile:
    """A run whose server answers monsters.

    Attributes:
        folder: Where it was written.
        config: Its configuration.
        summary: What it came to.
        processes: Every process that looked at code.
        peaks: The most memory that each of them held, in bytes.
        lags: By how much its event loop was late, in seconds.
    """

    folder: Path
    config: RunConfig
    summary: Summary | None = None
    processes: set[int] = field(default_factory=set)
    peaks: list[int] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)

    async def run(self) -> None:
        replies = bodies(list(monsters(COUNT, seed=0)))

        def instead(number: int, body: dict[str, Any]) -> httpx.Response | None:
            return httpx.Response(200, content=replies[number - 1]) if number else None

        stage = replace(CODE, judge=lambda config: Watched(config, self))
        client = Embedded(instead).client(self.config)
        async with probed(self.lags):
            self.summary = await run_stage(stage, client, self.config)

    def draws(self) -> list[Draw]:
        entries = read_entries(self.folder / "code")
        return [draw for entry in entries if isinstance(entry, Entry) for draw in entry.draws]


class Watched(CodeJudge):
    """The judge of the stage, and what its processes came to."""

    def __init__(self, config: RunConfig, seen: Hostile) -> None:
        super().__init__(config)
        self._seen = seen

    async def __call__(self, request: Request, candidates: Sequence[Candidate]) -> list[Verdict]:
        verdicts = await super().__call__(request, candidates)
        self._seen.processes |= {worker.pid for worker in self._crew._idle}
        return verdicts

    async def aclose(self) -> None:
        self._seen.peaks.extend(map(resident, examiners()))
        await super().aclose()


def settings(folder: Path) -> RunConfig:
    names = folder / "names.jsonl"
    rows = [{"func_name": "f", "description": f"do it {number}"} for number in range(COUNT // N)]
    names.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return RunConfig.from_mapping({
        "model": "evoselfcode-ngram",
        "api": {"concurrency": 4, "max_attempts": 1},
        "prompts": {"codegen": {"template": "A function {func_name} that is to {description}.\n"}},
        "codegen": {"names": str(names), "n": N, "arms": ["L2R"]},
        "filters": {"enable_ruff": True},
        "output": {"dir": str(folder)},
    })  # fmt: skip


def bodies(texts: Sequence[str]) -> list[bytes]:
    """Write the server's replies, halves of surrogate pairs and all."""
    choices = [{"index": number % N, "text": text, "finish_reason": "stop"} for number, text in enumerate(texts)]
    return [json.dumps({"choices": choices[at : at + N]}).encode() for at in range(0, len(choices), N)]


def waited() -> float:
    """Return the seconds that this thread was ready to run and the machine did other work."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


@asynccontextmanager
async def probed(lags: list[float]) -> AsyncIterator[None]:
    """Measure every 5 ms by how much this event loop is late, what other work of the machine takes left out."""

    async def probe() -> None:
        while True:
            due, lost = time.perf_counter() + PROBE_SECONDS, waited()
            await anyio.sleep(PROBE_SECONDS)
            lags.append(time.perf_counter() - due - (waited() - lost))

    async with anyio.create_task_group() as group:
        group.start_soon(probe)
        yield
        group.cancel_scope.cancel()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    folder = tmp_path_factory.mktemp("hostile")
    ran = Hostile(folder, settings(folder))
    anyio.run(ran.run)
    return ran


def test_every_monster_gets_its_verdict(hostile: Hostile) -> None:
    """C14. Sabotage: leave the verdict of a draft out that a process died of, or end the run there."""
    draws = hostile.draws()
    assert len(draws) == COUNT
    reasons = {draw.reason for draw in draws}
    assert reasons <= {None, *CODE_REASONS}
    assert len(reasons) > 10
    assert hostile.summary is not None
    assert hostile.summary.meter.failures == {}


def test_no_monster_ends_a_process_or_fills_the_memory(hostile: Hostile) -> None:
    """None of them takes two seconds. Sabotage: let ``Examiner.look_at`` raise for a NUL, or allow 0.02 s."""
    assert 0 < len(hostile.processes) <= processors()
    assert max(hostile.peaks) <= STARTED + MEMORY


def test_the_event_loop_is_not_held_up(hostile: Hostile) -> None:
    """S11; measured: 1 to 2 ms, and 9 ms at most after the first probe, when the run is set up.

    Sabotage: call ``Examiner.look_at`` in ``CodeJudge.__call__`` in the place of the crew.
    """
    lags = sorted(hostile.lags)
    assert len(lags) > 100
    assert lags[len(lags) * 99 // 100] < MOST_LAG


async def test_the_filter_takes_every_monster_from_the_journal(hostile: Hostile) -> None:
    """Sabotage: ``encode("ascii", "ignore")`` in ``rows._utf8``."""
    metrics = await filter_code([hostile.folder / "code"], hostile.config)
    rows = {name: read(hostile.folder / "code" / name) for name in (RAW, FILTERED, QUARANTINED)}
    assert metrics["draws"] == len(rows[RAW]) == COUNT
    assert {row["reason"] for row in rows[RAW]} <= {None, *CODE_REASONS}
    kept = {name: [row for row in rows[RAW] if row["verdict"] == name] for name in ("kept", "quarantined")}
    assert kept == {"kept": rows[FILTERED], "quarantined": rows[QUARANTINED]}
    codes = [row["code"] for row in rows[RAW]]
    for letter in "\0\ufffd\u202e\U0010ffff":
        assert any(letter in code for code in codes), repr(letter)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line.decode()) for line in path.read_bytes().split(b"\n")[:-1]]
