"""One contract for every transport: what comes out, under a deadline, and what a cancellation leaves behind."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import pytest
from scripted_server import Line, Seen, reply, scripted, silence
from transports import ALL, carrying

from evoselfcode.clients.transport import InProcess, Reply, Transport
from evoselfcode.records import Failure
from evoselfcode.wire.dialect import Call

BODIES = {
    "/v1/models": (200, b'{"data": []}'),
    "/v1/completions": (400, b'{"error": {"message": "no"}}'),
    "/empty": (200, b""),
}


@dataclass
class Open:
    """A transport, where it sends to, and what the other side has seen."""

    transport: Transport
    base: str
    bodies: list[bytes]
    began: anyio.Event


def _raw(status: int, body: bytes) -> bytes:
    return reply(body, f"{status} Whatever", "Content-Type: application/json", "X-Two: one", "x-two: two")


@asynccontextmanager
async def over_sockets(kind: str) -> AsyncIterator[Open]:
    began, bodies = anyio.Event(), []

    async def answer(line: Line, seen: Seen) -> None:
        bodies.append(seen.body)
        began.set()
        await (silence(line, seen) if seen.path == "/silence" else line.send(_raw(*BODIES[seen.path])))

    async with scripted(answer) as server, carrying(kind, {"authorization": "Bearer k"}) as transport:
        yield Open(transport, server.url, bodies, began)


@asynccontextmanager
async def in_process() -> AsyncIterator[Open]:
    began, release, bodies, loop = anyio.Event(), threading.Event(), [], anyio.lowlevel.current_token()

    def answer(method: str, path: str, body: bytes) -> Reply:
        bodies.append(body)
        anyio.from_thread.run_sync(began.set, token=loop)
        if path == "/silence":
            release.wait(5)
            return 200, {}, b""
        status, text = BODIES[path]
        return status, {"content-type": "application/json", "x-two": "one, two"}, text

    yield Open(InProcess(answer), "local:", bodies, began)
    release.set()


@pytest.fixture(params=[*ALL, "in process"])
async def opened(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    context = in_process() if request.param == "in process" else over_sockets(request.param)
    async with context as found:
        yield found


@pytest.mark.parametrize("path", BODIES)
async def test_status_headers_and_body_come_out_as_they_were_sent(opened: Open, path: str) -> None:
    found = await opened.transport.send(Call("POST", opened.base + path, b'{"prompt": "def "}'), 5)
    assert isinstance(found, tuple)
    status, _, body = found
    assert (status, body) == BODIES[path]
    assert opened.bodies == [b'{"prompt": "def "}']


async def test_header_names_are_lower_case_and_repeated_ones_joined(opened: Open) -> None:
    """Sabotage: pass the headers on as they came."""
    found = await opened.transport.send(Call("GET", opened.base + "/empty"), 5)
    assert isinstance(found, tuple)
    assert found[1]["content-type"] == "application/json"
    assert found[1]["x-two"] == "one, two"


async def test_no_reply_by_the_deadline_is_a_timeout(opened: Open) -> None:
    """Sabotage: drop ``fail_after``."""
    with anyio.fail_after(2):
        found = await opened.transport.send(Call("POST", opened.base + "/silence", b"{}"), 0.02)
    assert found == Failure("timeout", "no complete reply within 0.02 s")


async def test_a_cancelled_call_returns_at_once_and_the_next_one_works(opened: Open) -> None:
    with anyio.fail_after(2):
        async with anyio.create_task_group() as group:
            group.start_soon(opened.transport.send, Call("POST", opened.base + "/silence", b"{}"), 60)
            await opened.began.wait()
            group.cancel_scope.cancel()
    if not isinstance(opened.transport, InProcess):  # its thread is still busy
        found = await opened.transport.send(Call("GET", opened.base + "/v1/models"), 5)
        assert isinstance(found, tuple)


async def test_closing_twice_and_closing_unused_are_no_errors(opened: Open) -> None:
    await opened.transport.aclose()
    await opened.transport.aclose()
