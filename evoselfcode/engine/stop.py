"""A polite request to stop, heard by all who wait, and work that is cancelled when something else comes first.

This file decides how a stop is told and how such a race ends. It refuses to know who asks for it and what ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import anyio

from evoselfcode.errors import EvoselfcodeError

T = TypeVar("T")


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


async def unless(
    over: Callable[[], Awaitable[Any]],
    work: Callable[[], Awaitable[T]],
    *,
    instead: EvoselfcodeError,
    beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> T:
    """Await `work` and return its result; cancel it when `over` returns before it has ended.

    Args:
        over: Returns when the work is to be cancelled; is cancelled itself when the work has ended.
        work: Brings what it must to its end though it is cancelled.
        instead: What is raised if it was cancelled and has no result.
        beside: What runs along with the work, and ends with it.

    Raises:
        EvoselfcodeError: As the work raised it, in no group; or `instead`.

    Cancelled: all of them have ended.
    """
    result: list[T] = []
    errors: list[EvoselfcodeError] = []

    async def watch() -> None:
        await over()
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        if beside is not None:
            group.start_soon(beside)
        try:
            result.append(await work())
        except EvoselfcodeError as error:
            errors.append(error)
        group.cancel_scope.cancel()
    if errors:
        raise errors[0]
    if not result:
        raise instead
    return result[0]
