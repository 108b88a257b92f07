"""Transports that are not the direct lane (:mod:`evoselfcode.clients.lane`): by httpx, or by no network at all.

This file decides how bytes travel through a proxy (:class:`HttpxLanes`), over a client that the user handed in
(:class:`InjectedClient`), and to the embedded model (:class:`InProcess`). It refuses to know what the bytes say. No
exception of an HTTP library passes this door: what went wrong is a :class:`Failure`.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from functools import lru_cache, partial
from typing import Any

import anyio
import anyio.to_thread
import httpx

from evoselfcode.clients.lane.direct import mapping
from evoselfcode.clients.replies import (
    CONNECT_SECONDS,
    KEEPALIVE_SECONDS,
    MAX_REPLY_BYTES,
    Reply,
    Transport,
    decoded,
    described,
    late,
    too_large,
)
from evoselfcode.finishing import finished
from evoselfcode.records import Failure, FailureKind
from evoselfcode.wire.dialect import Call
from evoselfcode.wire.failures import shorten

__all__ = ["HttpxLanes", "InProcess", "InjectedClient", "Reply", "Transport"]

MOST_IN_A_STOCK_POOL = 16
"""Calls in flight from which on the pool that httpx has by itself costs more than all else: it scans its connections
for each request, which is 3.3 ms of CPU at 64 in flight and 27 ms at 256 (``docs/explanation/performance.md``)."""

_SLOW = (
    "more than %d requests are in flight over httpx's own connection pool, whose cost for each grows with them; "
    "httpx.AsyncClient(transport=evoselfcode.clients.DirectTransport()) has one whose cost does not"
)

_log = logging.getLogger("evoselfcode")


class HttpxLanes:
    """Connections of our own, one httpx transport each, used last-in first-out: for what the direct lane cannot do.

    One shared pool would scan all its connections at every request: with 256 in flight httpx's own pool costs
    ten times the CPU of a lane (``docs/explanation/performance.md``). Proxy variables of the environment are not
    read here: who makes the lanes says by which proxy they go.

    Args:
        headers: Sent with each call.
        proxy: Address of a proxy, or ``None``.
        keepalive: Seconds that an unused connection is kept.
    """

    def __init__(
        self, headers: Mapping[str, str], proxy: str | None = None, *, keepalive: float = KEEPALIVE_SECONDS
    ) -> None:
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._keyed = any(name.lower() == "authorization" for name in headers)
        self._proxy = proxy
        self._keepalive = keepalive
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._closed = False
        self._tls: ssl.SSLContext | None = None

    async def send(self, call: Call, timeout: float) -> Reply | Failure:
        """Send `call` on the connection that was used last, or on a new one."""
        try:
            request = httpx.Request(call.method, call.url, headers=self._headers, content=call.body or None)
        except httpx.InvalidURL as error:
            return Failure("no_route", f"the address cannot be used: {shorten(str(error))}")
        if request.url.userinfo and not self._keyed:
            request = next(httpx.BasicAuth(request.url.username, request.url.password).auth_flow(request))
        request.extensions = {"timeout": {"connect": CONNECT_SECONDS, "pool": CONNECT_SECONDS}}
        try:
            lane = self._idle.pop() if self._idle else self._open(request.url.scheme)
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            return Failure("no_route", f"the proxy cannot be used: {shorten(str(error))}")
        healthy = False
        try:
            reply = await _exchange(lane.handle_async_request, request, timeout)
            healthy = not isinstance(reply, Failure)
        finally:
            if healthy and not self._closed:
                self._idle.append(lane)
            else:
                await finished(lane.aclose())
        return reply

    async def aclose(self) -> None:
        """Close every idle connection; connections in use close when their call ends or is cancelled."""
        self._closed = True
        while self._idle:
            await self._idle.pop().aclose()

    def _open(self, scheme: str) -> httpx.AsyncHTTPTransport:
        if self._tls is None:
            # Loading the certificate store takes 20 ms and 0.7 MB: once, and only where TLS is spoken.
            plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._tls = httpx.create_ssl_context(trust_env=True) if scheme == "https" else plain
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=self._keepalive)
        return httpx.AsyncHTTPTransport(verify=self._tls, limits=limits, trust_env=False, proxy=self._proxy)


class InjectedClient:
    """A client that the user handed in, or a transport for one; used as it is and never closed by us.

    A transport is called without a client around it, which costs a third: no cookies, redirects, auth or hooks.

    Args:
        client: An ``httpx.AsyncClient``, or an object with the same ``build_request`` and ``send``; or an
            ``httpx.AsyncBaseTransport``.
        headers: Sent with each call, besides the client's own.
    """

    def __init__(self, client: Any, headers: Mapping[str, str]) -> None:
        self._client = client
        self._headers = dict(headers)
        self._raw = httpx.Headers(self._headers)
        self._keyed = "authorization" in self._raw
        self._in_flight = 0
        self._mounts = hasattr(client, "build_request")
        inner = getattr(client, "_transport", None) if self._mounts else client
        self._fits = type(inner).__name__ != "AsyncHTTPTransport"

    async def send(self, call: Call, timeout: float) -> Reply | Failure:
        """Send `call` through the user's client."""
        self._in_flight += 1
        if self._in_flight > MOST_IN_A_STOCK_POOL and not self._fits:
            self._fits = True
            _log.warning(_SLOW, MOST_IN_A_STOCK_POOL)
        try:
            return await self._send(call, timeout)
        finally:
            self._in_flight -= 1

    async def _send(self, call: Call, timeout: float) -> Reply | Failure:
        try:
            if self._mounts:
                request = self._client.build_request(
                    call.method, call.url, headers=self._headers, content=call.body or None, timeout=timeout
                )
                return await _exchange(partial(self._client.send, stream=True), request, timeout)
            request = self._request(call, timeout)
        except Exception as error:
            return _failure(error)
        return await _exchange(self._client.handle_async_request, request, timeout)

    def _request(self, call: Call, timeout: float) -> httpx.Request:
        """Build a request without a client."""
        request = httpx.Request(call.method, _url(call.url), headers=self._raw, content=call.body or None)
        if request.url.userinfo and not self._keyed:
            request = next(httpx.BasicAuth(request.url.username, request.url.password).auth_flow(request))
        request.extensions = {"timeout": {"connect": CONNECT_SECONDS, "read": timeout}}
        return request

    async def aclose(self) -> None:
        """Do nothing: the client is the user's."""


_url = lru_cache(maxsize=64)(httpx.URL)


Answer = Callable[[str, str, bytes], Reply]


class InProcess:
    """The embedded model: calls are answered by a function, in a worker thread; no socket is opened.

    Args:
        answer: ``(method, path, body) -> (status, headers, body)``.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def send(self, call: Call, timeout: float) -> Reply | Failure:
        """Compute the reply. Cancelled: the thread's work (milliseconds) is finished and thrown away."""
        path = call.url.partition(":")[2]
        try:
            with anyio.fail_after(timeout):
                return await anyio.to_thread.run_sync(
                    self._answer, call.method, path, call.body, abandon_on_cancel=True, limiter=_one_thread()
                )
        except TimeoutError:
            return late(timeout)

    async def aclose(self) -> None:
        """Do nothing: nothing is open."""


_threads: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("evoselfcode.local.thread")


def _one_thread() -> anyio.CapacityLimiter:
    """Return this loop's limiter: more threads would only wait for each other's interpreter lock."""
    try:
        return _threads.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(1)
        _threads.set(limiter)
        return limiter


async def _exchange(handle: Callable[[httpx.Request], Any], request: httpx.Request, timeout: float) -> Reply | Failure:
    """Send, read and close under one deadline, with a byte cap; say in a word what went wrong."""
    try:
        async with asyncio.timeout(timeout):
            response = await handle(request)
            if type(response.stream) is httpx.ByteStream:  # it is all there: ours, called without a client
                whole = b"".join(response.stream)
                too_long = len(whole) > MAX_REPLY_BYTES
                return too_large() if too_long else decoded(response.status_code, mapping(response.headers.raw), whole)
            try:
                headers = mapping(response.headers.raw)
                if response.is_stream_consumed:  # a transport of the user's read it: httpx.MockTransport does
                    return response.status_code, headers, response.content
                return decoded(response.status_code, headers, await _read(response.aiter_raw()))
            finally:
                with anyio.CancelScope(shield=True):
                    await response.aclose()
    except TimeoutError:
        return late(timeout)
    except _TooLarge:
        return too_large()
    except Exception as error:
        return _failure(error)


class _TooLarge(Exception):
    """The body has passed the cap."""


async def _read(chunks: AsyncIterator[bytes]) -> bytes:
    """Collect a body up to the cap. Cancelled: the rest is not read; the caller closes the response."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_REPLY_BYTES:
            raise _TooLarge
    return bytes(body)


_KINDS: dict[str, FailureKind] = {
    "ConnectError": "connect",
    "ConnectTimeout": "connect",
    "PoolTimeout": "connect",
    "ReadTimeout": "timeout",
    "WriteTimeout": "timeout",
    "ReadError": "disconnect",
    "WriteError": "disconnect",
    "CloseError": "disconnect",
    "RemoteProtocolError": "disconnect",
    "LocalProtocolError": "bad_request",
    "DecodingError": "bad_reply",
    "ProxyError": "connect",
    "UnsupportedProtocol": "no_route",
    "InvalidURL": "no_route",
    "TooManyRedirects": "no_route",
}
"""Exceptions of httpx and of its twin httpx2, by the name of the class."""


def _failure(error: Exception) -> Failure:
    """Classify an exception by the name of its class, or raise it again: it is a mistake of this program.

    The user's client may be of another library, so its classes are not imported. A bare ``OSError`` is what a
    damaged TLS record comes to (``ssl.SSLError``); httpcore passes it on as it is. The direct lane's own transport
    says more by a failure of its own.
    """
    if isinstance(found := getattr(error, "failure", None), Failure):
        return found
    for base in type(error).__mro__:
        if base.__name__ in _KINDS and base.__module__.startswith(("httpx", "httpcore")):
            return Failure(_KINDS[base.__name__], described(error))
    if isinstance(error, OSError):
        return Failure("disconnect", described(error))
    raise error
