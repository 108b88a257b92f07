"""Where the replicas of a model are, and whether a server is one of them.

This file decides which addresses a name stands for, how old that answer may be, and when two servers serve the same
model. It refuses to know how they are asked (:mod:`evoselfcode.clients.replica`) and which of them is asked next.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

import anyio
import msgspec

from evoselfcode.clients.probe import ANY_NAME
from evoselfcode.errors import UsageError
from evoselfcode.records import Failure
from evoselfcode.wire.dialect import Dialect, endpoint
from evoselfcode.wire.servers import Models

LOOK_SECONDS = 30.0
"""How old the answer to "who is there?" may be: within this time a pod that comes gets work, and one that goes none."""

RESOLVING_SECONDS = 5.0
"""Time that the system has to find a name's addresses; after that the last ones stand."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns every IP address that a name has, given a port; raises ``OSError`` where it has none."""


class Place(msgspec.Struct, frozen=True):
    """Where one replica is.

    Attributes:
        url: Its base URL, as it was given.
        at: The IP address that connections are opened to; ``""`` is wherever the name leads.
    """

    url: str
    at: str = ""

    @property
    def name(self) -> str:
        """What the replica is called, such as ``http://10.0.0.7:8000``."""
        parts = urlsplit(endpoint(self.url).root)
        if not self.at:
            return f"{parts.scheme}://{parts.netloc}{parts.path}" if parts.netloc else self.url
        host = f"[{self.at}]" if ":" in self.at else self.at
        port = "" if parts.port is None else f":{parts.port}"
        return f"{parts.scheme}://{host}{port}{parts.path}"


class Places:
    """The places of a model's replicas, as of a moment ago.

    Args:
        urls: Base URLs.
        resolve: Finds the addresses of each URL's host, every one of which is a place then; ``None`` takes each URL for
            one place, wherever its name leads.
    """

    def __init__(self, urls: Sequence[str], resolve: Resolve | None = None) -> None:
        self._urls = tuple(urls)
        self._resolve = resolve
        self._last: dict[str, tuple[str, ...]] = {}
        self.trouble = ""

    @property
    def several(self) -> bool:
        """Whether there may be more than one."""
        return len(self._urls) > 1 or self._resolve is not None

    async def now(self) -> tuple[Place, ...]:
        """Return the places. Of a name that cannot be resolved now, the last addresses stand; without any, its name.

        Cancelled: nothing changed.

        Attributes that change:
            trouble: What the system said of a name that cannot be resolved; ``""`` if all can.
        """
        if self._resolve is None:
            return tuple(map(Place, self._urls))
        self.trouble = ""
        for url in self._urls:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
            try:
                with anyio.fail_after(RESOLVING_SECONDS):
                    found = tuple(await self._resolve(host, port))
            except (OSError, ValueError) as error:  # TimeoutError is an OSError
                self.trouble = f"{host} cannot be resolved: {error or f'no answer within {RESOLVING_SECONDS:g} s'}"
                continue
            if found:
                self._last[url] = found
            else:
                self.trouble = f"{host} has no address"
        places = [Place(url, at) for url in self._urls for at in self._last.get(url, ("",))]
        return tuple({place.name: place for place in places}.values())


def resolver(urls: Sequence[str], http_client: object = None) -> Resolve:
    """Return what finds the addresses of a name.

    Args:
        urls: The addresses that were given.
        http_client: What carries the calls, if it is not ours.

    Raises:
        UsageError: Whoever carries the calls finds its own way to a name, so that replicas cannot be told apart.
    """
    from evoselfcode.clients.lane.address import addresses_of  # opens sockets: only where it is asked for
    from evoselfcode.clients.lane.proxies import proxy_for

    if http_client is not None:
        raise UsageError(
            "an http_client goes wherever a name leads; with headless, replicas are reached by their addresses",
            hint="leave http_client out, or give the replicas' addresses as a list",
        )
    if "local:" in urls:
        raise UsageError("headless is for a name with several addresses; local: has none", hint="take headless out")
    for url in urls:
        if proxy_for(url) is not None:
            host = urlsplit(url).hostname
            raise UsageError(
                f"a proxy of the environment stands before {host}, and goes wherever the name leads; with headless, "
                "replicas are reached by their addresses",
                hint=f"set NO_PROXY={host}, or give the replicas' addresses as a list",
            )
    return addresses_of


def differs(dialect: Dialect, known: Models | None, listed: Models | Failure) -> str:
    """Say in what a server differs from those whose answers may be mixed; ``""`` if in nothing that can be seen.

    Args:
        dialect: How the others are asked, and for which model.
        known: What one of the others lists; ``None`` if they list nothing, or were not asked.
        listed: What the server lists, or said instead.
    """
    if isinstance(listed, Failure):
        if listed.kind in ("auth", "payment"):
            return f"it refuses the key{listed.http}: {listed.message}"
        return "" if known is None else f"it does not list its models{listed.http}, as the others do"
    server = dialect.server if known is None else known.server
    if listed.server != server and "unknown" not in (server, listed.server):
        return f"it is another kind of server ({listed.server}) than the others ({server})"
    model = dialect.model
    spelt = next((name for name in (model, f"{model}:latest") if name in listed.names), None)
    if spelt is not None:
        ours, theirs = _weights(known, spelt), _weights(listed, spelt)
        same = not ours or not theirs or ours == theirs
        return "" if same else f"what it serves as {model} are other weights ({theirs}) than the others' ({ours})"
    if known is None:
        if not listed.names or listed.server in ANY_NAME:
            return ""
    elif known.names == listed.names:
        return ""  # they answer to any name, and to this one in the same way
    shown = ", ".join(listed.names[:3]) + (", ..." if len(listed.names) > 3 else "")
    return f"it serves {shown or 'nothing'}, and {model} is asked for"


def _weights(listed: Models | None, name: str) -> str:
    """Return the last part of what a name stands for: the same weights may lie in another folder elsewhere."""
    return "" if listed is None else listed.root(name).rstrip("/").rpartition("/")[2]
