"""What people see of work on files while it goes on: a line now and then."""

from __future__ import annotations

from time import monotonic

from evoselfcode.terminal import say


class Work:
    """Says now and then how far a command is that sends nothing.

    Args:
        stage: What the command does, in a word.
        seconds: Seconds between two lines.
    """

    def __init__(self, stage: str, seconds: float) -> None:
        self._stage = stage
        self._seconds = seconds
        self._began = self._last = monotonic()
        self._doing = ""

    def __call__(self, doing: str, unit: str, done: int) -> None:
        """Say it if it is time to.

        Args:
            doing: What is done at present; the rate is counted from where it began.
            unit: What is counted.
            done: How many of them are done.
        """
        now = monotonic()
        if self._doing not in ("", doing):
            self._began = now
        self._doing = doing
        if now - self._last >= self._seconds:
            self._last = now
            say(f"stage={self._stage} {doing}={done} {unit}/s={done / max(now - self._began, 1e-9):.0f}")
