"""Which level is measured next, when enough are, and which of them is the knee. Pure: levels in, a number out.

This file decides the order of the levels: twice as many each time until more no longer pays, then between the last two
by their geometric mean. It refuses to know how a level is measured, and who is to blame for the end of the climb
(:mod:`evoselfcode.bench.verdict`). Why this is not the search of a run: ``docs/decisions/0027-bench.md``.
"""

from __future__ import annotations

from math import sqrt
from typing import Literal

from evoselfcode.bench.levels import Level
from evoselfcode.engine.knee import GOOD, NARROW

Over = Literal["flat", "trouble", "unused", "most"]
"""Why the climb is over: goodput no longer rises; attempts are refused or fail; something else keeps requests from
being in flight; it is the highest level that is allowed."""


class Ladder:
    """The levels of one endpoint.

    Args:
        first: Lowest level: one request for each replica.
        most: Highest level.

    Attributes:
        levels: What was measured, by level.
        over: Why the climb is over; ``None`` while it is not.
    """

    def __init__(self, first: int, most: int) -> None:
        self.levels: dict[int, Level] = {}
        self.over: Over | None = None
        self._first, self._most = min(first, most), most

    def add(self, level: Level) -> None:
        """Take in a level that was measured."""
        self.levels[level.limit] = level
        self.over = self.over or self._why_over(level)

    def next(self) -> int | None:
        """Return the level to measure next, or ``None`` if enough are."""
        if not self.levels:
            return self._first
        if self.over is None:
            return min(2 * max(self.levels), self._most)
        return self._gap()

    @property
    def good(self) -> list[Level]:
        """The levels without trouble, ascending."""
        return [level for _, level in sorted(self.levels.items()) if not level.in_trouble]

    @property
    def best(self) -> float:
        """The best goodput, less its standard error: of many levels, the luckiest looks best."""
        return max((level.goodput - level.error for level in self.good), default=0.0)

    @property
    def knee(self) -> Level | None:
        """The least level that gives 97 % of the best goodput; ``None`` if every level had trouble."""
        return next((level for level in self.good if level.goodput >= GOOD * self.best), None)

    @property
    def found(self) -> Level | None:
        """The knee, once the climb is over: on the way up, it is the highest level, and means nothing."""
        return None if self.over is None else self.knee

    def _why_over(self, level: Level) -> Over | None:
        if level.in_trouble:
            return "trouble"
        before = [other for limit, other in sorted(self.levels.items()) if limit < level.limit][-2:]
        if level.unused:
            return "unused"
        if before and level.crowded and before[-1].goodput >= GOOD * level.goodput:
            return "flat"
        if len(before) == 2 and not any(_more(before[0], higher) for higher in (before[1], level)):
            return "flat"
        return "most" if level.limit >= self._most else None

    def _gap(self) -> int | None:
        """Return the level in the middle of where the knee is, if that is not known well enough."""
        knee = self.knee
        if knee is None or (self.over in ("most", "unused") and knee.limit == self.good[-1].limit):
            return None  # none, or it lies above what may be tried
        above = (limit for limit, level in self.levels.items() if limit > knee.limit and level.in_trouble)
        if knee.limit == self.good[-1].limit and (middle := _middle(knee.limit, min(above, default=0))):
            return middle
        return _middle(max((limit for limit in self.levels if limit < knee.limit), default=knee.limit), knee.limit)


def _more(low: Level, high: Level) -> bool:
    """Say whether the higher level gives so much more than the lower one that this is not the knee."""
    return low.goodput < GOOD * (high.goodput - high.error)


def _middle(low: int, high: int) -> int | None:
    """Return the geometric mean of two levels that are far enough apart."""
    return round(sqrt(low * high)) if high > NARROW * low and high - low > 1 else None
