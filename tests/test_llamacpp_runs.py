"""The names stage against a real llama.cpp server: whole runs, and what the server's ways of closing cost."""

from __future__ import annotations

import json
import select
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio.from_thread
import pytest
from llama_server import LlamaServer

from evoselfcode import OpenAICompletionClient, RunConfig, generate_funcnames_fim
from evoselfcode.clients.lane.direct import DirectLanes
from evoselfcode.clients.replies import Reply, Transport
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.records import Failure
from evoselfcode.storage import Entry, read_entries
from evoselfcode.wire.dialect import Call


def config(llama: LlamaServer, folder: Path, **changes: Any) -> RunConfig:
    return RunConfig.from_mapping({
        "model": "evo-tiny",
        "api": {"base_url": llama.url, "concurrency": 6, "max_attempts": 2},
        "prompts": {"boundary": "token", **changes.pop("prompts", {})},
        "namegen": {"num_requests": 20, "n": 2, "temperature": 1.0, "top_p": 1.0, **changes},
        "output": {"dir": str(folder)},
    })  # fmt: skip


def entries(folder: Path) -> list[Entry]:
    return [entry for entry in read_entries(folder / "names" / "journal.jsonl") if isinstance(entry, Entry)]


class Told:
    """What a client sent and what came back, attempt by attempt.

    Attributes:
        answered: Bodies that were answered with 200.
        failed: Bodies and kinds of the attempts that were not answered.
    """

    def __init__(self) -> None:
        self.answered: Counter[bytes] = Counter()
        self.failed: list[tuple[bytes, str]] = []

    def each(self) -> None:
        """Called after each attempt."""


class ToldClient(OpenAICompletionClient):
    """A client whose attempts are written down."""

    told = Told()

    def _transport(self) -> Transport:
        inner, told = super()._transport(), self.told

        class Telling:
            async def send(self, call: Call, timeout: float) -> Reply | Failure:
                reply = await inner.send(call, timeout)
                if isinstance(reply, Failure):
                    told.failed.append((call.body, reply.kind))
                elif reply[0] == 200:
                    told.answered[call.body] += 1
                told.each()
                return reply

            async def aclose(self) -> None:
                await inner.aclose()

        return Telling()


async def test_both_arms_are_run_filtered_and_saved(llama: LlamaServer, tmp_path: Path) -> None:
    settings = config(llama, tmp_path)
    summary = await run_stage(NAMES, OpenAICompletionClient.from_config(settings), settings)
    assert summary.findings.dialect.fim == "infill"
    assert summary.meter.draws == {"FIM": 40, "L2R": 40}
    assert (summary.meter.dead, summary.meter.failures) == (0, {})
    for name, arm in (("fim_raw.jsonl", "FIM"), ("l2r_raw.jsonl", "L2R")):
        rows = [json.loads(line) for line in (tmp_path / "names" / name).read_text().splitlines()]
        assert len(rows) > 20
        assert {row["source"] for row in rows} == {arm}
        assert all(row["func_name"].isidentifier() for row in rows)
    again = await run_stage(NAMES, OpenAICompletionClient.from_config(settings), settings)
    assert not again.sent
    assert again.meter.kept == summary.meter.kept


def test_the_library_call_works_from_a_script(llama: LlamaServer, tmp_path: Path) -> None:
    settings = config(llama, tmp_path, num_requests=6)
    client = OpenAICompletionClient(base_url=llama.url, model="evo-tiny", use_chat_for_fim=False)
    fim = generate_funcnames_fim(client, settings, mode="FIM")
    l2r = generate_funcnames_fim(client, settings, mode="L2R")
    assert {row["source"] for row in fim} == {"FIM"}
    assert {row["source"] for row in l2r} == {"L2R"}


async def test_a_prompt_that_is_too_long_costs_its_own_rows_only(llama: LlamaServer, tmp_path: Path) -> None:
    """One attempt each, the other arm untouched. Sabotage: let ``too_long`` end the run."""
    settings = config(llama, tmp_path, num_requests=8, prompts={"funcname": {"l2r": {"prompt": "word " * 2000}}})
    summary = await run_stage(NAMES, OpenAICompletionClient.from_config(settings), settings)
    assert summary.meter.dead == 8
    dead = [entry for entry in entries(tmp_path) if entry.failure is not None]
    assert {(entry.arm, entry.failure.kind, entry.attempts) for entry in dead if entry.failure} == {
        ("L2R", "too_long", 1)
    }
    assert summary.meter.draws == {"FIM": 16}


async def test_killed_and_restarted_in_the_middle_no_row_is_lost_and_none_asked_twice(tmp_path: Path) -> None:
    """SIGKILL, refused connections, restart on the same port; two attempts per row are enough.

    Sabotages: count ``connect`` as an attempt (rows die); resend what was answered (asked twice).
    """
    llama = LlamaServer()

    class Outage(Told):
        killed = restarted = False

        def each(self) -> None:
            if not self.killed and sum(self.answered.values()) >= 30:
                self.killed = True
                llama.kill()
            refused = sum(kind == "connect" for _, kind in self.failed)
            if self.killed and not self.restarted and refused >= 3:
                self.restarted = True
                llama.start()

    with llama:
        settings = config(llama, tmp_path, num_requests=40)
        client = ToldClient.from_config(settings)
        client.told = told = Outage()
        summary = await run_stage(NAMES, client, settings)
    assert told.restarted
    assert (summary.meter.dead, summary.meter.remaining) == (0, 0)
    assert summary.meter.draws == {"FIM": 80, "L2R": 80}
    asked = {body: times for body, times in told.answered.items() if b'"temperature":1.0' in body}
    assert len(asked) == 80
    assert set(asked.values()) == {1}
    kinds = Counter(kind for _, kind in told.failed)
    assert set(kinds) <= {"connect", "disconnect", "loading"}
    assert kinds["disconnect"] <= settings.api.concurrency
    written = entries(tmp_path)
    assert len({entry.key for entry in written}) == len(written) == 80


async def test_the_servers_hundredth_request_on_a_connection_costs_nothing(llama: LlamaServer) -> None:
    """The server closes a connection after 100 requests, and says so with the last reply."""
    client = ToldClient(llama.url, "evo-tiny")
    client.told = told = Told()
    async with client.connect() as connection:
        for _ in range(250):
            assert not isinstance(await connection.list_models(), Failure)
    assert told.failed == []


class Idle:
    """A connection to the server on which nothing is said after the first request."""

    def __init__(self, llama: LlamaServer, portal: anyio.from_thread.BlockingPortal) -> None:
        self._call = Call("GET", llama.url + "/v1/models")
        self._portal = portal
        self._lanes = DirectLanes({}, keepalive=60.0)  # longer than the server waits: the mistake to survive
        before = _sockets()
        assert isinstance(self.send(), tuple)
        (self._socket,) = _sockets() - before

    def send(self) -> Reply | Failure:
        return self._portal.call(self._lanes.send, self._call, 5)

    def wait(self) -> None:
        """Wait until the server closes it, 5 seconds after the request: its end is there to be read."""
        readable, _, _ = select.select([self._socket], [], [], 10)
        assert readable

    def close(self) -> None:
        self._portal.call(self._lanes.aclose)


def _sockets() -> set[int]:
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return {int(link.name) for link in links if str(link.readlink()).startswith("socket:")}


@pytest.fixture(scope="module", autouse=True)
def idle(llama: LlamaServer) -> Iterator[Idle]:
    """Opened before the first test here, so that most of the 5 seconds have passed when the last one wants them."""
    with anyio.from_thread.start_blocking_portal() as portal:
        found = Idle(llama, portal)
        yield found
        found.close()


def test_a_connection_that_the_server_closed_for_being_idle_costs_nothing(idle: Idle) -> None:
    """Its end is seen, or the call is sent again over a new one. Last in this file: see the fixture."""
    idle.wait()
    assert isinstance(idle.send(), tuple)
