"""Where more in flight stops to pay, found by measuring goodput at limits: for servers that give no numbers.

This file decides which limit is measured next and which is the best one. It refuses to know why a limit may not be
used (:mod:`evoselfcode.engine.governor`). It has no clock: times are handed in.

Goodput is not counted in tokens as they arrive, which come in lumps of whole completions. It follows from Little's
law: requests in flight, divided by the seconds that one token takes. Seconds and tokens of the same completions vary
together, so that their quotient is known to 1 or 2 % where a count over the same time is known to 20 %.

The search keeps no model of the server: it takes the least limit that gives nearly the best goodput measured, raises
the limit while each higher one gives more, halves the distance to the next lower one that gives less, and looks beside
the limit that it found now and then. What was measured long ago and looks better than it is, is visited and measured
anew. Requests that take minutes are found out about in many minutes: nothing is known of a limit before they end.
"""

from __future__ import annotations

from math import ceil, sqrt

import msgspec

SETTLED = 0.7
"""Completions after a change of the limit that are not measured, as a part of the limit: most were begun before. With
1.0 a measurement is no more exact and takes too long."""

LOOKS, COMPLETIONS = 3, 24
"""Fewest looks and completions of one measurement: fewer tell nothing of its error."""

EXACT = 0.01
"""Error of a goodput, as a part of it, at which its measurement ends: a third of what :data:`GOOD` gives away."""

SURE = 2.0
"""Standard errors by which a goodput must be above or below the best other one for its measurement to end at once."""

PATIENCE = 3
"""Times that every place of the limit is used, after which a measurement ends whatever its error."""

GOOD = 0.97
"""Part of the best goodput that a limit must give. With 0.98 the limit climbs into the queue by errors of measurement
(docs/explanation/concurrency.md)."""

RISE = 1.5
"""Factor of the limit while each higher one gives more. With 2 the last step ends where half of all requests wait, and
goodput is known badly there: latencies no longer follow the tokens."""

NARROW = 1.16
"""Two limits, one too low and one not, between which no other is tried: quotient. Also how far a look beside is."""

HOLD = 90.0
"""Seconds at least between two looks beside the limit that was found."""

USED = 0.8
"""Part of the limit that must be in flight for it to count as used (inspect_ai; Netflix ``Gradient2Limit`` has 0.5)."""


class Step(msgspec.Struct, frozen=True):
    """A limit to try, and why, as the end of a sentence."""

    limit: int
    reason: str


class Reading(msgspec.Struct, frozen=True):
    """What one limit was measured to give.

    Attributes:
        goodput: Tokens a second; completions a second where the server does not say tokens.
        error: Standard error of it.
        final: Whether more looks would not make it better.
    """

    goodput: float
    error: float
    final: bool = True


class Measurement:
    """Goodput at one limit, from looks at it.

    Args:
        limit: The limit.
        unsettled: Completions that do not count: what was begun before.
    """

    def __init__(self, limit: int, unsettled: float) -> None:
        self._limit = limit
        self._unsettled = unsettled
        self._looks: list[tuple[int, int, float, float]] = []

    def add(self, in_flight: int, completions: int, tokens: int, seconds: float) -> None:
        """Take in one look."""
        if self._unsettled > 0:
            self._unsettled -= completions
        else:
            self._looks.append((in_flight, completions, float(tokens), seconds))

    def reading(self) -> Reading | None:
        """Return the goodput, or ``None`` while too little was seen."""
        completions = sum(look[1] for look in self._looks)
        seconds = sum(look[3] for look in self._looks)
        if len(self._looks) < LOOKS or completions < COMPLETIONS or seconds <= 0:
            return None
        told = any(look[2] for look in self._looks)
        worth = [look[2] if told else float(look[1]) for look in self._looks]
        rate = sum(worth) / seconds
        apart = sum((many - rate * look[3]) ** 2 for many, look in zip(worth, self._looks, strict=True))
        error = sqrt(apart * len(worth) / (len(worth) - 1)) / seconds  # of a quotient of sums, by its residuals
        busy = sum(look[0] for look in self._looks) / len(self._looks)
        final = error <= EXACT * rate or completions >= PATIENCE * self._limit
        return Reading(busy * rate, busy * error, final)


class Knee:
    """The search: fed what each tick saw, it says which limit to use next.

    Attributes:
        found: What each limit was last measured to give.
    """

    def __init__(self) -> None:
        self.found: dict[int, Reading] = {}
        self._limit = 0
        self._measurement = Measurement(0, 0)
        self._held = 0.0
        self._up = True

    def look(
        self, now: float, limit: int, most: int, in_flight: int, completions: int, tokens: int, seconds: float
    ) -> Step | None:
        """Take in what happened since the last look; return another limit, or ``None`` to go on with this one.

        Args:
            now: Seconds on any clock that only goes forward.
            limit: The limit in use; one that this search did not ask for is measured from now on.
            most: Highest limit that may be tried.
            in_flight: Requests in flight.
            completions: Completions since the last look.
            tokens: Their tokens; 0 where the server does not say.
            seconds: Sum of their latencies.
        """
        if limit != self._limit:
            self._limit, self._measurement = limit, Measurement(limit, max(1, SETTLED * limit))
            return None
        if not USED * limit <= in_flight <= limit + 1:
            return None  # not used, or still more in flight than allowed
        self._measurement.add(in_flight, completions, tokens, seconds)
        reading = self._measurement.reading()
        if reading is None or reading.goodput <= 0 or not (reading.final or self._clear(limit, reading)):
            return None
        self._measurement = Measurement(limit, 0)
        self.found[limit] = reading
        return self._next(now, limit, most)

    def _clear(self, limit: int, reading: Reading) -> bool:
        """Say whether a new limit is surely better, or surely worse, than the best of the others."""
        if limit in self.found or not self.found:
            return False
        best = max(self.found.values(), key=lambda other: other.goodput)
        more = reading.goodput - SURE * reading.error > (best.goodput + SURE * best.error) / GOOD
        return more or reading.goodput + SURE * reading.error < (best.goodput - SURE * best.error) * GOOD

    def _next(self, now: float, limit: int, most: int) -> Step | None:
        best = max(reading.goodput - reading.error for reading in self.found.values())
        enough = min(at for at, reading in self.found.items() if reading.goodput >= GOOD * best)
        lower = max((at for at in self.found if at < enough), default=None)
        rate = f"{self.found[enough].goodput:,.0f} tokens/s"
        if enough == limit == max(self.found) and enough < most:
            return Step(min(ceil(RISE * enough), most), f"{rate} at {enough}, and more with each rise so far")
        if lower is None and enough > 1:
            return Step(enough // 2, f"{rate} at {enough}, and fewer may give as much")
        if lower is not None and enough > NARROW * lower and enough - lower > 1:
            return Step(
                round(sqrt(enough * lower)), f"{rate} at {enough} and less at {lower}: the knee is between them"
            )
        if limit != enough:
            self._held = now
            return Step(enough, f"the least that gives {GOOD:.0%} of the most, which is {best:,.0f} tokens/s")
        if now - self._held < HOLD:
            return None
        return self._aside(now, enough, most, rate)

    def _aside(self, now: float, limit: int, most: int, rate: str) -> Step | None:
        """Look beside the limit that was found, above and below in turn: the server may be another one by now."""
        self._held, self._up = now, not self._up
        aside = min(most, ceil(limit * NARROW)) if self._up else int(limit / NARROW)
        if aside in (0, limit):
            return None
        self.found.pop(aside, None)
        return Step(aside, f"a look beside {limit}, which gives {rate}")
