"""Connections that are kept: the one used last is used first, and one that may have gone stale is not used at all.

This file decides which connection carries a request, how long an unused one is kept, and which request is sent again.
It has no limit of its own: whoever asks decides how many requests are in flight. It refuses to know what is said.
"""

from __future__ import annotations

import asyncio
import ssl
from math import inf

from evoselfcode.clients.lane.address import Address
from evoselfcode.clients.lane.deadlines import Deadlines
from evoselfcode.clients.lane.protocol import LATE, Heard, Lane
from evoselfcode.clients.replies import CONNECT_SECONDS, KEEPALIVE_SECONDS, described
from evoselfcode.records import Failure

LIFE_SECONDS = (300.0, 600.0)
"""After how long a connection is opened anew, however busy: behind one address, new servers get their share. Between
the two, so that connections that were opened together do not end together."""

SHARE_OF_THEIRS = 0.6
"""Of the time that a server says it keeps unused connections, how much is used: at all of it, 12 of 4,000 requests met
a connection that was just being closed; at 60 %, none."""


class Origin:
    """A server, and the connections to it that nobody uses at the moment.

    Args:
        host: Name or IP address, as certificates are checked against it.
        port: TCP port.
        tls: Whether TLS is spoken.
        at: IP address that connections are opened to; ``""`` is wherever the name leads.
        deadlines: Where unused connections are waited for.
    """

    def __init__(self, host: str, port: int, *, tls: bool, at: str, deadlines: Deadlines) -> None:
        self.host, self.tls = host, tls
        self.address = Address(at or host, port)
        self.idle: dict[Lane, float] = deadlines.queue()


class Pool:
    """Connections to any number of servers, bound to the event loop it is made in.

    Args:
        keepalive: Seconds that an unused connection is kept.
        at: IP address that all connections are opened to, whatever the name of their server; ``""`` asks the system.
    """

    def __init__(self, keepalive: float = KEEPALIVE_SECONDS, *, at: str = "") -> None:
        self._at = at
        self._loop = asyncio.get_running_loop()
        self._deadlines = Deadlines(self._loop)
        self._keepalive = keepalive
        self._origins: dict[tuple[str, int, bool], Origin] = {}
        self._lanes: dict[Lane, Origin] = {}
        self._opened = 0
        self._closed = False
        self._tls: ssl.SSLContext | None = None
        self._going: set[Lane] = set()
        self._gone = asyncio.Event()

    def origin(self, host: str, port: int, *, tls: bool) -> Origin:
        """Return the server at `host` and `port`."""
        key = (host, port, tls)
        if key not in self._origins:
            self._origins[key] = Origin(host, port, tls=tls, at=self._at, deadlines=self._deadlines)
        return self._origins[key]

    async def exchange(
        self,
        origin: Origin,
        request: bytes,
        seconds: float,
        *,
        connect: float = CONNECT_SECONDS,
        bodyless: bool = False,
        again: bool = True,
    ) -> Heard | Failure:
        """Send `request` and return the whole reply. Cancelled: its connection is closed.

        Args:
            origin: Where to.
            request: All of it, as bytes.
            seconds: Time for everything.
            connect: Time to open a connection.
            bodyless: The reply will have no body: it answers a ``HEAD``.
            again: A request that met a connection which the server was just closing, so that not one byte came
                back, is sent once more, over a new connection.
        """
        now = began = self._loop.time()
        lane = self._kept(origin, now)
        while True:
            new = lane is None
            if lane is None:
                opened = await self._open(origin, connect, seconds - (now - began))
                if isinstance(opened, Failure):
                    return opened
                lane, now = opened, self._loop.time()
            asked = lane.ask(request, seconds - (now - began), now, bodyless=bodyless)
            try:
                found = await asked
            except BaseException:
                lane.forsake(asked)
                raise
            if not isinstance(found, Failure) or found.kind != "disconnect" or lane.heard or new or not again:
                return found
            lane, now = None, self._loop.time()

    async def aclose(self) -> None:
        """Close what nobody uses; connections in use close when their call ends or is cancelled."""
        self._closed = True
        if going := [lane for origin in self._origins.values() for lane in origin.idle]:
            self._going, self._gone = set(going), asyncio.Event()
            for lane in going:
                lane.close()
            await self._gone.wait()  # the event loop closes a socket in its next round, or the one after that
        self._deadlines.rest()

    def _kept(self, origin: Origin, now: float) -> Lane | None:
        """Take the connection that was used last, if it is still good; if it is not, neither are the others."""
        while origin.idle:
            lane, until = origin.idle.popitem()
            if until > now and not lane.closed:
                return lane
            lane.close()
        return None

    async def _open(self, origin: Origin, connect: float, left: float) -> Lane | Failure:
        """Open a connection. Cancelled, or it failed: its socket is closed."""
        lane = Lane(self._deadlines, self._free, self._lost)
        try:
            async with asyncio.timeout(min(connect, left) if min(connect, left) < inf else None):
                opened = await origin.address.connect()
                self._lanes[lane] = origin
                try:
                    await self._loop.create_connection(
                        lambda: lane,
                        sock=opened,
                        ssl=self._tls_context() if origin.tls else None,
                        server_hostname=origin.host if origin.tls else None,
                    )
                except BaseException:
                    self._lost(lane)
                    raise
        except TimeoutError:
            return LATE if left <= connect else Failure("connect", f"no connection within {connect:g} s")
        except OSError as error:
            return Failure("connect", described(error))
        except ValueError as error:
            return Failure("no_route", f"the address cannot be used: {described(error)}")
        shortest, longest = LIFE_SECONDS
        self._opened += 1
        lane.until = self._loop.time() + shortest + self._opened * 7 % (longest - shortest)
        return lane

    def _free(self, lane: Lane) -> None:
        """Keep a connection whose reply is whole."""
        now = self._loop.time()
        if self._closed or lane.closed or now >= lane.until:
            lane.close()
            return
        seconds = min(self._keepalive, SHARE_OF_THEIRS * lane.kept)
        self._deadlines.join(self._lanes[lane].idle, lane, now + seconds)

    def _lost(self, lane: Lane) -> None:
        origin = self._lanes.pop(lane, None)
        if origin is not None:
            origin.idle.pop(lane, None)
        self._going.discard(lane)
        if not self._going:
            self._gone.set()

    def _tls_context(self) -> ssl.SSLContext:
        """Return what verifies servers as httpx does, made once: reading the certificates takes 20 ms."""
        if self._tls is None:
            import httpx

            self._tls = httpx.create_ssl_context(trust_env=True)
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls
