"""When a signal ends what is under way: one lets it come to its end, for a while; a second cancels it.

This file decides which signals mean stop, how long what is in flight may take, and that a process which is told to
stop says so by its exit code wherever it is. It refuses to know what runs.

SIGTERM is what Kubernetes, Slurm and systemd send, SIGINT is Ctrl-C, and SIGUSR1 is Slurm's warning before the time
limit (``--signal=B:USR1@120``). Handlers are installed whatever they were before: a container's first process has
none, and the kernel drops what it does not handle.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from evoselfcode.errors import Interrupted
from evoselfcode.terminal import say

if TYPE_CHECKING:
    from evoselfcode.engine import Stop

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Signals that mean stop."""

LONGEST_DRAIN = 60.0
"""Seconds that attempts in flight may take at most after the first signal, however long the grace is."""

DRAINED = 0.6
"""Share of the grace that they may take; the rest is for the commit, the views and the exit."""

T = TypeVar("T")


def drain_seconds(grace: float) -> float:
    """Return how long what is in flight may take, given the seconds from the first signal to the kill."""
    return min(LONGEST_DRAIN, DRAINED * grace)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let a signal raise :class:`Interrupted` where no event loop runs yet, or none any more.

    Raises:
        Interrupted: A signal came.
    """
    before = {number: signal.signal(number, _interrupt) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    ignore()
    raise Interrupted(
        f"stopped by {signal.Signals(number).name}", hint="run the same command again: nothing settled is lost"
    )


def ignore() -> None:
    """Ignore further signals: what is left takes milliseconds, and one more would be a traceback."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


async def until_signalled(
    run: Callable[[Stop], Awaitable[T]],
    *,
    grace: float,
    beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
    under_way: str = "attempts in flight",
) -> T:
    """Run to the end; the first signal lets what is under way end, a second one or the end of the drain cancels it.

    Args:
        run: Runs until it has ended or been told to stop.
        grace: Seconds from the first signal to the kill: what is under way is cancelled early enough before it.
        beside: What runs along with it, and ends with it.
        under_way: What may end after the first signal, as people are told.

    Raises:
        Interrupted: The run was cancelled.
    """
    import anyio

    from evoselfcode.engine import Stop, unless

    stop = Stop()
    cancelled = Interrupted(f"cancelled with {under_way}", hint="run the same command again to resume")
    with anyio.open_signal_receiver(*STOPPING) as signals:  # to the very end: a third signal changes nothing

        async def twice_or_too_long() -> None:
            number = await anext(signals)
            stop.set()
            seconds = drain_seconds(grace)
            say(f"stopping ({number.name}): {under_way} may end for {seconds:.0f} s; once more to cancel them")
            with anyio.move_on_after(seconds):
                await anext(signals)

        return await unless(twice_or_too_long, partial(run, stop), instead=cancelled, beside=beside)
