"""An event loop's clock and timers, without a loop: time stands still unless a test moves it."""

from __future__ import annotations

import asyncio
from typing import Any


class Clock(asyncio.AbstractEventLoop):
    """An event loop that has a time, which stands still unless it is moved, and one list of timers."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Any] = []
        self.armed = 0

    def time(self) -> float:
        return self.now

    def get_debug(self) -> bool:
        return False

    def _timer_handle_cancelled(self, handle: Any) -> None:
        self.timers.remove(handle)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self.timers.append(handle)
        self.armed += 1
        handle._scheduled = True
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return asyncio.Handle(callback, args, self, context)

    def move_to(self, when: float) -> None:
        self.now = when
        while due := [handle for handle in self.timers if handle.when() <= when]:
            for handle in due:
                self.timers.remove(handle)
                handle._run()
