"""Stopping while nothing is asked yet: a long journal is read, a plan is counted, the preflight waits for a server.

This file decides how a stop is noticed there. Once requests are in flight, the engine does
(:mod:`evoselfcode.engine.pool`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

import anyio
import anyio.lowlevel

from evoselfcode.engine import Stop
from evoselfcode.errors import EvoselfcodeError, Interrupted

T = TypeVar("T")

STRIDE = 1024
"""Items handled at a stretch: milliseconds, after which a signal is heard."""


def stretches(items: Iterable[T], stride: int = STRIDE) -> Iterator[list[T]]:
    """Yield `items` in lists of `stride`; call :func:`breathe` between them."""
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == stride:
            yield batch
            batch = []
    yield batch


async def breathe(stop: Stop) -> None:
    """Let the event loop hear signals.

    Raises:
        Interrupted: The stop came.
    """
    await anyio.lowlevel.checkpoint()
    if stop.is_set():
        raise _interrupted()


async def unless_stopped(stop: Stop, work: Callable[[], Awaitable[T]]) -> T:
    """Await `work` and return its result; cancel it when the stop comes, for it has nothing to save.

    Raises:
        Interrupted: The stop came first.
    """
    result: list[T] = []
    errors: list[EvoselfcodeError] = []

    async def watch() -> None:
        while not await stop.wait(3600.0):
            pass
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        try:
            result.append(await work())
        except EvoselfcodeError as error:
            errors.append(error)
        group.cancel_scope.cancel()
    if errors:
        raise errors[0]
    if not result:
        raise _interrupted()
    return result[0]


def rows_remain(ahead: int, left: int) -> Interrupted:
    """Make the error of a run that ended while rows remain.

    Args:
        ahead: Requests that the same command would ask.
        left: Requests that it would not, for it asks again for given-up ones alone.
    """
    without = " without --retry" if left and not ahead else ""
    return Interrupted(
        f"stopped with {ahead + left} requests to go", hint=f"run the same command again{without} to resume"
    )


def _interrupted() -> Interrupted:
    return Interrupted("stopped before anything was asked", hint="run the same command again to go on")
