"""How many names an arm found, and how many more there are: the estimators of :mod:`evoselfcode.stats` on its draws.

This file decides what a species and a sample are: canonical names, and accepted draws. It refuses to know the formulae.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from evoselfcode.report.draws import Draws
from evoselfcode.stats import forecast, species

MOST_POINTS = 200


def fewest_accepted(arms: Iterable[Draws]) -> int:
    """Return the accepted draws of the arm that has fewest of them, arms without any left out: what all are cut to."""
    return min((accepted for arm in arms if (accepted := arm.names.total())), default=0)


def species_of(draws: Draws, equal: int) -> dict[str, Any]:
    """Estimate how much is still unseen, with canonical names as species and accepted draws as the sample.

    Args:
        draws: The arm.
        equal: Accepted draws at which the arms are compared; an arm without so many has no number there.
    """
    seen = species.Frequencies.of(draws.names.values())
    return {
        "draws": seen.n,
        "distinct": seen.distinct,
        "once": seen.f(1),
        "twice": seen.f(2),
        "unseen": msgspec.to_builtins(species.good_turing(seen)),
        "coverage": species.coverage(seen),
        "chao1": species.chao1(seen),
        "chao1_range": msgspec.to_builtins(species.chao1_interval(seen)),
        "ace": _ace(seen),
        "rarefied": {"draws": equal, "distinct": forecast.rarefied(seen, equal) if 0 < equal <= seen.n else None},
        "hill": [species.hill(seen, order) for order in (0, 1, 2)],
    }


def _ace(seen: species.Frequencies) -> float | None:
    try:
        return species.ace(seen)
    except ValueError:  # all rare names were seen once
        return None


def curve(draws: Draws) -> dict[str, Any]:
    """Count distinct accepted names along the plan, at up to :data:`MOST_POINTS` places, and fit Heaps' law to that."""
    flat = [name for request in draws.in_plan_order() for name in request]
    stride = max(1, -(-len(flat) // MOST_POINTS))
    seen: set[str] = set()
    points = []
    for number, name in enumerate(flat, 1):
        if name is not None:
            seen.add(name)
        if number % stride == 0 or number == len(flat):
            points.append([number, len(seen)])
    return {"curve": points, "heaps": _heaps(points)}


def _heaps(points: list[list[int]]) -> float | None:
    try:
        return forecast.heaps([(number, distinct) for number, distinct in points]).exponent
    except ValueError:  # fewer than two points with a name
        return None


def forecast_of(draws: Draws) -> dict[str, Any]:
    """Forecast the distinct names of a run twice as long: twice the draws have twice the accepted ones."""
    seen = species.Frequencies.of(draws.names.values())
    return {"draws": 2 * draws.draws, "distinct": msgspec.to_builtins(forecast.forecast(seen, 2 * seen.n))}
