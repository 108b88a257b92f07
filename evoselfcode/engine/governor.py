"""How many attempts one endpoint may have in flight. Pure: the clock is handed in."""

from __future__ import annotations

import msgspec

from evoselfcode.wire.load import Load

TICK = 5.0
"""Seconds between two looks at what happened."""

RETURN = 8
"""Attempts in flight that an endpoint gets when it comes back; doubled at each tick."""


class Limits(msgspec.Struct, frozen=True):
    """What the user allows.

    Attributes:
        start: Attempts in flight at the beginning.
        most: Most of them ever; ``None`` leaves it to what the server shows.
        fixed: The limit, where it is not to be moved.
    """

    start: int = 16
    most: int | None = None
    fixed: int | None = None


class Seen(msgspec.Struct, frozen=True):
    """What happened since the last tick.

    Attributes:
        load: The server's own numbers, where it gives them.
        in_flight: Attempts in flight now.
        peak: Most of them since the last tick.
        completions: Attempts that ended well.
        tokens: Tokens of their completions.
        seconds: Sum of their latencies.
    """

    load: Load | None
    in_flight: int
    peak: int
    completions: int
    tokens: int
    seconds: float


class Change(msgspec.Struct, frozen=True):
    """A new limit and why."""

    limit: int
    reason: str


class Governor:
    """Moves the limit of one endpoint.

    Args:
        limits: What the user allows.
        now: The time, in seconds of any clock.
    """

    def __init__(self, limits: Limits, now: float) -> None:
        self._full = limits.fixed or limits.start
        self.limit = self._full

    def tick(self, now: float, seen: Seen) -> Change | None:
        """Look at what happened; called every :data:`TICK`."""
        if self.limit >= self._full:
            return None
        self.limit = min(self._full, self.limit * 2)
        return Change(self.limit, "it still answers")

    def overloaded(self, now: float) -> Change | None:
        """Take an overload."""
        return None

    def returned(self, now: float) -> Change | None:
        """Begin again after an outage."""
        if self.limit == min(RETURN, self._full):
            return None
        self.limit = min(RETURN, self._full)
        return Change(self.limit, "it is back")
