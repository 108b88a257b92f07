"""How many tokens may be asked for in a minute: a bucket that is booked ahead, first come, first served.

This file decides when a request may start so that an endpoint's tokens per minute hold. It refuses to know what a
request is and who waits. It has no clock: times are handed in.

A start is booked and told at once, so nobody is overtaken: aiolimiter, which serves the smallest waiter first, lets a
large request starve behind small ones (facts §2.3, e17). A request larger than the bucket waits until the bucket is
full and starts then; the next ones wait for what it took in advance.
"""

from __future__ import annotations

BURST = 1.0
"""Seconds whose tokens the bucket holds. A bucket of the whole minute would be spent in its first second."""


class TokenBudget:
    """Tokens of one endpoint or of all of them together.

    In any minute at most `per_minute` tokens and one burst are started, the burst being those of :data:`BURST` seconds
    or those of one request, if that has more.

    Args:
        per_minute: Tokens in a minute, of prompts and completions together; more than 0.
        now: Seconds on any clock that only goes forward; all later times are of the same clock.
    """

    def __init__(self, per_minute: float, now: float) -> None:
        self._rate = per_minute / 60.0
        self._paid = now  # when all that was booked is paid for
        self._last = now  # the last start that was told

    def wait(self, now: float, tokens: float) -> float:
        """Book `tokens`, which may be an estimate, and return the seconds until the request may start.

        Who gives up before has used nothing: ``used(now, tokens, 0)``.
        """
        cost = tokens / self._rate
        first = max(now, self._last)
        paid = max(self._paid, first)
        start = paid if cost > BURST else max(first, paid + cost - BURST)
        self._paid, self._last = paid + cost, start
        return start - now

    def used(self, now: float, estimated: float, actual: float) -> None:
        """Take in what a request really used, of which `estimated` was booked: later starts come sooner, or later."""
        self._paid = max(self._paid, now) + (actual - estimated) / self._rate
