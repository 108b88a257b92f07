"""Which event loop carries a run: uvloop's where it is installed, asyncio's own otherwise.

uvloop takes about half of what a request costs over the direct lane (``docs/explanation/performance.md``) and changes
nothing else, so it is asked for by installing it, and switched off by ``EVOSELFCODE_UVLOOP=0``. A loop that is running
already is not ours to choose.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")

SWITCH = "EVOSELFCODE_UVLOOP"


def loop_factory() -> Callable[[], Any] | None:
    """Return what makes an event loop, or ``None`` for asyncio's own."""
    if os.environ.get(SWITCH, "").strip().lower() in ("0", "false", "no", "off"):
        return None
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], Any] = uvloop.new_event_loop
    return factory


COLLECT = (20_000, 20, 50)
"""Thresholds of the collector while a run lasts."""


def run(function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """Run a coroutine function to its end in an event loop of its own, and return its result."""
    import anyio

    before = gc.get_threshold()
    gc.freeze()  # what is imported stays
    gc.set_threshold(*COLLECT)
    try:
        return anyio.run(function, *arguments, backend_options={"loop_factory": loop_factory()})
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
