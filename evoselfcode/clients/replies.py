"""What every transport gives back, and the bounds that all of them keep.

This file decides how large a reply may be, how long an unused connection is trusted, and how a content encoding is
undone. It refuses to know how bytes travel, and imports no HTTP library.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Protocol

from evoselfcode.records import Failure
from evoselfcode.wire.dialect import Call
from evoselfcode.wire.failures import shorten

MAX_REPLY_BYTES = 8 * 1024 * 1024
"""Most bytes of one reply, before and after decompression: a 204 kB gzip bomb holds 200 MiB."""

KEEPALIVE_SECONDS = 3.0
"""Idle time after which a connection is not used again; uvicorn and vLLM close theirs after 5 s, and a client that
waits as long as the server meets connections that are just being closed."""

CONNECT_SECONDS = 5.0
"""Time to open a connection."""

Reply = tuple[int, Mapping[str, str], bytes]
"""Status, headers (names in lower case) and body."""


class Transport(Protocol):
    """What carries calls. Bound to the event loop it is first used in."""

    async def send(self, call: Call, timeout: float) -> Reply | Failure:
        """Send `call` and read the whole reply within `timeout` seconds.

        Cancelled: the connection is closed, which makes servers stop generating.
        """

    async def aclose(self) -> None:
        """Close every connection."""


def decoded(status: int, headers: Mapping[str, str], body: bytes) -> Reply | Failure:
    """Undo a content encoding that we did not ask for, within the cap."""
    encoding = headers.get("content-encoding")
    if encoding is None or not body or (encoding := encoding.strip().lower()) in ("identity", ""):
        return status, headers, body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return Failure("bad_reply", f"the reply is encoded as {shorten(encoding)!r}, which was not asked for", status)
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        plain = unpacker.decompress(body, MAX_REPLY_BYTES + 1)
    except zlib.error as error:
        return Failure("bad_reply", f"the {encoding} reply is damaged: {error}", status)
    if len(plain) > MAX_REPLY_BYTES:
        return too_large()
    if not unpacker.eof:
        return Failure("bad_reply", f"the {encoding} reply is cut short", status)
    return status, headers, plain


def too_large() -> Failure:
    """Say that a reply passed the cap."""
    return Failure("too_large", f"the reply is larger than {MAX_REPLY_BYTES} bytes")


def late(timeout: float) -> Failure:
    """Say that a reply was not there in time."""
    return Failure("timeout", f"no complete reply within {timeout:g} s")


def described(error: BaseException) -> str:
    """Say in a line what went wrong."""
    return shorten(str(error)) or type(error).__name__
