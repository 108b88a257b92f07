"""The sync doors: run one coroutine function to its end from anywhere, also inside a running event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio.from_thread

from evoselfcode.loops import loop_factory

T = TypeVar("T")


def run_sync(function: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `function` in an event loop of its own and return its result.

    Inside a running loop (a notebook) the new loop runs in a thread and the calling thread waits for it; an
    exception in the waiting thread (Ctrl-C) cancels the work.
    """
    if not _in_a_loop():
        # Not anyio.run: it refuses in a thread of asyncio.to_thread, whose context says that a loop is running.
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(function())
    with anyio.from_thread.start_blocking_portal(backend_options={"loop_factory": loop_factory()}) as portal:
        result: T = portal.call(function)
        return result


def _in_a_loop() -> bool:
    """Say whether the calling thread is inside a running loop; no error of the work is chained to the answer."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
