"""The direct lane's connections as a transport of httpx, for an ``httpx.AsyncClient`` of the user's own.

This file decides how httpx's requests and exceptions translate. What it costs, next to calling the lane itself, is
httpx: see ``docs/explanation/performance.md``.
"""

from __future__ import annotations

from math import inf

import httpx

from evoselfcode.clients.lane.direct import request_head
from evoselfcode.clients.lane.pool import Pool
from evoselfcode.clients.lane.protocol import LATE
from evoselfcode.clients.replies import KEEPALIVE_SECONDS, late
from evoselfcode.records import Failure, FailureKind

_ERRORS: dict[FailureKind, type[httpx.RequestError]] = {
    "connect": httpx.ConnectError,
    "timeout": httpx.ReadTimeout,
    "disconnect": httpx.RemoteProtocolError,
    "bad_reply": httpx.RemoteProtocolError,
    "too_large": httpx.RemoteProtocolError,
    "no_route": httpx.UnsupportedProtocol,
}

_REPEATABLE = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE")
"""Methods of which a second request does no more than the first (RFC 9110, section 9.2.2)."""


class DirectTransport(httpx.AsyncBaseTransport):
    """Keep-alive connections whose cost does not grow with their number, to be mounted in an ``httpx.AsyncClient``.

    HTTP/1.1 over TCP or TLS, verified as httpx verifies. The reply is read whole, 8 MiB at most, before httpx sees it,
    so nothing can be streamed; the *read* timeout is the time for the whole exchange. Proxy variables of the
    environment are not read, as for every transport that is handed to httpx. There is no limit on connections.

    Args:
        keepalive: Seconds that an unused connection is kept; it should be well below the server's own time.

    Example:
        >>> import httpx
        >>> from evoselfcode.clients import DirectTransport
        >>> client = httpx.AsyncClient(transport=DirectTransport())
    """

    def __init__(self, *, keepalive: float = KEEPALIVE_SECONDS) -> None:
        self._keepalive = keepalive
        self._pool: Pool | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` and read the whole reply. Cancelled: the connection is closed.

        Raises:
            httpx.RequestError: There is no whole reply; the attribute ``failure`` says why, in one word and a line.
        """
        url = request.url
        if url.scheme not in ("http", "https"):
            raise _error(Failure("no_route", f"it begins with {url.scheme!r} instead of http:// or https://"), request)
        body = await request.aread()
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in request.headers.raw
            if name.lower() not in (b"transfer-encoding", b"content-length")
        ]
        if body or request.method in ("POST", "PUT", "PATCH"):
            headers.append(("content-length", str(len(body))))
        try:
            head = request_head(request.method, url.raw_path.decode("ascii"), headers, "latin-1")
        except ValueError as error:
            raise httpx.LocalProtocolError(str(error), request=request) from None
        times = request.extensions.get("timeout", {})
        connect, read = (inf if times.get(name) is None else float(times[name]) for name in ("connect", "read"))
        self._pool = self._pool or Pool(self._keepalive)
        host = url.raw_host.decode("ascii").strip("[]")
        found = await self._pool.exchange(
            self._pool.origin(host, url.port or (443 if url.scheme == "https" else 80), tls=url.scheme == "https"),
            head + b"\r\n" + body,
            read,
            connect=connect,
            bodyless=request.method == "HEAD",
            again=request.method in _REPEATABLE,
        )
        if isinstance(found, Failure):
            raise _error(late(read) if found is LATE else found, request)
        status, pairs, content = found
        return httpx.Response(status, headers=pairs, stream=httpx.ByteStream(content), request=request)

    async def aclose(self) -> None:
        """Close every unused connection; connections in use close when their request ends or is cancelled."""
        if self._pool is not None:
            await self._pool.aclose()


def _error(failure: Failure, request: httpx.Request) -> httpx.RequestError:
    error = _ERRORS.get(failure.kind, httpx.TransportError)(failure.message, request=request)
    error.failure = failure  # type: ignore[attr-defined]
    return error
