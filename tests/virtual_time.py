"""An event loop whose clock jumps to the next timer when nothing is ready: an hour of waiting passes at once.

For code whose waits are all timers of its own loop. Work in anyio's threads is awaited in real time, during which the
virtual clock stands still; a socket is not waited for: what is not there when the loop looks comes too late.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")
P = ParamSpec("P")

START = 1000.0
"""What the clock shows first: a mistake that takes "never" for time 0 must not go unseen."""

TURN = 1e-9
"""Seconds that a turn of the loop takes: who asks for the time again and again, as aiolimiter does, sees it pass."""


class _Jumping(selectors.DefaultSelector):
    """Waits by moving the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.threads: anyio.CapacityLimiter | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            self.now += TURN
            return ready
        if self.threads is not None and self.threads.borrowed_tokens:
            return super().select(60.0)
        if timeout is None:
            raise RuntimeError("nothing is ready and nothing is awaited: this would wait for ever")
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with a virtual clock, in seconds."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)
        self._clock_resolution = 1e-6  # else a large time plus it is the same number, and a timer that is due never is

    def time(self) -> float:
        return self._jumping.now

    def pass_by(self, seconds: float) -> None:
        """Let time go by while nothing else runs, as a long computation does."""
        self._jumping.now += seconds

    def wait_for_threads(self, threads: anyio.CapacityLimiter) -> None:
        """Let the clock stand still while one of `threads` is borrowed."""
        self._jumping.threads = threads


def run(program: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `program` in virtual time and return its result."""

    async def main() -> T:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.wait_for_threads(anyio.to_thread.current_default_thread_limiter())
        return await program()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make of an async test one that runs in virtual time."""

    @wraps(test)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        run(lambda: test(*args, **kwargs))

    return wrapped
