"""Where more in flight stops to pay, found by measuring goodput at limits: for servers that give no numbers.

This file decides which limit is measured next and which is the best one. It refuses to know why a limit may not be
used (:mod:`evoselfcode.engine.governor`). It has no clock: times are handed in.

Goodput is not counted in tokens as they arrive, which come in lumps of whole completions. It follows from Little's
law: requests in flight, divided by the seconds that one token takes. Seconds and tokens of the same completions vary
together, so that their quotient is known to 1 or 2 % where a count over the same time is known to 20 %.
"""

from __future__ import annotations

from math import ceil, sqrt

import msgspec

SETTLED = 0.7
"""Completions after a change of the limit that are not measured, as a part of the limit: they were begun before. With
1.0 a measurement is a little more exact and takes too long; with 0.5 it is wrong by a tenth."""

LOOKS, COMPLETIONS = 3, 24
"""Fewest looks and completions of one measurement."""

EXACT = 0.01
"""Error of a goodput, as a part of it, at which a measurement ends: half of what :data:`GOOD` gives away."""

PATIENCE = 3
"""Times that every place of the limit is used, after which a measurement ends whatever its error."""

GOOD = 0.97
"""Part of the best goodput that a limit must give. A lower one gives tokens away; a higher one is below the error of a
measurement, and would climb into the queue by chance."""

NARROW = 1.16
"""Two neighbouring limits, one too low and one not, are not divided further: quotient."""

HOLD = 90.0
"""Seconds at least between two looks at a neighbour of the limit that was found."""

SHIFT = 1.5
"""A goodput of the same limit that changed by this factor says that the server is another one: all is measured anew."""

RISE = 1.5
"""Factor of the limit while each higher one gives more. With 2 the last one has a queue of half of all, in which the
goodput is known badly."""

USED = 0.8
"""Part of the limit that must be in flight for a measurement to count (inspect_ai, Netflix ``Gradient2Limit``)."""


class Step(msgspec.Struct, frozen=True):
    """A limit to try, and why, as the end of a sentence."""

    limit: int
    reason: str


class Reading(msgspec.Struct, frozen=True):
    """What one limit was measured to give.

    Attributes:
        goodput: Tokens a second; completions a second where the server does not say tokens.
        error: Standard error of it.
    """

    goodput: float
    error: float


class Measurement:
    """Goodput at one limit, from looks at it.

    Args:
        unsettled: Completions that do not count: what was begun before this limit.
    """

    def __init__(self, unsettled: float) -> None:
        self._unsettled = unsettled
        self._looks: list[tuple[int, int, float, float]] = []

    def add(self, in_flight: int, completions: int, tokens: int, seconds: float) -> None:
        """Take in one look."""
        if self._unsettled > 0:
            self._unsettled -= completions
        else:
            self._looks.append((in_flight, completions, float(tokens), seconds))

    def reading(self, limit: int) -> Reading | None:
        """Return the goodput when it is known well enough, or has been looked for long enough."""
        completions = sum(look[1] for look in self._looks)
        seconds = sum(look[3] for look in self._looks)
        if len(self._looks) < LOOKS or completions < COMPLETIONS or seconds <= 0:
            return None
        worth = [look[2] for look in self._looks]
        if not any(worth):
            worth = [float(look[1]) for look in self._looks]
        rate = sum(worth) / seconds
        apart = sum((many - rate * look[3]) ** 2 for many, look in zip(worth, self._looks, strict=True))
        error = sqrt(apart * len(worth) / (len(worth) - 1)) / seconds
        if error > EXACT * rate and completions < PATIENCE * limit:
            return None
        busy = sum(look[0] for look in self._looks) / len(self._looks)
        return Reading(busy * rate, busy * error)


class Knee:
    """The search: fed what each tick saw, it says which limit to use next.

    Attributes:
        found: What each limit was measured to give, brought up to date by those measured since.
    """

    def __init__(self) -> None:
        self.found: dict[int, Reading] = {}
        self._limit = 0
        self._measurement = Measurement(0)
        self._held = 0.0
        self._up = True
        self._home: int | None = None

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
            self._limit, self._measurement = limit, Measurement(max(1, SETTLED * limit))
            return None
        if not USED * limit <= in_flight <= limit + 1:
            return None
        self._measurement.add(in_flight, completions, tokens, seconds)
        reading = self._measurement.reading(limit)
        if reading is None:
            return None
        self._measurement = Measurement(0)
        self._note(limit, reading)
        return self._next(now, limit, most)

    def _note(self, limit: int, reading: Reading) -> None:
        """Keep a measurement, and move the others with it: what changed at this limit changed at all."""
        before = self.found.get(limit)
        if before is not None:
            change = reading.goodput / before.goodput
            if not 1 / SHIFT < change < SHIFT:
                self.found.clear()
            elif self._home is None:
                for other, old in self.found.items():
                    self.found[other] = Reading(old.goodput * sqrt(change), old.error)
                reading = Reading(before.goodput * sqrt(change), reading.error / sqrt(2))
        self.found[limit] = reading

    def _next(self, now: float, limit: int, most: int) -> Step | None:
        best = max(reading.goodput - reading.error for reading in self.found.values())
        enough = min(at for at, reading in self.found.items() if reading.goodput >= GOOD * best)
        rate = f"{self.found[enough].goodput:,.0f} tokens/s"
        self._home = None
        if enough == max(self.found) and enough < most and enough == limit:
            return Step(min(ceil(RISE * enough), most), f"{rate} so far, and more each time")
        lower = max((at for at in self.found if at < enough), default=None)
        if lower is None and enough > 1:
            return Step(enough // 2, f"{rate}, which fewer may give as well")
        if lower is not None and enough > NARROW * lower and enough - lower > 1:
            return Step(round(sqrt(enough * lower)), f"{rate}, which fewer may give as well")
        if limit != enough:
            self._held = now
            return Step(enough, f"the least that gives {rate} of {best:,.0f}")
        if now - self._held < HOLD:
            return None
        return self._aside(now, enough, most, rate)

    def _aside(self, now: float, limit: int, most: int, rate: str) -> Step | None:
        """Look beside the limit that was found, above and below in turn: the server may have changed."""
        self._held, self._up = now, not self._up
        aside = min(most, ceil(limit * NARROW)) if self._up else int(limit / NARROW)
        if aside in (0, limit):
            return None
        self.found.pop(aside, None)
        self._home = limit
        return Step(aside, f"a look beside {limit}, which gives {rate}")
