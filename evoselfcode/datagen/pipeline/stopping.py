"""Stopping while nothing is asked yet: a long journal is read, a plan is counted, the preflight waits for a server.

This file decides how a stop is noticed there. Once requests are in flight, the engine does
(:mod:`evoselfcode.engine.pool`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from math import inf
from typing import TypeVar

import anyio.lowlevel

from evoselfcode.engine import Stop, unless
from evoselfcode.errors import Interrupted

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
    return await unless(partial(stop.wait, inf), work, instead=_interrupted())


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
