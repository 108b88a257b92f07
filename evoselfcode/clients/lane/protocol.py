"""One connection: a request goes out, a reply comes in, one at a time (HTTP/1.1, RFC 9112).

This file decides when a reply is whole, when it is none, and whether its connection may be used again. It refuses to
know where the connection leads, what is said and what is tried again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from math import inf
from typing import Final

import httptools

from evoselfcode.clients.lane.deadlines import Deadlines, Queue
from evoselfcode.clients.replies import MAX_REPLY_BYTES, described, too_large
from evoselfcode.records import Failure

MAX_HEAD_BYTES = 64 * 1024
"""Most bytes of status line and headers, and of what frames a body besides; h11 ends at 100 kB."""

Heard = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers as they came, and the body as it came."""

LATE: Final = Failure("timeout", "late")
"""What a reply that is not there in time comes to; whoever asked knows how long it was given."""

_TIMEOUT: Final = re.compile(rb"timeout\s*=\s*(\d{1,9})")
_SURPLUS: Final = Failure("bad_reply", "more came than the reply's length")
_LONG_HEAD: Final = Failure("disconnect", f"the reply's headers are longer than {MAX_HEAD_BYTES} bytes")


class Lane(asyncio.Protocol):
    """A connection; asked by :meth:`ask` when it is not busy.

    Args:
        deadlines: Where a reply is waited for.
        free: Told when the connection may be used again.
        lost: Told when it is gone.

    Attributes:
        heard: Bytes of the last reply that have come in.
        closed: Whether it must not be asked any more.
        kept: Seconds that the server says it keeps the connection when nobody uses it.
        until: Time of the loop's clock from which on it is not used again, however well it works.
    """

    __slots__ = (
        "_asked",
        "_body",
        "_bodyless",
        "_deadlines",
        "_free",
        "_headed",
        "_headers",
        "_keeps",
        "_length",
        "_lost",
        "_parser",
        "_queue",
        "_transport",
        "_whole",
        "_wrong",
        "closed",
        "heard",
        "kept",
        "until",
    )

    def __init__(self, deadlines: Deadlines, free: Callable[[Lane], None], lost: Callable[[Lane], None]) -> None:
        self._deadlines = deadlines
        self._free, self._lost = free, lost
        self._parser = httptools.HttpResponseParser(self)
        self._asked: asyncio.Future[Heard | Failure] | None = None
        self._queue: Queue = {}
        self.closed = False
        self.kept = inf
        self.until = 0.0

    def ask(
        self, request: bytes, seconds: float, now: float, *, bodyless: bool = False
    ) -> asyncio.Future[Heard | Failure]:
        """Send a request; the reply is what the future comes to.

        Args:
            request: All of it, as bytes.
            seconds: Time until the whole reply must be there.
            now: Time of the loop's clock.
            bodyless: The reply has no body whatever it says: it answers a ``HEAD``.
        """
        self.heard = self._length = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._bodyless = bodyless
        self._headed = self._whole = self._keeps = False
        self._wrong: Failure | None = None
        self._asked = asked = self._deadlines.loop.create_future()
        self._queue = self._deadlines.watch(self, seconds, now)
        self._transport.write(request)
        return asked

    def forsake(self, asked: asyncio.Future[Heard | Failure]) -> None:
        """Close the connection if that reply is still to come: nobody wants it, and servers stop generating."""
        if self._asked is asked:
            self._settle(LATE)

    def expire(self) -> None:
        """Be late: with a reply, or as a connection that nobody has used for a while."""
        if self._asked is None:
            self.close()
        else:
            self._settle(LATE)

    def close(self) -> None:
        """Close the connection at once, without waiting for the other side to agree."""
        self.closed = True
        self._transport.abort()

    def _settle(self, found: Heard | Failure) -> None:
        """Hand over what was found. The connection is used again after a whole reply only, and if it may be."""
        asked, self._asked = self._asked, None
        if asked is not None:
            self._queue.pop(self, None)
            if not asked.done():  # whoever asked may have been cancelled a moment ago
                asked.set_result(found)
        if self._wrong is None and self._whole and self._keeps and not self._transport.get_write_buffer_size():
            self._free(self)
        else:
            self.close()

    def _reply(self) -> Heard:
        body = self._body
        return self._parser.get_status_code(), self._headers, body[0] if len(body) == 1 else b"".join(body)

    # What the event loop says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be open."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Read on; settle when the reply is whole, or wrong."""
        if self._asked is None:  # nobody asked: a 408 for being idle, or more than was announced
            self.close()
            return
        self.heard += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._wrong = self._wrong or self._offence(error)
        if self._wrong is not None:
            self._settle(self._wrong)
        elif self._whole:
            self._settle(self._reply())
        elif self.heard > MAX_HEAD_BYTES and not self._headed:
            self._settle(_LONG_HEAD)
        elif self.heard > MAX_HEAD_BYTES + MAX_REPLY_BYTES:
            self._settle(too_large())

    def eof_received(self) -> None:
        """Be told that nothing more will come: the end of a reply that told no length. The event loop closes."""
        self.closed = True
        if self._asked is not None and self._headed and not self._keeps and not self._framed():
            self._whole = True
            self._settle(self._reply())

    def connection_lost(self, error: Exception | None) -> None:
        """Be gone, by whichever side."""
        self.closed = True
        self._lost(self)
        if self._asked is not None:
            where = "in the middle of a reply" if self.heard else "without a reply"
            self._settle(Failure("disconnect", f"the connection was closed {where}{f': {error}' if error else ''}"))

    # What the parser says.

    def on_message_begin(self) -> None:
        """Be told that a reply begins."""
        if self._whole and not self._bodyless:
            self._wrong = _SURPLUS

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers, which come behind the body, are left out."""
        if self._headed:
            return
        self._headers.append((name, value))
        match len(name):
            case 17 if name.lower() == b"transfer-encoding" and value.strip().lower() != b"chunked":
                self._wrong = Failure("bad_reply", f"the reply is transferred as {value!r}, which was not asked for")
            case 10 if name.lower() == b"keep-alive" and (told := _TIMEOUT.search(value)):
                self.kept = float(told[1])

    def on_headers_complete(self) -> None:
        """Decide whether this reply is the one, and whether its connection may be used again."""
        if self._parser.get_status_code() < 200:  # an interim reply (RFC 9110, section 15.2)
            return
        self._headed = True
        self._keeps = self._parser.should_keep_alive() and not self._bodyless  # the parser waits for the body
        self._whole = self._bodyless
        if self.heard > MAX_HEAD_BYTES < sum(len(name) + len(value) + 4 for name, value in self._headers):
            self._wrong = _LONG_HEAD

    def on_body(self, data: bytes) -> None:
        """Take a part of the body, up to the cap."""
        self._length += len(data)
        if self._length > MAX_REPLY_BYTES:
            self._wrong = too_large()
        elif not self._bodyless:
            self._body.append(data)

    def on_message_complete(self) -> None:
        """Be told that a reply is whole, or an interim one."""
        if self._headed:
            self._whole = True
        else:
            self._headers = []

    def _offence(self, error: Exception) -> Failure | None:
        """Say what is wrong with bytes that the parser refuses: with the reply, or behind it."""
        if not self._whole:
            return Failure("disconnect", f"the reply is no HTTP/1.1: {described(error)}")
        return None if self._bodyless else _SURPLUS

    def _framed(self) -> bool:
        """Say whether the end of the body was to be told by other means than the end of the connection."""
        return any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self._headers)
