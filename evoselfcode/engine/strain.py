"""Whether this process itself is what limits a run. Pure: what was measured is handed in, second by second.

This file decides when the event loop or the processor is at its end while endpoints could do more. It refuses to know
how either is measured.
"""

from __future__ import annotations

from collections import deque

SECONDS = 10
"""Seconds that are looked at."""

LATE = 0.2
"""Seconds by which the event loop comes late when it has too much to do."""

BUSY = 0.9
"""Part of one processor core that is all a process with one event loop gets."""


class Strain:
    """What the last seconds showed.

    Attributes:
        bound: Whether this process limits the run.
        lag: The longest delay of the event loop in the time looked at, in seconds.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float, bool]] = deque(maxlen=SECONDS)
        self.bound = False
        self.lag = 0.0

    def second(self, lag: float, busy: float, *, could_do_more: bool) -> bool:
        """Take what one second showed; say whether :attr:`bound` changed.

        Args:
            lag: By how many seconds the event loop came late.
            busy: Processor seconds of this process per second that passed.
            could_do_more: Whether a slot is free, or a server's queue is empty.
        """
        self._seen.append((lag, busy, could_do_more))
        self.lag = max(seen[0] for seen in self._seen)
        before = self.bound
        full = len(self._seen) == SECONDS
        idle = sum(seen[2] for seen in self._seen) > SECONDS / 2
        late = sum(seen[0] > LATE for seen in self._seen) > SECONDS / 2
        busy_all_the_time = sum(seen[1] for seen in self._seen) > BUSY * SECONDS
        self.bound = full and idle and (late or busy_all_the_time)
        return self.bound != before

    @property
    def why(self) -> str:
        """What shows it, in a sentence."""
        busy = sum(seen[1] for seen in self._seen) / max(1, len(self._seen))
        return f"the event loop comes up to {self.lag:.2f} s late, and {busy:.0%} of a processor core is used"
