"""A raw HTTP/1.1 server on loopback that does as it is told, byte for byte, and notes what it sees.

It is made of sockets alone, so that it can do what a well-kept server never does: lie about lengths, stop in the
middle of a body, reset the connection. The client's side is seen from here too: connections accepted and closed.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import anyio.from_thread
from fakes import Fake


@dataclass(frozen=True)
class Seen:
    """One request, as it came in on connection number `line` (from 0)."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    line: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Line:
    """One accepted connection."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def eof(self) -> None:
        """Wait until the client closes the connection."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Answer = bytes | Callable[[Line, Seen], Awaitable[None]]


@dataclass
class Script:
    """What the server will answer, and what it has seen.

    Attributes:
        answers: One per request, in order; the last one is repeated.
        seen: Requests.
        accepted: Connections accepted.
        closed: Connections whose client has closed its side.
    """

    answers: list[Answer]
    seen: list[Seen] = field(default_factory=list)
    accepted: int = 0
    closed: int = 0
    url: str = ""
    portal: anyio.from_thread.BlockingPortal | None = None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, condition: Callable[[Script], bool]) -> None:
        """Wait until `condition` holds; ten seconds at most."""
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(lambda: condition(self))

    def wait(self, condition: Callable[[Script], bool]) -> None:
        """Do as :meth:`until`, from another thread than the server's."""
        assert self.portal is not None
        self.portal.call(self.until, condition)

    async def note(self, *, seen: Seen | None = None, accepted: int = 0, closed: int = 0) -> None:
        async with self.changed:
            self.seen += [seen] if seen else []
            self.accepted += accepted
            self.closed += closed
            self.changed.notify_all()

    async def talk(self, line: Line, greeting: Callable[[Line], Awaitable[None]] | None = None) -> None:
        """Answer requests on one connection until it is closed."""
        try:
            if greeting is not None:
                await greeting(line)
            while (seen := await _request(line)) is not None:
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                await self.note(seen=seen)
                await (line.send(answer) if isinstance(answer, bytes) else answer(line, seen))
        except ConnectionError:
            pass
        finally:
            line.close()
            await self.note(closed=1)


async def _request(line: Line) -> Seen | None:
    try:
        head = await line.reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *rest = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rest if row)}
    body = await line.reader.readexactly(int(headers.get("content-length", 0)))
    return Seen(method, path, headers, body, line.number)


@asynccontextmanager
async def scripted(
    *answers: Answer,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    greeting: Callable[[Line], Awaitable[None]] | None = None,
) -> AsyncIterator[Script]:
    """Serve `answers` in this event loop.

    Args:
        answers: One per request; the last one is repeated.
        host: IP address to listen on.
        port: Port to listen on; 0 takes a free one.
        tls: Speak TLS; the address then names ``localhost``.
        greeting: Done on each connection before a request is read.
    """
    script = Script(list(answers))
    talks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(script.accepted, reader, writer)
        await script.note(accepted=1)
        task = asyncio.create_task(script.talk(line, greeting))
        talks.add(task)
        task.add_done_callback(talks.discard)

    server = await asyncio.start_server(accept, host, port, backlog=1024, ssl=tls)
    place = "localhost" if tls else f"[{host}]" if ":" in host else host
    script.url = f"{'https' if tls else 'http'}://{place}:{server.sockets[0].getsockname()[1]}"
    try:
        yield script
    finally:
        server.close()
        for task in [*talks]:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await server.wait_closed()


@contextmanager
def scripted_in_thread(*answers: Answer) -> Iterator[Script]:
    """Serve `answers` in a thread of its own, for callers that block."""
    with (
        anyio.from_thread.start_blocking_portal() as portal,
        portal.wrap_async_context_manager(scripted(*answers)) as script,
    ):
        script.portal = portal
        yield script


def reply(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> bytes:
    """Write a reply with a content length."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def then_close(data: bytes) -> Answer:
    """Send `data` and close."""

    async def answer(line: Line, seen: Seen) -> None:
        await line.send(data)
        line.close()

    return answer


def then_reset(data: bytes) -> Answer:
    """Send `data` and reset the connection, once the client has read it or not."""

    async def answer(line: Line, seen: Seen) -> None:
        await line.send(data)
        line.reset()

    return answer


async def silence(line: Line, seen: Seen) -> None:
    """Say nothing until the client goes."""
    await line.eof()


def speaking(fake: Fake) -> Answer:
    """Answer as one of the fake servers does."""

    async def answer(line: Line, seen: Seen) -> None:
        status, headers, body = fake.answer(seen.method, seen.path, seen.headers, seen.body)
        await line.send(reply(body, f"{status} Answered", *(f"{name}: {value}" for name, value in headers.items())))

    return answer
