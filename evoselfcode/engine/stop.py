"""A polite request to stop, heard by all who wait.

This file decides how a stop is told. It refuses to know who asks for it and what ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import anyio


class Stop:
    """A polite request to stop: no new attempt starts, attempts in flight may end.

    Set it from the same event loop (a signal handler of that loop, another task).
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._told: list[Callable[[], None]] = []

    def set(self) -> None:
        """Ask to stop. Asking twice changes nothing."""
        if not self._event.is_set():
            self._event.set()
            for tell in self._told:
                tell()

    def is_set(self) -> bool:
        """Say whether somebody asked."""
        return self._event.is_set()

    def tell(self, hearer: Callable[[], None]) -> None:
        """Call `hearer` when somebody asks; at once, if that is so already."""
        if self._event.is_set():
            hearer()
        self._told.append(hearer)

    def forget(self, hearer: Callable[[], None]) -> None:
        """Call `hearer` no more."""
        self._told.remove(hearer)

    async def wait(self, seconds: float) -> bool:
        """Wait up to `seconds` and say whether the stop came. Cancelled: nothing changed."""
        with anyio.move_on_after(seconds):
            await self._event.wait()
        return self._event.is_set()
