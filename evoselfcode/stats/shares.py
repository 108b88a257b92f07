"""The secondary table: shares of draws in two arms, side by side, their p-values adjusted together.

This file decides how a share is compared when the draws of one request are alike. It refuses to know what counts as a
kept or a valid draw, and it decides nothing: the verdict rests on the primary metric alone
(:mod:`evoselfcode.stats.verdict`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from evoselfcode.stats.compare import holm
from evoselfcode.stats.intervals import Interval, clustered, newcombe, two_proportion_z, wilson


class Counts(msgspec.Struct, frozen=True):
    """How many draws of an arm count.

    Attributes:
        successes: Draws that count.
        draws: Draws.
        design_effect: Draws per independent draw, 1 or more: 1 if the draws of a request have nothing in common.
    """

    successes: int
    draws: int
    design_effect: float = 1.0

    @classmethod
    def of(cls, requests: Iterable[Iterable[bool]]) -> Counts:
        """Count draws by request, and measure how alike the draws of one request are.

        The design effect is that of :func:`~evoselfcode.stats.intervals.clustered`, held at 1 or more: a count that
        looks better than independent draws does so by chance.

        Args:
            requests: Per request, for each of its draws whether it counts.
        """
        labelled = [(float(counts), number) for number, draws in enumerate(requests) for counts in draws]
        values, numbers = [value for value, _ in labelled], [number for _, number in labelled]
        effect = clustered(values, numbers).design_effect if len(set(numbers)) > 1 else 1.0
        return cls(int(sum(values)), len(values), max(1.0, effect))

    @property
    def independent(self) -> tuple[float, float]:
        """The successes and draws of as many independent draws as these are worth."""
        return self.successes / self.design_effect, self.draws / self.design_effect


class ShareRow(msgspec.Struct, frozen=True):
    """One row of the secondary table.

    Attributes:
        metric: What the share is of.
        a: Share of the first arm with its Wilson limits.
        b: Share of the second arm with its Wilson limits.
        difference: First minus second with Newcombe limits, not adjusted for the number of rows.
        p: Two-sided p-value of the two-proportion z test.
        holm: The same, adjusted for all rows of the table.
    """

    metric: str
    a: Interval
    b: Interval
    difference: Interval
    p: float
    holm: float


def compare_shares(family: Mapping[str, tuple[Counts, Counts]], confidence: float = 0.95) -> tuple[ShareRow, ...]:
    """Compare several shares of two arms as one family.

    Limits and tests are those of :mod:`evoselfcode.stats.intervals` on counts divided by their design effects (Rao and
    Scott 1992, "A simple method for the analysis of clustered binary data", Biometrics 48).

    Args:
        family: By metric, the counts of the first and of the second arm.
        confidence: Between 0 and 1.

    Raises:
        ValueError: An arm has no draws, or `confidence` is out of range.
    """
    counts = [(metric, a.independent, b.independent) for metric, (a, b) in family.items()]
    tests = [two_proportion_z(*a, *b) for _, a, b in counts]
    return tuple(
        ShareRow(metric, wilson(*a, confidence), wilson(*b, confidence), newcombe(*a, *b, confidence), test.p, adjusted)
        for (metric, a, b), test, adjusted in zip(counts, tests, holm([test.p for test in tests]), strict=True)
    )
