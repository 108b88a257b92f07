"""No socket is left open: not by a cancellation at any moment, not by a deadline, not by the end, not by being idle."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import anyio
import pytest
from scripted_server import Line, Seen, reply, scripted, silence
from transports import ALL, carrying, sockets

from evoselfcode.clients.lane import pool
from evoselfcode.clients.lane.direct import DirectLanes
from evoselfcode.clients.lane.pool import Pool
from evoselfcode.records import Failure
from evoselfcode.wire.dialect import Call


@pytest.fixture(params=ALL)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def no_socket_left() -> AsyncIterator[None]:
    before = sockets()
    yield
    for _ in range(100):  # the other side's end is told in one of the next rounds of the loop
        if sockets() == before:
            return
        await asyncio.sleep(0)
    assert sockets() == before


@pytest.mark.parametrize(
    ("kind", "how"),
    [*((kind, "cancelled") for kind in ALL), ("direct", "late"), ("mounted", "late")],
)
async def test_a_handshake_that_is_given_up_leaves_no_socket(kind: str, how: str) -> None:
    """The server takes the connection and says nothing. httpx, when late, leaves its socket to the garbage collector.

    Sabotage: await ``create_connection`` under ``asyncio.shield``.
    """

    async def listens(line: Line) -> None:
        await line.eof()

    async with no_socket_left(), scripted(reply(), greeting=listens) as server:
        async with carrying(kind, {}) as lanes, anyio.create_task_group() as group:
            url = server.url.replace("http:", "https:")
            for _ in range(10):
                group.start_soon(lanes.send, Call("GET", url), 60 if how == "cancelled" else 0.05)
            if how == "cancelled":
                await server.until(lambda script: script.accepted == 10)
                group.cancel_scope.cancel()
        await server.until(lambda script: script.closed == script.accepted)


async def test_a_handshake_under_way_at_the_close_leaves_no_socket() -> None:
    """The close does not wait for it, and whoever gives it up then closes it. Sabotage: ``self._closed = False``."""

    async def listens(line: Line) -> None:
        await line.eof()

    async with no_socket_left(), scripted(reply(), greeting=listens) as server, anyio.create_task_group() as group:
        lanes = DirectLanes({})
        group.start_soon(lanes.send, Call("GET", server.url.replace("http:", "https:")), 60)
        await server.until(lambda script: script.accepted == 1)
        await lanes.aclose()
        group.cancel_scope.cancel()


async def test_a_connection_that_nobody_takes_is_given_up(kind: str) -> None:
    """A full queue of a listening socket swallows what comes. Sabotage: close nothing in ``_dial``."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as deaf:
        async with no_socket_left():
            with closing(socket.create_connection(deaf.getsockname())):
                async with carrying(kind, {}) as lanes:
                    url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
                    with anyio.move_on_after(0.02) as scope:
                        await lanes.send(Call("GET", url), 60)
                    assert scope.cancelled_caught
                    found = await lanes.send(Call("GET", url), 0.02)
                    assert isinstance(found, Failure)
                    assert found.kind == "timeout"


async def test_time_to_connect_is_short_although_an_answer_may_take_long() -> None:
    """A host that is away is an outage, not a row's failure. Sabotage: ``asyncio.timeout(left)`` in ``_open``."""
    with (
        closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as deaf,
        closing(socket.create_connection(deaf.getsockname())),
    ):
        lanes = Pool()
        with anyio.fail_after(5):
            found = await lanes.exchange(lanes.origin(*deaf.getsockname(), tls=False), b"", 60, connect=0.02)
        assert found == Failure("connect", "no connection within 0.02 s")
        await lanes.aclose()


async def test_a_connection_that_nobody_uses_is_closed_by_itself() -> None:
    """Not only when the next call comes. Sabotage: let no one join the queue in ``_free``."""
    async with no_socket_left(), scripted(reply()) as server:
        lanes = DirectLanes({}, keepalive=0.02)
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(lanes.send, Call("GET", server.url), 5)
        await server.until(lambda script: script.closed == script.accepted)
        assert isinstance(await lanes.send(Call("GET", server.url), 5), tuple)
        await lanes.aclose()


async def test_when_the_close_returns_the_sockets_are_closed() -> None:
    """Sabotage: do not wait for ``_gone``."""
    async with scripted(reply()) as server:
        lanes = DirectLanes({})
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(lanes.send, Call("GET", server.url), 5)
        before = sockets()
        await lanes.aclose()
        assert sockets() <= before - server.accepted


async def test_a_connection_that_was_closed_a_moment_ago_is_not_used() -> None:
    """The event loop tells of it in its next round. Sabotage: drop ``lane.closed`` in ``_kept``."""
    async with no_socket_left(), scripted(reply()) as server:
        lanes = Pool()
        port = int(server.url.rpartition(":")[2])
        origin, request = lanes.origin("127.0.0.1", port, tls=False), b"GET / HTTP/1.1\r\n\r\n"
        assert isinstance(await lanes.exchange(origin, request, 5), tuple)
        (lane,) = origin.idle
        lane.close()
        assert isinstance(await lanes.exchange(origin, request, 5, again=False), tuple)
        assert server.accepted == 2
        await lanes.aclose()


async def test_a_connection_is_opened_anew_after_some_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """New servers behind one name get their share. Sabotage: drop ``lane.until`` in ``_free``."""
    monkeypatch.setattr(pool, "LIFE_SECONDS", (0.0, 1.0))
    async with no_socket_left(), scripted(reply()) as server:
        lanes = DirectLanes({})
        for _ in range(3):
            assert isinstance(await lanes.send(Call("GET", server.url), 5), tuple)
        assert server.accepted == 3
        await lanes.aclose()


async def test_a_late_reply_closes_its_connection_only(kind: str) -> None:
    """Sabotage: do nothing in ``expire``."""

    async def by_path(line: Line, seen: Seen) -> None:
        await (silence(line, seen) if seen.path == "/silent" else line.send(reply()))

    async with no_socket_left(), scripted(by_path) as server, carrying(kind, {}) as lanes:
        late: list[object] = []

        async def silent() -> None:
            late.append(await lanes.send(Call("GET", server.url + "/silent"), 0.05))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(silent)
            while not late:
                assert isinstance(await lanes.send(Call("GET", server.url + "/quick"), 5), tuple)
        assert late == [Failure("timeout", "no complete reply within 0.05 s")] * 5
        await server.until(lambda script: script.closed >= 5)
