"""Work that must not be left half done: whoever cancels waits until it has ended.

anyio's shields hold against anyio's cancel scopes alone. ``task.cancel()`` goes through them, and with it
``asyncio.timeout``, ``asyncio.wait_for``, ``asyncio.TaskGroup`` and Ctrl-C: a journal would be closed while a thread
still writes it. This file decides how such a cancellation is kept back. It refuses to know what the work is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import anyio

T = TypeVar("T")


async def ended(task: asyncio.Task[Any]) -> None:
    """Wait until `task` is done, however it ends. Cancelled, in any way and any number of times: after that."""
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        raise cancelled


async def finished(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end in a task of its own and return its result.

    Cancelled: the cancellation is raised when the work is done; an error of the work takes its place.
    """
    task = asyncio.get_running_loop().create_task(work)
    try:
        await ended(task)
    except asyncio.CancelledError:
        task.result()
        raise
    return task.result()


def being_cancelled() -> bool:
    """Say whether somebody cancels this task: an error of work that was to be finished first took its place."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
