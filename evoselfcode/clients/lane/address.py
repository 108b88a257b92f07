"""Where calls go: what an address says, and how a socket to it is opened.

This file decides which addresses can be used, how old a name's resolution may be, and in which order its addresses
are tried. It refuses to know what is said over the socket.
"""

from __future__ import annotations

import asyncio
import socket
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import partial
from itertools import zip_longest
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import msgspec

RESOLVED_SECONDS = 30.0
"""How long a name's addresses are used for new connections; a service whose pods come and go is soon followed."""

HEAD_START = 0.25
"""Seconds that an address is given before the next one is tried beside it (RFC 8305, section 8)."""

PROBE_SECONDS = 60
"""Silence after which TCP asks whether the other side is there: firewalls forget quiet connections, often after 4 or
5 minutes, and a long answer is quiet."""

_PORTS = {"http": 80, "https": 443}
_IN_QUERY = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"#<>')
_IN_PATH = "".join(c for c in _IN_QUERY if c not in "?`{}")
"""What is sent as it stands, as httpx does (the percent-encode sets of https://url.spec.whatwg.org)."""

Found = tuple[int, int, int, str, Any]
"""As ``getaddrinfo`` gives it: family, type, protocol, canonical name, address."""


class Url(msgspec.Struct, frozen=True):
    """What an address says.

    Attributes:
        tls: Whether TLS is spoken.
        host: Name or IP address, without brackets.
        port: TCP port.
        authority: What the ``Host`` header says.
        target: Path and query, as they are sent.
        authorization: Made from the user's name and password; ``""`` where there are none.
    """

    tls: bool
    host: str
    port: int
    authority: str
    target: str
    authorization: str = ""


def read_url(url: str) -> Url:
    """Read an address.

    Raises:
        ValueError: It cannot be used, and why.
    """
    if any(c.isspace() or not c.isprintable() for c in url):
        raise ValueError("it has white space or control characters")
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise ValueError(f"it begins with {parts.scheme or url[:20]!r} instead of http:// or https://")
    if not parts.hostname:
        raise ValueError("it names no host")
    host, port = _ascii(parts.hostname), _PORTS[parts.scheme] if parts.port is None else parts.port
    shown = host
    if ":" in host:  # the zone of an address of version 6 is this machine's own affair (RFC 6874)
        host = host.replace("%25", "%", 1)
        shown = f"[{host.partition('%')[0]}]"
    login = ""
    if parts.username or parts.password:
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        login = "Basic " + b64encode(login.encode()).decode()
    return Url(
        tls=parts.scheme == "https",
        host=host,
        port=port,
        authority=shown if port == _PORTS[parts.scheme] else f"{shown}:{port}",
        target=quote(parts.path or "/", safe=_IN_PATH)
        + (f"?{quote(parts.query, safe=_IN_QUERY)}" if parts.query else ""),
        authorization=login,
    )


def _ascii(host: str) -> str:
    if host.isascii():
        return host
    import idna

    try:
        return idna.encode(host).decode()
    except idna.IDNAError as error:
        raise ValueError(str(error)) from None


async def addresses_of(
    host: str, port: int, *, look_up: Callable[..., Sequence[Found]] = socket.getaddrinfo
) -> tuple[str, ...]:
    """Return every IP address that a name has now, those of version 4 if there are any.

    In both families at once, each server would be counted twice; and servers of models listen on ``0.0.0.0``, which is
    version 4 alone, unless they are told otherwise. Cancelled: the answer is thrown away.

    Args:
        host: Name or IP address.
        port: TCP port.
        look_up: Asks the system; called in a thread.

    Raises:
        OSError: The name is not known, or whoever knows does not answer.
        ValueError: The name cannot be one.
    """
    ask = partial(look_up, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(None, ask)
    family = min((one[0] for one in found), key=lambda family: family != socket.AF_INET, default=0)
    return tuple(dict.fromkeys(_numeric(one) for one in found if one[0] == family))


def _numeric(found: Found) -> str:
    """Write an address with its zone, which an address that is valid on one link only needs."""
    host, zone = found[4][0], found[4][3] if len(found[4]) == 4 else 0
    return f"{host}%{zone}" if zone and "%" not in host else str(host)


class Address:
    """A host and a port, resolved again when a resolution has grown old.

    Args:
        host: Name or IP address.
        port: TCP port.
        look_up: Asks the system for a name's addresses; called in a thread.
        fresh: Seconds that a resolution is used for new connections.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        look_up: Callable[..., Sequence[Found]] = socket.getaddrinfo,
        fresh: float = RESOLVED_SECONDS,
    ) -> None:
        self._host, self._port = host, port
        self._look_up, self._fresh = look_up, fresh
        self._found: Sequence[Found] = ()
        self._fresh_until = 0.0
        self._looking: asyncio.Future[Sequence[Found]] | None = None
        self._opened = 0

    async def connect(self) -> socket.socket:
        """Open a socket; of several addresses the first that answers. Cancelled, or it failed: none is left open.

        Raises:
            OSError: The name is not known, or no address answers.
            ValueError: The name cannot be one.
        """
        found = _in_turn(await self._resolve(), self._opened)
        self._opened += 1
        try:
            return await (_dial(found[0]) if len(found) == 1 else _race(found))
        except OSError:
            self._fresh_until = 0.0
            raise

    async def _resolve(self) -> Sequence[Found]:
        """Return the addresses; who asks while they are looked up waits for the same answer."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._fresh_until:
            return self._found
        if self._looking is None:
            ask = partial(self._look_up, self._host, self._port, type=socket.SOCK_STREAM)
            self._looking = loop.run_in_executor(None, ask)
            self._looking.add_done_callback(self._looked_up)
        return await asyncio.shield(self._looking)

    def _looked_up(self, looking: asyncio.Future[Sequence[Found]]) -> None:
        self._looking = None
        if not looking.cancelled() and looking.exception() is None:  # perhaps nobody waits for it any more
            self._found = looking.result()
            self._fresh_until = looking.get_loop().time() + self._fresh


def _in_turn(found: Sequence[Found], number: int) -> Sequence[Found]:
    """Let connections begin with different addresses of a name, and the two families take turns.

    A headless service has an address for each pod; beginning with the first would leave the others idle.
    """
    leading = [one for one in found if one[0] == found[0][0]]
    others = [one for one in found if one[0] != found[0][0]]
    start = number % len(leading)
    turned = leading[start:] + leading[:start]
    return [one for pair in zip_longest(turned, others) for one in pair if one is not None]


async def _dial(found: Found) -> socket.socket:
    family, kind, protocol, _, address = found
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_SECONDS)
        await asyncio.get_running_loop().sock_connect(opened, address)
    except BaseException:
        opened.close()
        raise
    return opened


async def _race(found: Sequence[Found]) -> socket.socket:
    """Return the first socket that is open; an address is tried when the last one failed or is slow (RFC 8305)."""
    loop = asyncio.get_running_loop()
    error: OSError = OSError("no address")
    tries: set[asyncio.Task[socket.socket]] = set()
    rest = list(reversed(found))
    try:
        while rest or tries:
            if rest:
                tries.add(loop.create_task(_dial(rest.pop())))
            done, tries = await asyncio.wait(
                tries, timeout=HEAD_START if rest else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                if (failed := task.exception()) is None:
                    tries |= done - {task}  # another may have won in the same moment
                    return task.result()
                if not isinstance(failed, OSError):
                    raise failed
                error = failed
        raise error
    finally:
        for task in tries:
            task.add_done_callback(_drop)
            task.cancel()


def _drop(task: asyncio.Task[socket.socket]) -> None:
    """Close a socket that nobody waits for."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()
