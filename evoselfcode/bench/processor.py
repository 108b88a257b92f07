"""What this process got of the processor, and what it would have used besides.

This file decides which numbers of the system are read. It refuses to know what they mean.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from time import process_time

import msgspec

SCHEDULED = Path("/proc/self/schedstat")
"""Nanoseconds that the main thread ran, and that it was ready and waited to (Linux,
``Documentation/scheduler/sched-stats.rst``). Elsewhere there is no such file."""


class Used(msgspec.Struct, frozen=True):
    """A reading since the start.

    Attributes:
        cpu: Processor seconds of all threads.
        waited: Seconds that the main thread, whose the event loop is, was ready and got no processor.
    """

    cpu: float
    waited: float


def used() -> Used:
    """Read it."""
    waited = 0.0
    with suppress(OSError, ValueError, IndexError):
        waited = int(SCHEDULED.read_text().split()[1]) / 1e9
    return Used(process_time(), waited)
