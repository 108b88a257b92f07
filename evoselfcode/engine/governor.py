"""How many requests one endpoint gets at once, moved by what it says and by what it does.

This file decides the limit. It refuses to know how requests are sent and who waits for them: it is fed the time and
what happened, and answers with a new limit and the reason. One governor for one endpoint.

- **The server gives queue numbers**: the limit grows while nothing waits there, and is then held where the queue is 5
  to 10 % of what runs, at a small server half to one square root of it. It is never above 1.25 times what the server
  was seen to run at once, in this run's requests: a request may be several sequences, and other clients may use the
  server, so both are counted by their shares.
- **It gives none**: :mod:`evoselfcode.engine.knee` measures where more in flight stops to pay.
- **It refuses** (429, 503, 529): one cut for an episode, and a ceiling where it refused, which is lifted slowly.
- **It comes back from an outage**: a slow start, up to what it stood before.

Measured in ``docs/explanation/concurrency.md``, with the rules that were tried and failed.
"""

from __future__ import annotations

from math import ceil, floor, sqrt

import msgspec

from evoselfcode.engine.knee import USED, Knee
from evoselfcode.wire.load import Load

TICK = 5.0
"""Seconds between two looks; the numbers of a server are as old as that at the most."""

SLOW_START = 8
"""Limit of an endpoint that is back after an outage; it doubles at ticks from there."""

CUT, EPISODE = 0.75, 15.0
"""Factor of a cut, and seconds in which it is the only one: what was sent before the cut is refused after it."""

REMEMBERED, LONGEST = 300.0, 3600.0
"""Seconds for which a refusal keeps the limit below what was refused; twice as long each time that it is refused again
after that, up to the second number."""

LIFTED = 1.1
"""Factor by which the limit may be above what was refused when that is long ago (DataDesigner: 10 %)."""

MOST_UNSEEN, MOST_SEEN = 256, 4096
"""Highest limit of a server without and with queue numbers, unless the user says another."""

SILENCE = 60.0
"""Seconds without numbers, or with some that see nothing run, after which a server is held for one that gives none."""

GROWTH = 1.25
"""Factor of a growth at most, and how far the limit may be above what a server was seen to run (facts §2.1)."""

AIM, CROWDED = 0.05, 0.10
"""Queue of a server as a part of what it runs: below the first it has room, above the second too much, and is cut to
the first (facts §2.1: 5 to 10 %)."""

SPREAD = 1.0
"""Square roots of what a server runs: its queue comes and goes by about as much, so that less is not too long, however
small the server (square-root staffing; Halfin and Whitt, Operations Research 29, 1981). Below 100 sequences it counts
for more than :data:`CROWDED`; half of it is the aim then, as of that."""

CLEAN = 3 * TICK
"""Seconds without a queue after which a server that once had one has more room than before."""

FRESH = 0.95
"""Part of the sequences that are to be expected at the server, from which on its numbers are taken for new."""

FAIR = 6 * TICK
"""Seconds after which the limit grows a little though the queue is as it should be: all clients of a server are cut
by the same factor, and grow by about the same number, so that a newcomer gets its share in the end."""


class Limits(msgspec.Struct, frozen=True):
    """What the user allows.

    Attributes:
        start: Limit to begin with.
        most: Highest limit; ``None``: 4,096 for a server that gives queue numbers, 256 for another.
        fixed: A limit that is never moved but for the slow start after an outage; ``None``: it finds itself.
    """

    start: int = 16
    most: int | None = None
    fixed: int | None = None


class Seen(msgspec.Struct, frozen=True):
    """What happened at one endpoint since the last tick.

    Attributes:
        load: The server's own numbers, or ``None``.
        in_flight: Requests in flight now.
        peak: Most requests in flight since.
        completions: Requests completed since.
        tokens: Tokens of their completions; 0 where the server does not say.
        seconds: Sum of their latencies.
    """

    load: Load | None
    in_flight: int
    peak: int
    completions: int
    tokens: int
    seconds: float


class Change(msgspec.Struct, frozen=True):
    """A new limit, and why: one sentence for people, with the numbers."""

    limit: int
    reason: str


class Governor:
    """Moves the limit of one endpoint.

    Args:
        limits: What the user allows.
        now: Seconds on any clock that only goes forward; all later times are of the same clock.

    Attributes:
        limit: Most requests in flight at once, 1 at least. Lowering it cancels nothing.
    """

    def __init__(self, limits: Limits, now: float) -> None:
        first = min(limits.start, limits.most or limits.start) if limits.fixed is None else limits.fixed
        self.limit = max(1, first)  # of fewer than there are endpoints, each has one: any may be the last that is up
        self._exact = float(self.limit)
        self._limits = limits
        self._knee = Knee()
        self._spoke: float | None = None  # when the server last gave numbers
        self._full: float | None = None  # when it last had a queue
        self._in_flight = 0  # at the tick before
        self._each = 1.0  # sequences at the server for one request of ours, others' included
        self._moved = now
        self._cut: float | None = None
        self._ceiling, self._remembered = 0, REMEMBERED
        self._taken = 0  # most in flight at a tick since the last cut: the endpoint takes so many
        self._before_outage: int | None = None

    def tick(self, now: float, seen: Seen) -> Change | None:
        """Look at what happened, every :data:`TICK` seconds; return the new limit if it moves."""
        if seen.load is not None and (seen.load.running > 0 or not seen.in_flight):
            self._spoke = now  # a page on which nothing runs though something is in flight is of somebody else
        self._taken = max(self._taken, min(seen.in_flight, self.limit))
        if self._before_outage is not None and not self._queued(seen.load):
            return self._rise_again(now, self._before_outage, used=seen.peak >= USED * self.limit)
        if self._limits.fixed is not None:
            return None
        if self._spoke is not None and now - self._spoke <= SILENCE:
            return self._by_queue(now, seen.load, seen.in_flight) if seen.load else None
        most = self._most(now, max(MOST_UNSEEN, self.limit))
        step = self._knee.look(now, self.limit, most, seen.in_flight, seen.completions, seen.tokens, seen.seconds)
        return self._to(now, step.limit, step.reason) if step else None

    def overloaded(self, now: float) -> Change | None:
        """Take in that the endpoint refused a request as one too many (429, 503, 529)."""
        if self._limits.fixed is not None or (self._cut is not None and now - self._cut < EPISODE):
            return None
        if self._cut is not None and now - self._cut > self._remembered:
            self._remembered = min(LONGEST, 2 * self._remembered)
        taken = min(max(self._taken, floor(CUT * self.limit)), self.limit)
        self._ceiling = max(1, (taken + self.limit) // 2 - (taken == self.limit))  # between what it takes and does not
        self._cut, self._taken, self._before_outage = now, 0, None
        return self._to(now, floor(CUT * self.limit), "the endpoint refused a request as one too many")

    def returned(self, now: float) -> Change | None:
        """Take in that the endpoint is back after an outage."""
        self._before_outage = max(self.limit, self._before_outage or 0)
        start = min(SLOW_START, self._before_outage)
        return self._to(now, start, f"the endpoint is back after an outage; up to {self._before_outage} from here")

    def _rise_again(self, now: float, before: int, *, used: bool) -> Change | None:
        if self.limit < before and (not used or now - self._moved < TICK):
            return None
        aim = min(before, 2 * self.limit)
        if aim == before:
            self._before_outage = None
        return self._to(now, aim, f"the endpoint stays up after its outage; {before} before it")

    def _queued(self, load: Load | None) -> bool:
        """Say whether the server has a queue again, which ends a slow start: it may have come back smaller."""
        if load is None or self._limits.fixed is not None or load.waiting <= CROWDED * load.running:
            return False
        self._before_outage = None
        return True

    def _by_queue(self, now: float, load: Load, in_flight: int) -> Change | None:
        """Follow the server's own numbers.

        What is in flight here has the same share of what runs as of what waits, whoever else uses the server.
        """
        known, before = load.running + load.waiting, self._in_flight
        self._in_flight = in_flight
        if not in_flight or load.running <= 0:
            return None
        fresh = known >= FRESH * self._each * in_flight  # else the numbers may be from before the last growth
        room = (in_flight if fresh else min(in_flight, before)) * load.running / known
        if in_flight == before:
            self._each = known / in_flight
        queue = load.waiting / load.running
        said = f"{load.running:,.0f} run and {load.waiting:,.0f} wait at the server, {in_flight:,} from here"
        if queue > 0:
            self._full = now
        spread = SPREAD / sqrt(load.running)
        aimed = max(AIM, spread / 2)
        if queue > max(CROWDED, spread):
            room = max(in_flight, before) * load.running / known  # what was cut already is not cut again
            return self._to(
                now, self._exact * min(1.0, room * (1 + aimed) / self.limit), f"the queue is too long: {said}"
            )
        aim = self._exact
        if queue == 0 and (self._full is None or now - self._full > CLEAN):
            aim = ceil(self.limit * GROWTH)
        elif queue > 0 and now - self._moved >= (TICK if queue < aimed else FAIR):
            aim += sqrt(self._exact) / 2
        # 1.25 times what is in flight and runs, so there is no growth without use either
        highest = min(max(floor(room * GROWTH), floor(room) + 1), self._most(now, MOST_SEEN))
        return self._to(now, max(self._exact, min(aim, highest)), f"there is room: {said}")

    def _most(self, now: float, unless_said: int) -> int:
        """Return the highest limit now: the user's, and while a refusal is remembered the one it allows."""
        most = self._limits.most or unless_said
        if self._cut is None:
            return most
        lifted = LIFTED if now - self._cut > self._remembered else 1.0
        return min(most, max(1, ceil(self._ceiling * lifted)))

    def _to(self, now: float, exact: float, reason: str) -> Change | None:
        """Move the limit. What is between two whole limits is kept: rounding at each step, one client would win."""
        if exact == self._exact:
            return None
        before, self.limit = self.limit, max(1, round(exact))
        self._exact, self._moved = max(1.0, exact), now
        return Change(self.limit, f"limit {before} to {self.limit}: {reason}") if self.limit != before else None
