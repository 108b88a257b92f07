"""All arms in one order, and the answer of the whole report in one sentence.

This file decides how more than two arms are told at a glance. Whether one is better than another is decided pair by
pair (:mod:`evoselfcode.report.comparison`): a rank is a place in a list, not a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from evoselfcode.report.draws import Draws
from evoselfcode.stats import verdict
from evoselfcode.stats.intervals import Interval, upper_point


def ranking(arms: Mapping[str, Draws]) -> list[dict[str, Any]]:
    """Rank the arms by new names per 1,000 draws, each over its first draws in the plan, as many as the shortest has.

    The interval is of the one arm alone, by the variance that the verdict uses.
    """
    drawn = {name: draws.in_plan_order() for name, draws in arms.items() if draws.draws}
    equal = min((draws.draws for draws in arms.values() if draws.draws), default=0)
    rows = []
    for name, requests in drawn.items():
        found = verdict.distinct(verdict.first(requests, equal))
        scale = 1000.0 / equal
        half = upper_point(0.95) * found.variance**0.5 * scale
        value = found.names * scale
        interval = Interval(value, max(0.0, value - half), min(1000.0, value + half))
        rows.append({"arm": name, "draws": equal, "names": found.names, "new_per_1000": msgspec.to_builtins(interval)})
    return sorted(rows, key=lambda row: (-row["names"], row["arm"]))


def answer(
    arms: Mapping[str, Draws], ranked: Sequence[Mapping[str, Any]], comparisons: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what a reader should take away: a word, and a sentence.

    The word is the verdict where two arms were compared, and empty elsewhere.
    """
    if len(comparisons) == 1 and len(ranked) == 2:
        return {"word": comparisons[0]["verdict"], "sentence": comparisons[0]["sentence"]}
    if not ranked:
        return {"word": "", "sentence": "No draws yet."}
    best = ranked[0]
    if len(ranked) == 1:
        names = f"{arms[best['arm']].kept:,} names kept of {best['draws']:,} draws"
        return {"word": "", "sentence": f"One arm, {best['arm']}: {names}. There is nothing to compare it with."}
    interval = best["new_per_1000"]
    told = (
        f"Of {len(ranked)} arms {best['arm']} finds the most: {interval['estimate']:.1f} new names per 1,000 draws "
        f"({interval['low']:.1f} to {interval['high']:.1f}, at {best['draws']:,} draws each)."
    )
    settled = sum(one["verdict"] != verdict.UNDECIDED for one in comparisons)
    if comparisons:
        told += (
            f" Of {len(comparisons)} comparisons of one factor, {settled} {'is' if settled == 1 else 'are'} settled."
        )
    return {"word": "", "sentence": told}
