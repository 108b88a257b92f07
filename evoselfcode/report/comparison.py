"""Two arms side by side: the verdict, its table, and which names both find.

This file decides what is compared and in which words a verdict is told. The numbers come from
:mod:`evoselfcode.stats.verdict`. With one arm, or more than two, there is no verdict.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from evoselfcode.report.draws import Draws
from evoselfcode.stats import verdict
from evoselfcode.stats.shares import Counts, compare_shares
from evoselfcode.storage import DUPLICATE

SIGNIFICANT = 0.05
"""Adjusted p-value below which a row of the secondary table names an arm."""

SHOWN = 20
"""Names of each part of the overlap."""


def compared(arms: Mapping[str, Draws]) -> dict[str, Any] | None:
    """Compare two arms, or return ``None`` where there are not two with draws."""
    if len(arms) != 2 or not all(draws.draws for draws in arms.values()):
        return None
    (name_a, a), (name_b, b) = arms.items()
    decided = verdict.decide(verdict.ArmDraws(name_a, a.in_plan_order()), verdict.ArmDraws(name_b, b.in_plan_order()))
    primary = {
        "metric": decided.metric,
        "unit": "names per 1,000 draws",
        "a": decided.a,
        "b": decided.b,
        "difference": msgspec.to_builtins(decided.difference),
        "p": decided.p,
        "p_holm": None,
        "verdict": decided.verdict,
    }
    return {
        "arms": [name_a, name_b],
        "draws": decided.draws,
        "primary": decided.metric,
        "verdict": decided.verdict,
        "sentence": sentence(decided, name_a, name_b),
        "more_draws": decided.more_draws,
        "metrics": [primary, *_shares(name_a, a, name_b, b)],
    }


def sentence(decided: verdict.Verdict, a: str, b: str) -> str:
    """Tell a verdict in one sentence."""
    low, high = decided.difference.low, decided.difference.high
    at = f"at {decided.draws:,} draws each"
    if decided.verdict in (a, b):
        loser = b if decided.verdict == a else a
        gap, low, high = abs(decided.difference.estimate), *sorted((abs(low), abs(high)))
        return (
            f"{decided.verdict} finds {gap:.1f} more new names per 1,000 draws than {loser} "
            f"(95 % interval {low:.1f} to {high:.1f}, {at})."
        )
    range_ = f"the difference {a} minus {b} is {decided.difference.estimate:+.1f} ({low:+.1f} to {high:+.1f}, {at})"
    if decided.verdict == "equivalent":
        return f"{a} and {b} are equivalent within {decided.margin:g} new names per 1,000 draws: {range_}."
    more = f" About {decided.more_draws:,} draws per arm would settle it." if decided.more_draws else ""
    return f"Undecided between {a} and {b}: {range_}.{more}"


def _shares(name_a: str, a: Draws, name_b: str, b: Draws) -> list[dict[str, Any]]:
    """Compare shares of draws as one family.

    Not the share that was kept: repetitions make it fall with the length of a run, and arms may differ in that.
    """
    dropped = sorted({*a.reasons, *b.reasons} - {DUPLICATE})
    counted: dict[str, Callable[[str | None], bool]] = {
        "accepted by every gate, repetitions counted": lambda reason: reason in (None, DUPLICATE),
        **{f"dropped as {reason}": partial(operator.eq, reason) for reason in dropped},
    }
    family = {metric: (Counts.of(a.which(of)), Counts.of(b.which(of))) for metric, of in counted.items()}
    rows = []
    for row in compare_shares(family):
        more, less = (name_b, name_a) if row.metric.startswith("dropped") else (name_a, name_b)
        better = more if row.difference.estimate > 0 else less
        rows.append(
            {
                "metric": row.metric,
                "unit": "share of draws",
                "a": row.a.estimate,
                "b": row.b.estimate,
                "difference": msgspec.to_builtins(row.difference),
                "p": row.p,
                "p_holm": row.holm,
                "verdict": better if row.holm < SIGNIFICANT else verdict.UNDECIDED,
            }
        )
    return rows


def overlap(arms: Mapping[str, Draws]) -> dict[str, Any] | None:
    """Say which canonical names both arms found, and which one alone did."""
    if len(arms) != 2:
        return None
    (name_a, a), (name_b, b) = arms.items()
    both = a.names.keys() & b.names.keys()
    union = len(a.names.keys() | b.names.keys())
    return {
        "both": len(both),
        "only": {name_a: len(a.names) - len(both), name_b: len(b.names) - len(both)},
        "jaccard": len(both) / union if union else 0.0,
        "examples": {
            "both": _commonest(a, both),
            name_a: _commonest(a, a.names.keys() - both),
            name_b: _commonest(b, b.names.keys() - both),
        },
    }


def _commonest(draws: Draws, names: set[str]) -> list[str]:
    ranked = sorted(names, key=lambda name: (-draws.names[name], name))
    return [draws.spelling(name) for name in ranked[:SHOWN]]
