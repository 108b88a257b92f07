"""A run whose endpoint refuses, goes away or answers nonsense: what is told, what is kept, and how it goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from embedded import Embedded
from endpoints import Scripted, as_it_is, fleet_of, requests
from scripted_server import Line, Seen, scripted
from test_run import config, entries, run, shown
from virtual_time import in_virtual_time

from evoselfcode.clients.lane.direct import DirectLanes
from evoselfcode.engine import outcomes
from evoselfcode.errors import EndpointDown, EndpointRefused
from evoselfcode.records import Completion, Failure, Request
from evoselfcode.wire import messages
from evoselfcode.wire.dialect import Dialect, endpoint


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "names" / "events.jsonl").read_text().splitlines()]


async def test_an_endpoint_that_goes_away_ends_the_run_and_loses_nothing(tmp_path: Path) -> None:
    def dies(number: int, body: dict[str, Any]) -> httpx.Response | None:
        if number > 10:
            raise httpx.ConnectError("Connection refused")
        return None

    with pytest.raises(EndpointDown, match="Connection refused"):
        await run(Embedded(dies), config(tmp_path, api={"outage_limit": 0.0}))
    settled = entries(tmp_path)
    assert settled
    assert not [entry for entry in settled if entry.failure]
    assert [event["kind"] for event in events(tmp_path)] == ["parked", "outage"]
    assert events(tmp_path)[0]["endpoint"] == "http://embedded:8000"
    await run(Embedded(), config(tmp_path))
    await run(Embedded(), config(tmp_path / "whole"))
    assert shown(tmp_path) == shown(tmp_path / "whole")


async def test_an_endpoint_that_comes_back_is_asked_again_without_being_told(tmp_path: Path) -> None:
    """Sabotage: do not probe; write no events."""

    def away(number: int, body: dict[str, Any]) -> httpx.Response | None:
        if 4 <= number < 10:
            raise httpx.ConnectError("Connection refused")
        return None

    summary = await run(Embedded(away), config(tmp_path, api={"max_attempts": 1}))
    assert (summary.meter.settled, summary.meter.dead) == (12, 0)
    assert [event["kind"] for event in events(tmp_path) if event["kind"] != "limit"][-1] == "returned"
    assert all(set(event) >= {"at", "kind", "endpoint", "reason"} for event in events(tmp_path))
    assert "events.jsonl" in {path.name for path in (tmp_path / "names").iterdir()}


@pytest.mark.parametrize(
    ("status", "text", "hint"),
    [
        (401, "Unauthorized", "set api.api_key"),
        (403, "Forbidden", "set api.api_key"),
        (404, "The model `m` does not exist", "set model to a name the server lists"),
        (402, "Insufficient credits", "no credit or no quota"),
        (429, "insufficient_quota", "no credit or no quota"),
    ],
)
async def test_what_refuses_every_request_ends_the_run_and_gives_up_no_row(
    tmp_path: Path, status: int, text: str, hint: str
) -> None:
    """R11, R14: exit code 2, no row is dead, and the same command goes on when it is mended.

    Sabotage: let ``auth`` lead to ``give_up``; take ``insufficient_quota`` for a rate limit.
    """

    def refuse(number: int, body: dict[str, Any]) -> httpx.Response | None:
        if number <= 5:
            return None
        return httpx.Response(status, json={"error": {"message": text, "code": text}})

    server = Embedded(refuse)
    with pytest.raises(EndpointRefused) as raised:
        await run(server, config(tmp_path, num_requests=500))
    assert raised.value.exit_code == 2
    assert hint in str(raised.value.hint)
    assert len(server.bodies) <= 5 + 7
    assert not [entry for entry in entries(tmp_path) if entry.failure]
    summary = await run(Embedded(), config(tmp_path, num_requests=20))
    assert (summary.meter.settled, summary.meter.dead) == (40, 0)


BODIES = [
    b"",
    b"null",
    b"{}",
    b"<html><title>502 Bad Gateway</title></html>",
    b"data: {}\n\n",
    b'{"choices": []}',
    b'{"choices": [{"text": null, "finish_reason": "stop"}]}',
    b'{"choices": [{"text": "a", "finish_reason": null}]}',
    b'{"choices": [{"text": "a"}]}',
    b'{"choices": [{"text": "a", "finish_reason": "stop"}',
    b'{"choices": [{"text": "\xff\xfe", "finish_reason": "stop"}]}',
    b'{"error": {"message": "boom", "code": 500}}',
    b'{"object": "error", "message": "context length exceeded", "code": 400}',
    b'{"choices": [{"text": "a", "index": 0, "finish_reason": "error"}]}',
]


@pytest.mark.parametrize("body", BODIES)
@in_virtual_time
async def test_a_reply_that_is_no_completion_is_no_answer(body: bytes) -> None:
    """R7: in each of a hundred rows it comes to a failure. Sabotage: take a 200 for a success."""
    where, dialect = endpoint("http://a:1"), Dialect(model="m")

    async def send(request: Request) -> Completion | Failure:
        assert messages.call(request, dialect, where) is not None
        return messages.read(request, dialect, 200, {}, body)

    found: list[Any] = []
    async for batch in outcomes(requests(100), fleet_of(Scripted(send)), finish=as_it_is, max_attempts=1):
        found += batch
    assert len(found) == 100
    assert all(isinstance(outcome.result, Failure) for outcome in found)


async def test_an_attempt_that_is_cut_off_costs_the_server_nothing_more() -> None:
    """R9, R12: one byte after the other, for ever. The deadline is of the whole, and closes the connection.

    Sabotage: a deadline of each read; do nothing in ``expire`` of the lane.
    """
    lanes = DirectLanes({})

    async def answer(line: Line, seen: Seen) -> None:
        await line.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        while not line.reader.at_eof():
            await line.send(b" ")
            await anyio.sleep(0.005)

    async with scripted(answer) as server:

        async def send(request: Request) -> Completion | Failure:
            if request.number % 4:
                return messages.read(request, Dialect(), 200, {}, b'{"choices":[{"text":"a","finish_reason":"stop"}]}')
            call = messages.call(request, Dialect(model="m"), endpoint(server.url))
            found = await lanes.send(call, 0.05)
            return found if isinstance(found, Failure) else Failure("bad_reply")

        found: list[Any] = []
        fleet = fleet_of(Scripted(send), slots=8)
        async for batch in outcomes(requests(100), fleet, finish=as_it_is, max_attempts=1):
            found += batch
        await server.until(lambda script: script.closed == script.accepted)
        assert server.accepted == 25
    await lanes.aclose()
    late = [outcome for outcome in found if isinstance(outcome.result, Failure)]
    assert {outcome.result.kind for outcome in late} == {"timeout"}
    assert len(late) == 25
