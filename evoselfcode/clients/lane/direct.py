"""The direct lane as a transport: a call becomes one piece of bytes, the reply's headers become a mapping.

This file decides what stands around a call's body. It refuses to know how connections are kept
(:mod:`evoselfcode.clients.lane.pool`) and which proxy may be in the way (:mod:`evoselfcode.clients.lane.proxies`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from evoselfcode.clients.lane.address import read_url
from evoselfcode.clients.lane.pool import Origin, Pool
from evoselfcode.clients.lane.protocol import LATE
from evoselfcode.clients.replies import KEEPALIVE_SECONDS, Reply, decoded, late
from evoselfcode.records import Failure
from evoselfcode.wire.dialect import Call
from evoselfcode.wire.failures import shorten

REMEMBERED_URLS = 64
"""Addresses whose request heads are kept as bytes; a run has about five."""


class _Route(msgspec.Struct, frozen=True, eq=False):
    """Where a call goes, and its request line and headers, but for the length of its body."""

    origin: Origin
    head: bytes


class DirectLanes:
    """Connections of our own, spoken to in bytes: the transport that is used unless something else is asked for.

    Args:
        headers: Sent with each call.
        keepalive: Seconds that an unused connection is kept.
        at: IP address that connections are opened to, one of those that the calls' host has; ``""`` is any of them.
            The ``Host`` header and the certificate are those of the name.
    """

    def __init__(self, headers: Mapping[str, str], *, keepalive: float = KEEPALIVE_SECONDS, at: str = "") -> None:
        self._headers = dict(headers)
        self._keepalive, self._at = keepalive, at
        self._pool: Pool | None = None
        self._routes: dict[tuple[str, str], _Route] = {}

    async def send(self, call: Call, timeout: float) -> Reply | Failure:
        """Send `call` on the connection that was used last, or on a new one. Cancelled: the connection is closed."""
        route = self._routes.get((call.method, call.url))
        if route is None:
            try:
                route = self._route(call.method, call.url)
            except ValueError as error:
                return Failure("no_route", f"the address cannot be used: {shorten(str(error))}")
        assert self._pool is not None
        request = b"%bcontent-length: %d\r\n\r\n%b" % (route.head, len(call.body), call.body)
        if not call.body and call.method == "GET":
            request = route.head + b"\r\n"
        found = await self._pool.exchange(route.origin, request, timeout)
        if isinstance(found, Failure):
            return late(timeout) if found is LATE else found
        status, pairs, body = found
        headers = Headers(pairs)
        for name, _ in pairs:
            if len(name) == _ENCODING_BYTES and "content-encoding" in headers:
                return decoded(status, headers, body)
        return status, headers, body

    async def aclose(self) -> None:
        """Close every unused connection; connections in use close when their call ends or is cancelled."""
        if self._pool is not None:
            await self._pool.aclose()

    def _route(self, method: str, url: str) -> _Route:
        """Prepare what calls to `url` have in common.

        Raises:
            ValueError: The address cannot be used.
        """
        to = read_url(url)
        headers = {"host": to.authority}
        if to.authorization:
            headers["authorization"] = to.authorization
        head = request_head(method, to.target, [*(headers | self._headers).items()])
        self._pool = self._pool or Pool(self._keepalive, at=self._at)
        if len(self._routes) >= REMEMBERED_URLS:
            self._routes.clear()
        route = _Route(self._pool.origin(to.host, to.port, tls=to.tls), head)
        self._routes[method, url] = route
        return route


_UNSAFE = re.compile(r"[\0\r\n]")


def request_head(method: str, target: str, headers: Iterable[tuple[str, str]], encoding: str = "utf-8") -> bytes:
    """Write the request line and the headers, without the empty line behind them.

    Args:
        method: Such as ``POST``.
        target: Path and query.
        headers: Names and values.
        encoding: Of headers that are no ASCII.

    Raises:
        ValueError: A part would end its line early and let another begin.
    """
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if any(map(_UNSAFE.search, lines)):
        raise ValueError("a header or the target contains a line end")
    return "".join(f"{line}\r\n" for line in lines).encode(encoding)


_ENCODING_BYTES = len("content-encoding")


class Headers(Mapping[str, str]):
    """Headers that are read when somebody asks for one: of a completion nobody does, and it takes 2 µs.

    Args:
        pairs: Names and values, as they came.
    """

    __slots__ = ("_pairs", "_read")

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        self._pairs = pairs
        self._read: dict[str, str] | None = None

    def _known(self) -> dict[str, str]:
        if self._read is None:
            self._read = mapping(self._pairs)
        return self._read

    def __getitem__(self, name: str) -> str:
        return self._known()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())


def mapping(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Join headers of one name, and write the names in lower case."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers
