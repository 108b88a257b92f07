"""One connection and one preflight per event loop, for all who use a client there at the same time.

This file decides when a connection begins and ends, and when the preflight runs. It refuses to know what is sent.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import anyio
import msgspec

from evoselfcode.clients.connection import Connection
from evoselfcode.clients.findings import Findings, Wish
from evoselfcode.errors import EvoselfcodeError
from evoselfcode.finishing import finished


class _Known(msgspec.Struct, frozen=True):
    """What a preflight found when it asked for `n` choices, and for scores or not."""

    findings: Findings
    n: int

    def serves(self, n: int, *, scores: bool) -> bool:
        """Say whether nobody who asks for this needs another preflight."""
        enough = self.n >= n or self.findings.dialect.max_n is not None
        return enough and (self.findings.looked_at_scores or not scores)


class _Open(msgspec.Struct, eq=False):
    """What is open in one event loop, for as long as somebody there uses it.

    Attributes:
        connection: What they share.
        users: How many they are.
        looking: Held while the preflight runs.
        failure: What the last preflight ended with.
    """

    connection: Connection
    users: int = 0
    looking: anyio.Lock = msgspec.field(default_factory=anyio.Lock)
    failure: EvoselfcodeError | None = None


class Sharing:
    """What a client holds open, by event loop, and what its preflight found.

    Threads have loops of their own and share the findings alone: two that begin together run a preflight each, and
    the later one's result stays.

    Args:
        wish: What the user configured.
        dial: Makes a connection that opens its first socket when it sends.
    """

    def __init__(self, wish: Wish, dial: Callable[[], Connection]) -> None:
        self._wish = wish
        self._dial = dial
        self._known: _Known | None = None
        self._open: dict[asyncio.AbstractEventLoop, _Open] = {}

    def remember(self, findings: Findings) -> None:
        """Take over what an earlier preflight found."""
        self._known = _Known(findings, sys.maxsize)

    async def enter(self, n: int, *, scores: bool = False) -> Connection:
        """Return this event loop's connection, ready to ask for `n` choices, or for scores; pair it with :meth:`leave`.

        Cancelled, or the preflight failed: nothing was entered.
        """
        loop = asyncio.get_running_loop()
        opened = self._open.get(loop)
        if opened is None:
            opened = self._open[loop] = _Open(self._dial())
        opened.users += 1
        try:
            await self._look(opened, n, scores=scores)
        except BaseException:
            await self.leave()
            raise
        return opened.connection

    async def leave(self) -> None:
        """Close the connection if nobody else in this event loop uses it. Cancelled: it is closed all the same."""
        loop = asyncio.get_running_loop()
        opened = self._open[loop]
        opened.users -= 1
        if opened.users == 0:
            del self._open[loop]
            await finished(opened.connection.aclose())

    async def _look(self, opened: _Open, n: int, *, scores: bool) -> None:
        """Run the preflight unless one asked for as much; who comes meanwhile shares its result.

        Cancelled: nothing is remembered, and the next in the queue runs it.
        """
        waited = opened.looking.locked()
        async with opened.looking:
            if waited and opened.failure is not None:
                raise opened.failure
            known = self._known
            taken = known is not None and known.serves(n, scores=scores)
            if not taken or known is None or not await opened.connection.takes(known.findings):
                wish = msgspec.structs.replace(
                    self._wish, n=n, scores=scores or (known is not None and known.findings.looked_at_scores)
                )
                try:
                    known = _Known(await opened.connection.preflight(wish), n)
                except EvoselfcodeError as error:
                    opened.failure = error
                    raise
                self._known = known
            opened.failure = None
