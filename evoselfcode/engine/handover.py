"""What workers hand to the one who takes: a bounded list, taken as a whole.

This file decides who waits when nothing is ready, or too much. It refuses to know what is handed over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Handover(Generic[T]):
    """A bounded list between many givers and one taker. Who gives to a list with room does not wait.

    Args:
        room: Items that may wait to be taken.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self._loop = asyncio.get_running_loop()
        self._items: list[T] = []
        self._givers: deque[asyncio.Future[None]] = deque()
        self._taker: asyncio.Future[None] | None = None
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether nothing more will come, and all was taken."""
        return self._ended and not self._items

    def give(self, item: T) -> bool:
        """Hand `item` over if there is room, and say whether there was."""
        if len(self._items) >= self.room:
            return False
        self._items.append(item)
        if self._taker is not None:
            self._wake()
        return True

    async def wait(self) -> None:
        """Wait until something was taken. Cancelled: nothing changed."""
        future = self._loop.create_future()
        self._givers.append(future)
        await future

    def end(self) -> None:
        """Say that nothing more will come."""
        self._ended = True
        self._wake()

    async def take(self, seconds: float) -> list[T]:
        """Return what is ready; wait up to `seconds` for something. Cancelled: nothing was taken."""
        if not self._items and not self._ended:
            self._taker = self._loop.create_future()
            timer = self._loop.call_later(seconds, self._wake)
            try:
                await self._taker
            finally:
                self._taker = None
                timer.cancel()
        items, self._items = self._items, []
        while self._givers:
            giver = self._givers.popleft()
            if not giver.done():
                giver.set_result(None)
        return items

    def _wake(self) -> None:
        if self._taker is not None and not self._taker.done():
            self._taker.set_result(None)
