"""The keep-alive race: a request and the server's goodbye pass each other. In virtual time, without sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from virtual_time import VirtualLoop

from evoselfcode.clients.lane.direct import DirectLanes
from evoselfcode.clients.replies import KEEPALIVE_SECONDS
from evoselfcode.records import Failure
from evoselfcode.wire.dialect import Call

LATENCY = 0.001
"""Seconds that bytes and goodbyes are on their way; 40 times what a data centre needs, so that it is often met."""


class Server:
    """A server that closes what nobody uses.

    Args:
        idle: Seconds after which it does.
        announced: What it says of that, in its header.

    Attributes:
        answered: Requests that it answered.
        raced: Requests that reached a connection which it had closed.
    """

    def __init__(self, idle: float, announced: str) -> None:
        self.idle = idle
        self.reply = f"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n{announced}\r\n{{}}".encode()
        self.answered = self.raced = 0


class Wire(asyncio.Transport):
    """One connection to it, which takes :data:`LATENCY` in either direction."""

    def __init__(self, loop: asyncio.AbstractEventLoop, lane: asyncio.Protocol, server: Server) -> None:
        super().__init__()
        self._loop, self._lane, self._server = loop, lane, server
        self._closed_there = self._gone = False
        self._timer = loop.call_later(LATENCY + server.idle, self._say_goodbye)

    def write(self, data: Any) -> None:
        self._loop.call_later(LATENCY, self._reached)

    def _reached(self) -> None:
        if self._closed_there:
            self._server.raced += 1
            self._loop.call_later(LATENCY, self._lose)
            return
        self._timer.cancel()
        self._server.answered += 1
        self._loop.call_later(LATENCY, self._hear)
        self._timer = self._loop.call_later(self._server.idle, self._say_goodbye)

    def _hear(self) -> None:
        if not self._gone:
            self._lane.data_received(self._server.reply)

    def _say_goodbye(self) -> None:
        self._closed_there = True
        self._loop.call_later(LATENCY, self._lose)

    def _lose(self) -> None:
        self._timer.cancel()
        if not self._gone:
            self._gone = True
            self._lane.connection_lost(None)

    def abort(self) -> None:
        self._loop.call_soon(self._lose)

    def get_write_buffer_size(self) -> int:
        return 0


class Network(VirtualLoop):
    """An event loop whose only connections are those to one server."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        found = self.create_future()
        found.set_result([(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80))])
        return found

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        await asyncio.sleep(2 * LATENCY)

    async def create_connection(self, protocol_factory: Any, *, sock: Any, **options: Any) -> Any:  # type: ignore[override]
        sock.close()
        lane = protocol_factory()
        lane.connection_made(Wire(self, lane, self._server))
        return None, lane


def failures(server: Server, keepalive: float, requests: int = 4000) -> int:
    """Send requests with gaps around the time after which the server closes; return how many failed."""

    async def ask() -> int:
        random, failed = Random(1), 0
        lanes = DirectLanes({}, keepalive=keepalive)
        for _ in range(requests):
            found = await lanes.send(Call("POST", "http://pod/v1", b"{}"), 60)
            failed += isinstance(found, Failure)
            await asyncio.sleep(server.idle * random.choice((random.uniform(0.4, 0.7), random.uniform(0.995, 1.005))))
        await lanes.aclose()
        return failed

    with asyncio.Runner(loop_factory=lambda: Network(server)) as runner:
        return runner.run(ask())


@pytest.mark.parametrize(
    ("idle", "announced"), [(5.0, ""), (1.0, "keep-alive: timeout=1\r\n"), (60.0, "keep-alive: timeout=60\r\n")]
)
def test_no_request_meets_a_connection_that_is_being_closed(idle: float, announced: str) -> None:
    """uvicorn's 5 s, which it does not announce, and what is announced. Sabotage: ``SHARE_OF_THEIRS = 1``."""
    server = Server(idle, announced)
    assert failures(server, KEEPALIVE_SECONDS) == 0
    assert (server.answered, server.raced) == (4000, 0)


def test_to_keep_a_connection_as_long_as_the_server_does_is_to_meet_its_goodbye() -> None:
    """What the margin is for: the mutant of the one above, measured."""
    server = Server(5.0, "")
    assert failures(server, 5.0) == 0
    assert server.raced > 10


def test_a_server_that_closes_sooner_than_anybody_thinks_costs_no_failure() -> None:
    """Half a second, not announced: what meets the goodbye is sent again. Sabotage: ``again=False`` in ``exchange``."""
    server = Server(0.5, "")
    assert failures(server, KEEPALIVE_SECONDS) == 0
    assert server.raced > 10
    assert server.answered == 4000
