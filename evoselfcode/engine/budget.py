"""Tokens that may be asked for in a minute. Pure: the clock is handed in."""

from __future__ import annotations


class TokenBudget:
    """A bucket of tokens that fills evenly.

    Args:
        per_minute: Tokens of one minute.
        now: The time, in seconds of any clock.
    """

    def __init__(self, per_minute: int, now: float) -> None:
        self._rate = per_minute / 60.0
        self._free_at = now

    def wait(self, now: float, tokens: int) -> float:
        """Take `tokens` and return 0, or return the seconds to wait before these may start."""
        if now < self._free_at:
            return self._free_at - now
        self._free_at = now + tokens / self._rate
        return 0.0

    def used(self, now: float, tokens: int) -> None:
        """Correct what was taken by `tokens`, which may be negative."""
        self._free_at += tokens / self._rate
