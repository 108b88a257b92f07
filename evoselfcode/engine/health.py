"""Whether one endpoint is asked: up, paused, parked or returning. A state machine without a clock of its own.

This file decides what takes an endpoint out of use, for how long, and what brings it back. It refuses to know how
many attempts it may have in flight (:mod:`evoselfcode.engine.governor`) and what becomes of its rows. That an endpoint
is away is no row's fault: rows wait for whoever is up.

```
         overload               the pause is over, something was answered meanwhile
   up ────────────▶ paused ───────────────────────────────────────────────────────▶ up
   ▲ ▲                │ nothing was
   │ │ any answer     ▼
   │ └──────────── returning (one trial)
   │                  │ refused, or too many failures
   │ any answer       ▼
   └─ returning ◀── parked ◀── refused, loading, or too many failures, from any state
    (all its slots)     a probe was answered
```
"""

from __future__ import annotations

from collections import deque
from math import inf
from random import Random
from typing import Literal

from evoselfcode.records import Failure
from evoselfcode.wire import retry

State = Literal["up", "paused", "parked", "returning"]
"""Asked as usual; left alone for a while; away and probed; asked again with care."""

FRESH = 1.0
"""Seconds for which an answer shows that an endpoint is there: a connection that is refused within them is counted
with others; later, it parks at once."""

CONSECUTIVE = 5.0
"""Failures in a row that park an endpoint; one that may be the row's own counts half."""

HALF = ("disconnect", "timeout", "server_error")
"""What counts half: the row may be at fault."""

OF_THE_KEY = ("auth", "payment")
"""What a server says that is there, and will not serve this key."""

WINDOW = 30.0
"""Seconds over which failures are set against answers."""

ENOUGH = 20
"""Attempts in that time before their shares say anything."""

BUCKETS = 6
"""Parts of that time, forgotten one by one."""

PAUSE_BASE, PAUSE_CAP = 2.0, 60.0
"""Seconds that an overloaded endpoint is left alone where it does not say how long: doubled each time up to the cap,
and shortened by up to a half at random, so that clients do not come back together."""

PROBE_BASE, PROBE_CAP = 1.0, 30.0
"""Seconds between two probes of an endpoint that is away: doubled each time up to the cap, a quarter more or less."""


KNOWN = 8
"""Times that it went away that are remembered, for the rows that were in flight then."""


class Health:
    """What is known of one endpoint.

    Args:
        random: Draws the jitter.

    Attributes:
        state: See above.
        until: When a pause ends or the next probe is due, in seconds of the caller's clock.
        away_since: Since when nothing is answered: it is parked, or paused and was silent since; ``None`` otherwise.
        went: When it was parked of late: its last answer before, and the moment itself.
        last: The last failure that says something of the endpoint.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self.state: State = "up"
        self.until = 0.0
        self.away_since: float | None = None
        self.went: deque[tuple[float, float]] = deque(maxlen=KNOWN)
        self.last: Failure | None = None
        self._trial = False
        self._answered_at = -inf
        self._paused_at = 0.0
        self._streak = 0.0
        self._episodes = 0
        self._good = [0] * BUCKETS
        self._bad = [0] * BUCKETS
        self._weights = [0.0] * BUCKETS
        self._bucket = 0
        self._bucket_ends = -inf

    def slots(self, limit: int) -> int:
        """Return how many attempts may be in flight, given the limit of an endpoint that is well."""
        if self.state == "up":
            return limit
        if self.state == "returning":
            return min(limit, 1) if self._trial else limit
        return 0

    def answered(self, now: float) -> bool:
        """Take an attempt that was answered; say whether the state changed."""
        self._streak = 0.0
        self._answered_at = now
        if now >= self._bucket_ends:
            self._turn(now)
        self._good[self._bucket] += 1
        if self.state == "up":
            return False
        if self.state != "parked":
            self.away_since = None
        if self.state != "returning":
            return False  # a pause was asked for; and one that goes away may finish what it has, and take nothing new
        self.state, self._trial, self._episodes = "up", False, 0
        return True

    def failed(self, now: float, failure: Failure) -> bool:
        """Take an attempt that failed; say whether the state changed."""
        kind = failure.kind
        action = retry.policy(kind)
        if action in ("give_up", "stop_run"):
            return failure.status is not None and self.answered(now)
        if now >= self._bucket_ends:
            self._turn(now)
        self._bad[self._bucket] += 1
        if kind in ("rate_limited", "overloaded"):
            self.last = failure
            return self._pause(now, failure)
        if kind in ("connect", "loading") or kind in HALF:
            weight = 0.5 if kind in HALF else 1.0
            self.last = failure
            self._streak += weight
            self._weights[self._bucket] += weight
            gone = weight == 1.0 and now - self._answered_at > FRESH
            if gone or self._streak >= CONSECUTIVE or self._mostly_fails():
                return self._park(now, failure)
        return False

    def resumed(self, now: float) -> bool:
        """End a pause whose time is over; say whether the state changed."""
        if self.state != "paused" or now < self.until:
            return False
        if self._answered_at > self._paused_at:
            self.state, self._episodes = "up", 0
        else:
            self.state, self._trial = "returning", True
        return True

    def probed(self, now: float, failure: Failure | None) -> bool:
        """Take what a probe gave; say whether the endpoint is back.

        A refusal of what was asked is an answer, too, and so is one of the key, which the next row will end the run
        for. A 404 is none: gateways say so while there is no server behind them.
        """
        if self.state != "parked":
            return False
        refused = failure is not None and failure.status is not None
        if failure is None or (refused and (retry.policy(failure.kind) == "give_up" or failure.kind in OF_THE_KEY)):
            self.state, self._trial = "returning", False
            self.away_since, self._streak = None, 0.0
            self._good, self._bad, self._weights = [0] * BUCKETS, [0] * BUCKETS, [0.0] * BUCKETS
            return True
        self.last = failure
        self.until = now + max(self._until_the_probe(), failure.retry_after or 0.0)
        return False

    def shares(self) -> tuple[int, int]:
        """Return how many attempts were answered of late, and how many failed."""
        return sum(self._good), sum(self._bad)

    def _mostly_fails(self) -> bool:
        ends = sum(self._good) + sum(self._bad)
        return ends >= ENOUGH and sum(self._weights) > ends / 2

    def _park(self, now: float, failure: Failure) -> bool:
        if self.state == "parked":
            return False
        self.state, self._trial, self._episodes = "parked", False, 0
        self.went.append((self._answered_at, now))
        if self.away_since is None:
            self.away_since = now
        self.until = now + max(self._until_the_probe(), failure.retry_after or 0.0)
        return True

    def _until_the_probe(self) -> float:
        seconds = min(PROBE_CAP, PROBE_BASE * 2.0 ** min(self._episodes, 30))
        self._episodes += 1
        return seconds * self._random.uniform(0.75, 1.25)

    def _pause(self, now: float, failure: Failure) -> bool:
        if self.state == "parked":
            return False
        asked = failure.retry_after
        if asked is not None and asked >= retry.MIN_HINT:
            seconds = asked * self._random.uniform(1.0, 1.1)
        elif self.state == "paused":
            return False  # of the same episode
        else:
            seconds = min(PAUSE_CAP, PAUSE_BASE * 2.0 ** min(self._episodes, 30)) * self._random.uniform(0.5, 1.0)
        changed = self.state != "paused"
        if changed:
            self.state, self._trial, self._paused_at, self.until = "paused", False, now, 0.0
            self._episodes += 1
            if self.away_since is None:
                self.away_since = now
        self.until = max(self.until, now + seconds)
        return changed

    def _turn(self, now: float) -> None:
        """Go on to the bucket of `now`, and forget those that are too old."""
        span = WINDOW / BUCKETS
        passed = BUCKETS if self._bucket_ends == -inf else min(BUCKETS, int((now - self._bucket_ends) / span) + 1)
        for _ in range(passed):
            self._bucket = (self._bucket + 1) % BUCKETS
            self._good[self._bucket] = self._bad[self._bucket] = 0
            self._weights[self._bucket] = 0.0
        self._bucket_ends = now + span
