"""When more draws no longer pay: the stop rules of one arm, on the stream of its draws.

This file decides whether an arm is saturated, and says by which rule. It refuses to know who draws, how the stop is
obeyed and what a name is: names come in as they should be compared, and what comes after a stop is still counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

import msgspec

from evoselfcode.stats.forecast import forecast
from evoselfcode.stats.intervals import Interval
from evoselfcode.stats.species import Frequencies, coverage, good_turing

Rule = Literal["new_per_1000", "coverage", "gain", "draws", "tokens"]

CONFIDENCE = 0.95

_SAID: dict[Rule, str] = {
    "new_per_1000": "at most {value:,.1f} new names in 1,000 more draws, fewer than {limit:,g}",
    "coverage": "the names seen make up {value:.1%} of the accepted draws, at least {limit:.1%}",
    "gain": "twice the draws would give {value:.1%} more names, less than {limit:.1%}",
    "draws": "the budget of {limit:,g} draws is spent",
    "tokens": "the budget of {limit:,g} tokens is spent",
}


class StopRules(msgspec.Struct, frozen=True, kw_only=True):
    """What ends an arm, whichever comes first; ``None`` switches a rule off.

    Attributes:
        new_per_1000: New accepted names in 1,000 draws: stop where the upper 95 % limit is below.
        coverage: Share of the accepted draws that the names seen make up: stop where it is reached.
        gain: Names that a run twice as long would add, as a share of those seen: stop where the forecast is below. The
            slowest of the three to change: in arms of 100,000 draws with a long tail it fired some 5 looks early or
            late, where the others kept within one.
        draws: Budget of draws.
        tokens: Budget of tokens, prompt and completion.
        look: Draws from one look to the next. Only the first three rules wait for a look.
        in_a_row: Looks in a row at which a rule must hold. Every look is one more chance to stop by luck; two in a
            row make that rare, and cost one look.
    """

    new_per_1000: float | None = 50.0
    coverage: float | None = 0.95
    gain: float | None = 0.10
    draws: int | None = None
    tokens: int | None = None
    look: int = 2_000
    in_a_row: int = 2

    def __post_init__(self) -> None:
        if self.look < 1 or self.in_a_row < 1:
            raise ValueError("a look is after at least one draw, and a rule holds at at least one look")
        if self.coverage is not None and not 0 < self.coverage <= 1:
            raise ValueError("a coverage lies above 0 and up to 1")
        for limit in (self.new_per_1000, self.gain, self.draws, self.tokens):
            if limit is not None and not limit > 0:
                raise ValueError("the limit of a stop rule is more than 0; None switches the rule off")


class Look(msgspec.Struct, frozen=True):
    """An arm as it stood after some draws.

    Attributes:
        draws: Draws so far.
        accepted: Draws among them that gave a name, repeated ones too.
        distinct: Different names among these.
        new_per_1000: New names expected in the next 1,000 draws, with its 95 % interval.
        coverage: Share of the accepted draws that the names seen make up.
        forecast: Distinct names at twice the draws, with the 95 % band.
        gain: What the forecast adds, as a share of ``distinct``; ``None`` without a name.
    """

    draws: int
    accepted: int
    distinct: int
    new_per_1000: Interval
    coverage: float
    forecast: Interval
    gain: float | None


class Stop(msgspec.Struct, frozen=True):
    """Why and where an arm should end.

    Attributes:
        rule: The rule that fired.
        value: What it found.
        limit: What the rule compares that with.
        look: The arm at that moment.
        tokens: Tokens counted until then.
    """

    rule: Rule
    value: float
    limit: float
    look: Look
    tokens: int

    def sentence(self) -> str:
        """Say which rule fired, and what twice the draws would give."""
        look = self.look
        why = _SAID[self.rule].format(value=self.value, limit=self.limit)
        return (
            f"{why} ({look.distinct:,} names after {look.draws:,} draws; {2 * look.draws:,} would give about "
            f"{look.forecast.estimate:,.0f}, between {look.forecast.low:,.0f} and {look.forecast.high:,.0f})"
        )


class Saturation:
    """Counts the draws of one arm and says when more of them no longer pay.

    The looks fall after every ``rules.look`` draws, however the draws are handed in.

    Args:
        rules: What ends the arm.

    Attributes:
        looks: The looks so far, the last one at the end.
        stop: The rule that fired first, or ``None``. It stays, whatever is counted later.
    """

    def __init__(self, rules: StopRules) -> None:
        self._rules = rules
        self._counts: Counter[str] = Counter()
        self._spectrum: Counter[int] = Counter()
        self._held: Counter[Rule] = Counter()
        self._draws = self._tokens = 0
        self.looks: list[Look] = []
        self.stop: Stop | None = None

    def add(self, names: Iterable[str | None], tokens: int = 0) -> Stop | None:
        """Count draws, and return the stop if a rule has fired, now or before.

        Args:
            names: For every draw its accepted name as it is compared, a repeated one too; ``None`` for a draw that a
                gate dropped. A duplicate handed in as ``None`` would make the arm look saturated at once.
            tokens: Tokens that these draws cost.
        """
        for name in names:
            self._count(name)
            if self._draws % self._rules.look == 0:
                self.looks.append(self._look())
                self._judge(self.looks[-1])
            if self._draws == self._rules.draws:
                self._fire("draws", self._draws, self._rules.draws)
        self._tokens += tokens
        if self._rules.tokens is not None and self._tokens >= self._rules.tokens:
            self._fire("tokens", self._tokens, self._rules.tokens)
        return self.stop

    def _count(self, name: str | None) -> None:
        self._draws += 1
        if name is None:
            return
        times = self._counts[name] = self._counts[name] + 1
        self._spectrum[times] += 1
        if times > 1:
            self._spectrum[times - 1] -= 1

    def _look(self) -> Look:
        seen = Frequencies.of_spectrum(self._spectrum.items())
        unseen = good_turing(seen.among(self._draws), CONFIDENCE)
        # Twice the draws hold twice the accepted ones, and the forecast asks of no others.
        twice = forecast(seen, 2 * seen.n, CONFIDENCE)
        return Look(
            draws=self._draws,
            accepted=seen.n,
            distinct=seen.distinct,
            new_per_1000=Interval(1000 * unseen.estimate, 1000 * unseen.low, 1000 * unseen.high),
            coverage=coverage(seen),
            forecast=twice,
            gain=twice.estimate / seen.distinct - 1 if seen.distinct else None,
        )

    def _judge(self, look: Look) -> None:
        rules = self._rules
        tests: tuple[tuple[Rule, float | None, float | None, bool], ...] = (
            ("new_per_1000", look.new_per_1000.high, rules.new_per_1000, False),
            ("coverage", look.coverage, rules.coverage, True),
            ("gain", look.gain, rules.gain, False),
        )
        for rule, value, limit, reach in tests:
            if value is None or limit is None or not (value >= limit if reach else value < limit):
                self._held[rule] = 0
                continue
            self._held[rule] += 1
            if self._held[rule] >= rules.in_a_row:
                self._fire(rule, value, limit)

    def _fire(self, rule: Rule, value: float, limit: float) -> None:
        if self.stop is None:
            look = self.looks[-1] if self.looks and self.looks[-1].draws == self._draws else self._look()
            self.stop = Stop(rule, value, limit, look, self._tokens)
