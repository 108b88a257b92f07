"""Connections of our own: used again last-in first-out, never used when stale, closed when nobody wants the reply."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import anyio
import pytest
from scripted_server import Line, Script, Seen, reply, scripted, silence, then_close, then_reset
from transports import OWN, carrying, own_lanes, sockets

from evoselfcode.clients.replies import KEEPALIVE_SECONDS, Transport
from evoselfcode.records import Failure
from evoselfcode.wire.dialect import Call


@pytest.fixture(params=OWN)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def lanes(kind: str) -> AsyncIterator[Transport]:
    async with carrying(kind, {"authorization": "Bearer k"}) as made:
        yield made


def call(server: Script) -> Call:
    return Call("POST", server.url + "/v1/completions", b"{}")


async def test_one_connection_serves_many_calls_in_turn(lanes: Transport) -> None:
    """Sabotage: close the lane after each call."""
    async with scripted(reply()) as server:
        for _ in range(20):
            assert isinstance(await lanes.send(call(server), 5), tuple)
        assert server.accepted == 1
        assert {seen.headers["authorization"] for seen in server.seen} == {"Bearer k"}


async def test_the_connection_used_last_is_used_first(lanes: Transport) -> None:
    """Last-in first-out lets the surplus go stale together. Sabotage: ``self._idle.pop(0)``."""
    release, done = [anyio.Event(), anyio.Event()], [anyio.Event(), anyio.Event()]

    async def held(line: Line, seen: Seen) -> None:
        await release[line.number].wait()
        await line.send(reply())

    async def send(number: int, server: Script) -> None:
        await lanes.send(call(server), 5)
        done[number].set()

    async with scripted(held, held, reply()) as server, anyio.create_task_group() as group:
        for number in range(2):
            group.start_soon(send, number, server)
            await server.until(lambda script, number=number: len(script.seen) == number + 1)
        for number in range(2):
            release[number].set()
            await done[number].wait()
        for _ in range(3):
            await lanes.send(call(server), 5)
        assert [seen.line for seen in server.seen] == [0, 1, 1, 1, 1]


async def test_a_server_that_announces_the_end_is_believed(lanes: Transport) -> None:
    """llama.cpp closes at the 100th request and says so; httpcore reads it, and this test says that it must."""
    last = then_close(reply(b"{}", "200 OK", "connection: close"))
    async with scripted(reply(), last, reply()) as server:
        for _ in range(3):
            assert isinstance(await lanes.send(call(server), 5), tuple)
        assert [seen.line for seen in server.seen] == [0, 0, 1]


async def test_a_connection_that_the_server_closed_while_idle_is_not_used(lanes: Transport) -> None:
    """No failure and no attempt: the end of the connection was there to be seen before sending."""
    async with scripted(then_close(reply()), reply()) as server:
        assert isinstance(await lanes.send(call(server), 5), tuple)
        await server.until(lambda script: script.closed == 1)
        await anyio.wait_all_tasks_blocked()
        assert isinstance(await lanes.send(call(server), 5), tuple)
        assert len(server.seen) == 2


async def test_a_connection_closed_under_the_request_is_a_disconnect_or_sent_again(lanes: Transport, kind: str) -> None:
    """The keep-alive race itself. The direct lane sends it again; after httpx the policy does, at once.

    Sabotage: ``again=False`` in ``DirectLanes.send``.
    """
    async with scripted(reply(), then_close(b""), reply(b"again")) as server:
        assert isinstance(await lanes.send(call(server), 5), tuple)
        found = await lanes.send(call(server), 5)
        if kind == "httpx":
            assert isinstance(found, Failure)
            assert found.kind == "disconnect"
            found = await lanes.send(call(server), 5)
        assert isinstance(found, tuple)
        assert found[2] == b"again"
        assert (server.accepted, len(server.seen)) == (2, 3)


async def test_idle_connections_expire_before_the_server_closes_them(kind: str) -> None:
    """60 % of the usual 5 s; here it is 0. Sabotages: leave out ``keepalive_expiry``; ``until > now`` in ``_kept``."""
    assert KEEPALIVE_SECONDS <= 0.6 * 5
    lanes = own_lanes(kind, {}, keepalive=0.0)
    async with scripted(reply()) as server:
        for _ in range(3):
            assert isinstance(await lanes.send(call(server), 5), tuple)
        assert server.accepted == 3
        await lanes.aclose()


@pytest.mark.parametrize("answer", [then_close(b"HTTP/1.1 200 OK\r\ncontent-le"), then_reset(b""), silence])
async def test_a_connection_that_failed_is_closed_and_not_used_again(lanes: Transport, answer: object) -> None:
    """Two locks: httpcore closes it, and so does ``send``; either one is enough."""
    async with scripted(answer, reply()) as server:  # type: ignore[arg-type]
        assert isinstance(await lanes.send(call(server), 0.03), Failure)
        await server.until(lambda script: script.closed == 1)
        assert isinstance(await lanes.send(call(server), 5), tuple)
        assert server.seen[1].line == 1


async def test_cancelling_closes_the_connection_so_that_the_server_stops(lanes: Transport) -> None:
    """vLLM and llama.cpp stop generating when the client is gone. Sabotage: ``fail_after(timeout, shield=True)``."""
    before, began = sockets(), time.monotonic()
    async with scripted(silence) as server:
        async with anyio.create_task_group() as group:
            for number in range(1, 21):
                group.start_soon(lanes.send, call(server), 4)
                await server.until(lambda script, number=number: len(script.seen) == number)
            group.cancel_scope.cancel()
        await server.until(lambda script: script.closed == 20)
    assert sockets() == before
    assert time.monotonic() - began < 3


async def test_cancelling_in_the_middle_of_a_body_closes_too(lanes: Transport) -> None:
    async def half(line: Line, seen: Seen) -> None:
        await line.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        await line.eof()

    async with scripted(half) as server:
        with anyio.move_on_after(0.02) as scope:
            await lanes.send(call(server), 60)
        assert scope.cancelled_caught
        await server.until(lambda script: script.closed == 1)


async def test_closing_leaves_no_socket(kind: str) -> None:
    """Sabotages: ``while len(self._idle) > 1`` in ``aclose``; do not wait for ``_gone``."""
    before = sockets()
    lanes = own_lanes(kind, {})
    async with scripted(reply()) as server:
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(lanes.send, call(server), 5)
        assert sockets() > before
        await lanes.aclose()
        await server.until(lambda script: script.closed == script.accepted)
    await asyncio.sleep(0)
    assert sockets() == before


async def test_a_call_under_way_at_the_close_ends_well_and_closes_its_connection(kind: str) -> None:
    """Sabotage: drop ``_closed``: the connection goes back to the idle ones and stays open."""
    lanes, release = own_lanes(kind, {}), anyio.Event()

    async def held(line: Line, seen: Seen) -> None:
        await release.wait()
        await line.send(reply())
        await line.eof()

    found: list[object] = []

    async def send(server: Script) -> None:
        found.append(await lanes.send(call(server), 5))

    async with scripted(held) as server:
        async with anyio.create_task_group() as group:
            group.start_soon(send, server)
            await server.until(lambda script: len(script.seen) == 1)
            await lanes.aclose()
            release.set()
        assert isinstance(found[0], tuple)
        await server.until(lambda script: script.closed == 1)


async def test_many_at_once_take_a_connection_each(lanes: Transport) -> None:
    """A pool that is smaller than the calls in flight would queue them unseen."""
    release = anyio.Event()

    async def held(line: Line, seen: Seen) -> None:
        await release.wait()
        await line.send(reply())

    async with scripted(held) as server, anyio.create_task_group() as group:
        for _ in range(120):
            group.start_soon(lanes.send, call(server), 5)
        await server.until(lambda script: len(script.seen) == 120)
        release.set()
